import AccessModel

/// What one session channel has been asked for (RFC 4254 §6): takes requests in order, answers each.
///
/// At most one of exec, shell and subsystem is ever started on a channel.
public struct SessionChannel: Sendable {
  public enum Request: Hashable, Sendable {
    case terminal(Terminal)
    case windowChange(columns: Int, rows: Int)
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
    /// The request succeeds; what it asks for comes with the command.
    case accept
    /// The window has another size now.
    case resize(columns: Int, rows: Int)
    /// The request succeeds, and the command is to be decided.
    case decide(Command)
    /// The request succeeds only so that the client can be told why nothing runs: the command is recorded as refused.
    case refuse(Command, Denial)
  }

  public private(set) var isStarted = false
  /// What the command is to run in; nil without one.
  public private(set) var terminal: Terminal?

  public init() {}

  public mutating func receive(_ request: Request) -> Answer {
    switch request {
    case .terminal(let terminal):
      guard !isStarted, self.terminal == nil else { return .fail }
      self.terminal = terminal
      return .accept
    case .windowChange(let columns, let rows):
      guard let terminal else { return .fail }
      self.terminal = Terminal(type: terminal.type, columns: columns, rows: rows)
      return .resize(columns: self.terminal?.columns ?? 0, rows: self.terminal?.rows ?? 0)
    // A client goes on without them.
    case .environment, .x11, .agentForwarding, .other: return .fail
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
    case .shell: return .decide(ExecCommand.shell)
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

/// The terminal that a client asks for (RFC 4254 §6.2), within bounds.
public struct Terminal: Hashable, Sendable {
  /// What TERM becomes; `xterm` where the client's own name is no plain word of up to 64 bytes.
  public var type: String
  /// 0 where the client does not know.
  public var columns: Int
  public var rows: Int

  public init(type: String, columns: Int, rows: Int) {
    let isPlain = type.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
        UInt8(ascii: "_"):
        true
      default: false
      }
    }
    self.type = isPlain && (1...64).contains(type.utf8.count) ? type : "xterm"
    self.columns = min(max(0, columns), 9_999)
    self.rows = min(max(0, rows), 9_999)
  }
}
