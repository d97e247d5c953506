import AccessModel

/// Follows values through one statement: from stored columns to the columns of its result, to predicates, and to what
/// it stores or hands on. An upper bound: what is not understood counts as coming from all that is in sight.
struct LineageWalk {
  /// Nodes that are visited; over it nothing is known.
  static let stepLimit = 400_000

  let tape: Tape
  let names: NameContext
  let functions: FunctionCatalog
  let callers: [UInt32]
  let usesPath: Bool
  /// The session may have made relations that the catalogue does not show.
  let mayHaveMade: Bool

  var predicates = ColumnSet.none
  var copies = ColumnSet.none
  var touched = ColumnSet.none
  var tests = ColumnSet.none
  var testedConstants = 0
  var steps = 0
  var isTooDeep = false
  /// How a COPY to the client writes its rows.
  var copyTerms: CopyTerms?
  /// The first name of a relation that nothing goes by.
  var absent: UInt32?

  init(_ walk: StatementWalk, _ names: NameContext, mayHaveMade: Bool = false) {
    tape = walk.tape
    self.names = names
    functions = walk.functions
    callers = walk.callers
    usesPath = walk.usesPath
    self.mayHaveMade = mayHaveMade || names.scope.own.isOpen
  }

  /// Where the values of the statement at that node come from and go to. `statement` is what it does.
  mutating func run(_ node: UInt32, _ statement: SQLStatement) -> StatementLineage {
    var lineage = find(node, statement)
    guard !isTooDeep, steps <= LineageWalk.stepLimit else { return .unknown }
    lineage.predicates.formUnion(predicates)
    lineage.copies.formUnion(copies)
    lineage.touched.formUnion(touched)
    lineage.tests.formUnion(tests)
    lineage.testedConstants += testedConstants
    for part in [lineage.result, lineage.predicates, lineage.copies] { lineage.touched.formUnion(part) }
    return lineage
  }

  /// The same for the arguments of an EXECUTE, a list or 0.
  mutating func run(arguments list: UInt32) -> StatementLineage {
    let value = list == 0 ? ColumnSet.none : expression(list, LineageScope(inside: nil))
    guard !isTooDeep, steps <= LineageWalk.stepLimit else { return .unknown }
    return StatementLineage(
      outputs: nil, result: value, predicates: predicates.union(tests), copies: copies, touched: touched.union(value))
  }

  private mutating func find(_ node: UInt32, _ statement: SQLStatement) -> StatementLineage {
    switch tape.kind(node) {
    case .selectStmt, .insertStmt, .updateStmt, .deleteStmt, .mergeStmt: return result(query(node, nil))
    case .explainStmt: return explain(node)
    // Its result is that of the EXECUTE that runs it, or of the FETCH.
    case .prepareStmt, .declareCursorStmt: return result(query(tape.child(node, .query), nil))
    case .createTableAsStmt, .viewStmt:
      let rows = query(tape.child(node, .query), nil)
      if tape.kind(node) == .createTableAsStmt { copies.formUnion(rows.all) }
      touched.formUnion(rows.all)
      return .none
    case .copyStmt: return copy(node)
    // Rows of a cursor, which an earlier statement declared.
    case .fetchStmt: return StatementLineage(outputs: nil, result: .everything)
    case _: break
    }
    if statement.effects.isUnknown { return LineageWalk.anything }
    if statement.effects.contains(.define), !statement.kinds.contains(.vacuum), !statement.kinds.contains(.analyze) {
      touched.formUnion(columns(of: statement.footprint))
    }
    // CALL returns what it likes, and hands its arguments to code.
    if tape.kind(node) == .callStmt {
      let call = tape.child(node, .funccall)
      let value = call == 0 ? .everything : expression(call, LineageScope(inside: nil), .sink)
      return StatementLineage(outputs: nil, result: value)
    }
    return .none
  }

  /// Of code that nobody has read.
  static let anything = StatementLineage(
    outputs: nil, result: .everything, predicates: .everything, copies: .everything, touched: .everything)

  private func result(_ rows: SourceRows) -> StatementLineage {
    StatementLineage(outputs: rows.rest == nil ? rows.columns.map(\.source) : nil, result: rows.all)
  }

  /// The plan of a statement: its estimates are told by predicates, which count as they stand. A plan that was run may
  /// show values.
  private mutating func explain(_ node: UInt32) -> StatementLineage {
    let inner = tape.child(node, .query)
    let rows = query(inner, nil)
    if tape.kind(inner) == .createTableAsStmt { copies.formUnion(query(tape.child(inner, .query), nil).all) }
    guard LineageWalk.runs(explain: node, tape) else {
      touched.formUnion(rows.all)
      return StatementLineage(outputs: [.constant])
    }
    let all = rows.all.union(predicates).union(copies).union(touched)
    return StatementLineage(outputs: [ValueSource(all)], result: all)
  }

