// sallyport: the command line.

import ArgumentParser
import Gateway

/// The command line's root.
@main
struct Sallyport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sallyport",
    abstract: "An access gateway: decides, records and masks what reaches your databases.",
    discussion: """
      Exit codes: 0 done; 1 refused or failed; 2 a mistake in the configuration; 3 the audit trail is not sound; \
      64 wrong usage.
      """,
    version: GatewayServer.version,
    subcommands: [
      ServeCommand.self, ReloadCommand.self, PolicyCommand.self, CheckCommand.self, TokenCommand.self,
      ApprovalsCommand.self, AccessCommand.self, AuditCommand.self, SessionsCommand.self,
      AuthorityCommand.self, SSHCommand.self, StatusCommand.self, DoctorCommand.self, MaskCommand.self,
    ])
}
