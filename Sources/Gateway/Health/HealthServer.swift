import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import SallyportConfiguration
import Synchronization

/// Answers the console's listener, in HTTP/1.1: `/healthz`, `/readyz` and `/metrics` for load balancers and Prometheus,
/// control verbs by token (`ControlExchange`), and the links by which people approve (`LinkExchange`).
///
/// The first tell numbers, no names of people or connections, and change nothing, so that nobody has to sign in.
final class HealthHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let probe: StatusProbe
  private let control: ControlService
  private let isEncrypted: Bool
  private var head: HTTPRequestHead?
  private var exchange: Exchange?

  /// What takes a body, or is not for everybody.
  private enum Exchange {
    case control(ControlExchange)
    case link(LinkExchange)

    /// False when that is more than it can be.
    mutating func take(_ part: ByteBuffer) -> Bool {
      switch self {
      case .control(var exchange):
        let isTaken = exchange.take(part)
        self = .control(exchange)
        return isTaken
      case .link(var exchange):
        let isTaken = exchange.take(part)
        self = .link(exchange)
        return isTaken
      }
    }
  }

  init(probe: StatusProbe, control: ControlService, isEncrypted: Bool) {
    self.probe = probe
    self.control = control
    self.isEncrypted = isEncrypted
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      exchange = exchange(head, context)
    case .body(let part):
      guard let head, exchange?.take(part) != true else { return }
      // Nothing else takes a body: who sends one is answered at once, and not read to its end.
      self.head = nil
      let words = exchange == nil ? "there is nothing here to send to\n" : "the request is too long\n"
      exchange = nil
      respond(.payloadTooLarge, words, to: head, context, closing: true)
    case .end:
      guard let head else { return }
      self.head = nil
      switch exchange {
      case .control(let exchange): carryOut(exchange, head, context)
      case .link(let exchange): carryOut(exchange, head, context)
      case nil: answer(head, context)
      }
      exchange = nil
    }
  }

  // MARK: Control

  /// nil for what everybody may ask.
  private func exchange(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) -> Exchange? {
    let address = context.remoteAddress?.ipAddress ?? "unknown"
    let isExposed = !isEncrypted && !Endpoint.isThisMachine(address)
    if let link = LinkExchange(head, address: address, isExposed: isExposed) { return .link(link) }
    guard head.method == .POST, head.uri.prefix(while: { $0 != "?" }) == ControlExchange.path else { return nil }
    return .control(ControlExchange(head, address: address, isExposed: isExposed))
  }

  private func carryOut(_ exchange: LinkExchange, _ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let loop = context.eventLoop
    guard !exchange.isExposed else {
      control.exposed(exchange.link, from: exchange.address, on: loop)
      return respond(.exposed, to: head, context)
    }
    let answer: EventLoopFuture<LinkAnswer>
    if head.method == .POST {
      guard let decision = exchange.decision else { return respond(.notUnderstood, to: head, context) }
      answer = control.decide(decision, on: exchange.link, from: exchange.address, on: loop)
    } else {
      answer = control.open(exchange.link, from: exchange.address, on: loop)
    }
    let bound = NIOLoopBound((self, context), eventLoop: loop)
    answer.whenSuccess { answer in
      let (handler, context) = bound.value
      handler.respond(LinkPage(answer), to: head, context)
    }
  }

  private func respond(_ page: LinkPage, to head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    respond(page.status, page.html, to: head, context, type: "text/html; charset=utf-8", more: page.headers)
  }

  private func carryOut(_ exchange: ControlExchange, _ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    switch exchange.request() {
    case .failure(let refusal): respond(refusal.status, refusal.response, to: head, context)
    case .success(let request):
      let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      control.answer(request, from: .network(address: exchange.address), on: context.eventLoop)
        .whenSuccess { response, verdict in
          let (handler, context) = bound.value
          handler.respond(verdict.status, response, to: head, context)
        }
    }
  }

  private func respond(
    _ status: HTTPResponseStatus, _ response: ControlResponse, to head: HTTPRequestHead,
    _ context: ChannelHandlerContext
  ) {
    guard let data = try? JSONEncoder().encode(response) else { return context.close(promise: nil) }
    respond(status, String(decoding: data, as: UTF8.self) + "\n", to: head, context, type: "application/json")
  }

  // MARK: Health

  private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let path = head.uri.prefix { $0 != "?" }
    guard head.method == .GET || head.method == .HEAD else {
      return respond(.methodNotAllowed, "use GET\n", to: head, context)
    }
    guard path == "/healthz" || path == "/readyz" || path == "/metrics" else {
      return respond(.notFound, "there is /healthz, /readyz and /metrics, and POST /control\n", to: head, context)
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
    type: String = "text/plain; charset=utf-8", more: HTTPHeaders = [:], closing: Bool = false
  ) {
    guard context.channel.isActive else { return }
    let body = ByteBuffer(string: text)
    var headers: HTTPHeaders = [
      "content-type": type, "content-length": "\(body.readableBytes)", "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    ]
    headers.add(contentsOf: more)
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
    on endpoint: Endpoint?, _ probe: StatusProbe, _ control: @escaping @Sendable () -> ControlService,
    _ group: any EventLoopGroup
  ) throws -> (any Channel)? {
    guard let endpoint else { return nil }
    do {
      return try bind(endpoint, probe, control, group)
    } catch {
      throw GatewayFailure(
        "could not listen on \(endpoint): \(error)", hint: "Choose another address under gateway.listen.console.")
    }
  }

  private static func bind(
    _ endpoint: Endpoint, _ probe: StatusProbe, _ control: @escaping @Sendable () -> ControlService,
    _ group: any EventLoopGroup
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
          try pipeline.addHandler(
            ConsoleOpening(tls: probe.context.current.clientTLS?.console) { isEncrypted in
              HealthHandler(probe: probe, control: control(), isEncrypted: isEncrypted)
            })
        }
      }
      .bind(host: endpoint.host, port: Int(endpoint.port)).wait()
  }
}

/// Looks at the first byte of a connection: TLS begins with a handshake record (RFC 8446 §5.1), HTTP with a letter. So one
/// address serves the balancer that asks in the clear, and whoever shows a token.
private final class ConsoleOpening: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  private static let handshake: UInt8 = 22

  private let tls: NIOSSLContext?
  private let makeHandler: (_ isEncrypted: Bool) -> HealthHandler

  init(tls: NIOSSLContext?, makeHandler: @escaping (_ isEncrypted: Bool) -> HealthHandler) {
    self.tls = tls
    self.makeHandler = makeHandler
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    guard let first = bytes.readableBytesView.first else { return }
    let pipeline = context.pipeline.syncOperations
    do {
      let isEncrypted = first == ConsoleOpening.handshake && tls != nil
      if isEncrypted, let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
      try pipeline.configureHTTPServerPipeline(withErrorHandling: true)
      try pipeline.addHandler(makeHandler(isEncrypted))
    } catch { return context.close(promise: nil) }
    context.fireChannelRead(wrapInboundOut(bytes))
    _ = pipeline.removeHandler(context: context)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is IdleStateHandler.IdleStateEvent { return context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
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
