import AccessModel

/// What stands in a FROM clause.
extension LineageWalk {
  /// Brings the items of a FROM clause in sight, one after the other.
  mutating func from(_ list: UInt32, _ scope: LineageScope) {
    if list == 0 { return }
    for item in tape.children(list) { scope.tables.append(table(item, scope)) }
  }

  /// One item that stands by itself.
  mutating func item(_ node: UInt32, _ scope: LineageScope) -> SourceTables { table(node, scope) }

  /// One item; `scope` has those before it, which only LATERAL ones and functions see.
  private mutating func table(_ node: UInt32, _ scope: LineageScope, depth: Int = 0) -> SourceTables {
    steps += 1
    guard depth < 256, steps <= LineageWalk.stepLimit else {
      isTooDeep = true
      return SourceTables()
    }
    switch tape.kind(node) {
    case .rangeVar: return relation(node, scope)
    case .rangeSubselect:
      let sight = tape.flag(node, .lateral) ? scope : scope.withoutTables
      return named(query(tape.child(node, .subquery), sight), tape.child(node, .alias))
    case .rangeFunction: return function(inFrom: node, scope)
    case .rangeTableSample:
      for child in tape.children(node) where tape[child].field != .relation && tape[child].field != .method {
        _ = expression(child, scope, .predicate)
      }
      return table(tape.child(node, .relation), scope, depth: depth + 1)
    case .joinExpr: return join(node, scope, depth)
    case .rangeTableFunc:
      var all = ColumnSet.none
      for child in tape.children(node) where tape[child].field != .alias {
        all.formUnion(expression(child, scope, .predicate))
      }
      return named(SourceRows(rest: .any(all)), tape.child(node, .alias))
    case _:
      note(scope.everything, .predicate)
      return SourceTables(rows: SourceRows(rest: .any(.everything)))
    }
  }

  /// One table that goes by its alias, or by `name`.
  private func named(_ rows: SourceRows, _ alias: UInt32, _ name: String? = nil, schema: String? = nil) -> SourceTables
  {
    let rows = alias == 0 ? rows : rows.renamed(strings(tape.child(alias, .colnames)))
    let known = alias == 0 ? nil : tape.text(alias, .aliasname)
    guard let name = known ?? name else { return SourceTables(rows: rows) }
    let table = SourceTables.Table(name: name, schema: known == nil ? schema : nil, rows: rows)
    return SourceTables(rows: rows, tables: [table])
  }

  /// A relation by its name, or a WITH query.
  mutating func relation(_ node: UInt32, _ scope: LineageScope, isTarget: Bool = false) -> SourceTables {
    guard let name = tape.text(node, .relname) else { return SourceTables(rows: SourceRows(rest: .any(.everything))) }
    let schema = tape.text(node, .schemaname)
    let alias = tape.child(node, .alias)
    if schema == nil, !isTarget, let rows = scope.commonTable(name) { return named(rows, alias, name) }
    switch names.relation(schema, name, usesPath: usesPath) {
    case .known(let relation): return named(rows(of: relation), alias, name, schema: relation.schema)
    case .own(let own, let candidates):
      return named(rows(of: own, schema, name, candidates), alias, name, schema: schema)
    case .open(let candidates, let own):
      if candidates.count == 1, own == nil {
        return named(rows(of: candidates[0]), alias, name, schema: candidates[0].schema)
      }
      noteAbsence(of: node, schema, name, isThere: !candidates.isEmpty || own != nil)
      return named(SourceRows(rest: rest(schema, name, candidates)), alias, name, schema: schema)
    }
  }

  /// Notes a name that nothing goes by. PostgreSQL's own relations are not all in the catalogue that is read.
  private mutating func noteAbsence(of node: UInt32, _ schema: String?, _ name: String, isThere: Bool) {
    guard absent == nil, !isThere, !mayHaveMade, schema?.hasPrefix("pg_") != true, schema != "information_schema",
      schema != nil || !name.hasPrefix("pg_")
    else { return }
    absent = node
  }

