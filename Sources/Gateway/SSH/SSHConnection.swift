import AccessModel
import CLibSSH
import Enforcement
import Identity
import NIOCore
import PolicyEngine
import SSH
import SallyportConfiguration

/// One SSH client from its first byte to its last, on one reactor: who it is, what it asks for, what becomes of it.
///
/// It answers libssh's messages in order, asks the enforcer about commands, and opens the backend when the first of them
/// is permitted. Behind `ssh -J` a second one of these plays the backend's part inside the first (DECISIONS 31).
final class SSHConnection {
  enum Phase {
    /// The client proves who it is.
    case login
    case open
    case closed
  }

  /// Somebody who has proved who they are.
  struct Person: Hashable {
    var user: String
    /// The key that signed; nil behind a token.
    var key: [UInt8]?
    /// Connections that the token is for; empty for all.
    var connections: [String] = []
  }

  /// What an outer connection has settled for the one inside it.
  struct Outer {
    var person: String
    var connection: String
  }

  /// What the client is to reach.
  final class Session {
    let settings: ConnectionSettings
    let login: String
    let credential: BackendCredential
    var subject: Subject
    var enforcer: Enforcer
    /// Present while there is, or is about to be, a connection to the backend.
    var backend: SSHBackend?
    let addresses: [SocketAddress]
    let secret: SSHSecret
    var commands: UInt64 = 0
    let openedAt = Clock.monotonic()
    /// What its shells show, and when it can be written to; nil while nothing is recorded.
    var recorder: SessionRecorder?
    var recording: EventLoopFuture<Void>?

    init(
      settings: ConnectionSettings, login: String, credential: BackendCredential, subject: Subject,
      enforcer: consuming Enforcer, addresses: [SocketAddress], secret: SSHSecret
    ) {
      self.settings = settings
      self.login = login
      self.credential = credential
      self.subject = subject
      self.enforcer = enforcer
      self.addresses = addresses
      self.secret = secret
    }
  }

  let context: GatewayContext
  let state: LoopState
  let gate: SSHGate
  let name = SessionName.generate()
  let clientAddress: String
  let outer: Outer?
  private(set) var phase = Phase.login
  private(set) var transport: SSHTransport?
  var person: Person?
  /// The name that the client gave when it signed in: where to, in one hop.
  var target = ""
  private var deadline: Scheduled<Void>?
  private var isCountedAsLogin = true
  /// Requests to sign in so far.
  var attempts = 0
  /// Keys that were offered and are nobody's.
  var strangers = 0
  /// A request to sign in that waits for the store.
  var asked: OpaquePointer?
  var channels: [SSHExec] = []
  var jumps: [SSHJump] = []
  var forwards: [SSHForward] = []
  var session: Session?
  /// The session is being opened, and commands wait for it.
  var isOpening = false
  var isCounted: (user: String, connection: String)?
  var endsWhenQuiet = false
  var lastActivity = Clock.monotonic()
  private var isMoving = false
  private var mustMoveAgain = false
  private var isMoveDue = false

  static let attemptLimit = 20
  static let channelLimit = 64
  /// Messages of one turn.
  private static let messageBurst = 64
  /// Bytes of a packet that a client must be able to take; every implementation has to take 32,768 (RFC 4253 §6.1).
  static let leastPacket = 1024

  init(context: GatewayContext, state: LoopState, gate: SSHGate, clientAddress: String, outer: Outer?) {
    self.context = context
    self.state = state
    self.gate = gate
    self.clientAddress = clientAddress
    self.outer = outer
  }

  var bound: NIOLoopBound<SSHConnection> { NIOLoopBound(self, eventLoop: state.loop) }

  /// Takes over a connected socket, which counts as a login under way.
  func start(_ descriptor: Int32, _ bind: SSHBind) {
    state.counters.connections &+= 1
    do throws(SSHFailure) {
      let transport = try SSHTransport.accept(descriptor, bind, on: state.loop)
      transport.owner = self
      self.transport = transport
      state.ssh[ObjectIdentifier(self)] = self
    } catch {
      phase = .closed
      context.logger.debug("client connection failed", metadata: ["error": "\(error)", "client": "\(clientAddress)"])
      return endLogin()
    }
    let bound = bound
    deadline = state.loop.scheduleTask(in: context.deadlines.login) {
      // A silent peer gets no answer: there may be nobody to read it.
      bound.value.close(reason: "the login took too long")
    }
  }

