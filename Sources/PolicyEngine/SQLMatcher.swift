import AccessModel

/// What only SQL commands have: the kind of statement, the tables, whether rows are named.
///
/// All keys are asked of one statement at a time: `delete` and `where: absent` mean a DELETE that has no WHERE.
public struct SQLMatcher: Sendable, Hashable {
  public var statements: Set<SQLStatement.Kind>?
  public var tables: [NamePattern]?
  /// `[schema.]table.column` or `column`, of those that a statement touches; where that is not known, each of its tables'.
  public var columns: [NamePattern]?
  /// Functions and procedures that it calls, PostgreSQL's own among them.
  public var functions: [NamePattern]?
  /// Only UPDATEs and DELETEs that do not say which rows they mean (DECISIONS 10).
  public var whereAbsent: Bool
  /// Only commands that may touch more rows than this, by the backend's estimate; what has none may (DECISIONS 16).
  public var rowsOver: Int64?

  public init(
    statements: Set<SQLStatement.Kind>? = nil, tables: [NamePattern]? = nil, columns: [NamePattern]? = nil,
    functions: [NamePattern]? = nil, whereAbsent: Bool = false, rowsOver: Int64? = nil
  ) {
    self.rowsOver = rowsOver
    self.statements = statements
    self.tables = tables
    self.columns = columns
    self.functions = functions
    self.whereAbsent = whereAbsent
  }
}

// MARK: - May

extension SQLMatcher {
  func mayMatch(_ command: Command, _ detail: SQLDetail, _ wanted: EffectSelector?) -> Bool {
    if let rowsOver, case .rows(let rows) = command.estimate, rows <= rowsOver { return false }
    if rowsOver != nil, !command.mayTouchRows { return false }
    // What no statement owns up to may be done by any of them.
    var unowned = command.effects
    for statement in detail.statements { unowned.subtract(statement.effects) }
    for statement in detail.statements where mayMatch(statement, unowned, wanted) { return true }
    return touchesTableOfNoStatement(command, detail)
  }

  private func mayMatch(_ statement: SQLStatement, _ unowned: Effects, _ wanted: EffectSelector?) -> Bool {
    if statement.couldBeAnything { return true }
    if let statements, !statements.contains(statement.kind), statements.isDisjoint(with: statement.kinds) {
      return false
    }
    if whereAbsent, statement.predicate != .absent { return false }
    let effects = statement.effects.union(unowned)
    if let wanted, !wanted.mayMatch(effects) { return false }
    if let functions, !SQLMatcher.mayCall(functions, statement) { return false }
    if tables == nil, columns == nil { return true }
    // An effect that belongs to no resource in particular may be meant for each of them.
    let unattributed = effects.subtracting(statement.footprint.attributed)
    for access in statement.footprint.accesses where access.resource.kind == .relation {
      if let wanted, !wanted.mayMatch(access.effects.union(unattributed)) { continue }
      if mayMean(access.resource), mayTouch(statement, access.resource) { return true }
    }
    return false
  }

  /// True when a column of that relation that is named by `columns` may be among those that the statement reads, writes or
  /// compares. Where lineage says nothing of the relation, and of what concerns whole rows, each of its columns may.
  private func mayTouch(_ statement: SQLStatement, _ relation: Resource) -> Bool {
    guard let columns, statement.lineage.touched.extent == .listed, statement.effects.isSubset(of: [.read, .write]),
      statement.kinds.isDisjoint(with: SQLMatcher.wholeRows)
    else { return true }
    let path = relation.path.compactMap { $0 }
    guard path.count == relation.path.count else { return true }
    let touched = statement.lineage.touched.columns.filter { $0.path.dropLast().elementsEqual(path) }
    if touched.isEmpty { return true }
    return touched.contains { column in columns.contains { $0.mayMatch(column.path) } }
  }

  /// Statements that do something with rows as a whole.
  private static let wholeRows: Set<SQLStatement.Kind> = [
    .delete, .truncate, .merge, .copyFrom, .copyTo, .lock, .other,
  ]

