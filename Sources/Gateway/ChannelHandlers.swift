import NIOCore
import NIOTLS

/// The client's end of a connection in its channel; says what happens to the `PostgresConnection` and no more.
final class ClientHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let connection: PostgresConnection
  /// Reading was put off; whoever takes the reason away resumes it.
  private(set) var isReadPending = false

  init(_ connection: PostgresConnection) { self.connection = connection }

  func handlerAdded(context: ChannelHandlerContext) { connection.clientAttached(context, self) }
  func handlerRemoved(context: ChannelHandlerContext) { connection.clientDetached() }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { connection.clientRead(unwrapInboundIn(data)) }
  func channelReadComplete(context: ChannelHandlerContext) { connection.readCompleted() }
  func channelInactive(context: ChannelHandlerContext) { connection.clientClosed() }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted(let applicationProtocol) = event as? TLSUserEvent {
      connection.clientEncrypted(applicationProtocol)
    }
    context.fireUserInboundEventTriggered(event)
  }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { connection.clientFailed(error) }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { connection.resumeReading() }
  }

  func read(context: ChannelHandlerContext) {
    if connection.mayReadClient { context.read() } else { isReadPending = true }
  }

  /// Reads on if reading had been put off.
  func resumeReading(_ context: ChannelHandlerContext) {
    guard isReadPending else { return }
    isReadPending = false
    context.read()
  }
}

/// The backend's end of a connection in its channel.
final class BackendHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let connection: PostgresConnection
  /// Reading was put off; whoever takes the reason away resumes it.
  private(set) var isReadPending = false

  init(_ connection: PostgresConnection) { self.connection = connection }

  func handlerAdded(context: ChannelHandlerContext) { connection.backendAttached(context, self) }
  func handlerRemoved(context: ChannelHandlerContext) { connection.backendDetached() }
  func channelActive(context: ChannelHandlerContext) { connection.backendConnected(context) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { connection.backendRead(unwrapInboundIn(data)) }
  func channelReadComplete(context: ChannelHandlerContext) { connection.readCompleted() }
  func channelInactive(context: ChannelHandlerContext) { connection.backendClosed() }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { connection.backendFailed(error) }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { connection.resumeReading() }
  }

  func read(context: ChannelHandlerContext) {
    if connection.mayReadBackend { context.read() } else { isReadPending = true }
  }

  func resumeReading(_ context: ChannelHandlerContext) {
    guard isReadPending else { return }
    isReadPending = false
    context.read()
  }
}
