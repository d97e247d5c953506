import ArgumentParser
import Foundation
import Gateway

/// `sallyport token`: what people and programs sign in with.
struct TokenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Create, list and revoke access tokens.",
    subcommands: [Create.self, List.self, Revoke.self])

  struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Create a token and print it, once: it is stored only as a hash.")
    @OptionGroup var control: ControlOptions
    @Option(help: "Whose token it is; a user of the configuration.")
    var user: String
    @Option(help: "A name to know it by, such as laptop or ci.")
    var name: String
    @Option(help: "How long it is valid: 12h, 30d; at most 366d.")
    var expires = "30d"
    @Option(
      name: [.customLong("connection"), .customLong("connections")],
      help: "A connection that it opens, several times for several; default: all that the user may use.")
    var connections: [String] = []

    func run() throws {
      guard let lifetime = Lifetime.seconds(expires) else {
        throw ValidationError("--expires takes a number and a unit: 45m, 12h, 30d")
      }
      var arguments = ["user": user, "name": name, "lifetime": String(lifetime)]
      if !connections.isEmpty { arguments["connections"] = connections.joined(separator: ",") }
      let response = try control.ask(.tokenCreate, arguments)
      if control.json { return try control.printJSON(response) }
      Output.line(response.secret ?? "")
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List tokens, without their secrets.")
    @OptionGroup var control: ControlOptions
    @Option(help: "Only this user's.")
    var user: String?

    func run() throws {
      let response = try control.ask(.tokenList, user.map { ["user": $0] } ?? [:])
      if control.json { return try control.printJSON(response) }
      for token in response.tokens ?? [] {
        let end = Date(timeIntervalSince1970: TimeInterval(token.expiresAt)).ISO8601Format()
        let state = token.revokedAt == nil ? "expires \(end)" : "revoked"
        let scope = token.connections.isEmpty ? "" : "  only \(token.connections.joined(separator: ","))"
        Output.line("\(token.id)  \(token.user)  \(token.name)  \(state)\(scope)")
      }
    }
  }

  struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "End a token at once.")
    @OptionGroup var control: ControlOptions
    @Argument(help: "The token's number.")
    var id: Int64

    func run() throws {
      let response = try control.ask(.tokenRevoke, ["id": String(id)])
      if control.json { return try control.printJSON(response) }
      Output.line(response.message ?? "")
    }
  }
}

/// Lifetimes as people write them.
enum Lifetime {
  /// Seconds of `45m`, `12h`, `30d`, `90s`; nil for anything else.
  static func seconds(_ text: String) -> Int64? {
    let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
    guard let unit = text.last.flatMap({ units[$0] }), let count = Int64(text.dropLast()), count > 0 else { return nil }
    let (seconds, overflow) = count.multipliedReportingOverflow(by: unit)
    return overflow ? nil : seconds
  }
}
