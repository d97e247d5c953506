import AccessModel
import Synchronization

/// One reading of a database's catalogue: what names may stand for. A value that never changes; a later reading is
/// another one.
public final class CatalogSnapshot: Sendable {
  /// A table, view or other relation.
  public struct Relation: Hashable, Sendable {
    public var oid: UInt32
    public var schema: String
    public var name: String

    public init(oid: UInt32, schema: String, name: String) {
      self.oid = oid
      self.schema = schema
      self.name = name
    }
  }

  /// A column of a relation.
  public struct Column: Hashable, Sendable {
    /// Its attribute number, which stays when it is renamed.
    public var attribute: Int16
    public var name: String
    /// By OID, that of a domain's base; 0 where it is not known.
    public var type: UInt32
    public var modifier: Int32
    /// Computed from the others, so that COPY leaves it out.
    public var isGenerated: Bool

    public init(
      _ attribute: Int16, _ name: String, type: UInt32 = 0, modifier: Int32 = -1, isGenerated: Bool = false
    ) {
      self.attribute = attribute
      self.name = name
      self.type = type
      self.modifier = modifier
      self.isGenerated = isGenerated
    }
  }

  /// A function, procedure or aggregate that is not PostgreSQL's own.
  public struct Routine: Hashable, Sendable {
    /// What can be said of a routine without reading it.
    public enum Body: Hashable, Sendable {
      /// Statements in SQL, run as they stand.
      case sql(String)
      /// Compiled code of an extension that is known to compute and nothing else.
      case trusted
      /// Anything.
      case unknown
    }
    public var oid: UInt32
    public var schema: String
    public var name: String
    public var body: Body
    /// It runs under settings of its own, perhaps another search_path, or as another user.
    public var hasOwnSettings: Bool
    /// It can be called with one argument, and so as if it were a column.
    public var takesOneArgument: Bool

    public init(
      oid: UInt32, schema: String, name: String, body: Body, hasOwnSettings: Bool = false,
      takesOneArgument: Bool = false
    ) {
      self.oid = oid
      self.schema = schema
      self.name = name
      self.body = body
      self.hasOwnSettings = hasOwnSettings
      self.takesOneArgument = takesOneArgument
    }
  }

