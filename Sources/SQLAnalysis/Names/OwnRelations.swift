import AccessModel

/// Relations that only one session sees as they are by now: its temporary ones, and those that it made or changed in a
/// transaction that is still open (DECISIONS 5).
///
/// Nothing is ever taken back while it may still hold: a name that is in here stands for the session's own or for what
/// the catalogue has, and counts as both. So a rollback, a savepoint, ON COMMIT DROP and a statement that failed need not be
/// followed.
public struct OwnRelations: Hashable, Sendable {
  /// What the session may have under one name.
  public struct Relation: Hashable, Sendable {
    /// Where; nil: in a schema that is not known.
    var schemas: Set<String?> = []
    /// What its rows may come from or go to besides: of a view its tables, of a parent its children.
    var behind: Set<ResourceAccess> = []
    /// What is behind it could not be worked out.
    var mayBeAnything = false
    /// As a CREATE TABLE listed them; nil where that is not known, or two said different things.
    var columns: Columns = .unsaid

    enum Columns: Hashable, Sendable {
      case unsaid, named([String]), several
    }

    mutating func formUnion(_ other: Relation) {
      switch (columns, other.columns) {
      case (.unsaid, let said): columns = said
      case (_, .unsaid): break
      case (let mine, let theirs): if mine != theirs { columns = .several }
      }
      schemas.formUnion(other.schemas)
      behind.formUnion(other.behind)
      mayBeAnything = mayBeAnything || other.mayBeAnything || behind.count > OwnRelations.limit
    }
  }
  private(set) var byName: [String: Relation] = [:]
  /// Any name may be one.
  public private(set) var isOpen = false

  public static let none = OwnRelations()
  /// Whatever there may be.
  public static let all: OwnRelations = {
    var all = OwnRelations()
    all.isOpen = true
    return all
  }()

  /// Names that are kept, and what is kept behind one of them; more are all.
  private static let limit = 1_000

  public init() {}

  public var isEmpty: Bool { byName.isEmpty && !isOpen }

  func find(_ name: String) -> Relation? { byName[name] }

  mutating func add(_ name: String, _ relation: Relation) {
    if isOpen { return }
    byName[name, default: Relation()].formUnion(relation)
    if byName.count > OwnRelations.limit { self = .all }
  }

  public mutating func formUnion(_ other: OwnRelations) {
    if other.isEmpty { return }
    if other.isOpen {
      self = .all
    } else if isEmpty {
      self = other
    } else {
      for (name, relation) in other.byName { add(name, relation) }
    }
  }

  /// Whatever stands behind any of them stands behind all.
  mutating func putBehindAll(_ accesses: Set<ResourceAccess>, mayBeAnything: Bool) {
    for name in byName.keys {
      byName[name]?.formUnion(Relation(behind: accesses, mayBeAnything: mayBeAnything))
    }
  }
}

/// What a text changes of what relations' names mean, unseen by anybody else.
public struct OwnDefinitions: Hashable, Sendable {
  /// Gone with the session.
  public var temporaries = OwnRelations.none
  /// There for all, or gone, at the end of the transaction.
  public var relations = OwnRelations.none
  /// Schemas that it made, dropped, or let others use: a path with one of them may lead elsewhere.
  public var schemas: Set<String> = []

  public static let none = OwnDefinitions()
  public init() {}

  public var isEmpty: Bool { temporaries.isEmpty && relations.isEmpty && schemas.isEmpty }

  /// Whether any name may be one of the session's own.
  public var isOpen: Bool { temporaries.isOpen || relations.isOpen }

  public mutating func formUnion(_ other: OwnDefinitions) {
    if other.isEmpty { return }
    temporaries.formUnion(other.temporaries)
    relations.formUnion(other.relations)
    schemas.formUnion(other.schemas)
    if schemas.count > 1_000 { relations = .all }
  }
}

/// Noting what a statement makes and changes.
extension StatementWalk {
  /// The relation that a statement makes: in the schema of its name, or in the first of the search_path.
  mutating func made(_ node: UInt32, _ access: Effects = .define, _ columns: OwnRelations.Relation.Columns = .unsaid) {
    guard let name = tape.text(node, .relname) else { return unknown() }
    var schema = tape.text(node, .schemaname)
    // Also one with a schema: what the statement copies has to be found out.
    traits.needsNames = true
    if tape.text(node, .relpersistence) == "t" {
      schema = "pg_temp"
    } else if schema == nil {
      schema = usesPath ? names?.creationSchema : nil
      if names != nil, usesPath, names?.scope.path == nil { traits.needsPath = true }
    }
    touch(.relation(schema: schema, name), access)
    note(defined: name, in: [schema], columns)
  }

  /// A relation with this name in one of these schemas is not, from now on, what the catalogue says.
  mutating func note(
    defined name: String, in schemas: Set<String?>, _ columns: OwnRelations.Relation.Columns = .unsaid
  ) {
    let others = schemas.filter { !($0?.hasPrefix("pg_temp") ?? false) }
    if !others.isEmpty { traits.defines.relations.add(name, OwnRelations.Relation(schemas: others, columns: columns)) }
    guard others.count < schemas.count else { return }
    traits.defines.temporaries.add(name, OwnRelations.Relation(schemas: ["pg_temp"], columns: columns))
  }

