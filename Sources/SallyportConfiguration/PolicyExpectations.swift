import AccessModel
import Foundation
import Yams

/// What a policy is expected to say to statements: kept beside it, in files called `….test.yaml`.
public struct PolicyExpectations: Sendable {
  public enum Outcome: Sendable, Hashable {
    case allow
    /// By that rule; nil: by any.
    case deny(rule: String?)
    case approve(rule: String?)
    /// Allowed, and of what it may read exactly these columns are masked.
    case masked([String])
    /// Allowed, with so many rows of the result and no more.
    case limited(rows: Int)
  }
  /// One statement of one person.
  public struct Case: Sendable {
    public var file: String
    public var line: Int
    public var user: String
    public var connection: String
    public var statement: String
    /// The client's address.
    public var client: String
    /// Seconds since 1970; nil: now.
    public var time: Int64?
    /// How many rows the backend is taken to expect it to touch; nil: there is no estimate.
    public var rows: Int64?
    public var expected: Outcome
  }
  public var cases: [Case] = []
  /// nil where the files have none.
  public var catalog: TrialCatalog?

  /// What such files' names end with; a folder's configuration leaves them out.
  public static let suffixes = [".test.yaml", ".test.yml"]
}

/// A database as far as a policy asks of it: relations with their columns, and views with what they read.
public struct TrialCatalog: Sendable, Hashable {
  /// Column names by `schema.relation`.
  public var relations: [String: [String]] = [:]
  /// What views read, by `schema.relation`.
  public var views: [String: [String]] = [:]
  public var searchPath = ["public"]
}

/// Reads expectations; each answers nil, or less, when it has added a mistake.
final class ExpectationsReader {
  private let reader = ConfigurationReader(hostName: "")
  private var mistakes: Mistakes { reader.mistakes }
  private var found = PolicyExpectations()

  func read(_ source: ConfigurationSource) {
    guard let root = YAMLSource(file: source.file, mistakes: mistakes).compose(source.text), !root.isNull else {
      return
    }
    guard var top = MappingReader(root, "the file", mistakes, .expectations) else { return }
    if let value = top.take("tests") {
      for entry in reader.entries(value, "tests") { read(entry) }
    }
    if let value = top.take("catalog") { found.catalog = reader.trialCatalog(value) }
    top.finish()
  }

  func finish(files: [String]) -> Result<PolicyExpectations, DiagnosticList> {
    if mistakes.isEmpty, found.cases.isEmpty {
      mistakes.add(Place(file: files.first ?? "", line: 0, column: 0), "there are no tests in here")
    }
    return mistakes.isEmpty ? .success(found) : .failure(mistakes.list(order: files))
  }

  private func read(_ value: YAMLValue) {
    guard var keys = MappingReader(value, "the test", mistakes, .expectation) else { return }
    let user = keys.require("user").flatMap { reader.text($0, "user") }
    let connection = keys.require("connection").flatMap { reader.text($0, "connection") }
    let statements = keys.require("statement", "Write the SQL, or a list of such.").flatMap { self.statements($0) }
    let client = keys.take("client").flatMap { reader.text($0, "client") }
    let time = keys.take("at").flatMap { self.time($0) }
    let rows = keys.take("rows").flatMap { reader.integer($0, "rows") }
    let expected = keys.require("expect", ExpectationsReader.outcomes)
      .flatMap { outcome($0) }
    keys.finish()
    guard let user, let connection, let statements, let expected else { return }
    for statement in statements {
      found.cases.append(
        PolicyExpectations.Case(
          file: statement.place.file, line: statement.place.line, user: user, connection: connection,
          statement: statement.value, client: client ?? "127.0.0.1", time: time, rows: rows.map(Int64.init),
          expected: expected))
    }
  }

  /// SQL may have lines.
  private func statements(_ value: YAMLValue) -> [Located<String>]? {
    let values: [YAMLValue]
    if case .sequence(let sequence) = value.node {
      values = sequence.map { YAMLValue(node: $0, file: value.file) }
    } else {
      values = [value]
    }
    let statements = values.compactMap { value -> Located<String>? in
      guard let text = value.node.scalar?.string, !text.isEmpty, text.utf8.count <= 1 << 20 else {
        return reader.refuse(value.place, "statement must be SQL of at most 1 MiB")
      }
      return Located(value: text, place: value.place)
    }
    return statements.count == values.count ? statements : nil
  }

  private func time(_ value: YAMLValue) -> Int64? {
    guard let text = reader.text(value, "at") else { return nil }
    guard let date = try? Date(text, strategy: .iso8601) else {
      return reader.refuse(value.place, "at must be a time", "Write it like 2026-11-21T22:00:00Z.")
    }
    return Int64(date.timeIntervalSince1970)
  }

  private static let outcomes = "Write allow, deny(rule), approve(rule), { masked: [column] } or { limit: rows }."

