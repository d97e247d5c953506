import AccessModel
import Enforcement
import Identity
import NIOCore
import Postgres
import SallyportConfiguration

/// One client's connection from its first byte to its last: drives the handshakes and the session, on one event loop.
///
/// It holds no protocol and no policy: it moves bytes between the channels and the sans-IO parts, asks the enforcer,
/// and keeps the deadlines.
final class PostgresConnection {
  /// What ends a session at a moment when that costs it nothing.
  enum QuietEnd {
    /// It has reached its lifetime.
    case lifetime
    /// The gateway is going down.
    case shutdown
  }

  enum Phase {
    /// The client proves who it is.
    case login
    /// The client is known; the backend is dialled and greeted.
    case opening
    case relaying
    case closed
  }

  /// The session with what belongs to it, once the backend is ready.
  final class Relay {
    /// Behind a pointer, so that the many small accesses of each message need no check for overlaps at run time. There
    /// are none: the session calls nothing that reaches it again, and all of this is confined to one thread.
    private let storage: UnsafeMutablePointer<PostgresSession>
    var session: PostgresSession {
      _read { yield storage.pointee }
      _modify { yield &storage.pointee }
    }
    /// Behind a pointer for the same reason: it is asked about every command, and replaced hardly ever.
    private let enforcement: UnsafeMutablePointer<Enforcer>
    var enforcer: Enforcer {
      _read { yield enforcement.pointee }
      _modify { yield &enforcement.pointee }
    }
    let target: BackendTarget
    let backendAddress: SocketAddress
    let backendKey: BackendKeyData?
    let backendIsEncrypted: Bool
    var clientKey: BackendKeyData?
    /// Boxed, since nearly always there is none: then a look at it costs nothing.
    private var holding: Holding?
    var held: HeldCommand? {
      @inline(__always) get { holding?.command }
      set { holding = newValue.map(Holding.init) }
    }
    /// Holds so far.
    var holds: UInt64 = 0
    /// Holds whose requests nobody wants any more, though they were not stored yet when they were given up.
    var givenUp: Set<UInt64> = []
    /// The last record of what the session may send, where the disk must have it first.
    var recordedAt: UInt64 = 0
    /// The client has said its last word.
    var hasEnded = false
    /// Present while a command that was approved is looked at once more.
    var approved: ApprovedCommand?
    /// What approvals cover beyond one statement.
    var allowances: [Allowance] = []
    var estimates = KnownEstimates()
    var underWay = CommandsUnderWay()
    /// Present when names matter to the policy.
    var names: SessionAnalyses?
    /// The reading of the catalogue in which the columns of masks were looked for.
    var columnsVersion: UInt64?
    /// Of the session's count, as far as the catalogue has been told.
    var toldDefinitions: UInt64 = 0
    /// nil where results are not recorded.
    var recorder: SessionRecorder?
    /// µs on the monotonic clock.
    let openedAt = Clock.monotonic()
    /// nil without limits of time.
    var watch: SessionWatch?
    /// Why the session ends as soon as nothing is under way; nil while it may go on.
    var quietEnd: QuietEnd?

    init(
      session: consuming PostgresSession, enforcer: consuming Enforcer, target: BackendTarget,
      backendAddress: SocketAddress,
      backendKey: BackendKeyData?, backendIsEncrypted: Bool
    ) {
      storage = .allocate(capacity: 1)
      storage.initialize(to: session)
      enforcement = .allocate(capacity: 1)
      enforcement.initialize(to: enforcer)
      self.target = target
      self.backendAddress = backendAddress
      self.backendKey = backendKey
      self.backendIsEncrypted = backendIsEncrypted
    }

    deinit {
      storage.deinitialize(count: 1)
      storage.deallocate()
      enforcement.deinitialize(count: 1)
      enforcement.deallocate()
    }
  }

  let context: GatewayContext
  /// What clients are offered, from the first byte to the end of the sign-in; nil when no TLS.
  let clientTLS: ClientTLSContext?
  let state: LoopState
  let name = SessionName.generate()
  let clientAddress: String
  var phase = Phase.login
  var handshake: ClientHandshake
  var deadline: Scheduled<Void>?
  var isCountedAsLogin = true
  /// Present while the session counts towards the limits of its person and connection.
  var counted: (user: String, connection: String)?
  /// Facts of the login that later steps need.
  var subject: Subject?
  var target: BackendTarget?
  /// Live tokens of the person who signs in, in the order in which their proofs are tried.
  var tokens: [TokenRecord] = []
  var opening: BackendOpening?
  /// Bytes that the client sent before the backend was ready.
  var early = ByteBuffer()
  var relay: Relay?
  var closingReason = "closed by the client"

  let client: StreamSocket
  private(set) var backend: StreamSocket?

  /// - Parameter address: where the client is; another than the stream's peer behind a load balancer.
  init(context: GatewayContext, state: LoopState, client: StreamSocket, from address: SocketAddress?) {
    self.context = context
    clientTLS = context.current.clientTLS
    self.state = state
    self.client = client
    clientAddress = address?.ipAddress ?? "local"
    // A token may only come in clear text where no network lies between, on either side of a load balancer.
    let isLoopback = [client.peer, address].allSatisfy { $0.map(PostgresConnection.isLoopback) ?? false }
    handshake = ClientHandshake(
      offersTLS: clientTLS != nil, isLoopback: isLoopback, endPoint: clientTLS?.endPoint,
      limits: context.limits)
  }

  var bound: NIOLoopBound<PostgresConnection> { NIOLoopBound(self, eventLoop: state.loop) }

  private static func isLoopback(_ address: SocketAddress) -> Bool {
    guard let ip = address.ipAddress else { return true }
    return ip.hasPrefix("127.") || ip == "::1" || ip.hasPrefix("::ffff:127.")
  }

