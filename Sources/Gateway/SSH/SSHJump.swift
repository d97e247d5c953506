import CEpoll
import Glibc
import NIOCore

/// `ssh -J`: a channel of an outer connection, joined by a socket pair to a second SSH session that ends here too.
final class SSHJump: Polled, Closable {
  private let port: SSHPort
  /// It lets go of this when the jump is over, or it is closed itself.
  private let connection: SSHConnection
  private let descriptor: Int32
  private var interest = EPOLLIN.rawValue
  private(set) var isOver = false
  /// From the client to the inner session, as far as its socket did not take it.
  private var inward: [UInt8] = []
  /// The other way.
  private var outward: [UInt8] = []
  private var hasShutDown = false

  private static let burst = 16

  /// nil when the process has no descriptors left, or too many people are signing in.
  init?(_ port: SSHPort, _ connection: SSHConnection, _ outer: SSHConnection.Outer) {
    let context = connection.context
    guard context.beginLogin() else { return nil }
    var pair: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &pair) == 0 else {
      context.endLogin()
      return nil
    }
    self.port = port
    self.connection = connection
    descriptor = pair[0]
    guard connection.state.loop.register(descriptor, self, interest) else {
      for end in pair { Glibc.close(end) }
      context.endLogin()
      return nil
    }
    SSHConnection(
      context: context, state: connection.state, gate: connection.gate, clientAddress: connection.clientAddress,
      outer: outer
    ).start(pair[1], connection.gate.bind)
  }

  func ready(_ events: UInt32) { connection.move() }

  /// Moves what both sides take.
  func pump() {
    guard !isOver else { return }
    guard port.channel != nil, !port.isClosed else { return close() }
    moveIn()
    guard !isOver else { return }
    moveOut()
    guard !isOver else { return }
    if port.hasEnded, inward.isEmpty, port.isDrained(.output), !hasShutDown {
      hasShutDown = true
      shutdown(descriptor, Int32(SHUT_WR))
    }
    watch()
  }

  /// Whether it could go on, though no event will say so.
  var isStalled: Bool { !isOver && !outward.isEmpty && port.isWritable && port.room > 0 }

  private func moveIn() {
    for _ in 0..<SSHJump.burst {
      if inward.isEmpty {
        guard let bytes = port.read(.output) else { return }
        inward = bytes
      }
      let sent = inward.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard sent >= 0 else { return errno == EAGAIN || errno == EINTR ? () : close() }
      inward.removeFirst(sent)
      guard inward.isEmpty else { return }
    }
    connection.moveSoon()
  }

  private func moveOut() {
    let scratch = connection.gate.scratch
    for _ in 0..<SSHJump.burst {
      if outward.isEmpty {
        let room = min(port.room, scratch.count)
        guard port.isWritable, room > 0 else { return }
        let count = recv(descriptor, scratch.baseAddress, room, 0)
        guard count != 0 else { return close() }
        guard count > 0 else { return errno == EAGAIN || errno == EINTR ? () : close() }
        outward = Array(scratch[..<count])
      }
      guard port.isWritable else { return }
      let written = outward.withUnsafeBytes { port.write(.output, $0) }
      outward.removeFirst(written)
      guard outward.isEmpty else { return }
    }
    connection.moveSoon()
  }

  /// Level-triggered: what cannot be moved now must not wake the reactor again.
  private func watch() {
    var wanted: UInt32 = 0
    if outward.isEmpty, port.isWritable, port.room > 0 { wanted |= EPOLLIN.rawValue }
    if !inward.isEmpty { wanted |= EPOLLOUT.rawValue }
    guard wanted != interest else { return }
    interest = wanted
    connection.state.loop.modify(descriptor, wanted)
  }

  func close() {
    guard !isOver else { return }
    isOver = true
    connection.state.loop.forget(descriptor)
    Glibc.close(descriptor)
    port.close()
  }
}
