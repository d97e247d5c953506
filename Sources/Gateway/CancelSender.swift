import AccessModel
import NIOCore
import Postgres

/// Sends one CancelRequest on a connection of its own and waits until the backend closes it: only then has the signal
/// been sent, and cannot hit a later statement any more (DECISIONS 29).
final class CancelSender: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let key: BackendKeyData
  private let deadline: TimeAmount
  private var timer: Scheduled<Void>?

  init(key: BackendKeyData, deadline: TimeAmount) {
    self.key = key
    self.deadline = deadline
  }

  func channelActive(context: ChannelHandlerContext) {
    send(context, under: ControlPermit(.cancel))
    let channel = NIOLoopBound(context.channel, eventLoop: context.eventLoop)
    timer = context.eventLoop.scheduleTask(in: deadline) { channel.value.close(promise: nil) }
  }

  private func send(_ context: ChannelHandlerContext, under permit: consuming ControlPermit) {
    _ = consume permit
    var request = ByteBuffer()
    StartupPacket.cancelRequest(process: key.process, secret: key.secret).encode(into: &request)
    context.writeAndFlush(wrapOutboundOut(request), promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) { timer?.cancel() }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
