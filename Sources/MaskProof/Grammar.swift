/// Makes statements over the scratch schema, and knows which of their outputs come from masked columns.
public struct Grammar: Sendable {
  /// What an expression is, roughly.
  enum Kind: Int, CaseIterable, Sendable { case text, int, bytes, list, json, row }

  /// An expression, or a column in sight.
  struct Value: Sendable {
    var sql: String
    var kind: Kind
    var taint: Taint

    var enclosed: Value { Value(sql: "(\(sql))", kind: kind, taint: taint) }
  }
  /// What a query gives: its columns by name.
  struct Query: Sendable {
    var sql: String
    var columns: [Value]
    var taints: [Taint] { columns.map(\.taint) }
  }
  /// A table, a view, or a function without arguments.
  struct Relation: Sendable {
    var name: String
    var columns: [(name: String, kind: Kind, taint: Taint)]
    var isFunction = false
  }
  /// Something in FROM.
  struct Item: Sendable {
    var sql: String
    var columns: [Value]
    /// What `*` stands for, where that is known.
    var star: [Value]?
    /// The name by which its rows can be named whole; nil where they cannot.
    var row: String?
  }

  var choices: Choices
  let schema: String
  private let relations: [Relation]
  /// Names that a WITH query has taken, so that the relation must be named with its schema.
  var shadowed: Set<String> = []
  /// Whether it tells something of a masked value without showing it, or may: a rule then refuses it.
  var mayBeRefused = false
  /// Whether something is in sight whose columns are not known from outside.
  var isVague = false
  private var serial = 0
  private var nodes = 0
  /// How many productions one statement is worth.
  private static let limit = 60

  private init(_ choices: Choices, _ schema: ScratchSchema) {
    self.choices = choices
    self.schema = schema.name
    relations = Grammar.relations + schema.generated
  }

  /// A statement made by these choices; total.
  public static func statement(_ choices: Choices, schema: ScratchSchema) -> ProofStatement {
    var grammar = Grammar(choices, schema)
    var statement = grammar.statement()
    if grammar.isVague {
      for index in statement.steps.indices {
        statement.steps[index].columns = statement.steps[index].columns?.map { $0 == .clean ? .either : $0 }
      }
    }
    statement.choices = grammar.choices.made
    statement.mayBeRefused = grammar.mayBeRefused || grammar.isVague
    return statement
  }

  /// A view, a materialized view or a function over a query of those choices.
  static func definition(
    _ choices: Choices, named name: String, in schema: ScratchSchema
  ) -> (sql: String, relation: Relation) {
    var grammar = Grammar(choices, schema)
    let query = grammar.select(3)
    let isRenamed = grammar.choices.chance(30)
    let names = query.columns.enumerated().map { isRenamed ? "n\($0.offset)" : $0.element.sql }
    let isVague = grammar.isVague || grammar.mayBeRefused
    var relation = Relation(name: name, columns: [])
    relation.columns = zip(names, query.columns).map {
      ($0, $1.kind, isVague && $1.taint == .clean ? .either : $1.taint)
    }
    let list = isRenamed ? "(\(names.joined(separator: ", ")))" : ""
    switch grammar.choices.next(6) {
    case 4: return ("CREATE MATERIALIZED VIEW \(name)\(list) AS \(query.sql)", relation)
    case 5:
      relation.isFunction = true
      relation.columns = relation.columns.map { ($0.name, $0.kind, $0.taint == .clean ? .either : $0.taint) }
      let types = relation.columns.map { "\($0.name) \($0.kind.typeName)" }.joined(separator: ", ")

      let casts = zip(query.columns, relation.columns).map { "(q.\($0.sql))::\($1.kind.typeName)" }

      return (
        "CREATE FUNCTION \(name)() RETURNS TABLE (\(types)) LANGUAGE sql AS $f$"
          + "SELECT \(casts.joined(separator: ", ")) FROM (\(query.sql)) AS q$f$", relation
      )
    case _: return ("CREATE VIEW \(name)\(list) AS \(query.sql)", relation)
    }
  }

  mutating func fresh(_ prefix: String) -> String {
    serial += 1
    return "\(prefix)\(serial)"
  }

  /// Whether there may be another level.
  mutating func deeper(_ depth: Int, _ percent: Int = 60) -> Bool {
    nodes += 1
    return depth > 0 && nodes < Grammar.limit && choices.chance(percent)
  }

  /// A relation's name, with its schema or by the search_path.
  mutating func name(_ relation: String) -> String {
    choices.chance(30) && !shadowed.contains(relation) ? relation : "\(schema).\(relation)"
  }

