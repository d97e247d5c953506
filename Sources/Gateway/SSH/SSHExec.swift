import AccessModel
import CLibSSH
import Enforcement
import NIOCore
import PolicyEngine
import SSH

/// One session channel of a client: the command that it asks for, what was decided about it, and its bytes both ways.
final class SSHExec {
  enum Phase {
    /// Nothing was asked for yet.
    case idle
    /// The session has to open first.
    case waiting(Command, Denial?)
    case held
    /// Permitted; the backend's channel is being opened.
    case starting
    case running
    /// The client gets its last words, then this exit status.
    case ending(Int32)
    case over
  }

  let client: SSHPort
  /// It lets go of this when the channel is over, or it is closed itself.
  let connection: SSHConnection
  var requests = SessionChannel()
  private(set) var phase = Phase.idle
  private var backend: SSHPort?
  private(set) var id: CommandID?
  private(set) var command: Command?
  private var permit: Permit?
  private var input = SSHFlow()
  private var output = SSHFlow()
  private var errors = SSHFlow()
  /// The backend's channel is, or was, open.
  private var isOpen = false
  private var hasSentEnd = false
  private var hasPassedEnd = false
  /// µs on the monotonic clock; nil while nothing runs.
  private(set) var startedAt: Int64?
  var held: HeldCommand?
  var holds: UInt64 = 0

  init(_ client: SSHPort, _ connection: SSHConnection) {
    self.client = client
    self.connection = connection
  }

  var isOver: Bool { if case .over = phase { true } else { false } }
  var session: SSHConnection.Session? { connection.session }

  // MARK: Decisions

  func decide(_ command: Command) { wait(command, nil) }

  /// Refuses what no policy can permit, on record.
  func refuse(_ command: Command, _ denial: Denial) { wait(command, denial) }

  private func wait(_ command: Command, _ denial: Denial?) {
    phase = .waiting(command, denial)
    if session == nil { connection.openSession() } else { sessionOpened() }
  }

  func sessionOpened() {
    guard case .waiting(let command, let denial) = phase, let session else { return }
    session.commands += 1
    let id = CommandID(session.commands)
    self.id = id
    self.command = command
    if let denial {
      apply(session.enforcer.withdraw(id, command, Refusal(.denied, denial)))
    } else {
      apply(session.enforcer.admit(id, command))
    }
  }

  func sessionFailed(_ denial: Denial) {
    guard case .waiting = phase else { return }
    finish(with: Refusal(.denied, denial).lines, ExitStatus.refused)
  }

  func apply(_ ruling: consuming Ruling) {
    switch consume ruling {
    case .forward(let permit):
      connection.state.counters.permitted &+= 1
      self.permit = consume permit
      phase = .starting
      startOnceDurable()
    case .refuse(let refusal):
      connection.state.counters.denied &+= 1
      finish(with: refusal.lines, ExitStatus.refused)
    case .hold(let requirement):
      connection.state.counters.held &+= 1
      phase = .held
      hold(requirement)
    // Only of commands with values, or with rows, which these have not.
    case .needsValues: finish(with: Refusal.unrecorded.lines, ExitStatus.refused)
    case .needsEstimate: finish(with: Refusal.unrecorded.lines, ExitStatus.refused)
    }
    connection.moveSoon()
  }

  /// With `durability: sync` the disk has the record first.
  private func startOnceDurable() {
    guard let commit = connection.state.commit else { return start() }
    let bound = NIOLoopBound(self, eventLoop: connection.state.loop)
    commit.whenDurable(connection.state.lane.sequence) { isDurable in
      guard case .starting = bound.value.phase else { return }
      if isDurable {
        bound.value.start()
      } else {
        bound.value.finish(with: Refusal.unrecorded.lines, ExitStatus.refused)
      }
    }
  }

  private func start() {
    guard let session else { return }
    startedAt = Clock.monotonic()
    if session.backend == nil {
      let backend = SSHBackend(connection, session)
      session.backend = backend
      backend.start()
    }
    session.backend?.open(self)
  }

  // MARK: The backend's channel

  /// Opens it and has the command run, as far as that goes without waiting. Returns false when there is nothing more to do.
  func open(on transport: SSHTransport) -> Bool {
    guard case .starting = phase, let command else { return false }
    if backend == nil { backend = SSHPort(on: transport) }
    guard let backend, let channel = backend.channel else {
      backendFailed("the backend closed the connection")
      return false
    }
    // Asked only until it is open: once the backend has closed it again, libssh calls that an error.
    if !isOpen {
      switch ssh_channel_open_session(channel) {
      case SSH_AGAIN: return true
      case SSH_OK:
        isOpen = true
        guard opened_channel_packet_size(channel) >= SSHConnection.leastPacket else {
          backendFailed("the backend takes no packets that could hold anything")
          return false
        }
      case _:
        backendFailed("the backend opens no more sessions")
        return false
      }
    }
    let result =
      if let permit = permit.take() {
        run(command.text, on: channel, permit)
      } else {
        // Sent before: this asks for the answer only.
        ssh_channel_request_exec(channel, command.text)
      }
    switch result {
    case SSH_AGAIN: return true
    case SSH_OK:
      phase = .running
      connection.moveSoon()
    case _: backendFailed("the backend does not run commands")
    }
    return false
  }

