import ArgumentParser
import Foundation
import Gateway

/// `sallyport mask`: whether masks hold.
struct MaskCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mask", abstract: "Find what masks should hide, prove that they do, turn tokens back.",
    subcommands: [Scan.self, Prove.self, Reveal.self])
}

extension MaskCommand {
  struct Prove: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Plant canaries, try to get at them under a mask, and look for them in all that comes back.",
      discussion: """
        Makes a schema of its own on the connection's database, with a table, views, partitions and functions, and removes \
        it at the end; an account that may make one is needed. Generated statements run as a person under a mask on it, \
        through a gateway of the command's own with the policy of the configuration, and without a mask beside it, to \
        compare. A canary that comes out in any form, or a column that is changed without need, is printed with the \
        smallest statement that does it. The same --seed makes the same statements.

        Exit codes: 0 the mask holds; 1 something came out, or the proof could not be done; 2 a mistake in the \
        configuration; 3 too few statements went through to say.
        """)

    @Option(help: "The configuration: a file, or a folder of YAML files.")
    var config = "sallyport.yaml"
    @Option(help: "Who tries. Default: the first with access to the connection.")
    var user: String?
    @Option(help: "The backend's account that plants. Default: the first of the connection's that may make a schema.")
    var account: String?
    @Option(help: "How many statements, 1 to 1000000.")
    var statements = 2_000
    @Option(help: "What the statements are drawn from. Default: by chance, and printed.")
    var seed: UInt64?
    @Option(help: "What the rule on the canaries says of predicates.")
    var predicates = "deny"
    @Flag(help: "Print JSON.")
    var json = false
    @Argument(help: "The connection.")
    var connection: String

    func validate() throws {
      guard (1...1_000_000).contains(statements) else {
        throw ValidationError("--statements must be from 1 to 1000000")
      }
    }

    func run() throws {
      signal(SIGPIPE, SIG_IGN)
      let configuration = try ConfigurationFile.load(config)
      var options = MaskProofRun.Options(seed: seed ?? UInt64.random(in: 0...0xFFFF_FFFF))
      options.statements = statements
      options.user = user
      options.account = account
      options.predicates = predicates
      let bar = ProgressBar()
      // What was planted is removed first.
      let signals = SignalQueue([(SIGINT, "SIGINT"), (SIGTERM, "SIGTERM")])
      if !json { Output.line("seed \(options.seed)") }
      let report: MaskProofReport
      do {
        report = try MaskProofRun(configuration, connection: connection, options: options)
          .run { done, leaks in
            bar.show(done, of: statements, "\(leaks) leaks")
            return signals.next(within: 0) == nil
          }
      } catch let error as GatewayFailure {
        bar.clear()
        Output.error("sallyport: \(error)")
        throw ExitCode(1)
      }
      bar.clear()
      try show(report)
      switch report.verdict {
      case "holds": break
      case "leaks": throw ExitCode(1)
      case _: throw ExitCode(3)
      }
    }

    private func show(_ report: MaskProofReport) throws {
      if json {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Output.line(String(decoding: try encoder.encode(report), as: UTF8.self))
      }
      for leak in report.leaks {
        Output.line("LEAK    \(leak.what) (statement \(leak.number), \(leak.mode))\n        \(leak.statement)")
        for definition in leak.definitions { Output.line("        with \(definition)") }
      }
      for excess in report.excesses.prefix(20) {
        Output.line("TOO FAR \(excess.what) (statement \(excess.number), \(excess.mode))\n        \(excess.statement)")
      }
      Output.line(
        """
        \(report.statements) statements as \(report.user) (\(report.account)) on \(report.connection) in \
        \(Int(report.seconds)) s: \(report.passed) passed, \(report.refused) refused, \(report.failed) failed
        \(report.exposing) would show canaries without the mask; \(report.masked) of them passed with it
        """)
      switch report.verdict {
      case "holds": Output.line("the mask holds" + tooFar(report))
      case "leaks": Output.line("\(report.leaks.count) statements leak" + tooFar(report))
      case _: Output.line("too few statements went through to say" + tooFar(report))
      }
    }

    private func tooFar(_ report: MaskProofReport) -> String {
      report.excesses.isEmpty ? "" : "; \(report.excesses.count) were masked or refused without need"
    }
  }
}

/// A line on standard error that says how far something is; only where somebody looks at it.
struct ProgressBar {
  private let isShown = isatty(STDERR_FILENO) != 0
  private static let width = 30

  func show(_ done: Int, of total: Int, _ words: String) {
    let total = max(1, total)
    guard isShown, done % max(1, total / 200) == 0 || done == total else { return }
    let filled = min(ProgressBar.width, done * ProgressBar.width / total)
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: ProgressBar.width - filled)
    FileHandle.standardError.write(Data("\r[\(bar)] \(done)/\(total) \(words)\u{1B}[K".utf8))
  }

  func clear() {
    if isShown { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
  }
}
