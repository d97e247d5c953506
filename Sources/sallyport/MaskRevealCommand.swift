import ArgumentParser
import Foundation
import Gateway

extension MaskCommand {
  struct Reveal: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Turn tokens back into what they stand for.",
      discussion: """
        For people with the role `revealer`, by their own token in SALLYPORT_TOKEN. Asking is an audit record with the \
        reason. A well-formed value that was never a token is turned into another one: nothing says which tokens were \
        given out. Exit code 1 when the gateway refuses.
        """)

    @OptionGroup var control: ControlOptions
    @Option(help: "The column's type: text, varchar, char, int4, int8, oid, numeric, uuid or bytea.")
    var type = "text"
    @Option(help: "The rule's domain, where it names one.")
    var domain: String?
    @Option(help: "Why; for the audit trail.")
    var reason: String
    @Argument(help: "The tokens.")
    var tokens: [String]

    func run() throws {
      var arguments = ["type": type, "reason": reason, "tokens": tokens.joined(separator: "\n")]
      arguments["domain"] = domain
      let response = try control.ask(.maskReveal, arguments)
      if control.json { return try control.printJSON(response) }
      for value in response.revealed ?? [] { Output.line(value) }
    }
  }
}
