import CEpoll
import CLibSSH
import Glibc
import NIOCore

/// Whoever drives an SSH session, as its transport sees it. Called on the reactor's thread, never from inside libssh.
protocol SSHTransportOwner: AnyObject {
  /// Something came or went: messages, data, room to write.
  func transportMoved(_ transport: SSHTransport)
  /// The peer is gone, or broke the protocol; the transport is closed.
  func transportEnded(_ transport: SSHTransport, _ reason: String)
}

/// One libssh session on a reactor: its socket, its turns, and the end of its memory. It knows no policy.
///
/// Each rule here answers a trap of libssh 0.10: the socket is made non-blocking by us; epoll watches a duplicate, because
/// libssh closes its own number in the middle of a turn; a session has a poll of its own; nothing is decided inside
/// callbacks; what the session freed is forgotten.
final class SSHTransport: Polled, Closable {
  let session: OpaquePointer
  let reactor: Reactor
  weak var owner: (any SSHTransportOwner)?
  private(set) var isOpen = true
  private let event: OpaquePointer
  /// The number that libssh has.
  private let descriptor: Int32
  /// The number that epoll watches.
  private let watched: Int32
  private let identity: SocketIdentity
  private var interest: UInt32 = 0
  private var isTurning = false
  private var isPaused = false
  /// What the peer did that nobody may do; the session ends for it after libssh's turn.
  private var breached: String?
  /// Channels of this session, which die with it.
  private var ports: [ObjectIdentifier: SSHPort] = [:]

  /// Turns of libssh for one call of epoll.
  private static let turns = 8

  /// Takes over the descriptor. Throws, having closed it, when there is nothing to be had of it.
  private init(_ descriptor: Int32, session: OpaquePointer, on reactor: Reactor) throws(SSHFailure) {
    guard let event = ssh_event_new() else {
      ssh_free(session)
      Glibc.close(descriptor)
      throw SSHFailure(message: "libssh has no memory")
    }
    self.session = session
    self.event = event
    self.reactor = reactor
    self.descriptor = descriptor
    identity = SocketIdentity(descriptor)
    watched = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
    ssh_set_blocking(session, 0)
    guard watched >= 0, ssh_event_add_session(event, session) == SSH_OK else {
      close()
      throw SSHFailure(message: "no more connections can be watched")
    }
    interest = EPOLLIN.rawValue
    guard reactor.register(watched, self, interest) else {
      close()
      throw SSHFailure(message: "no more connections can be watched")
    }
  }

  /// The client's side: a connection that was accepted, or one end of a pair.
  static func accept(_ descriptor: Int32, _ bind: SSHBind, on reactor: Reactor) throws(SSHFailure) -> SSHTransport {
    prepare(descriptor)
    guard let session = ssh_new() else {
      Glibc.close(descriptor)
      throw SSHFailure(message: "libssh has no memory")
    }
    guard ssh_bind_accept_fd(bind.pointer, session, descriptor) == SSH_OK else {
      let words = SSHLibrary.words(bind.pointer)
      ssh_free(session)
      Glibc.close(descriptor)
      throw SSHFailure(message: words)
    }
    ssh_set_blocking(session, 0)
    ssh_set_auth_methods(session, Int32(SSH_AUTH_METHOD_PUBLICKEY | SSH_AUTH_METHOD_PASSWORD))
    _ = ssh_handle_key_exchange(session)
    return try SSHTransport(descriptor, session: session, on: reactor)
  }

  /// The backend's side: a connection that was made, as `user` there.
  static func connect(
    _ descriptor: Int32, host: String, user: String, on reactor: Reactor
  ) throws(SSHFailure) -> SSHTransport {
    prepare(descriptor)
    // libssh keeps only sixteen bits of it.
    guard descriptor <= 0xFFFF, let session = ssh_new() else {
      Glibc.close(descriptor)
      throw SSHFailure(message: "there are too many open files")
    }
    var no: CBool = false
    var number = descriptor
    let isSet =
      ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &no) == SSH_OK
      && [
        (SSH_OPTIONS_HOST, host), (SSH_OPTIONS_USER, user), (SSH_OPTIONS_KNOWNHOSTS, "/dev/null"),
        (SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null"), (SSH_OPTIONS_KEY_EXCHANGE, SSHLibrary.keyExchanges),
        (SSH_OPTIONS_CIPHERS_C_S, SSHLibrary.ciphers), (SSH_OPTIONS_CIPHERS_S_C, SSHLibrary.ciphers),
      ].allSatisfy { ssh_options_set(session, $0.0, $0.1) == SSH_OK }
      && ssh_options_set(session, SSH_OPTIONS_FD, &number) == SSH_OK
    guard isSet else {
      let words = SSHLibrary.words(session)
      ssh_free(session)
      Glibc.close(descriptor)
      throw SSHFailure(message: words)
    }
    ssh_set_blocking(session, 0)
    _ = ssh_connect(session)
    return try SSHTransport(descriptor, session: session, on: reactor)
  }

