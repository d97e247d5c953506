import AccessModel
import CLibSSH
import Enforcement
import NIOCore
import SSH

/// The backend's channel: opened, given a terminal, and told what to run.
extension SSHExec {
  /// What the backend is asked for next, or has been asked for.
  enum Opening {
    case channel, terminal, program
  }

  /// Permitted, and on record.
  func start() {
    guard let session else { return }
    if isRecorded, tape == nil { return beginTape() }
    if let terminal = requests.terminal {
      screen = TerminalScreen(columns: terminal.columns, rows: terminal.rows)
      tape?.resize(columns: terminal.columns, rows: terminal.rows)
    }
    beginMasks(session)
    startedAt = Clock.monotonic()
    if session.backend == nil {
      let backend = SSHBackend(connection, session)
      session.backend = backend
      backend.start()
    }
    session.backend?.open(self)
  }

  /// Opens it and has the command run, as far as that goes without waiting. Returns false when there is nothing more to do.
  func open(on transport: SSHTransport) -> Bool {
    guard case .starting = phase, let command else { return false }
    if backend == nil { backend = SSHPort(on: transport) }
    guard let backend, let channel = backend.channel else {
      backendFailed("the backend closed the connection")
      return false
    }
    while true {
      switch ask(for: opening, command, channel) {
      case SSH_AGAIN: return true
      case SSH_OK:
        switch opening {
        case .channel:
          guard opened_channel_packet_size(channel) >= SSHConnection.leastPacket else {
            backendFailed("the backend takes no packets that could hold anything")
            return false
          }
          opening = requests.terminal == nil ? .program : .terminal
        case .terminal: opening = .program
        case .program:
          phase = .running
          connection.moveSoon()
          return false
        }
      case _:
        backendFailed(opening.failure)
        return false
      }
    }
  }

  /// Asks, or asks for the answer to what was asked before; never again once that is there.
  private func ask(for opening: Opening, _ command: Command, _ channel: OpaquePointer) -> Int32 {
    switch opening {
    case .channel: return ssh_channel_open_session(channel)
    case .terminal:
      guard let terminal = requests.terminal else { return SSH_OK }
      return ssh_channel_request_pty_size(channel, terminal.type, Int32(terminal.columns), Int32(terminal.rows))
    case .program:
      if let permit = permit.take() { return run(command, on: channel, permit) }
      // Sent before: this asks for the answer only.
      return SSHExec.request(command, channel)
    }
  }

  /// The one place where a command goes to the backend.
  private func run(_ command: Command, on channel: OpaquePointer, _ permit: consuming Permit) -> Int32 {
    SSHExec.request(command, channel)
  }

  private static func request(_ command: Command, _ channel: OpaquePointer) -> Int32 {
    if case .ssh(let detail) = command.detail, detail.request == .shell { return ssh_channel_request_shell(channel) }
    return ssh_channel_request_exec(channel, command.text)
  }

  func backendFailed(_ words: String) {
    switch phase {
    case .starting, .running:
      record(.lost)
      finish(with: "sallyport: \(words)\n", ExitStatus.unavailable)
    case .idle, .waiting, .held, .ending, .over: return
    }
  }

  /// The person's window has another size.
  func resize(columns: Int, rows: Int) {
    guard case .running = phase, let channel = backend?.channel else { return }
    ssh_channel_change_pty_size(channel, Int32(columns), Int32(rows))
    screen?.resize(columns: columns, rows: rows)
    tape?.resize(columns: columns, rows: rows)
    connection.session?.backend?.rearm()
  }
}

extension SSHExec.Opening {
  fileprivate var failure: String {
    switch self {
    case .channel: "the backend opens no more sessions"
    case .terminal: "the backend gives no terminal"
    case .program: "the backend does not run commands"
    }
  }
}
