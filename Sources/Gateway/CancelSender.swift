import AccessModel
import NIOCore
import Postgres

/// Sends one CancelRequest on a connection of its own and waits until the backend closes it: only then has the signal
/// been sent, and cannot hit a later statement any more (DECISIONS 29).
final class CancelSender: StreamOwner {
  private let promise: EventLoopPromise<Void>
  private var timer: Scheduled<Void>?

  private init(_ promise: EventLoopPromise<Void>) { self.promise = promise }

  /// The future succeeds once the connection is closed, by whomever.
  static func send(_ key: BackendKeyData, over stream: StreamSocket, deadline: TimeAmount) -> EventLoopFuture<Void> {
    let promise = stream.reactor.makePromise(of: Void.self)
    let sender = CancelSender(promise)
    stream.owner = sender
    sender.send(key, over: stream, under: ControlPermit(.cancel))
    let bound = NIOLoopBound((sender, stream), eventLoop: stream.reactor)
    sender.timer = stream.reactor.scheduleTask(in: deadline) {
      let (sender, stream) = bound.value
      stream.close()
      sender.promise.succeed()
    }
    return promise.futureResult
  }

  private func send(_ key: BackendKeyData, over stream: StreamSocket, under permit: consuming ControlPermit) {
    _ = consume permit
    var request = ByteBuffer()
    StartupPacket.cancelRequest(process: key.process, secret: key.secret).encode(into: &request)
    stream.write(request)
    stream.flush()
  }

  func streamRead(_ stream: StreamSocket, _ bytes: ByteBuffer) {}
  func streamReadCompleted(_ stream: StreamSocket) {}
  func streamDrained(_ stream: StreamSocket) {}

  func streamEnded(_ stream: StreamSocket, _ failure: (any Error)?) {
    timer?.cancel()
    promise.succeed()
  }
}