  // MARK: Streams

  /// Waits for the client's first byte.
  func start() {
    client.owner = self
    state.connections[ObjectIdentifier(self)] = self
    state.counters.connections &+= 1
    startLoginDeadline()
  }

  func attach(_ backend: StreamSocket) {
    self.backend = backend
    backend.owner = self
  }

  /// Whether the client may be read: somebody has a use for its bytes, and room for what they become.
  private var mayReadClient: Bool {
    switch phase {
    case .login, .opening: return true
    case .relaying:
      guard let relay else { return false }
      return relay.session.wantsInput(from: .client) && (backend?.isWritable ?? false) && !waitsForDisk(relay)
    // What still comes is thrown away, so that our last words are not lost to a reset.
    case .closed: return true
    }
  }

  private var mayReadBackend: Bool {
    switch phase {
    case .login, .opening: return true
    case .relaying:
      guard let relay else { return false }
      return relay.session.wantsInput(from: .backend) && client.isWritable && relay.recorder?.isBehind != true
    case .closed: return false
    }
  }

  /// Reads either side, or stops to.
  func resumeReading() {
    client.setReading(mayReadClient)
    backend?.setReading(mayReadBackend)
  }

  func clientRead(_ bytes: ByteBuffer) {
    switch phase {
    case .login: advanceLogin(handshake.receive(bytes))
    case .opening:
      var bytes = bytes
      early.writeBuffer(&bytes)
      if early.readableBytes > context.limits.shortMessage {
        refuseClient(code: "08P01", "too many bytes before the session is ready")
      }
    case .relaying: relayInput(bytes, from: .client)
    case .closed: break
    }
  }

  func backendRead(_ bytes: ByteBuffer) {
    switch phase {
    case .opening: openingRead(bytes)
    case .relaying: relayInput(bytes, from: .backend)
    case .login, .closed: break
    }
  }

  func writeToClient(_ bytes: ByteBuffer) { client.write(bytes) }

  /// What the session let out; it consumed the right to each of these bytes (DECISIONS 12).
  func writeToBackend(_ bytes: ByteBuffer) { backend?.write(bytes) }

  /// Once per read cycle: what was written goes out.
  func flush() {
    backend?.flush()
    client.flush()
  }

  // MARK: Ends

  func clientClosed() {
    // The channel is gone, so the session is too; what it had under way is lost.
    close(reason: "closed by the client")
  }

  func clientFailed(_ error: any Error) {
    // Failing to encrypt is not worth more than a line: port scanners do it all day.
    context.logger.debug("client connection failed", metadata: ["error": "\(error)", "client": "\(clientAddress)"])
    close(reason: "the client's connection failed")
  }

  func backendFailed(_ error: any Error) {
    switch phase {
    case .opening: failOpening("\(error)")
    case .relaying: backendLost("the backend's connection failed: \(error)")
    case .login, .closed: break
    }
  }

  func backendClosed() {
    switch phase {
    case .opening: failOpening("the backend closed the connection")
    case .relaying: backendLost("the backend closed the connection")
    case .login, .closed: break
    }
  }

  /// Puts a FATAL error in front of the client, and ends the connection.
  func refuseClient(code: String, _ message: String, hint: String? = nil, reason: String? = nil) {
    guard phase != .closed else { return }
    var answer = ByteBuffer()
    ErrorFields(severity: "FATAL", code: code, message: message, hint: hint).encodeError(into: &answer)
    writeToClient(answer)
    close(reason: reason ?? message)
  }

  /// Ends both sides, after what is written has gone out; the audit trail learns of it.
  func close(reason: String) {
    guard phase != .closed else { return }
    closingReason = reason
    closeRelay()
    phase = .closed
    deadline?.cancel()
    endLogin()
    endSession()
    state.connections[ObjectIdentifier(self)] = nil
    flush()
    backend?.close()
    closeClientGently()
  }

  /// The client has time to read the last words and to close its end; one that does not is not waited for long.
  private func closeClientGently() {
    guard client.isOpen else { return }
    client.finish()
    resumeReading()
    let bound = bound
    deadline = state.loop.scheduleTask(in: context.deadlines.farewell) { bound.value.client.close() }
  }

  func endLogin() {
    guard isCountedAsLogin else { return }
    isCountedAsLogin = false
    context.endLogin()
  }

  private func startLoginDeadline() {
    let bound = bound
    deadline = state.loop.scheduleTask(in: context.deadlines.login) {
      switch bound.value.phase {
      // The person has done all that was asked, and waits for a backend.
      case .opening: bound.value.failOpening("the backend took too long")
      // A silent peer gets no answer: there may be nobody to read it.
      case .login, .relaying, .closed: bound.value.close(reason: "the login took too long")
      }
    }
  }
}

extension PostgresConnection: StreamOwner {
  func streamRead(_ stream: StreamSocket, _ bytes: ByteBuffer) {
    if stream === client { clientRead(bytes) } else { backendRead(bytes) }
  }

  func streamEncrypted(_ stream: StreamSocket, _ applicationProtocol: String?) {
    if stream === client { clientEncrypted(applicationProtocol) }
  }

  /// The end of a read cycle of either side. What one side sent can be what the other waited for.
  func streamReadCompleted(_ stream: StreamSocket) {
    flush()
    resumeReading()
  }

  func streamDrained(_ stream: StreamSocket) { resumeReading() }

  func streamEnded(_ stream: StreamSocket, _ failure: (any Error)?) {
    guard stream === client else {
      if let failure { backendFailed(failure) } else { backendClosed() }
      return
    }
    if phase == .closed {
      deadline?.cancel()
    } else if let failure {
      clientFailed(failure)
    } else {
      clientClosed()
    }
  }
}
