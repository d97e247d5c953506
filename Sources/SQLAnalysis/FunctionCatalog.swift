import AccessModel

/// What the configuration declares of functions that the gateway cannot look into.
///
/// A pattern with a schema covers calls that name the schema, and those that the catalogue resolves to it; one without
/// covers every call by that name (*must*: an unresolved schema is no match for `public.*`).
public struct FunctionCatalog: Hashable, Sendable {
  /// One line of `functions:`: a pattern of names and what those functions may do.
  public struct Entry: Hashable, Sendable {
    public var name: NamePattern
    public var effects: Effects
    /// Stored columns whose values it may return, besides what it is given.
    public var reads: ColumnSet
    public init(name: NamePattern, effects: Effects, reads: ColumnSet = .everything) {
      self.name = name
      self.effects = effects
      self.reads = reads
    }
  }
  public var entries: [Entry]

  public static let empty = FunctionCatalog([])

  public init(_ entries: [Entry]) { self.entries = entries }

  /// The effects of all entries that certainly name this routine, with `.call`; nil without any.
  func effects(schema: String?, name: String) -> Effects? {
    if entries.isEmpty { return nil }
    var effects: Effects?
    for entry in entries where entry.name.mustMatch([schema, name]) {
      effects = (effects ?? .call).union(entry.effects)
    }
    return effects
  }
}

extension FunctionCatalog {
  /// What this routine may return of stored columns, by all entries that certainly name it; anything without one.
  func reads(schema: String?, name: String) -> ColumnSet {
    let named = entries.filter { $0.name.mustMatch([schema, name]) }
    return named.isEmpty ? .everything : named.reduce(into: .none) { $0.formUnion($1.reads) }
  }
}

/// What is known of PostgreSQL's own functions, by name.
///
/// Without a `NameContext` a user's function of the same name is taken for PostgreSQL's own: whoever decides by that asks
/// for one first (`SessionTraits.needsNames`).
enum BuiltinFunction: Sendable {
  case harmless, writes, administers
  /// Runs SQL that is handed over as text, or reaches files.
  case dangerous

  /// The function with this name, or nil.
  static func named(_ name: String) -> BuiltinFunction? { all[name] }

  /// True when the function returns a row, so that `(f(x)).field` reads a field and calls nothing.
  static func returnsRow(_ name: String) -> Bool { composite.contains(name) }

  /// True when the function returns a set, so that how many rows there are tells something of its arguments.
  static func returnsSet(_ name: String) -> Bool { sets.contains(name) }

  private static let all: [String: BuiltinFunction] = {
    var all: [String: BuiltinFunction] = [:]
    for name in words(BuiltinFunctionNames.harmless) { all[name] = .harmless }
    for name in words(BuiltinFunctionNames.writes) { all[name] = .writes }
    for name in words(BuiltinFunctionNames.administers) { all[name] = .administers }
    for name in words(BuiltinFunctionNames.dangerous) { all[name] = .dangerous }
    return all
  }()

  private static let composite = Set(words(BuiltinFunctionNames.composite))
  private static let sets = Set(words(BuiltinFunctionNames.rows))

  /// Helpers of information_schema that drivers call.
  static let informationSchema: Set<String> = [
    "_pg_char_max_length", "_pg_char_octet_length", "_pg_datetime_precision", "_pg_expandarray", "_pg_index_position",
    "_pg_interval_type", "_pg_numeric_precision", "_pg_numeric_precision_radix", "_pg_numeric_scale",
    "_pg_truetypid", "_pg_truetypmod",
  ]

  private static func words(_ text: String) -> [String] {
    text.split(whereSeparator: \.isWhitespace).map(String.init)
  }
}
