import AccessModel
import Foundation
import PolicyEngine
import Residency

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
    if let value = keys.take("ssh") {
      matcher.ssh = ssh(value, in: what)
      refuseOnMask(value, "ssh", isMask)
    }
    if let value = keys.take("resources") {
      matcher.resources = texts(value, "resources")?.map { ResourcePattern($0.value) }
      refuseOnMask(value, "resources", isMask)
    }
    if let value = keys.take("text") {
      matcher.text = texts(value, "text")?.map { TextPattern($0.value) }
      refuseOnMask(value, "text", isMask)
    }
    if let value = keys.take("hours") {
      matcher.hours = hours(value)
      refuseOnMask(value, "hours", isMask)
    }
    if let value = keys.take("client") { matcher.networks = clientNetworks(value) }
    keys.finish()
    guard mistakes.found.count == before else { return nil }
    if matcher.sql != nil, matcher.ssh != nil {
      return refuse(value.place, "\(what) asks for sql and ssh, and no command is both", "Make two rules of it.")
    }
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
    let words = MappingShape.protocols.map { ($0, $0) }
    return texts.compactMap { word($0, "protocol", among: words, planned: ["http"]) }
  }

  private func sql(_ value: YAMLValue, in what: String) -> SQLMatcher? {
    guard var keys = MappingReader(value, "sql", mistakes, .sql) else { return nil }
    let before = mistakes.found.count
    var matcher = SQLMatcher()
    if let value = keys.take("statement") { matcher.statements = statements(value) }
    if let value = keys.take("tables") {
      matcher.tables = patterns(value, "tables", parts: 2, example: "\"public.customers\" or \"public.*\"")
    }
    if let value = keys.take("columns") { matcher.columns = columns(value, in: what) }
    if let value = keys.take("functions") {
      matcher.functions = patterns(value, "functions", parts: 2, example: "\"pg_sleep\" or \"public.calc_*\"")
    }
    if let value = keys.take("where") { matcher.whereAbsent = whereAbsent(value, in: what) }
    if let value = keys.take("rows_over") { matcher.rowsOver = rowsOver(value, in: what) }
    keys.finish()
    guard mistakes.found.count == before else { return nil }
    if matcher == SQLMatcher() {
      return refuse(
        value.place, "sql is empty",
        "Name statement, tables, columns, functions, where or rows_over, or leave the key out.")
    }
    return matcher
  }

  private func ssh(_ value: YAMLValue, in what: String) -> SSHMatcher? {
    guard var keys = MappingReader(value, "ssh", mistakes, .ssh) else { return nil }
    let before = mistakes.found.count
    var matcher = SSHMatcher()
    if let value = keys.take("request") {
      matcher.requests = texts(value, "request")?.compactMap { word($0, "request", among: MappingShape.sshRequests) }
    }
    if let value = keys.take("program") { matcher.programs = texts(value, "program")?.map { NameGlob($0.value) } }
    if let value = keys.take("arguments") { matcher.arguments = texts(value, "arguments")?.map { NameGlob($0.value) } }
    if let value = keys.take("forward") { matcher.destinations = forwards(value) }
    if let value = keys.take("path") { matcher.paths = texts(value, "path")?.map { NameGlob($0.value) } }
    keys.finish()
    guard mistakes.found.count == before else { return nil }
    if matcher == SSHMatcher() {
      return refuse(
        value.place, "ssh is empty", "Name request, program, arguments, path or forward, or leave the key out.")
    }
    return matcher
  }

  private func forwards(_ value: YAMLValue) -> [NameGlob]? {
    texts(value, "forward")?.compactMap { text -> NameGlob? in
      guard text.value.contains(":") else {
        return refuse(
          text.place, "\"\(text.value.prefix(80))\" is no host:port", "Write it like \"db.internal:5432\" or \"*:22\".")
      }
      return NameGlob(text.value.lowercased())
    }
  }

  private func statements(_ value: YAMLValue) -> Set<SQLStatement.Kind>? {
    guard let texts = texts(value, "statement") else { return nil }
    let words = SQLStatement.Kind.allCases.map { ($0.rawValue, $0) }
    return Set(texts.compactMap { word($0, "statement", among: words) })
  }

  private func columns(_ value: YAMLValue, in what: String) -> [NamePattern]? {
    if what == "unless" {
      mistakes.add(
        value.place, "columns has no meaning in unless: it cannot be certain which ones a command touches",
        "Name tables, or put it into when.")
    }
    return patterns(value, "columns", parts: 3, example: "\"public.customers.ssn\" or \"*.*.email\"")
  }

  private func clientNetworks(_ value: YAMLValue) -> [NetworkRange]? {
    guard var keys = MappingReader(value, "client", mistakes, .client) else { return nil }
    let networks = keys.require("network", "Write it like client: { network: 10.0.0.0/8 }.")
    keys.finish()
    return networks.flatMap { self.networks($0, "network") }
  }

  /// One span of hours, or a list of them.
  private func hours(_ value: YAMLValue) -> [Hours]? {
    guard case .sequence(let sequence) = value.node else { return span(value).map { [$0] } }
    if sequence.isEmpty {
      return refuse(value.place, "hours is an empty list", "Name at least one, or leave the key out.")
    }
    let spans = sequence.compactMap { span(YAMLValue(node: $0, file: value.file)) }
    return spans.count == sequence.count ? spans : nil
  }

  private func span(_ value: YAMLValue) -> Hours? {
    guard var keys = MappingReader(value, "hours", mistakes, .hours) else { return nil }
    let before = mistakes.found.count
    let zone = keys.require("zone", "Name it as IANA does, such as zone: Europe/Berlin.").flatMap { self.zone($0) }
    let days = keys.take("days").flatMap { self.days($0) }
    let from = keys.take("from").flatMap { timeOfDay($0, "from") }
    let to = keys.take("to").flatMap { timeOfDay($0, "to") }
    keys.finish()
    guard let zone, mistakes.found.count == before else { return nil }
    if let from, from == to ?? 1440 {
      return refuse(value.place, "hours end when they begin", "Leave from and to out for the whole day.")
    }
    return Hours(zone: zone, days: days ?? Set(Hours.Day.allCases), from: from ?? 0, to: to ?? 1440)
  }

  private func zone(_ value: YAMLValue) -> String? {
    guard let name = text(value, "zone") else { return nil }
    // Abbreviations are not names: CST is three different times.
    guard name == "UTC" || name.contains("/"), TimeZone(identifier: name) != nil else {
      return refuse(
        value.place, "there is no time zone \"\(name.prefix(80))\"", "Name it as IANA does: Europe/Berlin, or UTC.")
    }
    return name
  }

  private func days(_ value: YAMLValue) -> Set<Hours.Day>? {
    guard let texts = texts(value, "days") else { return nil }
    let words = Hours.Day.allCases.map { ($0.rawValue, $0) }
    return Set(texts.compactMap { word($0, "day", among: words) })
  }

  /// `08:30`, up to `24:00`, in minutes.
  private func timeOfDay(_ value: YAMLValue, _ what: String) -> Int? {
    guard let text = text(value, what) else { return nil }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2,
      parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
      let hour = Int(parts[0]), let minute = Int(parts[1]), minute < 60, hour * 60 + minute <= 1440
    else { return refuse(value.place, "\(what) must be a time of day", "Write it in quotes, like \"08:30\".") }
    return hour * 60 + minute
  }

  private func rowsOver(_ value: YAMLValue, in what: String) -> Int64? {
    if what == "unless" {
      mistakes.add(
        value.place, "rows_over has no meaning in unless: how many rows a command touches is never certain",
        "Put it into when.")
    }
    return integer(value, "rows_over").map(Int64.init)
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
      Key("protocol", .oneOrMore(.words(protocols))),
      Key("effect", .effects(), "What the command may do."),
      Key("resources", .oneOrMore(.text), "Whatever the command touches: relations, functions, files, hosts."),
      Key("client", .mapping(.client), "Where the client is."),
      Key("hours", .oneOrMore(.mapping(.hours)), "When."),
      Key("text", .oneOrMore(.text), "The whole text; * stands for any run of characters."),
      Key("sql", .mapping(.sql), "Asked of one statement at a time; other protocols' commands never meet it."),
      Key("ssh", .mapping(.ssh), "Asked of one program at a time; other protocols' commands never meet it."),
    ],
    planned: [
      "claims", "roles", "file", "http", "llm", "mcp", "k8s",
    ])

  /// What connections can speak.
  static let protocols = ["postgres", "ssh"]

  static let sshRequests = SSHDetail.Request.allCases.map { ($0.rawValue, $0) }

  static let ssh = MappingShape(
    "ssh",
    [
      Key("request", .oneOrMore(.words(sshRequests.map(\.0))), "What is asked for: a command, a shell, a forward."),
      Key("program", .oneOrMore(.text), "Names like `rm`, or as written if with a slash: `/opt/bin/*`."),
      Key("arguments", .oneOrMore(.text), "One of what the program is given; * stands for any run of characters."),
      Key("forward", .oneOrMore(.text), "Where forwards lead, as host:port: \"*.internal:*\", \"localhost:5432\"."),
      Key("path", .oneOrMore(.text), "Absolute paths among it, and files of redirections; * also spans slashes."),
    ])

  static let client = MappingShape(
    "client", [Key("network", .oneOrMore(.text), "Networks like 10.0.0.0/8, or addresses.", required: true)],
    planned: ["region"])

  static let hours = MappingShape(
    "hours",
    [
      Key("zone", .text, "IANA's name of the zone whose clocks count.", required: true),
      Key("days", .oneOrMore(.words(Hours.Day.allCases.map(\.rawValue))), "Default: all."),
      Key("from", .pattern("^[0-9][0-9]:[0-9][0-9]$"), "The first minute, like \"08:30\". Default: midnight."),
      Key("to", .pattern("^[0-9][0-9]:[0-9][0-9]$"), "The first minute after it; before `from`, on the next day."),
    ])

  static let sql = MappingShape(
    "sql",
    [
      Key("statement", .oneOrMore(.words(SQLStatement.Kind.allCases.map(\.rawValue))), "Kinds of statements."),
      Key("tables", .oneOrMore(.text), "`[schema.]table`, bound from the right; * stays within one part."),
      Key("columns", .oneOrMore(.text), "`[[schema.]table.]column`; of those that a statement touches."),
      Key("functions", .oneOrMore(.text), "`[schema.]function` that it calls, PostgreSQL's own among them."),
      Key("where", .words(["absent"]), "An UPDATE or DELETE that does not say which rows it means."),
      Key(
        "rows_over", .integer(0...mostRows),
        "A statement that touches more rows, by the backend's estimate; one without an estimate may."),
    ], planned: ["text"])
}
