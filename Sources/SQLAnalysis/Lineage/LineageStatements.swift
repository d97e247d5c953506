import AccessModel

/// SELECT and its clauses.
extension LineageWalk {
  mutating func select(_ node: UInt32, _ scope: LineageScope) -> SourceRows {
    var rows: SourceRows
    if tape.has(node, .valuesLists) {
      rows = values(tape.child(node, .valuesLists), scope)
    } else if tape.has(node, .larg) {
      rows = combined(node, scope)
    } else {
      from(tape.child(node, .fromClause), scope)
      condition(tape.child(node, .whereClause), scope)
      rows = outputs(tape.child(node, .targetList), scope)
      group(tape.child(node, .groupClause), scope, rows)
      predicate(tape.child(node, .havingClause), scope)
      predicate(tape.child(node, .windowClause), scope)
      distinct(tape.child(node, .distinctClause), scope, rows)
    }
    sort(tape.child(node, .sortClause), scope, rows)
    predicate(tape.child(node, .limitCount), scope)
    predicate(tape.child(node, .limitOffset), scope)
    if tape.has(node, .intoClause) { note(rows.all, .sink) }
    // Such as a subquery that nobody reads from: what it reads it has touched.
    note(rows.all, .plain)
    return rows
  }

  mutating func predicate(_ node: UInt32, _ scope: LineageScope) {
    if node != 0 { _ = expression(node, scope, .predicate) }
  }

  private mutating func values(_ lists: UInt32, _ scope: LineageScope) -> SourceRows {
    var rows = SourceRows.empty
    for list in tape.children(lists) {
      let items = tape.child(list, .items)
      if items == 0 { continue }
      for (index, item) in tape.children(items).enumerated() {
        let columns = expression(item, scope)
        if index < rows.columns.count {
          rows.columns[index].source.columns.formUnion(columns)
        } else {
          rows.columns.append(SourceColumn(name: "column\(index + 1)", source: ValueSource(columns)))
        }
      }
    }
    return rows
  }

  /// UNION, INTERSECT and EXCEPT; chains of them without recursion.
  private mutating func combined(_ node: UInt32, _ scope: LineageScope) -> SourceRows {
    var rows: SourceRows?
    var work = [node]
    var compares = false
    while let arm = work.popLast() {
      steps += 1
      let isRoot = arm == node
      let isPlainSet =
        tape.has(arm, .larg)
        && (isRoot || ![Field.withClause, .sortClause, .limitCount, .limitOffset].contains { tape.has(arm, $0) })
      if isPlainSet {
        if tape.text(arm, .op) != "SETOP_UNION" || !tape.flag(arm, .all) { compares = true }
        work.append(tape.child(arm, .rarg))
        work.append(tape.child(arm, .larg))
        continue
      }
      let found = query(arm, scope)
      rows = rows.map { LineageWalk.union($0, found) } ?? found
    }
    let joined = rows ?? .empty
    if compares { note(joined.all, .predicate) }
    return joined
  }

  private static func union(_ a: SourceRows, _ b: SourceRows) -> SourceRows {
    var rows = a
    for (index, column) in b.columns.enumerated() where index < rows.columns.count {
      let mine = rows.columns[index].source
      rows.columns[index].source = ValueSource(
        mine.columns.union(column.source.columns), isCopy: mine.isCopy && column.source.isCopy)
    }
    if a.rest != nil || b.rest != nil || a.columns.count != b.columns.count {
      let all = a.all.union(b.all)
      for index in rows.columns.indices { rows.columns[index].source = ValueSource(all) }
      rows.rest = .any(all)
    }
    return rows
  }

  private mutating func distinct(_ list: UInt32, _ scope: LineageScope, _ rows: SourceRows) {
    if list == 0 { return }
    for item in tape.children(list) {
      // DISTINCT alone is a list of nothing.
      if tape.kind(item) == .structure || tape.kind(item) == .null {
        note(rows.all, .predicate)
      } else {
        key(item, scope, rows, namesOutput: true)
      }
    }
  }

  private mutating func sort(_ list: UInt32, _ scope: LineageScope, _ rows: SourceRows) {
    if list == 0 { return }
    for item in tape.children(list) { key(tape.child(item, .node), scope, rows, namesOutput: true) }
  }

  private mutating func group(_ list: UInt32, _ scope: LineageScope, _ rows: SourceRows) {
    if list == 0 { return }
    var work = Array(tape.children(list))
    while let item = work.popLast() {
      if tape.kind(item) == .groupingSet {
        let content = tape.child(item, .content)
        if content != 0 { work += Array(tape.children(content)) }
      } else {
        key(item, scope, rows, namesOutput: false)
      }
    }
  }