  /// The one place where a command goes to the backend.
  private func run(_ text: String, on channel: OpaquePointer, _ permit: consuming Permit) -> Int32 {
    ssh_channel_request_exec(channel, text)
  }

  func backendFailed(_ words: String) {
    switch phase {
    case .starting, .running:
      record(.lost)
      finish(with: "sallyport: \(words)\n", ExitStatus.unavailable)
    case .idle, .waiting, .held, .ending, .over: return
    }
  }

  // MARK: Bytes

  /// Moves what both sides take.
  func pump() {
    guard client.channel != nil else { return abandon("closed by the client") }
    switch phase {
    case .idle, .waiting, .held, .starting: if client.isClosed { abandon("closed by the client") }
    case .running: relay()
    case .ending(let status): end(status)
    case .over: return
    }
  }

  /// Whether it could go on, though no event will say so: reading one side also sends what waits there, and with it goes
  /// what had blocked the other.
  var isStalled: Bool {
    func isFree(_ port: SSHPort) -> Bool { port.isWritable && port.room > 0 }
    switch phase {
    case .running:
      return input.isBlocked && (backend.map(isFree) ?? false)
        || (output.isBlocked || errors.isBlocked) && isFree(client)
    case .ending: return isFree(client)
    case .idle, .waiting, .held, .starting, .over: return false
    }
  }

  private func relay() {
    guard let backend else { return }
    // A client that has seen the end of the output closes at once, and still waits for the exit status.
    if client.isClosed, !hasPassedEnd { return abandon("closed by the client") }
    for signal in client.takeSignals() { backend.send(signal: signal) }
    var hasMore = input.move(from: client, .output, to: backend, .output)
    hasMore = output.move(from: backend, .output, to: client, .output) || hasMore
    hasMore = errors.move(from: backend, .errors, to: client, .errors) || hasMore
    connection.lastActivity = Clock.monotonic()
    if hasMore { connection.moveSoon() }
    if client.hasEnded, !hasSentEnd, input.isEmpty, client.isDrained(.output) {
      hasSentEnd = true
      backend.sendEnd()
    }
    guard backend.hasEnded, output.isEmpty, errors.isEmpty, backend.isDrained(.output), backend.isDrained(.errors)
    else { return }
    if !hasPassedEnd {
      hasPassedEnd = true
      client.sendEnd()
    }
    if backend.isClosed { complete(backend) }
  }

  /// The command has ended and all that it wrote is with the client.
  private func complete(_ backend: SSHPort) {
    if let signal = backend.exitSignal {
      client.send(signal)
      record(.completed, tag: "signal \(signal.name)")
    } else if let status = backend.exitStatus {
      client.send(exitStatus: status)
      record(.completed, tag: "exit \(status)")
    } else {
      record(.lost)
    }
    over()
  }

  private func end(_ status: Int32) {
    // What the backend wrote before comes first, then our words.
    guard client.isClosed || output.flush(to: client, .output) && errors.flush(to: client, .errors) else { return }
    client.send(exitStatus: status)
    over()
  }

  // MARK: Ends

  /// Says why on standard error, and ends the channel with this status once that is with the client.
  func finish(with words: String, _ status: Int32) {
    errors.append(words)
    backend?.close()
    backend = nil
    phase = .ending(status)
    connection.moveSoon()
  }

  func say(_ words: String) {
    errors.append(words)
    _ = errors.flush(to: client, .errors)
  }

  /// Ends a command that runs, with words for the person.
  func stop(_ reason: String) {
    guard startedAt != nil, !isOver else { return }
    if case .ending = phase { return }
    record(.failed)
    finish(with: "sallyport: the command was ended: \(reason)\n", ExitStatus.unavailable)
  }

  /// Nobody waits for it any more.
  func abandon(_ reason: String) {
    withdrawHold(.cancelled, reason)
    if startedAt != nil { record(.lost) }
    over()
  }

  private func over() {
    guard !isOver else { return }
    phase = .over
    permit = nil
    backend?.close()
    backend = nil
    client.close()
  }

  private func record(_ ending: Outcome.Ending, tag: String = "") {
    guard let session, let id, let startedAt else { return }
    self.startedAt = nil
    let duration = Clock.monotonic() - startedAt
    connection.state.counters.durations.add(duration)
    if ending != .completed { connection.state.counters.failed &+= 1 }
    let outcome = Outcome(ending: ending, tag: tag, bytes: output.total + errors.total)
    if !session.enforcer.finish(id, outcome, duration: duration) {
      connection.context.logger.error("audit record failed", metadata: ["session": "\(connection.name)"])
    }
  }
}
