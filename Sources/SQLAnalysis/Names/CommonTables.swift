/// The names that WITH clauses put in place of tables, and where in the text each of them can be seen.
struct CommonTables {
  /// Nothing but tables is in sight.
  static let none: Int32 = -1
  /// WITH clauses inside WITH clauses that are followed.
  static let depthLimit: Int32 = 256

  /// One WITH clause as seen from one place.
  private struct View {
    var outer: Int32
    var names: Int32
    /// Only names of a smaller ordinal are in sight: without RECURSIVE a query sees those before it.
    var limit: Int32
    var depth: Int32
  }
  private var views: [View] = []
  private var clauses: [[String: Int32]] = []

  /// Opens a clause with these names, in order, inside what is seen at `outer`; nil when that is nested too deep.
  mutating func open(_ names: [String], inside outer: Int32) -> Int32? {
    let depth = (outer < 0 ? 0 : views[Int(outer)].depth) + 1
    guard depth <= CommonTables.depthLimit else { return nil }
    var ordinals: [String: Int32] = [:]
    for (ordinal, name) in names.enumerated() where ordinals[name] == nil {
      ordinals[name] = Int32(truncatingIfNeeded: ordinal)
    }
    clauses.append(ordinals)
    return add(View(outer: outer, names: Int32(truncatingIfNeeded: clauses.count - 1), limit: .max, depth: depth))
  }

  /// The same clause as seen from its own query number `ordinal`.
  mutating func before(_ ordinal: Int, in view: Int32) -> Int32 {
    var narrowed = views[Int(view)]
    narrowed.limit = Int32(truncatingIfNeeded: ordinal)
    return add(narrowed)
  }

  func contains(_ name: String, at view: Int32) -> Bool {
    var at = view
    while at >= 0 {
      let view = views[Int(at)]
      if let ordinal = clauses[Int(view.names)][name], ordinal < view.limit { return true }
      at = view.outer
    }
    return false
  }

  private mutating func add(_ view: View) -> Int32 {
    views.append(view)
    return Int32(truncatingIfNeeded: views.count - 1)
  }
}
