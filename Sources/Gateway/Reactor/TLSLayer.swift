import NIOCore
import NIOEmbedded
import NIOSSL
import NIOTLS

/// TLS between a socket and its owner: SwiftNIO's handler in a channel of its own that has no socket.
///
/// Confined to one thread, like the stream that it belongs to.
final class TLSLayer {
  enum Side {
    case server(NIOSSLContext)
    /// `name` is what the certificate must be for; nil where the address is what counts, or nothing.
    case client(NIOSSLContext, name: String?)
  }

  private let channel = EmbeddedChannel()
  let handler: NIOSSLHandler
  private let events = HandshakeObserver()

  init(_ side: Side, peer: SocketAddress?) throws {
    switch side {
    case .server(let context): handler = NIOSSLServerHandler(context: context)
    case .client(let context, let name): handler = try NIOSSLClientHandler(context: context, serverHostname: name)
    }
    // Where the certificate must be for the address, this is the one.
    channel.remoteAddress = peer
    try channel.pipeline.syncOperations.addHandlers([handler, events])
    channel.connect(to: try peer ?? SocketAddress(ipAddress: "0.0.0.0", port: 0), promise: nil)
  }

  /// The certificate that the peer showed.
  var peerCertificate: NIOSSLCertificate? { handler.peerCertificate }

  /// Takes what came from the socket, and passes on what it decrypts to; before the first of it, with what ALPN agreed
  /// on, that the handshake is done. Returns true when the peer has ended TLS.
  func receive(
    _ bytes: ByteBuffer, established: (String?) -> Void, plain: (ByteBuffer) -> Void
  ) throws -> Bool {
    try channel.writeInbound(bytes)
    channel.embeddedEventLoop.run()
    if events.isNews {
      events.isNews = false
      established(events.negotiatedProtocol)
    }
    while let bytes = try channel.readInbound(as: ByteBuffer.self) { plain(bytes) }
    return !channel.isActive
  }

  /// Encrypts; `takeOutput` has the result, once the handshake is done.
  func write(_ bytes: ByteBuffer) throws {
    channel.writeAndFlush(bytes, promise: nil)
    try channel.throwIfErrorCaught()
  }

  func takeOutput() -> ByteBuffer? { try? channel.readOutbound(as: ByteBuffer.self) }

  /// Says to the peer that no more comes.
  func close() { channel.close(promise: nil) }
}

/// Takes note of the end of the handshake.
private final class HandshakeObserver: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  /// True from the end of the handshake until somebody has heard of it.
  var isNews = false
  private(set) var negotiatedProtocol: String?

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case TLSUserEvent.handshakeCompleted(let negotiated)? = event as? TLSUserEvent {
      isNews = true
      negotiatedProtocol = negotiated
    }
    context.fireUserInboundEventTriggered(event)
  }
}
