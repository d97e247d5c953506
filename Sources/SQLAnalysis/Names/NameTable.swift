/// Finds an enum's case by the bytes of its raw value, without making a String.
struct NameTable<Name: RawRepresentable & CaseIterable & Sendable>: Sendable where Name.RawValue == String {
  private struct Slot: Sendable {
    var name: Name
    var bytes: [UInt8]
  }
  /// Open addressing; the count is a power of two and at least four times that of the names.
  private let slots: [Slot?]

  init() {
    let names = Array(Name.allCases)
    var count = 1
    while count < names.count * 4 { count *= 2 }
    var slots = [Slot?](repeating: nil, count: count)
    for name in names {
      let bytes = Array(name.rawValue.utf8)
      var at = bytes.withUnsafeBufferPointer { NameTable.hash($0) } & (count - 1)
      while slots[at] != nil { at = (at + 1) & (count - 1) }
      slots[at] = Slot(name: name, bytes: bytes)
    }
    self.slots = slots
  }

  /// The case whose raw value is those bytes, or nil.
  func find(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Name? {
    let key = UnsafeBufferPointer(rebasing: bytes[range])
    var at = NameTable.hash(key) & (slots.count - 1)
    while let slot = slots[at] {
      if slot.bytes.count == key.count, NameTable.isEqual(slot.bytes, key) { return slot.name }
      at = (at + 1) & (slots.count - 1)
    }
    return nil
  }

  /// Both have the same count.
  private static func isEqual(_ name: [UInt8], _ key: UnsafeBufferPointer<UInt8>) -> Bool {
    for index in key.indices where name[index] != key[index] { return false }
    return true
  }

  /// The keys come from libpg_query, never from a client, so that the hash needs no secret.
  private static func hash(_ key: UnsafeBufferPointer<UInt8>) -> Int {
    var hash: UInt32 = 2_166_136_261
    for byte in key { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
    return Int(hash ^ (hash >> 15))
  }
}
