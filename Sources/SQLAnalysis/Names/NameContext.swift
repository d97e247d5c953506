import AccessModel
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
    /// Relations that only this session sees as they are.
    public var own = OwnDefinitions.none
    /// Routines that it made or changed in a transaction that is still open.
    public var routines = RoutineNames.none

    public init(path: SearchPath? = nil) { self.path = path }

    /// True when nothing but the catalogue and the path matters, so that others can be in the same.
    public var isShared: Bool { own.isEmpty && routines == .none }
  }

  /// Different for each one of the process, and never 0.
  public let id: UInt64
  public let snapshot: CatalogSnapshot
  public let scope: Scope
  /// Schemas in the order in which they are searched, PostgreSQL's own among them; nil while not known.
  let schemas: [String]?
  /// Where a relation is made whose name has no schema; nil while not known.
  let creationSchema: String?
  let bodies = Mutex<[RoutineKey: RoutineBody]>([:])

  private static let last = Atomic<UInt64>(0)

  public init(_ snapshot: CatalogSnapshot, _ scope: Scope) {
    id = NameContext.last.wrappingAdd(1, ordering: .relaxed).newValue
    self.snapshot = snapshot
    self.scope = scope
    let path = scope.path.flatMap { NameContext.leadsElsewhere($0, scope.own) ? nil : $0 }
    schemas = path.flatMap { NameContext.effective($0, in: snapshot) }
    creationSchema = path.flatMap { NameContext.creationSchema($0, in: snapshot) }
  }

  /// What `current_schemas(true)` would say without the session's own temporary schema; nil when that cannot be told.
  static func effective(_ path: SearchPath, in snapshot: CatalogSnapshot) -> [String]? {
    guard let usable = snapshot.usableSchemas(of: path.user), let entries = path.entries else { return nil }
    var schemas: [String] = []
    for entry in entries {
      let name = entry == "$user" ? path.user : entry
      if name == "pg_catalog" || (name != "pg_temp" && usable.contains(name)) { schemas.append(name) }
    }
    return schemas.contains("pg_catalog") ? schemas : ["pg_catalog"] + schemas
  }

  /// The first schema that the path names and that is there; nil when that cannot be told.
  private static func creationSchema(_ path: SearchPath, in snapshot: CatalogSnapshot) -> String? {
    guard let usable = snapshot.usableSchemas(of: path.user), let entries = path.entries else { return nil }
    for entry in entries {
      let name = entry == "$user" ? path.user : entry
      if name == "pg_temp" || name == "pg_catalog" || usable.contains(name) { return name }
    }
    return nil
  }

  /// Whether the path names a schema of which only the session knows by now whether it is there, or may be used.
  private static func leadsElsewhere(_ path: SearchPath, _ own: OwnDefinitions) -> Bool {
    guard !own.schemas.isEmpty else { return false }
    return (path.entries ?? []).contains { own.schemas.contains($0 == "$user" ? path.user : $0) }
  }
}

/// Looking names up.
extension NameContext {
  /// What the name of a relation stands for.
  enum Sight {
    /// This one, for certain.
    case known(CatalogSnapshot.Relation)
    /// The session's own, or one of these.
    case own(OwnRelations.Relation, or: [CatalogSnapshot.Relation])
    /// One of these, or one that is not in the catalogue; perhaps the session's own.
    case open([CatalogSnapshot.Relation], own: OwnRelations.Relation?)
  }

  /// `usesPath` is false inside routines that run under a search_path of their own.
  func relation(_ schema: String?, _ name: String, usesPath: Bool) -> Sight {
    let named = snapshot.relations(named: name)
    if let schema {
      let found = named.filter { $0.schema == schema }
      if let own = own(schema, name) { return .own(own, or: found) }
      return found.count == 1 && !scope.own.relations.isOpen ? .known(found[0]) : .open(found, own: nil)
    }
    let own = own(nil, name)
    guard usesPath, let schemas else { return .open(named, own: own) }
    // What it changed may be gone, and what stood behind it in the path in sight.
    let isChanged = scope.own.relations.find(name) != nil
    var found: [CatalogSnapshot.Relation] = []
    for schema in schemas {
      found += named.filter { $0.schema == schema }
      if !found.isEmpty, !isChanged { break }
    }
    if scope.own.isOpen { return .open(found, own: own) }
    if let own { return .own(own, or: found) }
    return found.count == 1 ? .known(found[0]) : .open(found, own: nil)
  }

  /// What the session may have of that name in that schema, or in any.
  private func own(_ schema: String?, _ name: String) -> OwnRelations.Relation? {
    var joined: OwnRelations.Relation?
    for found in [scope.own.temporaries.find(name), scope.own.relations.find(name)] {
      guard let found, schema == nil || found.schemas.contains(schema) || found.schemas.contains(nil) else { continue }
      if joined == nil { joined = found } else { joined?.formUnion(found) }
    }
    if let schema, joined != nil { joined?.schemas = [schema] }
    return joined
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

extension NameContext {
  /// What names mean to the next statement of the same text: one text is decided as a whole, before any of it runs.
  func after(_ walk: StatementWalk, _ statement: SQLStatement) -> NameContext {
    let mayMove =
      walk.settings.contains(where: \.decidesNames)
      || !statement.effects.isDisjoint(with: [.call, .execute])
      // What a SET changed, the end of its transaction may take back.
      || scope.path == nil
    guard !walk.traits.defines.isEmpty || walk.traits.definesRoutines != .none || mayMove else { return self }
    var scope = scope
    scope.own.formUnion(walk.traits.defines)
    scope.routines.formUnion(walk.traits.definesRoutines)
    if mayMove { scope.path = nil }
    return scope == self.scope ? self : NameContext(snapshot, scope)
  }
}

extension SettingChange {
  /// Whether it decides what names stand for.
  public var decidesNames: Bool {
    ["search_path", "role", "session_authorization", "all"].contains(name)
  }
}
