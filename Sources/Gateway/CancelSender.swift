import AccessModel
import NIOCore
import Postgres

/// Sends one CancelRequest on a connection of its own and waits until the backend closes it: only then has the signal
/// been sent, and cannot hit a later statement any more (DECISIONS 29).
///
/// Where the session is encrypted the request is too, by the same rules: the key is worth as much as the session.
final class CancelSender: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let opening: BackendOpening
  private let deadline: TimeAmount
  private var timer: Scheduled<Void>?

  init(_ opening: BackendOpening, deadline: TimeAmount) {
    self.opening = opening
    self.deadline = deadline
  }

  func channelActive(context: ChannelHandlerContext) {
    opening.start(context)
    let channel = NIOLoopBound(context.channel, eventLoop: context.eventLoop)
    timer = context.eventLoop.scheduleTask(in: deadline) { channel.value.close(promise: nil) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    opening.receive(unwrapInboundIn(data), context, before: self) { step in
      switch step {
      case .failed, .ready: context.close(promise: nil)
      }
    }
  }

  func channelInactive(context: ChannelHandlerContext) { timer?.cancel() }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