  /// Whether an EXPLAIN may run what it explains, whatever the option's argument says.
  static func runs(explain node: UInt32, _ tape: Tape) -> Bool {
    let options = tape.child(node, .options)
    return options != 0 && tape.children(options).contains { tape.text($0, .defname)?.lowercased() == "analyze" }
  }

  private mutating func copy(_ node: UInt32) -> StatementLineage {
    let isFrom = tape.flag(node, .isFrom)
    let inner = tape.child(node, .query)
    if inner != 0 { return copied(query(inner, nil), by: node) }
    let relation = tape.child(node, .relation)
    guard relation != 0 else { return LineageWalk.anything }
    let scope = LineageScope(inside: nil)
    scope.tables = self.relation(relation, scope, isTarget: true)
    let condition = tape.child(node, .whereClause)
    if condition != 0 { _ = expression(condition, scope, .predicate) }
    var rows = scope.tables.rows
    if let names = copiedNames(node) {
      rows = SourceRows(
        columns: names.map { name in
          SourceColumn(name: name, source: scope.column(name)?.source ?? ValueSource(scope.everything))
        })
    } else if let stored = stored(relation) {
      // What is computed from the others is left out.
      let generated = Set((names.snapshot.columns(of: stored.oid) ?? []).filter(\.isGenerated).map(\.name))
      rows.columns.removeAll { generated.contains($0.name) }
    }
    touched.formUnion(rows.all)
    guard isFrom else { return copied(rows, by: node) }
    for name in copiedNames(node) ?? [] { predicates.formUnion(told(relation, name)) }
    if copiedNames(node) == nil { predicates.formUnion(told(relation, nil)) }
    return .none
  }

  /// Rows that go to the client.
  private mutating func copied(_ rows: SourceRows, by node: UInt32) -> StatementLineage {
    copyTerms = readCopyTerms(node, rows)
    return result(rows)
  }

  /// The columns that COPY names; nil for all.
  private func copiedNames(_ node: UInt32) -> [String]? {
    let list = tape.child(node, .attlist)
    guard list != 0, let names = tape.names(list) else { return nil }
    return names.map { tape.text($0) }
  }

  /// Every column of the relations that are named there.
  private func columns(of footprint: Footprint) -> ColumnSet {
    guard case .resources(let accesses) = footprint else { return .everything }
    var all = ColumnSet.none
    for access in accesses where access.resource.kind == .relation {
      let path = access.resource.path
      guard let name = path.last ?? nil else { return .footprint }
      let schema = path.count > 1 ? path[path.count - 2] : nil
      let found: [CatalogSnapshot.Relation]
      switch names.relation(schema, name, usesPath: usesPath) {
      case .known(let relation): found = [relation]
      case .own(_, let candidates), .open(let candidates, _): found = candidates
      }
      for relation in found {
        guard let sources = names.snapshot.sources(of: relation.oid) else {
          all.formUnion(.footprint)
          continue
        }
        for source in sources.values { all.formUnion(source.columns) }
      }
    }
    return all
  }
}

/// What happens to the values of an expression, besides that it has them.
struct ValueUse: OptionSet {
  let rawValue: UInt8
  /// They decide something that can be told without seeing them.
  static let predicate = ValueUse(rawValue: 1)
  /// They go to where no mask is.
  static let sink = ValueUse(rawValue: 3)
  /// A function in FROM: its arguments may decide how many rows there are, not what it returns.
  static let rows = ValueUse(rawValue: 4)
  /// They are put together with others, which fails for arrays of other dimensions.
  static let shaped = ValueUse(rawValue: 8)
  static let plain: ValueUse = []
}

extension LineageWalk {
  /// Notes that values of these columns are used so.
  mutating func note(_ columns: ColumnSet, _ use: ValueUse) {
    if columns.isEmpty { return }
    touched.formUnion(columns)
    if use.contains(.predicate) { predicates.formUnion(columns) }
    if use.contains(.sink) { copies.formUnion(columns) }
  }

  /// Notes a stored column's value that is put together with others, which fails for arrays of other dimensions.
  mutating func noteShape(_ source: ValueSource, _ use: ValueUse) {
    if use.contains(.shaped), source.isCopy { predicates.formUnion(arrays(among: source.columns)) }
  }

  /// Those of them that hold arrays, or types of the users' own, which may.
  private func arrays(among columns: ColumnSet) -> ColumnSet {
    ColumnSet(
      columns.columns.filter { column in
        guard column.path.count == 3 else { return false }
        return names.snapshot.relations(named: column.path[1]).contains { relation in
          relation.schema == column.path[0]
            && (names.snapshot.columns(of: relation.oid) ?? []).contains {
              $0.name == column.path[2] && ArrayTypes.mayBe($0.type)
            }
        }
      })
  }

