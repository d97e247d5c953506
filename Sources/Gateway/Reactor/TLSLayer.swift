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

  /// What ALPN agreed on, once the handshake is done; nil without.
  var negotiatedProtocol: String? { events.negotiatedProtocol }
  /// Whether the handshake is done.
  var isEstablished: Bool { events.isEstablished }
  /// The certificate that the peer showed.
  var peerCertificate: NIOSSLCertificate? { handler.peerCertificate }

  /// Takes what came from the socket, and passes what it decrypts to. Returns true when the peer has ended TLS.
  func receive(_ bytes: ByteBuffer, _ body: (ByteBuffer) -> Void) throws -> Bool {
    try channel.writeInbound(bytes)
    channel.embeddedEventLoop.run()
    while let plain = try channel.readInbound(as: ByteBuffer.self) { body(plain) }
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
  private(set) var isEstablished = false
  private(set) var negotiatedProtocol: String?

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case TLSUserEvent.handshakeCompleted(let negotiated)? = event as? TLSUserEvent {
      isEstablished = true
      negotiatedProtocol = negotiated
    }
    context.fireUserInboundEventTriggered(event)
  }
}