  /// One of ORDER BY, GROUP BY or DISTINCT ON: an output by its number or name, or an expression
  /// (findTargetlistEntrySQL92, parse_clause.c).
  private mutating func key(_ node: UInt32, _ scope: LineageScope, _ rows: SourceRows, namesOutput: Bool) {
    if node == 0 { return }
    if tape.kind(node) == .aConst, tape.has(node, .ival) {
      let value = tape.child(node, .ival)
      let number = tape.child(value, .ival)
      let index = number == 0 ? 0 : Int(tape.text(number)) ?? 0
      guard rows.rest == nil, index >= 1, index <= rows.columns.count else { return note(rows.all, .predicate) }
      return note(rows.columns[index - 1].source.columns, .predicate)
    }
    if let name = bareName(node) {
      let (found, maybe) = rows.find(name)
      let isInput = scope.tables.rows.find(name).found != nil
      if let output = found ?? maybe.map({ ValueSource($0) }), namesOutput || !isInput {
        note(output.columns, .predicate)
        // An output whose name is not known may be another.
        if found != nil { return }
      }
    }
    _ = expression(node, scope, .predicate)
  }

  /// The name in a reference without a qualifier.
  func bareName(_ node: UInt32) -> String? {
    guard tape.kind(node) == .columnRef, let parts = tape.names(tape.child(node, .fields)), parts.count == 1 else {
      return nil
    }
    return tape.text(parts[0])
  }
}

/// INSERT, UPDATE, DELETE and MERGE.
extension LineageWalk {
  mutating func insert(_ node: UInt32, _ scope: LineageScope) -> SourceRows {
    let target = tape.child(node, .relation)
    guard target != 0 else { return SourceRows(rest: .any(.everything)) }
    let rows = query(tape.child(node, .selectStmt), scope)
    let tables = relation(target, scope, isTarget: true)
    let list = tape.child(node, .cols)
    let named = list == 0 ? nil : tape.children(list).map { tape.text($0, .name) ?? "" }
    let columns = named ?? tables.rows.columns.map(\.name)
    if list != 0 { for entry in tape.children(list) { place(entry, scope) } }
    for (index, column) in columns.enumerated() {
      if index < rows.columns.count {
        assign(target, column, rows.columns[index].source)
      } else if let rest = rows.rest {
        assign(target, column, ValueSource(rest.all))
      } else if rows.columns.isEmpty || named != nil {
        // DEFAULT VALUES.
        assign(target, column, .constant)
      }
    }
    if columns.isEmpty { note(rows.all, .sink) }
    // Which columns there are is not known for certain.
    if named == nil, tables.rows.rest != nil { predicates.formUnion(told(target, nil)) }
    scope.tables = tables
    conflict(tape.child(node, .onConflictClause), target, tables, scope)
    scope.tables = tables
    return outputs(tape.child(node, .returningList), scope)
  }

  /// ON CONFLICT tells whether a row is there already.
  private mutating func conflict(
    _ clause: UInt32, _ target: UInt32, _ tables: SourceTables, _ scope: LineageScope
  ) {
    if clause == 0 { return }
    let infer = tape.child(clause, .infer)
    if infer == 0 {
      predicates.formUnion(uniqueColumns(target, nil))
    } else if tape.has(infer, .indexElems) || tape.has(infer, .whereClause) {
      predicate(infer, scope)
      let elements = tape.child(infer, .indexElems)
      let named = elements == 0 ? [] : tape.children(elements).compactMap { tape.text($0, .name) }
      predicates.formUnion(named.reduce(into: .none) { $0.formUnion(scope.column($1)?.source.columns ?? .none) })
    } else {
      predicates.formUnion(uniqueColumns(target, nil))
    }
    var excluded = SourceTables()
    // What was to be inserted: it can differ from what the statement says, so that it counts as the column's own.
    excluded.tables = [SourceTables.Table(name: "excluded", schema: nil, rows: tables.rows)]
    scope.tables.append(excluded)
    assignments(tape.child(clause, .targetList), target, scope)
    predicate(tape.child(clause, .whereClause), scope)
  }

  mutating func update(_ node: UInt32, _ scope: LineageScope) -> SourceRows {
    let target = changed(node, scope)
    from(tape.child(node, .fromClause), scope)
    condition(tape.child(node, .whereClause), scope)
    assignments(tape.child(node, .targetList), target, scope)
    return outputs(tape.child(node, .returningList), scope)
  }

  mutating func delete(_ node: UInt32, _ scope: LineageScope) -> SourceRows {
    _ = changed(node, scope)
    from(tape.child(node, .usingClause), scope)
    condition(tape.child(node, .whereClause), scope)
    return outputs(tape.child(node, .returningList), scope)
  }

  mutating func merge(_ node: UInt32, _ scope: LineageScope) {
    let target = changed(node, scope)
    let source = tape.child(node, .sourceRelation)
    if source != 0 {
      let list = LineageScope(inside: scope.outer)
      list.common = scope.common
      scope.tables.append(item(source, list))
    }
    predicate(tape.child(node, .joinCondition), scope)
    let clauses = tape.child(node, .mergeWhenClauses)
    if clauses == 0 { return }
    for clause in tape.children(clauses) {
      predicate(tape.child(clause, .condition), scope)
      let list = tape.child(clause, .targetList), values = tape.child(clause, .values)
      guard values != 0 else {
        assignments(list, target, scope)
        continue
      }
      let named = list == 0 ? [] : tape.children(list).map { tape.text($0, .name) ?? "" }
      if list != 0 { for entry in tape.children(list) { place(entry, scope) } }
      for (index, value) in tape.children(values).enumerated() {
        let source = self.value(value, scope)
        if index < named.count { assign(target, named[index], source) } else { note(source.columns, .sink) }
      }
    }
  }

