import ArgumentParser
import Foundation
import Gateway
import SallyportConfiguration

/// `sallyport policy`: asks a policy what it would say.
struct PolicyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy", abstract: "Test a policy, and explain what it says.",
    subcommands: [Test.self, Explain.self])

  struct Test: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Check what a policy says to statements against what is expected of it.",
      discussion: """
        Expectations are YAML, in files called ….test.yaml beside the configuration. Exit code 1 when one of them is \
        not met, 2 for a mistake in a file.
        """)

    @Option(help: "The configuration: a file, or a folder of YAML files.")
    var config = "sallyport.yaml"
    @Option(help: "A file that describes the database; in place of the expectations' own catalog.")
    var catalog: String?
    @Flag(help: "Print JSON.")
    var json = false
    @Argument(help: "Files of expectations; default: those beside the configuration.")
    var files: [String] = []

    func run() throws {
      let configuration = try ConfigurationFile.load(config)
      let paths = files.isEmpty ? try besideConfiguration() : files
      var report = Report()
      for path in paths {
        let expectations = try ConfigurationFile.required(PolicyExpectations.load([path]))
        let own = try catalog.map { try ConfigurationFile.required(TrialCatalog.load($0)) } ?? expectations.catalog
        let trial = PolicyTrial(configuration, catalog: own)
        for expectation in expectations.cases { report.results.append(Result(expectation, trial)) }
      }
      try report.show(json: json)
      if report.failed > 0 { throw ExitCode(1) }
    }

    private func besideConfiguration() throws -> [String] {
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: config, isDirectory: &isFolder)
      let folder = isFolder.boolValue ? config : URL(filePath: config).deletingLastPathComponent().path
      let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      let found = names.filter { name in PolicyExpectations.suffixes.contains { name.hasSuffix($0) } }.sorted()
      guard !found.isEmpty else {
        Output.error("sallyport: there is no ….test.yaml in \(folder)\n  Name the files of expectations.")
        throw ExitCode(2)
      }
      return found.map { "\(folder)/\($0)" }
    }
  }

  /// What came of one expectation.
  struct Result: Encodable {
    var file: String
    var line: Int
    var user: String
    var connection: String
    var statement: String
    var expected: String
    var actual: String
    var reason: String?
    var masked: [String]
    var passed: Bool

    init(_ expectation: PolicyExpectations.Case, _ trial: PolicyTrial) {
      file = expectation.file
      line = expectation.line
      user = expectation.user
      connection = expectation.connection
      statement = expectation.statement
      expected = "\(expectation.expected)"
      do throws(PolicyTrial.Unknown) {
        let found = try trial.explain(
          expectation.statement, user: expectation.user, connection: expectation.connection,
          client: expectation.client, time: expectation.time, rows: expectation.rows)
        actual = found.outcome + (found.limit.map { ", limited to \($0) rows" } ?? "")
        reason = found.reason
        masked = found.masked.map(\.column)
        passed = found.meets(expectation.expected)
      } catch {
        actual = "nothing: \(error)"
        masked = []
        passed = false
      }
    }
  }

  struct Report: Encodable {
    var results: [Result] = []
    var failed: Int { results.count { !$0.passed } }

    func show(json: Bool) throws {
      if json {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Output.line(String(decoding: try encoder.encode(self), as: UTF8.self))
      }
      for result in results {
        let text = result.statement.split(whereSeparator: \.isWhitespace).joined(separator: " ").prefix(100)
        if result.passed {
          Output.line("ok    \(result.user) on \(result.connection): \(text) → \(result.expected)")
          continue
        }
        Output.line("FAIL  \(result.file):\(result.line): \(result.user) on \(result.connection): \(text)")
        let masked = result.masked.isEmpty ? "" : "; masked: \(result.masked.joined(separator: ", "))"
        Output.line("      expected \(result.expected), got \(result.actual)\(masked)")
        if let reason = result.reason { Output.line("      \(reason)") }
      }
      Output.line("\(results.count - failed) of \(results.count) expectations are met")
    }
  }

  struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Explain what a policy says to a statement: which rules met it and why.",
      discussion: "Nothing is run. Without a catalogue, a name without a schema may stand for anything of that name.")

    @Option(help: "The configuration: a file, or a folder of YAML files.")
    var config = "sallyport.yaml"
    @Option(help: "Who asks.")
    var user: String
    @Option(help: "On which connection.")
    var connection: String
    @Option(help: "The client's address.")
    var client = "127.0.0.1"
    @Option(help: "How many rows the backend would expect it to touch, for rules with rows_over. Default: no estimate.")
    var rows: Int64?
    @Option(help: "A file with the statement.")
    var file: String?
    @Option(help: "A file that describes the database: tables, views, search_path.")
    var catalog: String?
    @Flag(help: "Ask the running gateway, by its own policy and catalogue.")
    var live = false
    @OptionGroup var control: ControlOptions
    @Argument(help: "The statement.")
    var statement: String?

    func run() throws {
      let statement = try text()
      let explanation: PolicyExplanation
      if live {
        var arguments = ["user": user, "connection": connection, "client": client, "statement": statement]
        arguments["rows"] = rows.map(String.init)
        let response = try control.ask(.policyExplain, arguments)
        guard let found = response.explanation else { throw ExitCode(1) }
        explanation = found
      } else {
        let configuration = try ConfigurationFile.load(config)
        let described = try catalog.map { try ConfigurationFile.required(TrialCatalog.load($0)) }
        do throws(PolicyTrial.Unknown) {
          explanation = try PolicyTrial(configuration, catalog: described)
            .explain(statement, user: user, connection: connection, client: client, rows: rows)
        } catch {
          Output.error("sallyport: \(error)")
          throw ExitCode(1)
        }
      }
      guard control.json else { return Output.line("\(explanation)") }
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      Output.line(String(decoding: try encoder.encode(explanation), as: UTF8.self))
    }

    private func text() throws -> String {
      switch (statement, file) {
      case (let statement?, nil): return statement
      case (nil, let file?):
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
          Output.error("sallyport: \(file) cannot be read as text")
          throw ExitCode(1)
        }
        return text
      case _: throw ValidationError("name either a statement or a --file")
      }
    }
  }
}
