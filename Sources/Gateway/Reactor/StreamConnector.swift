import CEpoll
import Glibc
import NIOCore

/// A connection that is being made.
final class StreamConnector: Polled, Closable {
  private let descriptor: Int32
  private let address: SocketAddress
  private let reactor: Reactor
  private let promise: EventLoopPromise<NIOLoopBound<StreamSocket>>
  private var timer: Scheduled<Void>?
  private var isWaiting = true

  private init(
    _ descriptor: Int32, _ address: SocketAddress, _ reactor: Reactor,
    _ promise: EventLoopPromise<NIOLoopBound<StreamSocket>>
  ) {
    self.descriptor = descriptor
    self.address = address
    self.reactor = reactor
    self.promise = promise
  }

  /// Connects to a number. The future fails with `IOError` or `DialFailure`.
  static func connect(
    to address: SocketAddress, on reactor: Reactor, timeout: TimeAmount
  ) -> EventLoopFuture<NIOLoopBound<StreamSocket>> {
    guard reactor.inEventLoop else {
      return reactor.flatSubmit { connect(to: address, on: reactor, timeout: timeout) }
    }
    let promise = reactor.makePromise(of: NIOLoopBound<StreamSocket>.self)
    do {
      let descriptor = try SocketCalls.make(for: address)
      let connector = StreamConnector(descriptor, address, reactor, promise)
      do {
        try connector.begin(timeout)
      } catch {
        connector.fail(error)
      }
    } catch { promise.fail(error) }
    return promise.futureResult
  }

  private func begin(_ timeout: TimeAmount) throws {
    // Watched before it connects, so that it is never watched by nobody.
    guard reactor.register(descriptor, self, EPOLLOUT.rawValue) else {
      throw DialFailure(message: "no more connections can be watched")
    }
    if try SocketCalls.connect(descriptor, to: address) { return succeed() }
    let bound = NIOLoopBound(self, eventLoop: reactor)
    timer = reactor.scheduleTask(in: timeout) {
      bound.value.fail(DialFailure(message: "no answer from \(bound.value.address) in time"))
    }
  }

  func ready(_ events: UInt32) {
    guard isWaiting else { return }
    do {
      try SocketCalls.checkConnected(descriptor)
      succeed()
    } catch { fail(error) }
  }

  private func succeed() {
    guard isWaiting else { return }
    isWaiting = false
    timer?.cancel()
    reactor.forget(descriptor)
    guard let stream = StreamSocket(descriptor, peer: address, on: reactor) else {
      return promise.fail(DialFailure(message: "no more connections can be watched"))
    }
    promise.succeed(NIOLoopBound(stream, eventLoop: reactor))
  }

  private func fail(_ error: any Error) {
    guard isWaiting else { return }
    isWaiting = false
    timer?.cancel()
    reactor.forget(descriptor)
    Glibc.close(descriptor)
    promise.fail(error)
  }

  func close() { fail(DialFailure(message: "the gateway is shutting down")) }
}