  /// Names for outputs, all different: now and then those that columns have, to be mistaken for them.
  mutating func outputNames(_ count: Int) -> [String] {
    var names: [String] = []
    for _ in 0..<count {
      let known =
        choices.chance(30) ? choices.pick(["code", "label", "id", "note", "secret", "s", "amount", "v"]) : nil
      names.append(known.flatMap { names.contains($0) ? nil : $0 } ?? fresh("o"))
    }
    return names
  }

  // MARK: Relations

  private static let people: [(String, Kind, Taint)] = [
    ("id", .int, .clean), ("label", .text, .clean), ("amount", .int, .clean), ("code", .text, .masked),
    ("pin", .int, .masked), ("blob", .bytes, .masked), ("list", .list, .masked), ("doc", .json, .masked),
    ("pair", .row, .masked),
  ]
  static let relations: [Relation] =
    ([
      ("people", people), ("notes", [("id", .int, .clean), ("note", .text, .clean), ("amount", .int, .clean)]),
      ("people_child", people + [("extra", .int, .clean)]),
      ("ledger", [("id", .int, .clean), ("amount", .int, .clean), ("code", .text, .masked)]),
      ("ledger_1", [("id", .int, .clean), ("amount", .int, .clean), ("code", .text, .masked)]),
      ("v_renamed", [("id", .int, .clean), ("label", .text, .clean), ("secret", .text, .masked)]),
      ("v_again", [("id", .int, .clean), ("s", .text, .masked)]),
      ("v_computed", [("id", .int, .clean), ("both_texts", .text, .masked)]),
      ("v_clean", [("id", .int, .clean), ("label", .text, .clean)]),
      ("v_union", [("id", .int, .clean), ("v", .text, .masked)]),
      ("v_grouped", [("label", .text, .clean), ("v", .text, .masked), ("n", .int, .clean)]),
      ("m_stored", [("id", .int, .clean), ("secret", .text, .masked)]),
      ("m_names", [("id", .int, .clean), ("label", .text, .clean)]),
      // Its columns stand in another order than its parent's.
      ("ledger_2", [("code", .text, .masked), ("id", .int, .clean), ("amount", .int, .clean)]),
    ] as [(String, [(String, Kind, Taint)])]).map { name, columns in
      Relation(name: name, columns: columns.map { ($0.0, $0.1, $0.2) })
    }

  /// A relation under a name of its own.
  mutating func relation(_ index: Int? = nil) -> Item {
    let relation = relations[index ?? choices.next(relations.count)]
    let alias = fresh("a")
    var names = relation.columns.map(\.name)
    let call = relation.isFunction ? "()" : ""
    if relation.isFunction { isVague = true }
    let only = relation.name == "people" && choices.chance(15) ? "ONLY " : ""
    var sql = "\(only)\(name(relation.name))\(call) \(alias)"
    if choices.chance(12) {
      names = names.map { _ in fresh("c") }
      sql = "\(only)\(name(relation.name))\(call) AS \(alias)(\(names.joined(separator: ", ")))"
    }
    let columns = zip(names, relation.columns).map { Value(sql: "\(alias).\($0)", kind: $1.kind, taint: $1.taint) }
    return Item(sql: sql, columns: columns, star: columns, row: alias)
  }

  /// One item of FROM; `outer` are columns that a LATERAL one sees.
  mutating func item(_ depth: Int, _ outer: [Value]) -> Item {
    guard deeper(depth, 45) else { return relation() }
    let alias = fresh("q")
    switch choices.next(9) {
    case 0:
      let query = select(depth - 1)
      let columns = query.columns.map { qualify($0, alias) }
      return Item(sql: "(\(query.sql)) AS \(alias)", columns: columns, star: columns, row: alias)
    case 1 where !outer.isEmpty:
      let value = expression(.text, outer, depth - 1)
      let name = fresh("l")
      return Item(
        sql: "LATERAL (SELECT \(value.sql) AS \(name)) \(alias)",
        columns: [Value(sql: "\(alias).\(name)", kind: .text, taint: value.taint)], row: alias)
    case 2 where !outer.isEmpty:
      let values = [expression(.text, outer, 1), expression(.text, outer, 1)]
      return Item(
        sql: "LATERAL (VALUES (\(values[0].sql), 1), (\(values[1].sql), 2)) AS \(alias)(v, n)",
        columns: [
          Value(sql: "\(alias).v", kind: .text, taint: max(values[0].taint, values[1].taint)),
          Value(sql: "\(alias).n", kind: .int, taint: .clean),
        ], row: alias)
    case 3:
      return Item(
        sql: "generate_series(1, 3) \(alias)", columns: [Value(sql: alias, kind: .int, taint: .clean)], row: nil)
    case 4 where !outer.isEmpty:
      let value = expression(.list, outer, depth - 1)
      if value.taint == .masked { mayBeRefused = true }
      return Item(
        sql: "unnest(\(value.sql)) AS \(alias)(u)",
        columns: [Value(sql: "\(alias).u", kind: .text, taint: value.taint)], row: nil)
    case 5:
      isVague = true
      return Item(
        sql: "\(name("everybody"))() \(alias)",
        columns: [
          Value(sql: "\(alias).a", kind: .int, taint: .either), Value(sql: "\(alias).b", kind: .text, taint: .masked),
        ], row: alias)
    case 6 where !outer.isEmpty:
      let value = expression(.json, outer, depth - 1)
      if value.taint == .masked { mayBeRefused = true }
      return Item(
        sql:
          "jsonb_each_text(CASE jsonb_typeof(to_jsonb(1)) WHEN 'number' THEN jsonb_build_object('k', \(value.sql)) END)"
          + " AS \(alias)(k, v)",
        columns: [
          Value(sql: "\(alias).k", kind: .text, taint: .either),
          Value(sql: "\(alias).v", kind: .text, taint: value.taint),
        ], row: nil)
    case 7:
      isVague = true
      return Item(
        sql: "\(name("row_of"))(\(1 + choices.next(3))) \(alias)",
        columns: Grammar.people.map {
          Value(sql: "\(alias).\($0.0)", kind: $0.1, taint: $0.2 == .clean ? .either : $0.2)
        }, row: alias)
    case _: return join(depth)
    }
  }

