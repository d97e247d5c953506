import AccessModel
import Configuration
import NIOCore
import Postgres

/// Reads the catalogue of a database over a connection of its own. Names no user-made object: the session's
/// search_path is pg_catalog alone (CVE-2025-12819).
final class CatalogReader: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private static let query = """
    SELECT c.oid, n.nspname, c.relname, a.attnum, a.attname FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
    """
  /// Columns of all relations together.
  private static let columnLimit = 2_000_000

  private let opening: BackendOpening
  private let promise: EventLoopPromise<Catalog>
  private var buffer = ByteBuffer()
  private var catalog = Catalog()
  private var columns = 0
  private var isReading = false
  private var deadline: Scheduled<Void>?

  private init(opening: BackendOpening, promise: EventLoopPromise<Catalog>) {
    self.opening = opening
    self.promise = promise
  }

  /// Reads the catalogue with the account of a session. The future fails with `DialFailure`.
  static func read(_ target: BackendTarget, context: GatewayContext, on loop: any EventLoop) -> EventLoopFuture<Catalog>
  {
    let promise = loop.makePromise(of: Catalog.self)
    context.dialler.dial(target.settings.address, region: target.settings.region, on: loop) { channel in
      let parameters: [StartupMessage.Parameter] = [
        .init("user", target.account.user), .init("database", target.database),
        .init("application_name", "sallyport catalog"), .init("search_path", "pg_catalog"),
        .init("client_encoding", "UTF8"),
      ]
      let opening = BackendOpening(
        target: target, parameters: parameters, keys: context.backendKeys, pool: context.pool)
      let reader = CatalogReader(opening: opening, promise: promise)
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
    guard !isReading else {
      buffer.writeBuffer(&bytes)
      return take(context)
    }
    opening.receive(bytes, context, before: self) { step in
      switch step {
      case .failed(let failure): self.fail(context, failure.message)
      case .ready: self.ask(context, under: ControlPermit(.catalog))
      }
    }
  }

  private func ask(_ context: ChannelHandlerContext, under permit: consuming ControlPermit) {
    _ = consume permit
    isReading = true
    catalog.readAt = Clock.monotonic()
    var query = ByteBuffer()
    QueryMessage(text: ByteBuffer(string: CatalogReader.query)).encode(into: &query)
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
          promise.succeed(catalog)
          return finish(context)
        }
      }
    } catch { fail(context, "the catalogue could not be read: \(error)") }
  }

  private func add(_ values: [String]) throws {
    columns += 1
    guard columns <= CatalogReader.columnLimit else { throw DialFailure(message: "it has too many columns") }
    guard values.count == 5, let oid = UInt32(values[0]), let attribute = Int16(values[3]) else {
      throw DialFailure(message: "a row is malformed")
    }
    catalog.add(oid: oid, schema: values[1], relation: values[2], attribute: attribute, column: values[4])
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
