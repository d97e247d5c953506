import Configuration
import NIOCore
import Postgres

/// Reads the catalogue of a database over a connection of its own. Names no user-made object: the session's
/// search_path is pg_catalog alone (CVE-2025-12819).
final class CatalogReader: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// Rows of all kinds together; nearly all are columns.
  private static let rowLimit = 2_000_000

  private let opening: BackendOpening
  private let promise: EventLoopPromise<Catalog>
  private var buffer = ByteBuffer()
  /// What was read before; only what has changed since is worth reading.
  private let known: Catalog?
  private var builder: CatalogBuilder?
  private var rows = 0
  /// Nothing but the stamp was asked for.
  private var isComparing = false
  private var deadline: Scheduled<Void>?

  private init(opening: BackendOpening, known: Catalog?, promise: EventLoopPromise<Catalog>) {
    self.opening = opening
    self.known = known
    self.promise = promise
  }

  /// Reads the catalogue with the account of a session; when nothing has changed since `known` was read, the same again
  /// with a new time. The future fails with `DialFailure`.
  static func read(
    _ target: BackendTarget, known: Catalog? = nil, context: GatewayContext, on loop: any EventLoop
  ) -> EventLoopFuture<Catalog> {
    let promise = loop.makePromise(of: Catalog.self)
    context.dialler.dial(target.settings.address, region: target.settings.region, on: loop) { channel in
      let parameters: [StartupMessage.Parameter] = [
        .init("user", target.account.user), .init("database", target.database),
        .init("application_name", "sallyport catalog"), .init("search_path", "pg_catalog"),
        .init("client_encoding", "UTF8"),
      ]
      let opening = BackendOpening(target: target, parameters: parameters, keys: context.backendKeys)
      let reader = CatalogReader(opening: opening, known: known, promise: promise)
      try channel.pipeline.syncOperations.addHandler(reader)
      let bound = NIOLoopBound(channel, eventLoop: loop)
      reader.deadline = loop.scheduleTask(in: context.deadlines.catalog) {
        promise.fail(DialFailure(message: "the catalogue took too long"))
        bound.value.close(promise: nil)
      }
    }.whenFailure { promise.fail($0) }
    return promise.futureResult
  }

  func channelActive(context: ChannelHandlerContext) { opening.start(context) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    guard builder == nil else {
      buffer.writeBuffer(&bytes)
      return take(context)
    }
    switch opening.receive(bytes, context, before: self) {
    case .pending: break
    case .failed(let failure): fail(context, failure.message)
    case .ready:
      builder = CatalogBuilder(readAt: Clock.monotonic())
      isComparing = known.map { !$0.stamp.isEmpty } ?? false
      ask(isComparing ? CatalogQuery.stamp : "\(CatalogQuery.stamp); \(CatalogQuery.contents)", context)
    }
  }

  private func ask(_ text: String, _ context: ChannelHandlerContext) {
    var query = ByteBuffer()
    QueryMessage(text: ByteBuffer(string: text)).encode(into: &query)
    context.writeAndFlush(wrapOutboundOut(query), promise: nil)
  }

  private func take(_ context: ChannelHandlerContext) {
    do {
      while let message = try CatalogMessage.take(from: &buffer) {
        switch message {
        case .row(let values): try add(values)
        case .error(let text): return fail(context, text)
        case .other: break
        case .ready:
          if let catalog = answered(context) {
            promise.succeed(catalog)
            return finish(context)
          }
        }
      }
    } catch { fail(context, "the catalogue could not be read: \(error)") }
  }

  /// What was asked for has come: the catalogue, or nil when its contents are still to be asked for.
  private func answered(_ context: ChannelHandlerContext) -> Catalog? {
    guard isComparing, var known, let builder else { return builder?.finished() }
    if builder.catalog.stamp == known.stamp {
      known.readAt = builder.catalog.readAt
      return known
    }
    isComparing = false
    ask(CatalogQuery.contents, context)
    return nil
  }

  private func add(_ values: [String]) throws {
    rows += 1
    guard rows <= CatalogReader.rowLimit else { throw DialFailure(message: "it has too many columns") }
    do { try builder?.add(values) } catch { throw DialFailure(message: "a row is malformed") }
  }

  private func fail(_ context: ChannelHandlerContext, _ message: String) {
    promise.fail(DialFailure(message: message))
    finish(context)
  }

  private func finish(_ context: ChannelHandlerContext) {
    deadline?.cancel()
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    deadline?.cancel()
    promise.fail(DialFailure(message: "the backend closed the connection"))
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(context, "\(error)") }
}
