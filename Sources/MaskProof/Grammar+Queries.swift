/// Queries: SELECT in its forms, set operations, WITH.
extension Grammar {
  private static let outputs: [Kind] = [.text, .text, .text, .int, .bytes, .list, .json]

  /// A query of one to four columns with names; of those kinds, where they are given.
  mutating func select(_ depth: Int, _ kinds: [Kind]? = nil) -> Query {
    if deeper(depth, 40) {
      switch choices.next(6) {
      case 0: return setOperation(depth - 1)
      case 1: return with(depth - 1)
      case 2 where kinds == nil: return recursive()
      case 3 where kinds == nil: return aggregate(depth - 1)
      case 4 where kinds == nil: return window(depth - 1)
      case _: break
      }
    }
    return plain(depth, kinds)
  }

  /// FROM and what is in sight behind it.
  private mutating func from(_ depth: Int) -> (sql: String, scope: [Value], items: [Item]) {
    var items = [item(depth, [])]
    if choices.chance(35) { items.append(item(depth - 1, items[0].columns)) }
    return (items.map(\.sql).joined(separator: ", "), items.flatMap(\.columns), items)
  }

  private mutating func plain(_ depth: Int, _ kinds: [Kind]?) -> Query {
    var from = from(depth)
    let stars = from.items.compactMap(\.star)
    if kinds == nil, choices.chance(12), stars.count == from.items.count {
      return starred(from.sql, from.scope, stars.flatMap { $0 })
    }
    // By their names alone, where nothing else can be meant.
    if from.items.count == 1, choices.chance(30),
      Set(from.scope.map { Grammar.bare($0.sql) }).count == from.scope.count,
      !from.sql.contains("JOIN")
    {
      from.scope = from.scope.map { Value(sql: Grammar.bare($0.sql), kind: $0.kind, taint: $0.taint) }
    }
    var values: [Value] = []
    for kind in kinds ?? (0...choices.next(3)).map({ _ in choices.pick(Grammar.outputs) }) {
      values.append(kinds == nil && choices.chance(12) ? whole(from.items) : expression(kind, from.scope, depth))
    }
    // What is not masked stands beside it.
    if kinds == nil, let clean = from.scope.first(where: { $0.taint == .clean }) { values.append(clean) }
    let names = outputNames(values.count)
    let list = zip(values, names).map { "\($0.sql) AS \($1)" }.joined(separator: ", ")
    // By its bare name it may be an output that is meant.
    let distinct = kinds == nil && choices.chance(6) ? from.scope.first { $0.taint == .clean && $0.kind == .int } : nil
    var sql = "SELECT \(distinct.map { "DISTINCT ON (\($0.sql)) " } ?? "")\(list) FROM \(from.sql)"
    if choices.chance(40) { sql += " WHERE \(predicate(from.scope))" }
    if let distinct {
      sql += " ORDER BY \(distinct.sql)"
      if names.contains(distinct.sql) { mayBeRefused = true }
    }
    let columns = zip(values, names).map { Value(sql: $1, kind: $0.kind, taint: $0.taint) }
    // Which row of those alike comes first is not said.
    return Query(
      sql: sql,
      columns: distinct == nil
        ? columns : columns.map { Value(sql: $0.sql, kind: $0.kind, taint: $0.taint == .clean ? .either : $0.taint) })
  }

  private static func bare(_ name: String) -> String { name.split(separator: ".").last.map(String.init) ?? name }

  /// All columns in their order, given names from outside; the names must differ.
  private mutating func starred(_ from: String, _ scope: [Value], _ star: [Value]) -> Query {
    let alias = fresh("st")
    let names = star.map { _ in fresh("c") }
    let condition = choices.chance(30) ? " WHERE \(predicate(scope))" : ""
    let columns = zip(names, star).map { Value(sql: $0, kind: $1.kind, taint: $1.taint) }
    if choices.chance(50) {
      // As it stands; nobody can name its columns.
      return Query(
        sql: "SELECT * FROM (SELECT * FROM \(from)\(condition)) AS \(alias)(\(names.joined(separator: ", ")))",
        columns: columns)
    }
    let width = 1 + choices.next(min(3, star.count))
    let picked = columns.suffix(width)
    return Query(
      sql:
        "SELECT \(picked.map { "\(alias).\($0.sql)" }.joined(separator: ", ")) FROM (SELECT * FROM \(from)\(condition)) AS \(alias)(\(names.joined(separator: ", ")))",
      columns: Array(picked))
  }