  /// A name as the text has it, and where.
  func named(_ node: UInt32, in text: String) -> AbsentRelation {
    let name = [tape.text(node, .schemaname), tape.text(node, .relname)].compactMap { $0 }.joined(separator: ".")
    let before = text.utf8.prefix(tape.location(node) ?? 0)
    return AbsentRelation(name: name, position: String(decoding: before, as: UTF8.self).unicodeScalars.count + 1)
  }

  /// Columns of a relation that is not in the catalogue, or is one of several.
  private func rest(
    _ schema: String?, _ name: String, _ candidates: [CatalogSnapshot.Relation]
  ) -> RestOfColumns {
    // Not even their names are read from the catalogue.
    if schema == "pg_toast" { return .any(.everything) }
    if candidates.isEmpty {
      // What the catalogue does not know yet may be a table with masked columns that goes by another name now.
      return mayHaveMade ? .own(schema: schema ?? "pg_temp", relation: name) : .any(.everything)
    }
    return .any(candidates.reduce(into: .footprint) { $0.formUnion(rows(of: $1).all) })
  }

  /// Columns of what the session made, or changed, or of what the catalogue has instead.
  private func rows(
    of own: OwnRelations.Relation, _ schema: String?, _ name: String, _ candidates: [CatalogSnapshot.Relation]
  ) -> SourceRows {
    let hasMore = !own.behind.isEmpty || own.mayBeAnything
    // An altered table is where it was; a column that it did not have is found nowhere, and may be any.
    if !hasMore, candidates.count == 1, own.schemas == [candidates[0].schema] { return rows(of: candidates[0]) }
    if !hasMore, candidates.isEmpty {
      if case .named(let columns) = own.columns, own.schemas.count == 1, let schema = own.schemas.first ?? nil {
        return SourceRows(
          columns: columns.map {
            let stored = StoredColumn(schema: schema, relation: name, column: $0)
            return SourceColumn(name: $0, source: ValueSource(ColumnSet([stored]), isCopy: true))
          })
      }
      return SourceRows(
        rest: .own(schema: (own.schemas.count == 1 ? own.schemas.first ?? nil : nil) ?? "pg_temp", relation: name))
    }
    return SourceRows(rest: .any(candidates.reduce(into: .footprint) { $0.formUnion(rows(of: $1).all) }))
  }

  /// All columns of a relation, with what is behind them.
  func rows(of relation: CatalogSnapshot.Relation) -> SourceRows {
    guard let columns = names.snapshot.columns(of: relation.oid),
      let sources = names.snapshot.sources(of: relation.oid)
    else { return SourceRows(rest: .any(.footprint)) }
    return SourceRows(
      columns: columns.map { SourceColumn(name: $0.name, source: sources[$0.attribute] ?? .unknown) })
  }

  /// A function in FROM: how many rows there are depends on its arguments.
  private mutating func function(inFrom node: UInt32, _ scope: LineageScope) -> SourceTables {
    let list = tape.child(node, .functions)
    if list == 0 { return SourceTables(rows: SourceRows(rest: .any(.everything))) }
    let all = expression(list, scope, .rows)
    let alias = tape.child(node, .alias)
    guard let name = singleColumn(list) else { return named(SourceRows(rest: .any(all)), alias) }
    let known = alias == 0 ? nil : tape.text(alias, .aliasname)
    var rows = SourceRows(columns: [SourceColumn(name: known ?? name, source: ValueSource(all))])
    if tape.flag(node, .ordinality) { rows.columns.append(SourceColumn(name: "ordinality", source: .constant)) }
    return named(rows, alias, name)
  }