  func qualify(_ value: Value, _ alias: String) -> Value {
    Value(sql: "\(alias).\(value.sql)", kind: value.kind, taint: value.taint)
  }

  /// Two relations joined by what is not masked, or by chance by what is.
  private mutating func join(_ depth: Int) -> Item {
    let (a, b) = (fresh("a"), fresh("b"))
    let people = Grammar.people.map { Value(sql: "\(a).\($0.0)", kind: $0.1, taint: $0.2) }
    let side = choices.pick(["", "LEFT ", "FULL ", "RIGHT "])
    switch choices.next(6) {
    case 0:
      // They have id and amount in common.
      let note = Value(sql: "\(b).note", kind: .text, taint: .clean)
      return Item(
        sql: "\(name("people")) \(a) NATURAL \(side)JOIN \(name("notes")) \(b)", columns: people + [note],
        star: [people[0], people[2], people[1]] + people[3...] + [note], row: a)
    case 1:
      let secret = Value(sql: "\(b).secret", kind: .text, taint: .masked)
      return Item(
        sql: "(\(name("people")) \(a) \(side)JOIN \(name("m_stored")) \(b) USING (id))", columns: people + [secret],
        star: people + [secret], row: b)
    case 2:
      let alias = fresh("j")
      let names = (0..<11).map { _ in fresh("c") }
      let columns = zip(
        names, Grammar.people.map { ($0.1, $0.2) } + [(Kind.text, Taint.clean), (.int, .clean)]
      ).map { Value(sql: "\(alias).\($0)", kind: $1.0, taint: $1.1) }
      return Item(
        sql:
          "(\(name("people")) \(side)JOIN \(name("notes")) USING (id)) AS \(alias)(\(names.joined(separator: ", ")))",
        columns: columns, star: columns, row: alias)
    case 3:
      // A masked column is compared.
      mayBeRefused = true
      return Item(
        sql: "\(name("people")) \(a) \(side)JOIN \(name("v_renamed")) \(b) ON \(a).code = \(b).secret", columns: people,
        row: a)
    case 4:
      // One side's masked column goes by the name of the other's.
      let alias = fresh("j")
      // An outer join takes the column of one side alone.
      let taint: Taint = side.hasPrefix("FULL") || side.hasPrefix("RIGHT") ? .masked : .either
      let merged = Value(sql: "\(alias).x", kind: .text, taint: taint)
      mayBeRefused = true
      return Item(
        sql:
          "((SELECT label AS x FROM \(name("people"))) \(a) \(side)JOIN (SELECT code AS x FROM \(name("ledger"))) \(b) "
          + "USING (x)) AS \(alias)", columns: [merged], star: [merged], row: alias)
    case _:
      let (left, right) = (relation(), relation(1))
      let condition = choices.pick(["<=", "=", ">="])
      guard let key = left.columns.first(where: { $0.kind == .int && $0.taint == .clean }) else { return left }
      return Item(
        sql: "\(left.sql) \(side)JOIN \(right.sql) ON \(key.sql) \(condition) \(right.columns[0].sql)",
        columns: left.columns + right.columns, star: left.columns + right.columns, row: left.row)
    }
  }
}

extension Grammar.Kind {
  /// As a function's result is declared.
  var typeName: String {
    switch self {
    case .text: "text"
    case .int: "numeric"
    case .bytes: "bytea"
    case .list: "text[]"
    case .json: "jsonb"
    case .row: "pair"
    }
  }
}