  /// A row as a whole, as text or JSON.
  private mutating func whole(_ items: [Item]) -> Value {
    guard let item = items.first(where: { $0.row != nil }), let row = item.row else {
      return Value(sql: "'none'", kind: .text, taint: .clean)
    }
    let form = choices.pick([
      "@::text", "row_to_json(@)::text", "to_jsonb(@)::text", "to_json(@)::text", "format('%s', @)", "ROW(@.*)::text",
      "jsonb_build_object('r', @)::text", "(array_agg(@) OVER ())[1]::text", "(ARRAY[@])[1]::text",
      "(SELECT x FROM (SELECT @ AS x) y)::text", "to_jsonb(ARRAY[@]) #>> '{0}'", "array_to_json(ARRAY[@])::text",
      "(SELECT string_agg(e.value, ',') FROM json_each_text(row_to_json(@)) e)", "xmlforest(@ AS r)::text",
      "(SELECT r FROM (VALUES (@)) AS v(r))::text", "concat(@, '')", "COALESCE(@, @)::text",
      "(CASE WHEN true THEN @ END)::text",
      "ROW(@, 1)::text", "(SELECT json_agg(@)::text)",
      "json_strip_nulls(to_json(@))::text",
    ])
    let taint = item.columns.map(\.taint).max() ?? .clean
    // As many rows as it has keys.
    if taint != .clean, form.contains("json_each_text") { mayBeRefused = true }
    return Value(
      sql: form.replacing("@", with: row), kind: .text, taint: taint == .masked ? .masked : .either)
  }

  private mutating func setOperation(_ depth: Int) -> Query {
    let kinds = (0...choices.next(2)).map { _ in choices.pick([Kind.text, .text, .bytes, .list]) }
    let (a, b) = (plain(depth, kinds), plain(depth, kinds))
    let word = choices.pick(["UNION ALL", "UNION ALL", "UNION ALL", "UNION", "EXCEPT", "INTERSECT"])
    let taints = zip(a.columns, b.columns).map { max($0.taint, $1.taint) }
    if word != "UNION ALL" { mayBeRefused = true }
    return Query(
      sql: "(\(a.sql)) \(word) (\(b.sql))",
      columns: zip(a.columns, taints).map { Value(sql: $0.sql, kind: $0.kind, taint: $1) })
  }

  private mutating func with(_ depth: Int) -> Query {
    let inner = select(depth)
    // A relation's name now and then; in its own body that still means the relation.
    let taken = choices.chance(25) ? choices.pick(["people", "notes", "v_clean", "m_names"]) : nil
    let name = taken ?? fresh("w")
    let how = choices.pick(["", "MATERIALIZED ", "NOT MATERIALIZED "])
    let alias = fresh("x")
    let columns = inner.columns.map { qualify($0, alias) }
    shadowed.insert(name)
    let values = columns.map { column in
      column.kind == .text && choices.chance(40) ? expression(.text, [column], 1) : column
    }
    let names = outputNames(values.count)
    let list = zip(values, names).map { "\($0.sql) AS \($1)" }.joined(separator: ", ")
    let result = zip(values, names).map { Value(sql: $1, kind: $0.kind, taint: $0.taint) }
    if choices.chance(20) {
      // One that is named before it is written.
      let later = fresh("w")
      return Query(
        sql:
          "WITH RECURSIVE \(later) AS (SELECT * FROM \(name) AS x0), \(name) AS \(how)(\(inner.sql)) SELECT \(list) FROM \(later) AS \(alias)",
        columns: result)
    }
    return Query(sql: "WITH \(name) AS \(how)(\(inner.sql)) SELECT \(list) FROM \(name) AS \(alias)", columns: result)
  }