  /// The relation that a statement changes, brought in sight.
  private mutating func changed(_ node: UInt32, _ scope: LineageScope) -> UInt32 {
    let target = tape.child(node, .relation)
    if target != 0 { scope.tables = relation(target, scope, isTarget: true) }
    return target
  }

  private mutating func assignments(_ list: UInt32, _ target: UInt32, _ scope: LineageScope) {
    if list == 0 { return }
    for entry in tape.children(list) {
      let value = tape.child(entry, .val)
      place(entry, scope)
      assign(target, tape.text(entry, .name) ?? "", value == 0 ? .constant : self.value(value, scope))
    }
  }

  /// Where in a column a value goes: `a[i]`, of which the place can be read afterwards.
  private mutating func place(_ entry: UInt32, _ scope: LineageScope) {
    let steps = tape.child(entry, .indirection)
    if steps != 0 { _ = expression(steps, scope, .sink) }
  }

  /// A value goes into a column. Into the column that it comes from it may: it is masked there. What is computed of it may
  /// fail there, by a constraint, which tells.
  private mutating func assign(_ target: UInt32, _ name: String, _ source: ValueSource) {
    let columns = source.columns
    var copied = columns
    if let column = stored(target, name) {
      let own = Set([column.path] + column.former)
      if !source.isCopy { predicates.formUnion(ColumnSet(columns.columns.intersection(own))) }
      for path in own { copied.remove(path) }
      touched.formUnion(ColumnSet([column.path]))
    }
    predicates.formUnion(told(target, name))
    note(copied, .plain)
    copies.formUnion(copied)
    touched.formUnion(columns)
  }

  /// The column of a relation that is certainly meant, by its name, with what it went by before.
  private func stored(_ target: UInt32, _ name: String) -> (path: StoredColumn, former: [StoredColumn])? {
    guard target != 0, let relation = self.stored(target),
      let column = names.snapshot.columns(of: relation.oid)?.first(where: { $0.name == name })
    else { return nil }
    let path = StoredColumn(schema: relation.schema, relation: relation.name, column: name)
    return (path, names.snapshot.formerNames[relation.oid]?[column.attribute] ?? [])
  }

  /// What a write to columns of a relation tells, those of that name or all: whether a value is there already, or in the
  /// column that a foreign key names. Of all relations that may be meant.
  func told(_ target: UInt32, _ name: String?) -> ColumnSet {
    var told = ColumnSet.none
    for relation in candidates(target) {
      for column in names.snapshot.columns(of: relation.oid) ?? [] where name == nil || column.name == name {
        let path = StoredColumn(schema: relation.schema, relation: relation.name, column: column.name)
        // Through a view it is the column behind it.
        let behind = names.snapshot.sources(of: relation.oid)?[column.attribute]?.columns.columns ?? [path]
        told.formUnion(ColumnSet(behind.filter { names.snapshot.isUnique($0) }))
        for column in behind { told.formUnion(names.snapshot.references(of: column)) }
      }
    }
    return told
  }

  /// Every relation of the catalogue that the name may stand for.
  private func candidates(_ target: UInt32) -> [CatalogSnapshot.Relation] {
    guard target != 0, let name = tape.text(target, .relname) else { return [] }
    switch names.relation(tape.text(target, .schemaname), name, usesPath: usesPath) {
    case .known(let relation): return [relation]
    case .own(_, let candidates), .open(let candidates, _): return candidates
    }
  }

  func stored(_ target: UInt32) -> CatalogSnapshot.Relation? {
    guard let name = tape.text(target, .relname) else { return nil }
    switch names.relation(tape.text(target, .schemaname), name, usesPath: usesPath) {
    case .known(let relation): return relation
    // A table of the session's own that bears another's name is not that one: what is put into it is copied.
    case .own(let own, let candidates):
      return candidates.count == 1 && own.schemas == [candidates[0].schema] ? candidates[0] : nil
    case .open(let candidates, let own):
      return candidates.count == 1 && own == nil && !names.scope.own.isOpen ? candidates[0] : nil
    }
  }

  /// Columns of a relation whose values a write tells apart, among those named or all.
  func uniqueColumns(_ target: UInt32, _ names: [String]?) -> ColumnSet {
    var found = ColumnSet.none
    for relation in candidates(target) {
      let unique = self.names.snapshot.uniqueColumns(of: relation.oid)
      let columns = (self.names.snapshot.columns(of: relation.oid) ?? [])
        .filter { unique.contains($0.attribute) && (names?.contains($0.name) ?? true) }
      found.formUnion(
        ColumnSet(
          Set(columns.map { StoredColumn(schema: relation.schema, relation: relation.name, column: $0.name) })))
    }
    return found
  }
}