  func signedIn(_ person: Person, as target: String) {
    self.person = person
    self.target = target
    phase = .open
    deadline?.cancel()
    endLogin()
  }

  // MARK: Turns

  /// Answers what came, and moves data as far as both sides take it.
  func move() {
    // What is written on one side can make the other move, and come back here.
    guard !isMoving else {
      mustMoveAgain = true
      return
    }
    isMoving = true
    defer { isMoving = false }
    for _ in 0..<4 {
      mustMoveAgain = false
      takeMessages()
      for channel in channels { channel.pump() }
      for jump in jumps { jump.pump() }
      for forward in forwards { forward.pump() }
      forwards.removeAll { $0.isOver }
      channels.removeAll { $0.isOver }
      jumps.removeAll { $0.isOver }
      guard mustMoveAgain, phase != .closed else { break }
    }
    transport?.rearm()
    session?.backend?.rearm()
    if mustMoveAgain || channels.contains(where: \.isStalled) || jumps.contains(where: \.isStalled)
      || forwards.contains(where: \.isStalled)
    {
      moveSoon()
    }
    if endsWhenQuiet, isQuiet { close(reason: "the gateway ends quiet sessions") }
  }

  /// In the next turn of the reactor, so that others get theirs.
  func moveSoon() {
    guard !isMoveDue, phase != .closed else { return }
    isMoveDue = true
    let bound = bound
    // A timer, not a job: jobs that ask for jobs keep the reactor from its sockets.
    _ = state.loop.scheduleTask(in: .zero) {
      bound.value.isMoveDue = false
      if bound.value.phase != .closed { bound.value.move() }
    }
  }

  private func takeMessages() {
    for _ in 0..<SSHConnection.messageBurst {
      guard phase != .closed, asked == nil, let message = transport?.nextMessage() else { return }
      lastActivity = Clock.monotonic()
      if answer(message) { ssh_message_free(message) }
    }
    moveSoon()
  }

  /// Returns whether the message is done with.
  private func answer(_ message: OpaquePointer) -> Bool {
    let type = UInt32(bitPattern: ssh_message_type(message))
    switch (type, phase) {
    case (SSH_REQUEST_SERVICE.rawValue, .login): ssh_message_service_reply_success(message)
    case (SSH_REQUEST_AUTH.rawValue, .login): return answerLogin(message)
    case (SSH_REQUEST_CHANNEL_OPEN.rawValue, .open): return answerOpen(message)
    case (SSH_REQUEST_CHANNEL.rawValue, .open): answerChannel(message)
    case (SSH_REQUEST_GLOBAL.rawValue, .open): ssh_message_reply_default(message)
    // libssh lets none of these through (CVE-2018-10933); if one comes, its sender is not to be talked to.
    default:
      ssh_message_free(message)
      close(reason: "the client sent a message out of turn")
      return false
    }
    return true
  }

  /// Whether nothing is under way.
  var isQuiet: Bool { channels.isEmpty && jumps.isEmpty && forwards.isEmpty }

  // MARK: Ends

  func endLogin() {
    guard isCountedAsLogin else { return }
    isCountedAsLogin = false
    context.endLogin()
  }

  /// Ends all that is under way, and the connection; the audit trail learns of it.
  func close(reason: String) {
    guard phase != .closed else { return }
    let wasLogin = phase == .login
    phase = .closed
    deadline?.cancel()
    if wasLogin { noteFailure(reason) }
    for channel in channels { channel.abandon(reason) }
    for jump in jumps { jump.close() }
    for forward in forwards { forward.abandon() }
    forwards.removeAll()
    channels.removeAll()
    jumps.removeAll()
    if let asked { ssh_message_free(asked) }
    asked = nil
    closeSession(reason)
    endLogin()
    transport?.close()
    transport = nil
    state.ssh[ObjectIdentifier(self)] = nil
  }

  private func closeSession(_ reason: String) {
    session?.backend?.close()
    session?.backend = nil
    if let session {
      _ = session.enforcer.note(.sessionClosed(session: name, reason: reason))
      context.live.remove(name)
    }
    session = nil
    if let isCounted { context.sessions.end(user: isCounted.user, connection: isCounted.connection) }
    isCounted = nil
  }
}

extension SSHConnection: SSHTransportOwner {
  func transportMoved(_ transport: SSHTransport) { move() }
  func transportEnded(_ transport: SSHTransport, _ reason: String) { close(reason: "closed by the client") }
}
