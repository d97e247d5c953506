import Synchronization

/// What names mean to one kind of session: a reading of the catalogue, the search_path, and what the session itself may
/// have changed that nobody else can see yet.
///
/// Sessions in the same state share one, and so do the analyses made in it.
public final class NameContext: Sendable {
  /// What of a session decides what names mean to it.
  public struct Scope: Hashable, Sendable {
    /// nil while not known: a name may then be in any schema.
    public var path: SearchPath?
    /// It may have relations of its own that hide others.
    public var hasTemporaries = false
    /// It changed relations in a transaction that is still open.
    public var hasDefinitions = false
    /// Routines that it made or changed in a transaction that is still open.
    public var routines = RoutineNames.none

    public init(path: SearchPath? = nil) { self.path = path }

    /// True when nothing but the catalogue and the path matters, so that others can be in the same.
    public var isShared: Bool { !hasDefinitions && routines == .none }
  }

  /// Different for each one of the process, and never 0.
  public let id: UInt64
  public let snapshot: CatalogSnapshot
  public let scope: Scope
  /// Schemas in the order in which they are searched, PostgreSQL's own among them; nil while not known.
  let schemas: [String]?
  let bodies = Mutex<[RoutineKey: RoutineBody]>([:])

  private static let last = Atomic<UInt64>(0)

  public init(_ snapshot: CatalogSnapshot, _ scope: Scope) {
    id = NameContext.last.wrappingAdd(1, ordering: .relaxed).newValue
    self.snapshot = snapshot
    self.scope = scope
    schemas = scope.path.flatMap { NameContext.effective($0, in: snapshot) }
  }

  /// What `current_schemas(true)` would say without the session's own temporary schema; nil when that cannot be told.
  static func effective(_ path: SearchPath, in snapshot: CatalogSnapshot) -> [String]? {
    // What another account may use is not known.
    guard path.user == snapshot.user, let entries = path.entries else { return nil }
    var schemas: [String] = []
    for entry in entries {
      let name = entry == "$user" ? path.user : entry
      if name == "pg_catalog" || (name != "pg_temp" && snapshot.usableSchemas.contains(name)) { schemas.append(name) }
    }
    return schemas.contains("pg_catalog") ? schemas : ["pg_catalog"] + schemas
  }
}

/// Looking names up.
extension NameContext {
  /// What the name of a relation stands for.
  enum Sight {
    /// This one, for certain.
    case known(CatalogSnapshot.Relation)
    /// One of these, or one that is not in the catalogue.
    case open([CatalogSnapshot.Relation])
  }

  /// `usesPath` is false inside routines that run under a search_path of their own.
  func relation(_ schema: String?, _ name: String, usesPath: Bool) -> Sight {
    let named = snapshot.relations(named: name)
    if let schema {
      let found = named.filter { $0.schema == schema }
      return found.count == 1 && !scope.hasDefinitions ? .known(found[0]) : .open(found)
    }
    guard usesPath, let schemas else { return .open(named) }
    var found: [CatalogSnapshot.Relation] = []
    for schema in schemas {
      found += named.filter { $0.schema == schema }
      if !found.isEmpty { break }
    }
    let isCertain = !scope.hasTemporaries && !scope.hasDefinitions
    return found.count == 1 && isCertain ? .known(found[0]) : .open(found)
  }

  /// All routines that a call of this name may reach, besides PostgreSQL's own.
  func routines(_ schema: String?, _ name: String, usesPath: Bool) -> [CatalogSnapshot.Routine] {
    let named = snapshot.routines(named: name)
    if named.isEmpty { return named }
    if let schema { return named.filter { $0.schema == schema } }
    guard usesPath, let schemas else { return named }
    return named.filter { schemas.contains($0.schema) }
  }
}
