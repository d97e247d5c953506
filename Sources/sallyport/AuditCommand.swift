import ArgumentParser
import AuditTrail
import Foundation
import Gateway

/// `sallyport audit`: what happened, and whether the record of it is whole.
struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "Verify and read the audit trail.",
    subcommands: [Verify.self, Tail.self, Export.self, Head.self, SealCommand.self])
}

/// `sallyport ca`: the gateway's own certificate authority.
struct AuthorityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ca", abstract: "The gateway's own certificate authority.", subcommands: [Export.self])

  struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print the authority's certificate, for sslrootcert.")
    @Option(help: "The gateway's data folder.")
    var data = "data"

    func run() throws {
      do {
        Output.line(try CertificateAuthority.export(data: data).trimmingCharacters(in: .newlines))
      } catch {
        Output.error("sallyport: there is no authority in \(data)\n  It is made when the gateway first starts.")
        throw ExitCode(1)
      }
    }
  }
}

/// `sallyport status`: whether a gateway runs.
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "status", abstract: "Ask whether the gateway runs.")
  @OptionGroup var control: ControlOptions

  func run() throws {
    let response = try control.ask(.status)
    if control.json { return try control.printJSON(response) }
    Output.line(response.message ?? "")
    for trouble in response.troubles ?? [] { Output.line("  \(trouble)") }
  }
}