  /// What is allowed within limits.
  private func bounded(_ value: YAMLValue) -> PolicyExpectations.Outcome? {
    guard var keys = MappingReader(value, "expect", mistakes, .boundedExpectation) else { return nil }
    let masked = keys.take("masked")
    let limit = keys.take("limit")
    keys.finish()
    switch (masked, limit) {
    case (let columns?, nil):
      if case .sequence(let sequence) = columns.node, sequence.isEmpty { return .masked([]) }
      return reader.texts(columns, "masked").map { .masked($0.map(\.value)) }
    case (nil, let rows?): return reader.integer(rows, "limit").map { .limited(rows: $0) }
    case _: return reader.refuse(value.place, "expect needs one outcome", ExpectationsReader.outcomes)
    }
  }

  private func outcome(_ value: YAMLValue) -> PolicyExpectations.Outcome? {
    guard case .scalar = value.node else { return bounded(value) }
    guard let text = reader.text(value, "expect") else { return nil }
    if let match = text.wholeMatch(of: /(allow|deny|approve)(?:\(([^()]+)\))?/) {
      let rule = match.2.map(String.init)
      switch match.1 {
      case "deny": return .deny(rule: rule)
      case "approve": return .approve(rule: rule)
      case _: if rule == nil { return .allow }
      }
    }
    return reader.refuse(
      value.place, "unknown outcome \"\(text.prefix(80))\"", ExpectationsReader.outcomes)
  }
}

extension PolicyExpectations {
  /// Reads files of expectations. Blocks on the file system. Fails with every mistake found.
  public static func load(_ paths: [String]) -> Result<PolicyExpectations, DiagnosticList> {
    var sources: [ConfigurationSource] = []
    for path in paths {
      switch ConfigurationLoader.read(path: path) {
      case .success(let files): sources += files.sources
      case .failure(let list): return .failure(list)
      }
    }
    return parse(sources)
  }

  /// Pure.
  public static func parse(_ sources: [ConfigurationSource]) -> Result<PolicyExpectations, DiagnosticList> {
    let reader = ExpectationsReader()
    for source in sources { reader.read(source) }
    return reader.finish(files: sources.map(\.file))
  }
}

extension TrialCatalog {
  /// Reads a file that holds what `catalog:` holds in a file of expectations. Blocks on the file system.
  public static func load(_ path: String) -> Result<TrialCatalog, DiagnosticList> {
    ConfigurationLoader.read(path: path).flatMap { files in
      let reader = ConfigurationReader(hostName: "")
      var catalog: TrialCatalog?
      for source in files.sources {
        guard let root = YAMLSource(file: source.file, mistakes: reader.mistakes).compose(source.text) else { continue }
        catalog = reader.trialCatalog(root)
      }
      guard let catalog, reader.mistakes.isEmpty else {
        return .failure(reader.mistakes.list(order: files.sources.map(\.file)))
      }
      return .success(catalog)
    }
  }
}

extension ConfigurationReader {
  /// `catalog:` of expectations.
  func trialCatalog(_ value: YAMLValue) -> TrialCatalog? {
    guard var keys = MappingReader(value, "catalog", mistakes, .trialCatalog) else { return nil }
    var catalog = TrialCatalog()
    if let value = keys.take("tables") { catalog.relations = lists(value, "tables") }
    if let value = keys.take("views") { catalog.views = lists(value, "views") }
    if let value = keys.take("search_path") { catalog.searchPath = texts(value, "search_path")?.map(\.value) ?? [] }
    keys.finish()
    return catalog
  }

  private func lists(_ value: YAMLValue, _ what: String) -> [String: [String]] {
    var lists: [String: [String]] = [:]
    for (key, value) in MappingReader.entries(of: value, what, mistakes) ?? [] {
      guard key.value.split(separator: ".", omittingEmptySubsequences: false).count == 2 else {
        mistakes.add(key.place, "\"\(key.value.prefix(80))\" must be schema.relation")
        continue
      }
      lists[key.value] = texts(value, key.value)?.map(\.value)
    }
    return lists
  }
}

extension MappingShape {
  static let expectations = MappingShape(
    "expectations",
    [
      Key("tests", .list(.mapping(.expectation))),
      Key("catalog", .mapping(.trialCatalog), "The database, as far as the policy asks of it."),
    ])

  static let expectation = MappingShape(
    "expectation",
    [
      Key("user", .text, required: true), Key("connection", .text, required: true),
      Key("statement", .oneOrMore(.text), required: true), Key("client", .text, "The client's address."),
      Key("at", .text, "When, like 2026-11-21T22:00:00Z. Default: now."),
      Key("rows", .integer(0...mostRows), "The backend's estimate. Default: there is none."),
      Key("expect", .either([.text, .mapping(.boundedExpectation)]), required: true),
    ])

  static let boundedExpectation = MappingShape(
    "bounded",
    [
      Key("masked", .list(.text), "Columns, as schema.table.column."),
      Key("limit", .integer(1...mostRows), "Rows of the result."),
    ], oneOf: ["masked", "limit"])

  static let trialCatalog = MappingShape(
    "catalog",
    [
      Key("tables", .named(.oneOrMore(.text)), "Columns by schema.table."),
      Key("views", .named(.oneOrMore(.text)), "What views read, by schema.view."),
      Key("search_path", .oneOrMore(.text), "Default: public."),
    ])
}
