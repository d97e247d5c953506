import CEpoll
import Glibc
import NIOCore

/// A listening socket on a reactor: accepts, and hands each connection to one of the reactors in turn.
final class StreamListener: Polled, Closable {
  private let descriptor: Int32
  private let reactor: Reactor
  /// What becomes of a connection; called on this listener's reactor, and owns the descriptor.
  private let accepted: (Int32, SocketAddress?) -> Void
  private var isOpen = true

  /// How long accepting pauses when the process has no descriptors left.
  private static let pause = TimeAmount.milliseconds(100)
  /// Connections that one turn accepts at most.
  private static let burst = 64

  init?(_ descriptor: Int32, on reactor: Reactor, accepted: @escaping (Int32, SocketAddress?) -> Void) {
    self.descriptor = descriptor
    self.reactor = reactor
    self.accepted = accepted
    guard reactor.register(descriptor, self, EPOLLIN.rawValue) else {
      Glibc.close(descriptor)
      return nil
    }
  }

  func ready(_ events: UInt32) {
    for _ in 0..<StreamListener.burst {
      do {
        guard let (descriptor, peer) = try SocketCalls.accept(descriptor) else { return }
        accepted(descriptor, peer)
      } catch { return rest() }
    }
  }

  /// Else a connection that cannot be accepted would wake the reactor again and again.
  private func rest() {
    reactor.modify(descriptor, 0)
    let bound = NIOLoopBound(self, eventLoop: reactor)
    _ = reactor.scheduleTask(in: StreamListener.pause) {
      if bound.value.isOpen { bound.value.reactor.modify(bound.value.descriptor, EPOLLIN.rawValue) }
    }
  }

  func close() {
    guard isOpen else { return }
    isOpen = false
    reactor.forget(descriptor)
    Glibc.close(descriptor)
  }
}
