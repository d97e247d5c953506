import AccessModel
import CLibSSH
import Enforcement
import NIOCore
import SSH

/// One connection that a client has the target make (`-L`, `-D`, `-W`): decided before the target is asked, and refused as
/// a port is that nobody listens on.
final class SSHForward: SSHBackendChannel {
  private enum Phase {
    /// The session has to open first.
    case waiting
    /// Permitted; the target is asked.
    case starting
    case running
    case over
  }

  /// It lets go of this when the forward is over, or it is closed itself.
  private let connection: SSHConnection
  private let request: ForwardRequest
  /// The client's request, until it is answered.
  private var message: OpaquePointer?
  private var phase = Phase.waiting
  private var permit: Permit?
  private var client: SSHPort?
  private var backend: SSHPort?
  private var id: CommandID?
  private var startedAt: Int64?
  private var input = SSHFlow()
  private var output = SSHFlow()
  private var hasSentEnd = false
  private var hasPassedEnd = false

  /// Takes over the message.
  init(_ message: OpaquePointer, _ request: ForwardRequest, _ connection: SSHConnection) {
    self.message = message
    self.request = request
    self.connection = connection
  }

  deinit { if let message { ssh_message_free(message) } }

  var isOver: Bool { phase == .over }

  // MARK: Decision

  func begin() {
    if connection.session == nil { connection.openSession() } else { sessionOpened() }
  }

  func sessionOpened() {
    guard phase == .waiting, let session = connection.session else { return }
    session.commands += 1
    let id = CommandID(session.commands)
    self.id = id
    apply(session.enforcer.admit(id, request.command))
  }

  func sessionFailed() { refuse() }

  private func apply(_ ruling: consuming Ruling) {
    switch consume ruling {
    case .forward(let permit):
      connection.state.counters.permitted &+= 1
      self.permit = consume permit
      phase = .starting
      startOnceDurable()
    case .hold(let requirement):
      // Nothing can be said on a channel that is not open, and who waits for a port does not wait for people.
      guard let session = connection.session, let id else { return refuse() }
      let denial = Denial(
        rule: requirement.rules, reason: "a forward cannot wait for approval",
        hint: "Ask for a grant: sallyport access request \(session.settings.name) --effect forward.")
      apply(session.enforcer.withdraw(id, request.command, Refusal(.notApproved, denial)))
    case .refuse: denied()
    // Only of commands with values, or with rows, which these have not.
    case .needsValues: denied()
    case .needsEstimate: denied()
    }
  }

  private func denied() {
    connection.state.counters.denied &+= 1
    refuse()
  }

  /// With `durability: sync` the disk has the record first.
  private func startOnceDurable() {
    guard let commit = connection.state.commit else { return start() }
    let bound = NIOLoopBound(self, eventLoop: connection.state.loop)
    commit.whenDurable(connection.state.lane.sequence) { isDurable in
      guard bound.value.phase == .starting else { return }
      if isDurable { bound.value.start() } else { bound.value.refuse() }
    }
  }

  private func start() {
    guard let session = connection.session else { return refuse() }
    startedAt = Clock.monotonic()
    if session.backend == nil {
      let backend = SSHBackend(connection, session)
      session.backend = backend
      backend.start()
    }
    session.backend?.open(self)
  }

  // MARK: The backend's channel

  func open(on transport: SSHTransport) -> Bool {
    guard phase == .starting else { return false }
    if backend == nil { backend = SSHPort(on: transport) }
    guard let channel = backend?.channel else {
      backendFailed("")
      return false
    }
    let result = if let permit = permit.take() { ask(channel, permit) } else { SSHForward.ask(channel, request) }
    switch result {
    case SSH_AGAIN: return true
    case SSH_OK: accept(channel)
    case _: backendFailed("")
    }
    return false
  }

  /// The one place where the target is asked to connect.
  private func ask(_ channel: OpaquePointer, _ permit: consuming Permit) -> Int32 { SSHForward.ask(channel, request) }

  /// Who asks is nobody's business there.
  private static func ask(_ channel: OpaquePointer, _ request: ForwardRequest) -> Int32 {
    ssh_channel_open_forward(channel, request.host, Int32(request.port), "127.0.0.1", 0)
  }

  private func accept(_ channel: OpaquePointer) {
    guard opened_channel_packet_size(channel) >= SSHConnection.leastPacket, let message,
      let port = connection.acceptPort(message)
    else { return backendFailed("") }
    ssh_message_free(message)
    self.message = nil
    client = port
    phase = .running
    connection.moveSoon()
  }

  func backendFailed(_ words: String) {
    switch phase {
    case .starting:
      record(.failed)
      refuse()
    case .running:
      record(.lost)
      over()
    case .waiting, .over: return
    }
  }

  // MARK: Bytes

  func pump() {
    guard phase == .running, let client, let backend else { return }
    guard client.channel != nil, !client.isClosed else {
      record(.completed)
      return over()
    }
    var hasMore = input.move(from: client, .output, to: backend, .output) { _ in }
    hasMore = output.move(from: backend, .output, to: client, .output) { _ in } || hasMore
    connection.lastActivity = Clock.monotonic()
    if hasMore { connection.moveSoon() }
    if client.hasEnded, !hasSentEnd, input.isEmpty, client.isDrained(.output) {
      hasSentEnd = true
      backend.sendEnd()
    }
    guard backend.hasEnded, output.isEmpty, backend.isDrained(.output) else { return }
    if !hasPassedEnd {
      hasPassedEnd = true
      client.sendEnd()
    }
    guard backend.isClosed || hasSentEnd else { return }
    record(.completed)
    over()
  }

  /// Whether it could go on, though no event will say so.
  var isStalled: Bool {
    guard phase == .running, let client, let backend else { return false }
    return input.isBlocked && backend.isWritable && backend.room > 0
      || output.isBlocked && client.isWritable && client.room > 0
  }

  // MARK: Ends

  /// Nobody waits for it any more.
  func abandon() {
    record(.lost)
    over()
  }

  private func refuse() {
    if let message {
      ssh_message_reply_default(message)
      ssh_message_free(message)
    }
    message = nil
    over()
  }

  private func over() {
    guard phase != .over else { return }
    phase = .over
    permit = nil
    if let message { ssh_message_free(message) }
    message = nil
    backend?.close()
    client?.close()
    backend = nil
    client = nil
    connection.moveSoon()
  }

  private func record(_ ending: Outcome.Ending) {
    guard let session = connection.session, let id, let startedAt else { return }
    self.startedAt = nil
    let duration = Clock.monotonic() - startedAt
    connection.state.counters.durations.add(duration)
    if ending != .completed { connection.state.counters.failed &+= 1 }
    let outcome = Outcome(ending: ending, tag: "", bytes: input.total + output.total)
    if !session.enforcer.finish(id, outcome, duration: duration) {
      connection.context.logger.error("audit record failed", metadata: ["session": "\(connection.name)"])
    }
  }
}
