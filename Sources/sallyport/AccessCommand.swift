import ArgumentParser
import Foundation
import Gateway

/// `sallyport access`: grants, by which commands are not held for approval one by one.
struct AccessCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "access", abstract: "Ask for grants, list and end them.",
    discussion: """
      A grant spares the approvals that rules ask for, for some effects on one connection and for a while; it gives no \
      access. It is approved like a statement: sallyport approvals approve. Exit code 1 when the gateway refuses.
      """,
    subcommands: [Request.self, List.self, Revoke.self], defaultSubcommand: List.self)

  struct Request: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Ask for a grant, with your own token in SALLYPORT_TOKEN.")
    @OptionGroup var control: ControlOptions
    @Argument(help: "The connection.")
    var connection: String
    @Option(help: "What you are going to do, such as define; several times for several.")
    var effect: [String]
    @Option(name: .customLong("for"), help: "How long: 30m, 2h; at most 24h.")
    var length: String
    @Option(help: "Why; approvers read it.")
    var reason: String

    func run() throws {
      guard let lifetime = Lifetime.seconds(length) else {
        throw ValidationError("--for takes a number and a unit: 30m, 2h")
      }
      let response = try control.ask(
        .accessRequest,
        [
          "connection": connection, "effects": effect.joined(separator: ","), "lifetime": String(lifetime),
          "reason": reason,
        ])
      if control.json { return try control.printJSON(response) }
      Output.line(response.message ?? "")
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List grants that are asked for or live.")
    @OptionGroup var control: ControlOptions

    func run() throws {
      let response = try control.ask(.accessList)
      if control.json { return try control.printJSON(response) }
      let grants = response.approvals ?? []
      if grants.isEmpty { Output.line("no grants") }
      for grant in grants {
        let end = Date(timeIntervalSince1970: TimeInterval(grant.validUntil ?? grant.expiresAt)).ISO8601Format()
        Output.line("\(grant.id)  \(grant.user)  \(grant.text)  \(grant.status) until \(end)  \(grant.reason)")
      }
    }
  }

  struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "End a grant at once.")
    @OptionGroup var control: ControlOptions
    @Argument(help: "The grant's number.")
    var id: Int64
    @Option(help: "Why.")
    var reason = ""

    func run() throws {
      let response = try control.ask(.accessRevoke, ["id": String(id), "reason": reason])
      if control.json { return try control.printJSON(response) }
      Output.line(response.message ?? "")
    }
  }
}