  /// The columns that a CREATE TABLE lists, if those are all.
  func listedColumns(_ statement: UInt32) -> OwnRelations.Relation.Columns {
    let list = tape.child(statement, .tableElts)
    guard list != 0, !tape.has(statement, .inhRelations), !tape.has(statement, .ofTypename) else { return .several }
    var names: [String] = []
    for element in tape.children(list) {
      switch tape.kind(element) {
      case .columnDef:
        guard let name = tape.text(element, .colname) else { return .several }
        names.append(name)
      case .constraint: continue
      case _: return .several
      }
    }
    return .named(names)
  }

  /// At the end of a statement: what it passes on, and whether names could be followed at all.
  mutating func settleDefinitions(_ node: UInt32) {
    let kind = tape.kind(node)
    if changesCatalog || !StatementWalk.followed.contains(kind) && !effects.isDisjoint(with: [.define, .administer]) {
      traits.defines.relations = .all
      return
    }
    guard passesOn else { return }
    traits.defines.relations.putBehindAll(accesses, mayBeAnything: everything)
    traits.defines.temporaries.putBehindAll(accesses, mayBeAnything: everything)
  }

  /// Statements of which it is known which names they change; those that change none among them.
  private static let followed: Set<NodeKind> = [
    .selectStmt, .insertStmt, .updateStmt, .deleteStmt, .mergeStmt, .copyStmt, .explainStmt, .prepareStmt,
    .declareCursorStmt, .variableSetStmt, .truncateStmt, .lockStmt, .callStmt, .vacuumStmt, .commentStmt,
    .createStmt, .createTableAsStmt, .viewStmt, .createSeqStmt, .createForeignTableStmt, .indexStmt, .alterTableStmt,
    .alterSeqStmt, .renameStmt, .dropStmt, .alterObjectSchemaStmt, .createSchemaStmt, .ruleStmt, .refreshMatViewStmt,
    .clusterStmt, .reindexStmt, .grantStmt,
    // Types, routines and what belongs to tables.
    .createDomainStmt, .compositeTypeStmt, .createEnumStmt, .createRangeStmt, .createPolicyStmt, .createStatsStmt,
    .alterDomainStmt, .alterTypeStmt, .alterEnumStmt, .alterPolicyStmt, .alterStatsStmt, .alterCollationStmt,
    .createFunctionStmt, .createTrigStmt, .defineStmt, .createConversionStmt, .createCastStmt, .createOpClassStmt,
    .createOpFamilyStmt, .alterFunctionStmt, .alterOpFamilyStmt, .alterOperatorStmt, .alterTSDictionaryStmt,
    .alterTSConfigurationStmt,
    // The backend.
    .createRoleStmt, .createdbStmt, .dropdbStmt, .createTableSpaceStmt, .alterDatabaseStmt, .alterDatabaseSetStmt,
    .alterDatabaseRefreshCollStmt, .alterSystemStmt, .alterRoleSetStmt, .checkPointStmt, .createUserMappingStmt,
    .alterUserMappingStmt, .dropUserMappingStmt, .createForeignServerStmt, .alterForeignServerStmt, .createFdwStmt,
    .alterFdwStmt, .createPublicationStmt, .alterPublicationStmt, .alterDefaultPrivilegesStmt,
  ]

  /// RENAME of a relation gives it another name; of a schema, all that is in it.
  mutating func noteRename(_ node: UInt32) {
    switch tape.text(node, .renameType) ?? "" {
    case "OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_INDEX", "OBJECT_SEQUENCE", "OBJECT_FOREIGN_TABLE":
      let relation = tape.child(node, .relation)
      guard relation != 0, let old = tape.text(relation, .relname), let new = tape.text(node, .newname) else {
        traits.defines.relations = .all
        return
      }
      renames.append((old, new))
      passesOn = true
    case "OBJECT_SCHEMA", "OBJECT_ROLE", "OBJECT_DATABASE": traits.defines.relations = .all
    case _: break
    }
  }

  /// The new name stands where the old one did.
  mutating func settleRenames() {
    for (old, new) in renames {
      if let relation = traits.defines.temporaries.find(old) { traits.defines.temporaries.add(new, relation) }
      if let relation = traits.defines.relations.find(old) { traits.defines.relations.add(new, relation) }
    }
  }

  /// SET SCHEMA moves a relation; of an extension, all that it has.
  mutating func noteMove(_ node: UInt32) {
    switch tape.text(node, .objectType) ?? "" {
    case "OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_SEQUENCE", "OBJECT_FOREIGN_TABLE":
      let relation = tape.child(node, .relation)
      guard relation != 0, let name = tape.text(relation, .relname), let schema = tape.text(node, .newschema) else {
        traits.defines.relations = .all
        return
      }
      note(defined: name, in: [schema])
      passesOn = true
    case "OBJECT_EXTENSION", "": traits.defines.relations = .all
    case _: break
    }
  }

  /// Schemas of which it changes whether they are there or may be used.
  mutating func noteSchemas(_ node: UInt32, _ names: UInt32) {
    guard names != 0 else {
      traits.defines.relations = .all
      return
    }
    for entry in tape.children(names) {
      guard let name = tape.text(entry, .sval) else {
        traits.defines.relations = .all
        return
      }
      traits.defines.schemas.insert(name)
    }
  }
}