  /// A statement that returns rows, at any depth.
  mutating func query(_ node: UInt32, _ outer: LineageScope?) -> SourceRows {
    if node == 0 { return .empty }
    let scope = LineageScope(inside: outer)
    guard scope.depth <= LineageScope.depthLimit else {
      isTooDeep = true
      return .empty
    }
    with(node, scope)
    switch tape.kind(node) {
    case .selectStmt: return select(node, scope)
    case .insertStmt: return insert(node, scope)
    case .updateStmt: return update(node, scope)
    case .deleteStmt: return delete(node, scope)
    case .mergeStmt:
      merge(node, scope)
      return .empty
    // EXECUTE inside EXPLAIN or CREATE TABLE AS, and what else there may be.
    case .createTableAsStmt: return query(tape.child(node, .query), scope)
    case _:
      note(.everything, .sink)
      return SourceRows(rest: .any(.everything))
    }
  }

  /// Brings the WITH queries of a statement in sight.
  private mutating func with(_ statement: UInt32, _ scope: LineageScope) {
    let clause = tape.child(statement, .withClause)
    if clause == 0 { return }
    let list = tape.child(clause, .ctes)
    if list == 0 { return }
    let isRecursive = tape.flag(clause, .recursive)
    for entry in isRecursive ? inOrder(list, scope) : Array(tape.children(list)) {
      guard let name = tape.text(entry, .ctename) else { continue }
      let body = tape.child(entry, .ctequery)
      let aliases = strings(tape.child(entry, .aliascolnames))
      var rows = isRecursive ? recursive(name, body, aliases, scope) : query(body, scope).renamed(aliases)
      for field in [Field.searchClause, .cycleClause] where tape.has(entry, field) {
        // They add columns made of the others, and rows depend on those.
        if field == .cycleClause { note(rows.all, .predicate) }
        rows.rest = .any(rows.all)
      }
      scope.common[name] = rows
    }
  }

  /// The queries of a WITH RECURSIVE, each behind those that it reads: there they see those written later, too
  /// (transformWithClause, parse_cte.c). What is not known yet is in sight as something that is not known.
  private mutating func inOrder(_ list: UInt32, _ scope: LineageScope) -> [UInt32] {
    var rest = Array(tape.children(list))
    let names = Set(rest.compactMap { tape.text($0, .ctename) })
    guard rest.count > 1 else { return rest }
    for name in names { scope.common[name] = SourceRows(rest: .any(.footprint)) }
    var reads = rest.map { entry in
      read(tape.child(entry, .ctequery), names).subtracting([tape.text(entry, .ctename) ?? ""])
    }
    var ordered: [UInt32] = []
    while !rest.isEmpty {
      // Queries that read each other are an error of their own.
      let index = reads.firstIndex(where: \.isEmpty) ?? 0
      let entry = rest.remove(at: index)
      reads.remove(at: index)
      for other in reads.indices { reads[other].remove(tape.text(entry, .ctename) ?? "") }
      ordered.append(entry)
    }
    return ordered
  }

  /// Which of these names stand for a table anywhere in there.
  private mutating func read(_ root: UInt32, _ names: Set<String>) -> Set<String> {
    var found: Set<String> = []
    var work = [root]
    while let node = work.popLast(), node != 0 {
      steps += 1
      if steps > LineageWalk.stepLimit { return names }
      if tape.kind(node) == .rangeVar, let name = tape.text(node, .relname), names.contains(name) { found.insert(name) }
      work += Array(tape.children(node))
    }
    return found
  }

  /// A query that may read itself: again until nothing is added.
  private mutating func recursive(
    _ name: String, _ body: UInt32, _ aliases: [String], _ scope: LineageScope
  ) -> SourceRows {
    guard tape.kind(body) == .selectStmt, tape.has(body, .larg) else { return query(body, scope).renamed(aliases) }
    // The first arm does not see it.
    let first = query(tape.child(body, .larg), scope).renamed(aliases)
    scope.common[name] = first
    var known = first
    for _ in 0..<8 {
      let found = query(body, scope).renamed(aliases)
      var joined = known
      var isSame = found.columns.count == joined.columns.count
      for (index, column) in found.columns.enumerated() where index < joined.columns.count {
        let columns = joined.columns[index].source.columns.union(column.source.columns)
        if columns != joined.columns[index].source.columns { isSame = false }
        joined.columns[index].source = ValueSource(columns)
      }
      if let rest = found.rest { joined.rest = rest }
      scope.common[name] = joined
      if isSame { return joined }
      known = joined
    }
    let all = known.all
    for index in known.columns.indices { known.columns[index].source = ValueSource(all) }
    return known
  }

  /// The texts of a list of String nodes.
  func strings(_ list: UInt32) -> [String] {
    list == 0 ? [] : (tape.names(list) ?? []).map { tape.text($0) }
  }
}
