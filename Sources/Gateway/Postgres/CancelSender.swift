import AccessModel
import NIOCore
import Postgres

/// Sends one CancelRequest on a connection of its own and waits until the backend closes it: only then has the signal
/// been sent, and cannot hit a later statement any more (DECISIONS 29).
///
/// Where the session is encrypted the request is too, by the same rules: the key is worth as much as the session.
final class CancelSender: StreamOwner {
  private let opening: BackendOpening
  private let promise: EventLoopPromise<Void>
  private var timer: Scheduled<Void>?

  private init(_ opening: BackendOpening, _ promise: EventLoopPromise<Void>) {
    self.opening = opening
    self.promise = promise
  }

  /// The future succeeds once the connection is closed, by whomever.
  static func send(
    _ opening: BackendOpening, over stream: StreamSocket, deadline: TimeAmount
  ) -> EventLoopFuture<Void> {
    let promise = stream.reactor.makePromise(of: Void.self)
    let sender = CancelSender(opening, promise)
    stream.owner = sender
    let bound = NIOLoopBound((sender, stream), eventLoop: stream.reactor)
    sender.timer = stream.reactor.scheduleTask(in: deadline) {
      let (sender, stream) = bound.value
      sender.end(stream)
    }
    opening.start(stream)
    return promise.futureResult
  }

  private func end(_ stream: StreamSocket) {
    stream.close()
    timer?.cancel()
    promise.succeed()
  }

  func streamRead(_ stream: StreamSocket, _ bytes: ByteBuffer) {
    opening.receive(bytes, stream) { step in
      switch step {
      case .failed, .ready: self.end(stream)
      }
    }
  }

  func streamReadCompleted(_ stream: StreamSocket) {}
  func streamDrained(_ stream: StreamSocket) {}

  func streamEnded(_ stream: StreamSocket, _ failure: (any Error)?) {
    timer?.cancel()
    promise.succeed()
  }
}
