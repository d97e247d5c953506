import AccessModel

/// SELECT, INSERT, UPDATE, DELETE, MERGE and what they are made of.
extension StatementWalk {
  mutating func select(_ item: Item) {
    let node = item.node
    if item.isStatement { kinds.insert(.select) }
    if !(item.isRowSource && tape.has(node, .valuesLists)) { effects.insert(.read) }
    let inner = Item(node: 0, tables: with(node, item.tables))
    let start = work.count
    for child in tape.children(node) {
      switch tape[child].field {
      case .withClause, .lockingClause: continue
      case .intoClause: into(child)
      case .fromClause:
        var from = inner
        from.lock = lock(node, item.lock)
        push(child, from)
      case .larg, .rarg:
        var arm = inner
        arm.lock = item.lock
        push(child, arm)
      default: push(child, inner)
      }
    }
    work[start...].reverse()
  }

  /// Which relations of its FROM clause a SELECT locks: its own FOR UPDATE, or that of the query around it.
  private mutating func lock(_ select: UInt32, _ outer: Lock) -> Lock {
    let clauses = tape.child(select, .lockingClause)
    if clauses == 0 || outer == .all { return outer == .all ? .all : .none }
    effects.insert(.write)
    for clause in tape.children(clauses) where !tape.has(clause, .lockedRels) { return .all }
    return .named(clauses)
  }

  /// True when a locking clause names this alias.
  func locks(_ lock: Lock, _ alias: UInt32) -> Bool {
    switch lock {
    case .none: return false
    case .all: return true
    case .named(let clauses):
      if alias == 0 { return false }
      for clause in tape.children(clauses) {
        for locked in tape.children(tape.child(clause, .lockedRels)) {
          let name = tape.child(locked, .relname)
          if name != 0, tape.isEqual(name, alias) { return true }
        }
      }
      return false
    }
  }

  /// Opens the WITH clause of a statement, if it has one, and returns what the statement then sees.
  private mutating func with(_ statement: UInt32, _ outer: Int32) -> Int32 {
    let clause = tape.child(statement, .withClause)
    if clause == 0 { return outer }
    let queries = Array(tape.children(tape.child(clause, .ctes)))
    let names = queries.map { tape.text($0, .ctename) ?? "" }
    guard let view = tables.open(names, inside: outer) else {
      isTooDeep = true
      return outer
    }
    let isRecursive = tape.flag(clause, .recursive)
    for (ordinal, query) in queries.enumerated() {
      guard tape.kind(query) == .commonTableExpr else {
        unknown()
        continue
      }
      let sight = isRecursive ? view : tables.before(ordinal, in: view)
      push(tape.child(query, .ctequery), Item(node: 0, tables: sight, isStatement: true))
      push(tape.child(query, .cycleClause), Item(node: 0, tables: sight))
    }
    return view
  }

  mutating func insert(_ item: Item) {
    kinds.insert(.insert)
    effects.insert(.write)
    let inner = Item(node: 0, tables: with(item.node, item.tables))
    target(item.node)
    for child in tape.children(item.node) {
      switch tape[child].field {
      case .withClause, .relation: continue
      case .selectStmt:
        var source = inner
        source.isRowSource = true
        push(child, source)
      default: push(child, inner)
      }
    }
  }

  /// UPDATE or DELETE.
  mutating func change(_ item: Item, _ kind: SQLStatement.Kind) {
    kinds.insert(kind)
    effects.insert(.write)
    readPredicate(of: item.node, .whereClause)
    let inner = Item(node: 0, tables: with(item.node, item.tables))
    target(item.node)
    pushChildren(of: item.node, inner, except: .withClause, .relation)
  }

  /// The worst predicate of all stays.
  private mutating func readPredicate(of statement: UInt32, _ field: Field) {
    guard predicate != .absent else { return }
    var reader = PredicateReader(tape: tape, statement: statement, steps: predicateSteps)
    predicate = reader.read(field)
    predicateSteps = reader.steps
  }

  /// A MERGE is also what its WHEN clauses do. Where ON chooses no rows, the condition of each may.
  private mutating func mergeActions(of statement: UInt32) {
    let clauses = tape.child(statement, .mergeWhenClauses)
    guard clauses != 0 else { return }
    var changes: [UInt32] = []
    for clause in tape.children(clauses) {
      switch tape.text(clause, .commandType) {
      case "CMD_INSERT": kinds.insert(.insert)
      case "CMD_NOTHING": break
      case "CMD_UPDATE":
        kinds.insert(.update)
        changes.append(clause)
      case "CMD_DELETE":
        kinds.insert(.delete)
        changes.append(clause)
      case _: unknown()
      }
    }
    guard !changes.isEmpty, predicate != .absent else { return }
    var reader = PredicateReader(tape: tape, statement: statement, steps: predicateSteps)
    predicate = reader.read(.joinCondition)
    if predicate == .absent, changes.allSatisfy({ reader.read(clause: tape.child($0, .condition)) == .present }) {
      predicate = .present
    }
    predicateSteps = reader.steps
  }

  mutating func merge(_ item: Item) {
    kinds.insert(.merge)
    mergeActions(of: item.node)
    effects.insert(.write)
    let inner = Item(node: 0, tables: with(item.node, item.tables))
    target(item.node)
    pushChildren(of: item.node, inner, except: .withClause, .relation)
  }

  /// The relation that a statement changes. A WITH name never stands for it; RETURNING reads it too.
  private mutating func target(_ statement: UInt32) {
    let access: Effects = tape.has(statement, .returningList) ? [.write, .read] : .write
    let node = tape.child(statement, .relation)
    if node == 0 { return unknown() }
    relation(Item(node: node, access: access))
  }

  /// The new relation of SELECT INTO and CREATE TABLE AS.
  mutating func into(_ clause: UInt32) {
    kinds.insert(.create)
    let node = tape.child(clause, .rel)
    if node == 0 { return unknown() }
    made(node, [.define, .write])
  }

  mutating func subselect(_ item: Item) {
    var inner = inner(item)
    if case .named = item.lock {
      let alias = tape.child(item.node, .alias)
      let name = alias == 0 ? 0 : tape.child(alias, .aliasname)
      inner.lock = locks(item.lock, name) ? .all : .none
    }
    pushChildren(of: item.node, inner, except: .alias)
  }
}