  /// The name of the one function in that list, if it is one of PostgreSQL's that return one column.
  private func singleColumn(_ list: UInt32) -> String? {
    let entries = Array(tape.children(list))
    guard entries.count == 1, let call = tape.child(entries[0], .items) == 0 ? nil : tape.child(entries[0], .items),
      let function = tape.children(call).first(where: { _ in true }), tape.kind(function) == .funcCall,
      let parts = tape.names(tape.child(function, .funcname)), let last = parts.last
    else { return nil }
    let name = tape.text(last)
    guard LineageWalk.singleColumns.contains(name), parts.count == 1 || tape.isEqual(parts[0], "pg_catalog"),
      names.routines(nil, name, usesPath: false).isEmpty
    else { return nil }
    // unnest of several arrays returns several.
    let arguments = tape.child(function, .args)
    if name == "unnest", arguments == 0 || tape.children(arguments).dropFirst().contains(where: { _ in true }) {
      return nil
    }
    return name
  }

  private static let singleColumns: Set<String> = [
    "generate_series", "generate_subscripts", "regexp_split_to_table", "string_to_table", "json_array_elements",
    "jsonb_array_elements", "json_array_elements_text", "jsonb_array_elements_text", "json_object_keys",
    "jsonb_object_keys", "regexp_matches", "pg_ls_dir", "current_schemas", "now", "version", "current_setting",
  ]
}

/// Joins.
extension LineageWalk {
  private mutating func join(_ node: UInt32, _ scope: LineageScope, _ depth: Int) -> SourceTables {
    let left = table(tape.child(node, .larg), scope, depth: depth + 1)
    let sight = LineageScope(inside: scope.outer)
    sight.common = scope.common
    sight.tables = scope.tables
    sight.tables.append(left)
    let right = table(tape.child(node, .rarg), sight, depth: depth + 1)
    let condition = tape.child(node, .quals)
    if condition != 0 {
      let both = LineageScope(inside: scope.outer)
      both.common = scope.common
      both.tables = left
      both.tables.append(right)
      _ = expression(condition, both, .predicate)
    }
    var joined = merged(left, right, on: columns(joining: node, left, right))
    let alias = tape.child(node, .alias)
    if alias != 0 { return named(joined.rows, alias) }
    let using = tape.child(node, .joinUsingAlias)
    if using != 0, let name = tape.text(using, .aliasname) {
      joined.tables.append(SourceTables.Table(name: name, schema: nil, rows: joined.rows))
    }
    return joined
  }

  /// The columns that USING names, or that NATURAL finds; nil when they are not known.
  private func columns(joining node: UInt32, _ left: SourceTables, _ right: SourceTables) -> [String]? {
    guard tape.flag(node, .isNatural) else { return strings(tape.child(node, .usingClause)) }
    let isKnown = [left, right].allSatisfy { side in
      side.rows.rest == nil && side.rows.columns.allSatisfy { !$0.name.isEmpty }
    }
    guard isKnown else { return nil }
    let names = Set(right.rows.columns.map(\.name))
    return left.rows.columns.map(\.name).filter { names.contains($0) }
  }

  /// Joined columns come first and once, and are compared.
  private mutating func merged(_ left: SourceTables, _ right: SourceTables, on names: [String]?) -> SourceTables {
    var joined = left
    guard let names else {
      joined.append(right)
      let all = joined.rows.all
      note(all, .predicate)
      joined.rows = SourceRows(rest: .any(all))
      return joined
    }
    if names.isEmpty {
      joined.append(right)
      return joined
    }
    var first: [SourceColumn] = []
    for name in names {
      var columns = ColumnSet.none
      var isCopy = true
      for side in [left, right] {
        let (found, maybe) = side.rows.find(name)
        columns.formUnion(found?.columns ?? maybe ?? side.rows.all)
        isCopy = isCopy && found?.isCopy ?? false
      }
      note(columns, .predicate)
      first.append(SourceColumn(name: name, source: ValueSource(columns, isCopy: isCopy)))
    }
    let merged = Set(names)
    joined.rows.columns.removeAll { merged.contains($0.name) }
    var other = right
    other.rows.columns.removeAll { merged.contains($0.name) }
    joined.append(other)
    joined.rows.columns = first + joined.rows.columns
    return joined
  }
}