  private static func prepare(_ descriptor: Int32) {
    let flags = fcntl(descriptor, F_GETFL)
    _ = fcntl(descriptor, F_SETFL, flags | O_NONBLOCK)
    SocketCalls.sendAtOnce(descriptor)
  }

  deinit { close() }

  // MARK: Turns

  func ready(_ events: UInt32) { turn() }

  /// Lets libssh read and write, then tells the owner.
  private func turn() {
    guard isOpen, !isTurning else { return }
    isTurning = true
    var isAlive = true
    for _ in 0..<SSHTransport.turns where isAlive {
      let result = ssh_event_dopoll(event, 0)
      isAlive = result != SSH_ERROR
      if result != SSH_OK || breached != nil { break }
    }
    isTurning = false
    if breached != nil { return end() }
    // What came before the end is looked at first.
    owner?.transportMoved(self)
    guard isOpen else { return }
    guard isAlive, ssh_is_connected(session) == 1, ssh_get_status(session) & (SSH_CLOSED | SSH_CLOSED_ERROR) == 0
    else { return end() }
    rearm()
  }

  private func end() {
    let words = breached ?? SSHLibrary.words(session)
    let owner = owner
    close()
    owner?.transportEnded(self, words.isEmpty ? "the connection was closed" : words)
  }

  /// Has epoll wait for what libssh waits for. To be called after anything was written.
  func rearm() {
    guard isOpen else { return }
    let flags = ssh_get_poll_flags(session)
    var wanted: UInt32 = isPaused ? 0 : EPOLLIN.rawValue
    if flags & SSH_WRITE_PENDING != 0 { wanted |= EPOLLOUT.rawValue }
    guard wanted != interest else { return }
    interest = wanted
    reactor.modify(watched, wanted)
  }

  /// Nothing is read while somebody is asked about what came last.
  func pause(_ isPaused: Bool) {
    self.isPaused = isPaused
    rearm()
  }

  /// Whether what was written has gone to the kernel, so that more may be.
  var isWritable: Bool { isOpen && ssh_get_poll_flags(session) & SSH_WRITE_PENDING == 0 }

  /// The next message of the peer that somebody has to answer; owned by the caller.
  func nextMessage() -> OpaquePointer? { isOpen && !isPaused ? ssh_message_get(session) : nil }

  /// To be called from callbacks, which may not end anything themselves.
  func breach(_ reason: String) { breached = reason }

  // MARK: Channels

  func adopt(_ port: SSHPort) { ports[ObjectIdentifier(port)] = port }
  func forget(_ port: SSHPort) { ports[ObjectIdentifier(port)] = nil }

  // MARK: Ends

  func close() {
    guard isOpen else { return }
    isOpen = false
    for port in ports.values { port.sessionIsGone() }
    ports.removeAll()
    if watched >= 0 { reactor.forget(watched) }
    if ssh_is_connected(session) == 1 { ssh_disconnect(session) }
    ssh_event_remove_session(event, session)
    ssh_event_free(event)
    ssh_free(session)
    if watched >= 0 { Glibc.close(watched) }
    // libssh closes it or does not, by how the session ended; the number may be another's by now.
    if identity == SocketIdentity(descriptor) { Glibc.close(descriptor) }
  }
}

/// Which socket a number stands for.
private struct SocketIdentity: Equatable {
  private var device: UInt64 = 0
  private var node: UInt64 = 0

  init(_ descriptor: Int32) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return }
    device = UInt64(status.st_dev)
    node = UInt64(status.st_ino)
  }

  static func == (a: SocketIdentity, b: SocketIdentity) -> Bool {
    a.node != 0 && a.node == b.node && a.device == b.device
  }
}
