/// Values by the names of portals. The unnamed one, which nearly everybody uses, lies beside the others and needs no
/// hashing.
struct NameMap<Value> {
  private var unnamed: Value?
  private var named: [String: Value] = [:]

  var isEmpty: Bool { unnamed == nil && named.isEmpty }

  subscript(name: String) -> Value? {
    get { name.isEmpty ? unnamed : named[name] }
    set { if name.isEmpty { unnamed = newValue } else { named[name] = newValue } }
  }

  mutating func removeAll() {
    unnamed = nil
    if !named.isEmpty { named.removeAll(keepingCapacity: true) }
  }
}