  /// Values that change places from step to step.
  private mutating func recursive() -> Query {
    let (r, a, b, c) = (fresh("r"), fresh("o"), fresh("o"), fresh("o"))
    let swap = choices.chance(50)
    return Query(
      sql: """
        WITH RECURSIVE \(r)(\(a), \(b), \(c)) AS (SELECT 1, label, code FROM \(name("people")) UNION ALL \
        SELECT \(a) + 1, \(swap ? "\(c), \(b)" : "\(b), \(c)") FROM \(r) WHERE \(a) < 3) SELECT \(a), \(b), \(c) FROM \(r)
        """,
      columns: [
        Value(sql: a, kind: .int, taint: .clean), Value(sql: b, kind: .text, taint: swap ? .masked : .clean),
        Value(sql: c, kind: .text, taint: .masked),
      ])
  }

  private mutating func aggregate(_ depth: Int) -> Query {
    let item = item(depth, [])
    let value = expression(.text, item.columns, depth)
    let order = item.columns.first { $0.taint == .clean }?.sql
    let form = choices.pick([
      "string_agg(@, ','!)", "array_agg(@!)::text", "json_agg(@!)::text", "jsonb_agg(@!)::text", "min(@)", "max(@)",
      "xmlagg(xmlelement(name e, @)!)::text", "(array_agg(@!))[1]",
      "json_object_agg('k' || COALESCE(length('x'), 0), @)::text",
      "string_agg(@, '') FILTER (WHERE true)", "max(reverse(@))", "count(@)::text", "jsonb_object_agg('k', @)::text",
      "string_agg(DISTINCT @, ',')", "mode() WITHIN GROUP (ORDER BY @)",
      "percentile_disc(0.5) WITHIN GROUP (ORDER BY @)",
    ])
    if value.taint == .masked, form.contains("WITHIN") || form.contains("DISTINCT") { mayBeRefused = true }
    let sorted = order.map { " ORDER BY \($0)" } ?? ""
    var list = [
      Value(sql: form.replacing("@", with: value.sql).replacing("!", with: sorted), kind: .text, taint: value.taint),
      Value(sql: "count(*)", kind: .int, taint: .clean),
    ]
    if choices.chance(25), let number = item.columns.first(where: { $0.kind == .int && $0.taint == .masked }) {
      let form = choices.pick(["sum(@)", "avg(@)", "max(@)", "bit_or(@)", "sum(@) FILTER (WHERE true)"])
      list.append(Value(sql: form.replacing("@", with: number.sql), kind: .int, taint: .masked))
    }
    let names = list.map { _ in fresh("o") }
    var sql = "SELECT " + zip(list, names).map { "\($0.sql) AS \($1)" }.joined(separator: ", ") + " FROM \(item.sql)"
    let plain = item.columns.first { $0.taint == .clean }
    if choices.chance(40), let plain {
      sql += choices.pick([" GROUP BY @", " GROUP BY ROLLUP (@)", " GROUP BY @ HAVING count(*) > 0"])
        .replacing("@", with: plain.sql)
    }
    return Query(sql: sql, columns: zip(list, names).map { Value(sql: $1, kind: $0.kind, taint: $0.taint) })
  }

  private mutating func window(_ depth: Int) -> Query {
    let item = item(depth, [])
    let value = expression(.text, item.columns, depth)
    let order = item.columns.first { $0.taint == .clean }?.sql ?? "1"
    let form = choices.pick([
      "first_value(@) OVER (ORDER BY !)", "lag(@) OVER (ORDER BY !)", "lead(@, 1) OVER (ORDER BY !)", "max(@) OVER ()",
      "string_agg(@, ',') OVER (ORDER BY !)", "nth_value(@, 1) OVER (ORDER BY !)", "last_value(@) OVER w",
      "array_agg(@) OVER (PARTITION BY 1 ORDER BY !)",
      "(first_value(@) OVER (ORDER BY ! ROWS UNBOUNDED PRECEDING)) || ''",
    ])
    let isNamed = form.contains("OVER w")
    let (a, b) = (fresh("o"), fresh("o"))
    let sql =
      "SELECT \(form.replacing("@", with: value.sql).replacing("!", with: order)) AS \(a), row_number() OVER () AS \(b)"
      + " FROM \(item.sql)" + (isNamed ? " WINDOW w AS (ORDER BY \(order))" : "")
    return Query(
      sql: sql,
      columns: [Value(sql: a, kind: .text, taint: value.taint), Value(sql: b, kind: .int, taint: .clean)])
  }
}