  /// What a view or rule, a partition or a child table touches besides itself.
  public struct Link: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
      /// The first is a view and reads the second; what is written to the view goes there too.
      case view
      /// Writing to the first runs a rule that does something to the second.
      case rule
      /// The second is a partition or child of the first.
      case child
    }
    public var kind: Kind
    public var from: UInt32
    public var to: UInt32

    public init(_ kind: Kind, from: UInt32, to: UInt32) {
      self.kind = kind
      self.from = from
      self.to = to
    }
  }

  /// What a reading brings together.
  public struct Contents: Sendable {
    public var relations: [Relation] = []
    /// Schemas whose contents the session's own account may use.
    public var usableSchemas: Set<String> = []
    /// The account that the last one is about.
    public var user = ""
    /// The same of the roles that this account may take on.
    public var usableSchemasOfRoles: [String: Set<String>] = [:]
    public var routines: [Routine] = []
    public var links: [Link] = []
    /// Routines that views call, by the view's OID. Of PostgreSQL's own only those that are more than harmless.
    public var viewRoutines: [UInt32: [RoutineName]] = [:]
    /// The others of PostgreSQL's own that they call, which only rules on functions ask for.
    public var viewBuiltins: [UInt32: Set<RoutineName>] = [:]
    /// Routines behind operators and casts of the users' own, which nothing in a text may show.
    public var hiddenRoutines: Set<RoutineName> = []
    /// Columns by their relation's OID.
    public var columns: [UInt32: [Column]] = [:]
    /// The stored queries of views, as `pg_rewrite.ev_action` spells them.
    public var viewTrees: [UInt32: String] = [:]
    /// Attribute numbers of columns that a unique index covers.
    public var uniqueColumns: [UInt32: Set<Int16>] = [:]
    /// Columns that a foreign key ties to others.
    public var references: [UInt32: [Int16: [ColumnNumber]]] = [:]
    /// Generated columns with those of their table that they are computed from.
    public var generated: [UInt32: [Int16: Set<Int16>]] = [:]
    /// What columns went by before, which rules may still name them by (DECISIONS 5).
    public var formerNames: [UInt32: [Int16: [StoredColumn]]] = [:]

    public init() {}
  }

  /// A column by its numbers.
  public struct ColumnNumber: Hashable, Sendable {
    public var relation: UInt32
    public var attribute: Int16
    public init(relation: UInt32, attribute: Int16) {
      self.relation = relation
      self.attribute = attribute
    }
  }

  /// A routine by its name, all overloads together.
  public struct RoutineName: Hashable, Sendable {
    public var schema: String
    public var name: String
    public init(schema: String, name: String) {
      self.schema = schema
      self.name = name
    }
  }

  let relationsByOID: [UInt32: Relation]
  private let relations: [String: [Relation]]
  private let routines: [String: [Routine]]
  private let routinesByOID: [UInt32: Routine]
  private let onward: [UInt32: [Link]]
  private let parents: [UInt32: [UInt32]]
  let viewRoutines: [UInt32: [RoutineName]]
  let viewBuiltins: [UInt32: Set<RoutineName>]
  let hiddenRoutines: Set<RoutineName>
  let usableSchemas: Set<String>
  let user: String
  private let usableSchemasOfRoles: [String: Set<String>]
  private let columns: [UInt32: [Column]]
  let viewTrees: [UInt32: String]
  private let uniqueColumns: [UInt32: Set<Int16>]
  let references: [UInt32: [Int16: [ColumnNumber]]]
  let generated: [UInt32: [Int16: Set<Int16>]]
  let formerNames: [UInt32: [Int16: [StoredColumn]]]
  /// What columns come from, worked out when first asked for.
  let origins = Mutex<[UInt32: [Int16: ValueSource]]>([:])

  /// A catalogue in which nothing is but PostgreSQL's own.
  public static let empty = CatalogSnapshot(Contents())

  public init(_ contents: Contents) {
    relationsByOID = Dictionary(contents.relations.map { ($0.oid, $0) }) { first, _ in first }
    relations = Dictionary(grouping: contents.relations, by: \.name)
    routines = Dictionary(grouping: contents.routines, by: \.name)
    routinesByOID = Dictionary(contents.routines.map { ($0.oid, $0) }) { first, _ in first }
    onward = Dictionary(grouping: contents.links, by: \.from)
    parents = Dictionary(grouping: contents.links.filter { $0.kind == .child }, by: \.to).mapValues { $0.map(\.from) }
    viewRoutines = contents.viewRoutines
    viewBuiltins = contents.viewBuiltins
    hiddenRoutines = contents.hiddenRoutines
    usableSchemas = contents.usableSchemas
    user = contents.user
    usableSchemasOfRoles = contents.usableSchemasOfRoles
    columns = contents.columns.mapValues { $0.sorted { $0.attribute < $1.attribute } }
    viewTrees = contents.viewTrees
    uniqueColumns = contents.uniqueColumns
    references = contents.references
    generated = contents.generated
    formerNames = contents.formerNames
  }

  /// The schemas that a role may use; nil when that is not known.
  func usableSchemas(of role: String) -> Set<String>? { role == user ? usableSchemas : usableSchemasOfRoles[role] }

  /// The columns of a relation in order; nil when they are not known.
  func columns(of oid: UInt32) -> [Column]? { columns[oid] }
  /// Attribute numbers of columns whose values a write can tell apart: a unique index covers them.
  func uniqueColumns(of oid: UInt32) -> Set<Int16> { uniqueColumns[oid] ?? [] }

  /// The column that goes by this path; nil when there is none, or it is not certain which.
  func column(_ path: StoredColumn) -> Column? {
    guard path.path.count == 3 else { return nil }
    let found = relations(named: path.path[1]).filter { $0.schema == path.path[0] }
    guard found.count == 1 else { return nil }
    return columns(of: found[0].oid)?.first { $0.name == path.path[2] }
  }

  func relations(named name: String) -> [Relation] { relations[name] ?? [] }
  func routines(named name: String) -> [Routine] { routines[name] ?? [] }
  func routine(_ oid: UInt32) -> Routine? { routinesByOID[oid] }
  func links(from oid: UInt32) -> [Link] { onward[oid] ?? [] }
  func parents(of oid: UInt32) -> [UInt32] { parents[oid] ?? [] }
  /// True when nothing but itself is touched by whoever touches this relation.
  func standsAlone(_ oid: UInt32) -> Bool {
    onward[oid] == nil && parents[oid] == nil && viewRoutines[oid] == nil && viewBuiltins[oid] == nil
  }
}

extension CatalogSnapshot.Contents {
  /// Extensions whose compiled code computes and does nothing else. A C function takes a superuser to make, and an
  /// extension's owner to add to it.
  private static let trustedExtensions: Set<String> = [
    "bloom", "btree_gin", "btree_gist", "citext", "cube", "dict_int", "dict_xsyn", "earthdistance", "fuzzystrmatch",
    "hstore", "intarray", "isn", "ltree", "pg_trgm", "pgcrypto", "postgis", "seg", "tsm_system_rows",
    "tsm_system_time", "unaccent", "uuid-ossp", "vector",
  ]

  /// What a routine's language and extension say of it: `sql` with its text, `native`, or another.
  public static func body(language: String, text: String, extension name: String) -> CatalogSnapshot.Routine.Body {
    switch language {
    case "sql": .sql(text)
    case "native" where trustedExtensions.contains(name): .trusted
    default: .unknown
    }
  }

  /// Adds a routine that a view or rule calls.
  public mutating func add(_ routine: CatalogSnapshot.RoutineName, calledBy view: UInt32) {
    if routine.isHarmless {
      viewBuiltins[view, default: []].insert(routine)
      return
    }
    viewRoutines[view, default: []].append(routine)
  }

  /// Adds a routine behind an operator or a cast.
  public mutating func addHidden(_ routine: CatalogSnapshot.RoutineName) {
    if !routine.isHarmless { hiddenRoutines.insert(routine) }
  }
}

extension CatalogSnapshot.RoutineName {
  /// PostgreSQL's own, and nothing to mind.
  fileprivate var isHarmless: Bool {
    guard schema == "pg_catalog", name != "set_config" else { return false }
    switch BuiltinFunction.named(name) {
    case .harmless: return true
    case .writes, .administers, .dangerous, nil: return false
    }
  }
}
