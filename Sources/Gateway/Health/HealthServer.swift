import NIOCore
import NIOHTTP1
import NIOPosix
import SallyportConfiguration
import Synchronization

/// Answers `/healthz`, `/readyz` and `/metrics` on the console's listener, in HTTP/1.1, for load balancers and Prometheus.
///
/// It tells numbers, no names of people or connections, and changes nothing, so that nobody has to sign in.
final class HealthHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let probe: StatusProbe
  private var head: HTTPRequestHead?

  init(probe: StatusProbe) { self.probe = probe }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): self.head = head
    // Nothing here takes a body: who sends one is answered at once, and not read to its end.
    case .body:
      guard let head else { return }
      self.head = nil
      respond(.payloadTooLarge, "there is nothing here to send to\n", to: head, context, closing: true)
    case .end:
      guard let head else { return }
      self.head = nil
      answer(head, context)
    }
  }

  private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let path = head.uri.prefix { $0 != "?" }
    guard head.method == .GET || head.method == .HEAD else {
      return respond(.methodNotAllowed, "use GET\n", to: head, context)
    }
    guard path == "/healthz" || path == "/readyz" || path == "/metrics" else {
      return respond(.notFound, "there is /healthz, /readyz and /metrics\n", to: head, context)
    }
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let metrics = path == "/metrics"
    let isReadiness = path == "/readyz"
    probe.ask(on: context.eventLoop).whenComplete { result in
      let (handler, context) = bound.value
      guard case .success(let status) = result else {
        return handler.respond(.serviceUnavailable, "the gateway is stopping\n", to: head, context)
      }
      if metrics {
        let text = PrometheusText(status, version: GatewayServer.version, policy: handler.probe.policyHash).text
        return handler.respond(.ok, text, to: head, context, type: "text/plain; version=0.0.4; charset=utf-8")
      }
      // Draining is no illness: whoever restarts what is ill must not restart it.
      let troubles = isReadiness ? status.troubles : status.illnesses
      handler.respond(
        troubles.isEmpty ? .ok : .serviceUnavailable,
        ((troubles.isEmpty ? ["ok"] : troubles) + status.warnings).joined(separator: "\n") + "\n", to: head, context)
    }
  }

  private func respond(
    _ status: HTTPResponseStatus, _ text: String, to head: HTTPRequestHead, _ context: ChannelHandlerContext,
    type: String = "text/plain; charset=utf-8", closing: Bool = false
  ) {
    guard context.channel.isActive else { return }
    let body = ByteBuffer(string: text)
    let headers: HTTPHeaders = [
      "content-type": type, "content-length": "\(body.readableBytes)", "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    ]
    context.write(
      wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))), promise: nil)
    if head.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
    let isLast = closing || !head.isKeepAlive
    let channel = context.channel
    let end = channel.eventLoop.makePromise(of: Void.self)
    if isLast { end.futureResult.whenComplete { _ in channel.close(promise: nil) } }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: end)
  }

  /// Idle for too long.
  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// The listener of the above.
enum HealthServer {
  /// Clients at a time; a balancer and a Prometheus need a few.
  private static let clientLimit = 64
  private static let patience = TimeAmount.seconds(30)

  /// nil where there is no address to listen on.
  static func listen(
    on endpoint: Endpoint?, _ probe: StatusProbe, _ group: any EventLoopGroup
  ) throws -> (any Channel)? {
    guard let endpoint else { return nil }
    do {
      return try bind(endpoint, probe, group)
    } catch {
      throw GatewayFailure(
        "could not listen on \(endpoint): \(error)", hint: "Choose another address under gateway.listen.console.")
    }
  }

  private static func bind(
    _ endpoint: Endpoint, _ probe: StatusProbe, _ group: any EventLoopGroup
  ) throws -> any Channel {
    let clients = ClientCount(limit: clientLimit)
    return try ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        guard clients.enter() else { return channel.close() }
        channel.closeFuture.whenComplete { _ in clients.leave() }
        return channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          try pipeline.addHandler(IdleStateHandler(allTimeout: patience))
          try pipeline.configureHTTPServerPipeline(withErrorHandling: true)
          try pipeline.addHandler(HealthHandler(probe: probe))
        }
      }
      .bind(host: endpoint.host, port: Int(endpoint.port)).wait()
  }
}

/// Clients that are there, up to a bound.
private final class ClientCount: Sendable {
  private let limit: Int
  private let count = Atomic(0)

  init(limit: Int) { self.limit = limit }

  /// False when there are too many; whoever is let in must leave.
  func enter() -> Bool {
    if count.wrappingAdd(1, ordering: .relaxed).newValue <= limit { return true }
    leave()
    return false
  }

  func leave() { count.wrappingSubtract(1, ordering: .relaxed) }
}
