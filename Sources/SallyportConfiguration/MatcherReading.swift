import AccessModel
import PolicyEngine

extension ConfigurationReader {
  /// `when` or `unless`. A mask rule is asked about columns, so that what a command does has no place in it.
  func matcher(_ value: YAMLValue, _ what: String, isMask: Bool) -> Matcher? {
    guard var keys = MappingReader(value, what, mistakes, .matcher) else { return nil }
    let before = mistakes.found.count
    var matcher = Matcher()
    if let value = keys.take("users") { matcher.users = users(value) }
    if let value = keys.take("groups") { matcher.groups = groups(value, "groups") }
    if let value = keys.take("connections") { matcher.connections = namedConnections(value) }
    if let value = keys.take("labels") { matcher.labels = labelChoices(value) }
    if let value = keys.take("protocol") { matcher.protocols = protocols(value) }
    if let value = keys.take("effect") {
      matcher.effects = effectWords(value, "effect").map { EffectSelector($0.named, unknown: $0.unknown) }
      refuseOnMask(value, "effect", isMask)
    }
    if let value = keys.take("sql") {
      matcher.sql = sql(value, in: what)
      refuseOnMask(value, "sql", isMask)
    }
    keys.finish()
    guard mistakes.found.count == before else { return nil }
    if matcher.isEmpty {
      return refuse(value.place, "\(what) is empty", "Say who or what is meant, or leave the key out.")
    }
    return matcher
  }

  private func refuseOnMask(_ value: YAMLValue, _ key: String, _ isMask: Bool) {
    guard isMask else { return }
    mistakes.add(
      value.place, "\(key) has no meaning in a mask rule, which is asked about columns",
      "Name the columns in mask, and people or connections here.")
  }

  private func namedConnections(_ value: YAMLValue) -> [NameGlob]? {
    if case .mapping = value.node {
      return refuse(
        value.place, "connections must be a list of names", "In a rule, labels is a key of its own beside connections.")
    }
    return connectionNames(value)
  }

  private func protocols(_ value: YAMLValue) -> [String]? {
    guard let texts = texts(value, "protocol") else { return nil }
    return texts.compactMap { word($0, "protocol", among: [("postgres", "postgres")], planned: ["ssh", "http"]) }
  }

  private func sql(_ value: YAMLValue, in what: String) -> SQLMatcher? {
    guard var keys = MappingReader(value, "sql", mistakes, .sql) else { return nil }
    let before = mistakes.found.count
    var matcher = SQLMatcher()
    if let value = keys.take("statement") { matcher.statements = statements(value) }
    if let value = keys.take("tables") {
      matcher.tables = patterns(value, "tables", parts: 2, example: "\"public.customers\" or \"public.*\"")
    }
    if let value = keys.take("where") { matcher.whereAbsent = whereAbsent(value, in: what) }
    keys.finish()
    guard mistakes.found.count == before else { return nil }
    if matcher == SQLMatcher() {
      return refuse(value.place, "sql is empty", "Name statement, tables or where, or leave the key out.")
    }
    return matcher
  }

  private func statements(_ value: YAMLValue) -> Set<SQLStatement.Kind>? {
    guard let texts = texts(value, "statement") else { return nil }
    let words = SQLStatement.Kind.allCases.map { ($0.rawValue, $0) }
    return Set(texts.compactMap { word($0, "statement", among: words) })
  }

  private func whereAbsent(_ value: YAMLValue, in what: String) -> Bool {
    if what == "unless" {
      mistakes.add(
        value.place, "where has no meaning in unless: it cannot be certain of every part of a command",
        "Put it into when.")
    }
    return word(value, "where", among: [("absent", true)]) ?? false
  }
}

extension MappingShape {
  static let matcher = MappingShape(
    "matcher",
    [
      Key("users", .oneOrMore(.text)),
      Key("groups", .oneOrMore(.text)),
      Key("connections", .oneOrMore(.text), "Names; * stands for any run of characters."),
      Key("labels", .named(.oneOrMore(.text)), "Of the connection, each with one of its values."),
      Key("protocol", .oneOrMore(.words(["postgres"]))),
      Key("effect", .effects(), "What the command may do."),
      Key("sql", .mapping(.sql), "Asked of one statement at a time."),
    ],
    planned: [
      "claims", "roles", "resources", "client", "client.network", "client.region", "hours", "ssh", "file", "http",
      "llm", "mcp", "k8s", "text",
    ])

  static let sql = MappingShape(
    "sql",
    [
      Key("statement", .oneOrMore(.words(SQLStatement.Kind.allCases.map(\.rawValue))), "Kinds of statements."),
      Key("tables", .oneOrMore(.text), "`[schema.]table`, bound from the right; * stays within one part."),
      Key("where", .words(["absent"]), "An UPDATE or DELETE that does not say which rows it means."),
    ], planned: ["text"])
}
