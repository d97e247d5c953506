import AccessModel
import Configuration
import Enforcement
import Identity
import NIOCore
import NIOSSL
import Postgres

/// One client's connection from its first byte to its last: drives the handshakes and the session, on one event loop.
///
/// It holds no protocol and no policy: it moves bytes between the channels and the sans-IO parts, asks the enforcer,
/// and keeps the deadlines.
final class PostgresConnection {
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
    var session: PostgresSession
    var enforcer: Enforcer
    let target: BackendTarget
    let backendAddress: SocketAddress
    let backendKey: BackendKeyData?
    let backendIsEncrypted: Bool
    var clientKey: BackendKeyData?
    var held: HeldCommand?
    /// When each command under way began, µs on the monotonic clock.
    var started: [CommandID: Int64] = [:]
    /// What masked results need of the footprint of their command.
    var footprints: [CommandID: Footprint] = [:]
    /// Commands under way that may change the schema.
    var definitions: Set<CommandID> = []
    /// nil without limits of time.
    var watch: SessionWatch?
    /// The session has reached its lifetime.
    var endsWhenQuiet = false

    init(
      session: consuming PostgresSession, enforcer: Enforcer, target: BackendTarget, backendAddress: SocketAddress,
      backendKey: BackendKeyData?, backendIsEncrypted: Bool
    ) {
      self.session = session
      self.enforcer = enforcer
      self.target = target
      self.backendAddress = backendAddress
      self.backendKey = backendKey
      self.backendIsEncrypted = backendIsEncrypted
    }
  }

  let context: GatewayContext
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

  private var client: (context: ChannelHandlerContext, handler: ClientHandler)?
  private var backend: (context: ChannelHandlerContext, handler: BackendHandler)?
  private var clientNeedsFlush = false
  private var backendNeedsFlush = false

  init(context: GatewayContext, state: LoopState, clientAddress: SocketAddress?) {
    self.context = context
    self.state = state
    self.clientAddress = clientAddress?.ipAddress ?? "local"
    let isLoopback = clientAddress.map(PostgresConnection.isLoopback) ?? false
    handshake = ClientHandshake(
      offersTLS: context.clientTLS != nil, isLoopback: isLoopback, endPoint: context.clientTLS?.endPoint,
      limits: context.limits)
  }

  var bound: NIOLoopBound<PostgresConnection> { NIOLoopBound(self, eventLoop: state.loop) }

  private static func isLoopback(_ address: SocketAddress) -> Bool {
    guard let ip = address.ipAddress else { return true }
    return ip.hasPrefix("127.") || ip == "::1" || ip.hasPrefix("::ffff:127.")
  }

  // MARK: Channels

  func clientAttached(_ context: ChannelHandlerContext, _ handler: ClientHandler) {
    client = (context, handler)
    state.connections[ObjectIdentifier(self)] = self
    startLoginDeadline()
  }

  func clientDetached() { client = nil }
  func backendAttached(_ context: ChannelHandlerContext, _ handler: BackendHandler) { backend = (context, handler) }
  func backendDetached() { backend = nil }
  func backendConnected(_ context: ChannelHandlerContext) { opening?.start(context) }

  var clientContext: ChannelHandlerContext? { client?.context }
  var backendContext: ChannelHandlerContext? { backend?.context }
  var backendHandler: BackendHandler? { backend?.handler }

  /// Whether the client may be read: somebody has a use for its bytes, and room for what they become.
  var mayReadClient: Bool {
    switch phase {
    case .login, .opening: return true
    case .relaying:
      guard let relay else { return false }
      return relay.session.wantsInput(from: .client) && (backend?.context.channel.isWritable ?? false)
    // What still comes is thrown away, so that our last words are not lost to a reset.
    case .closed: return true
    }
  }

  var mayReadBackend: Bool {
    switch phase {
    case .login, .opening: return true
    case .relaying:
      guard let relay else { return false }
      return relay.session.wantsInput(from: .backend) && (client?.context.channel.isWritable ?? false)
    case .closed: return false
    }
  }

  /// Reads on where reading had been put off and the reason is gone.
  func resumeReading() {
    if let client, client.handler.isReadPending, mayReadClient { client.handler.resumeReading(client.context) }
    if let backend, backend.handler.isReadPending, mayReadBackend { backend.handler.resumeReading(backend.context) }
  }

  /// The end of a read cycle of either side. What one side sent can be what the other waited for.
  func readCompleted() {
    flush()
    resumeReading()
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

  func writeToClient(_ bytes: ByteBuffer) {
    client?.context.write(NIOAny(bytes), promise: nil)
    clientNeedsFlush = true
  }

  /// What the session let out; it consumed the right to each of these bytes (DECISIONS 12).
  func writeToBackend(_ bytes: ByteBuffer) {
    backend?.context.write(NIOAny(bytes), promise: nil)
    backendNeedsFlush = true
  }

  /// Once per read cycle: what was written goes out.
  func flush() {
    if clientNeedsFlush {
      clientNeedsFlush = false
      client?.context.flush()
    }
    if backendNeedsFlush {
      backendNeedsFlush = false
      backend?.context.flush()
    }
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
    if let backend { backend.context.close(promise: nil) }
    closeClientGently()
  }

  /// The client has time to read the last words and to close its end; one that does not is not waited for long.
  private func closeClientGently() {
    guard let channel = client?.context.channel, channel.isActive else { return }
    channel.close(mode: .output, promise: nil)
    resumeReading()
    let timer = state.loop.scheduleTask(in: context.deadlines.farewell) { channel.close(promise: nil) }
    channel.closeFuture.whenComplete { _ in timer.cancel() }
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
