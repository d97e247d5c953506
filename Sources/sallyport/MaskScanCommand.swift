import ArgumentParser
import Foundation
import Gateway

extension MaskCommand {
  struct Scan: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Look for columns that hold sensitive data, and propose rules that mask them.",
      discussion: """
        Samples the connection's database with one of the gateway's own accounts, read only, with a limit on each statement, \
        and prints rules for review: YAML that `check` takes, with counts as evidence and never a value. Columns are found by \
        their names, in several languages, and by what their values look like. Exit code 1 when the database cannot be read.
        """)

    @Option(help: "The configuration: a file, or a folder of YAML files.")
    var config = "sallyport.yaml"
    @Option(help: "The backend's account. Default: that of the connection's first credential.")
    var account: String?
    @Option(help: "Rows of each table, 1 to 100000.")
    var rows = 200
    @Option(help: "Tables, 1 to 100000.")
    var tables = 1_000
    @Option(help: "Seconds for all of it, 1 to 86400.")
    var seconds = 300
    @Flag(help: "Print JSON in place of rules.")
    var json = false
    @Argument(help: "The connection.")
    var connection: String

    func validate() throws {
      guard (1...100_000).contains(rows) else { throw ValidationError("--rows must be from 1 to 100000") }
      guard (1...100_000).contains(tables) else { throw ValidationError("--tables must be from 1 to 100000") }
      guard (1...86_400).contains(seconds) else { throw ValidationError("--seconds must be from 1 to 86400") }
    }

    func run() throws {
      signal(SIGPIPE, SIG_IGN)
      let configuration = try ConfigurationFile.load(config)
      var options = MaskScan.Options()
      options.account = account
      options.rows = rows
      options.tables = tables
      options.seconds = seconds
      let bar = ProgressBar()
      let signals = SignalQueue([(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM")])
      let report: MaskScanReport
      do {
        report = try MaskScan(configuration, connection: connection, options: options).run { done, total in
          bar.show(done, of: total, "tables")
          return signals.next(within: 0) == nil
        }
      } catch let error as GatewayFailure {
        bar.clear()
        Output.error("sallyport: \(error)")
        throw ExitCode(1)
      }
      bar.clear()
      guard json else { return Output.text(report.rules) }
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      Output.line(String(decoding: try encoder.encode(report), as: UTF8.self))
    }
  }
}
