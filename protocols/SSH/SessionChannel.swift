import AccessModel

/// What one session channel has been asked for (RFC 4254 §6): takes requests in order, answers each.
///
/// At most one of exec, shell and subsystem is ever started on a channel.
public struct SessionChannel: Sendable {
  public enum Request: Hashable, Sendable {
    case terminal
    case windowChange
    case environment
    /// nil when the bytes are no text.
    case exec(String?)
    case shell
    case subsystem(String)
    case x11
    case agentForwarding
    case other
  }

  public enum Answer: Hashable, Sendable {
    /// The request fails, and nothing more is to be said: clients ask for these without being told to.
    case fail
    /// The request succeeds, and the command is to be decided.
    case decide(Command)
    /// The request succeeds only so that the client can be told why nothing runs: the command is recorded as refused.
    case refuse(Command, Denial)
  }

  public private(set) var isStarted = false

  public init() {}

  public mutating func receive(_ request: Request) -> Answer {
    switch request {
    // The backend's environment and terminals are not in reach yet; a client goes on without them.
    case .terminal, .windowChange, .environment, .x11, .agentForwarding, .other: return .fail
    case .exec, .shell, .subsystem:
      guard !isStarted else { return .fail }
      isStarted = true
      return start(request)
    }
  }

  private func start(_ request: Request) -> Answer {
    switch request {
    case .exec(let text?):
      guard text.utf8.count <= ExecCommand.maximumLength else {
        let command = ExecCommand.command(String(text.prefix(1024)))
        return .refuse(command, SessionChannel.denial("the command is longer than 128 KiB"))
      }
      return .decide(ExecCommand.command(text))
    case .exec(nil):
      return .refuse(ExecCommand.subsystem("exec"), SessionChannel.denial("the command is not UTF-8 text"))
    case .shell:
      return .refuse(
        ExecCommand.shell,
        SessionChannel.denial(
          "shells are not available through the gateway yet", hint: "Give the command with it: ssh … COMMAND."))
    case .subsystem(let name):
      return .refuse(
        ExecCommand.subsystem(name),
        SessionChannel.denial(
          "the subsystem \"\(name.prefix(40))\" is not available through the gateway yet",
          hint: name == "sftp" ? "Files can be moved with scp -O, or rsync." : nil))
    case .terminal, .windowChange, .environment, .x11, .agentForwarding, .other: return .fail
    }
  }

  private static func denial(_ reason: String, hint: String? = nil) -> Denial {
    Denial(rule: "gateway", reason: reason, hint: hint)
  }
}
