import AccessModel
import CLibSSH
import NIOCore
import SallyportConfiguration

/// What uses a channel of a backend.
protocol SSHBackendChannel: AnyObject {
  /// Opens it, as far as that goes without waiting. Returns false when there is nothing more to do.
  func open(on transport: SSHTransport) -> Bool
  /// The backend cannot be had, or is gone; the words are for the client.
  func backendFailed(_ words: String)
}

/// The connection to an SSH backend: dialled, its host key compared, signed in to, then shared by the client's channels.
final class SSHBackend {
  private enum Phase {
    case dialling, handshake, signingIn, ready, closed
  }

  /// It lets go of this when it is closed.
  private let connection: SSHConnection
  private let session: SSHConnection.Session
  private var phase = Phase.dialling
  private var transport: SSHTransport?
  private var key: SSHPrivateKey?
  private var deadline: Scheduled<Void>?
  /// Channels that are to be opened once it is ready.
  private var waiting: [any SSHBackendChannel] = []

  init(_ connection: SSHConnection, _ session: SSHConnection.Session) {
    self.connection = connection
    self.session = session
  }

  private var context: GatewayContext { connection.context }
  private var loop: Reactor { connection.state.loop }
  private var place: String { "the backend of connection \"\(session.settings.name)\"" }

  func start() {
    let bound = NIOLoopBound(self, eventLoop: loop)
    deadline = loop.scheduleTask(in: context.deadlines.login) { bound.value.fail("it did not answer in time") }
    dial(session.addresses[...], last: "the name has no address")
  }

  /// Only addresses that were looked up and recorded when the session opened (DECISIONS 28).
  private func dial(_ candidates: ArraySlice<SocketAddress>, last: String) {
    guard phase == .dialling else { return }
    guard let address = candidates.first else { return fail(last) }
    let bound = NIOLoopBound(self, eventLoop: loop)
    context.dialler.redial(address, region: session.settings.region, on: loop).whenComplete { result in
      switch result {
      case .success(let stream): bound.value.dialled(stream.value)
      case .failure(let error): bound.value.dial(candidates.dropFirst(), last: "\(error)")
      }
    }
  }

  private func dialled(_ stream: StreamSocket) {
    guard phase == .dialling else { return stream.close() }
    guard let descriptor = stream.release() else { return fail("its connection broke") }
    do throws(SSHFailure) {
      if case .key(let text) = session.secret.kind { key = try SSHPrivateKey(text) }
      transport = try SSHTransport.connect(
        descriptor, host: session.settings.address.host, user: session.login, on: loop)
    } catch { return fail("\(error)") }
    transport?.owner = self
    phase = .handshake
    advance()
  }

  // MARK: Sign-in

  /// Goes as far as it can without waiting.
  private func advance() {
    guard let transport, transport.isOpen else { return }
    if phase == .handshake {
      switch ssh_connect(transport.session) {
      case SSH_AGAIN: return transport.rearm()
      case SSH_OK: guard isPinned(transport) else { return }
      case _: return fail(SSHLibrary.words(transport.session))
      }
      phase = .signingIn
    }
    if phase == .signingIn {
      switch signIn(transport) {
      case SSH_AUTH_AGAIN.rawValue: return transport.rearm()
      case SSH_AUTH_SUCCESS.rawValue: break
      case SSH_AUTH_ERROR.rawValue: return fail(SSHLibrary.words(transport.session))
      case _:
        return fail(
          "it does not accept the gateway's credential for \"\(session.login)\"",
          for: "\(place) does not accept the gateway's own credential")
      }
      key = nil
      phase = .ready
      deadline?.cancel()
    }
    guard phase == .ready else { return }
    let channels = waiting
    waiting = []
    waiting += channels.filter { $0.open(on: transport) }
    transport.rearm()
  }

  private func signIn(_ transport: SSHTransport) -> Int32 {
    switch session.secret.kind {
    case .key: key.map { ssh_userauth_publickey(transport.session, nil, $0.pointer) } ?? SSH_AUTH_ERROR.rawValue
    case .password(let password): ssh_userauth_password(transport.session, nil, password)
    }
  }

  /// The backend has proved the key that it shows in the key exchange; whether it is the right one is ours to say.
  private func isPinned(_ transport: SSHTransport) -> Bool {
    var shown: OpaquePointer?
    guard ssh_get_server_publickey(transport.session, &shown) == SSH_OK, let shown else {
      fail("it shows no host key")
      return false
    }
    defer { ssh_key_free(shown) }
    let fingerprint = SSHLibrary.fingerprint(of: shown) ?? "none"
    guard session.settings.hostKeys.contains(fingerprint) else {
      fail(
        "its host key is \(fingerprint), which host_key does not name",
        for:
          "the host key of \"\(session.settings.name)\" is not the one that it has to have, so nothing was sent to it")
      return false
    }
    return true
  }

  // MARK: Channels

  /// Opens a channel as soon as there is a connection.
  func open(_ channel: any SSHBackendChannel) {
    guard phase != .closed else { return channel.backendFailed("\(place) is not available") }
    waiting.append(channel)
    if phase == .ready { advance() }
  }

  func rearm() { transport?.rearm() }

  // MARK: Ends

  /// What is said to the client tells nothing of addresses and accounts; the log does.
  private func fail(_ reason: String, for client: String? = nil) {
    guard phase != .closed else { return }
    connection.noteUnavailable(session.settings.name, reason)
    close()
    let words = client ?? "\(place) is not available"
    for channel in connection.channels { channel.backendFailed(words) }
    for forward in connection.forwards { forward.backendFailed(words) }
    if session.backend === self { session.backend = nil }
    connection.moveSoon()
  }

  func close() {
    guard phase != .closed else { return }
    phase = .closed
    deadline?.cancel()
    waiting.removeAll()
    transport?.close()
    transport = nil
    key = nil
  }
}

extension SSHBackend: SSHTransportOwner {
  func transportMoved(_ transport: SSHTransport) {
    advance()
    connection.move()
  }

  func transportEnded(_ transport: SSHTransport, _ reason: String) { fail(reason) }
}