  /// True when this relation may be one of those named, by `tables` and by `columns` where both are there.
  private func mayMean(_ relation: Resource) -> Bool {
    if let tables, !tables.contains(where: { $0.mayMatch(relation.path) }) { return false }
    guard let columns else { return true }
    return columns.contains { column in
      // A column alone may be one of any table.
      guard let table = NamePattern(column.parts.dropLast().joined(separator: ".")) else { return true }
      return table.mayMatch(relation.path)
    }
  }

  private static func mayCall(_ functions: [NamePattern], _ statement: SQLStatement) -> Bool {
    statement.functions.contains { called in functions.contains { $0.mayMatch(called.path) } }
  }

  /// True when the command as a whole may touch one of the tables, yet none of its statements says so.
  private func touchesTableOfNoStatement(_ command: Command, _ detail: SQLDetail) -> Bool {
    if tables == nil, columns == nil { return false }
    func touched(_ footprint: Footprint) -> Bool {
      for access in footprint.accesses where access.resource.kind == .relation && mayMean(access.resource) {
        return true
      }
      return false
    }
    guard touched(command.footprint) else { return false }
    for statement in detail.statements where touched(statement.footprint) { return false }
    return true
  }
}

extension Command {
  /// Whether it may touch rows that have not been counted: what is fetched from a cursor was when that was declared.
  fileprivate var mayTouchRows: Bool {
    if couldBeAnything { return true }
    guard !effects.isDisjoint(with: [.read, .write, .call, .execute]) else { return false }
    switch detail {
    case .sql(let detail): return !detail.statements.allSatisfy { $0.kinds.isSubset(of: SQLStatement.rowless) }
    case .ssh: return false
    }
  }
}

extension SQLStatement {
  fileprivate static let rowless: Set<Kind> = [
    .fetch, .close, .show, .set, .begin, .commit, .rollback, .savepoint, .deallocate, .listen, .notify,
  ]
}

// MARK: - Must

extension SQLMatcher {
  func mustCover(_ command: Command, _ detail: SQLDetail) -> Bool {
    // The worst predicate of a statement says nothing of its others, so absence can never be certain of all; nor can
    // which columns are touched, nor how many rows.
    if whereAbsent || columns != nil || rowsOver != nil { return false }
    for statement in detail.statements {
      if statement.couldBeAnything { return false }
      if let statements, !statements.contains(statement.kind) || !statements.isSuperset(of: statement.kinds) {
        return false
      }
    }
    if tables == nil, functions == nil { return true }
    if let functions, !SQLMatcher.mustCall(functions, detail) { return false }
    if tables != nil, command.footprint.accesses.isEmpty { return false }
    return SQLMatcher.ownsAllEffects(command.effects, command.footprint) && covers(command.footprint)
      && detail.statements.allSatisfy { covers($0.footprint) }
  }

  private static func mustCall(_ functions: [NamePattern], _ detail: SQLDetail) -> Bool {
    let called = detail.statements.flatMap(\.functions)
    return !called.isEmpty && called.allSatisfy { called in functions.contains { $0.mustMatch(called.path) } }
  }

  /// True when no effect escapes the footprint. Reads and writes touch only what is listed; of the others each must
  /// belong to a resource, or a table's name would excuse what is done beside the table (ALTER SYSTEM, an egress).
  static func ownsAllEffects(_ effects: Effects, _ footprint: Footprint) -> Bool {
    effects.subtracting(footprint.attributed).isSubset(of: [.read, .write])
  }

  private func covers(_ footprint: Footprint) -> Bool {
    footprint.accesses.allSatisfy { access in
      switch access.resource.kind {
      case .relation: tables?.contains { $0.mustMatch(access.resource.path) } ?? false
      case .routine: functions?.contains { $0.mustMatch(access.resource.path) } ?? false
      case .file, .host, .path: false
      }
    }
  }
}
