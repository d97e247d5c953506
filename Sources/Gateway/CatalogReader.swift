import Configuration
import NIOCore
import Postgres

/// Reads the catalogue of a database over a connection of its own. Names no user-made object: the session's
/// search_path is pg_catalog alone (CVE-2025-12819).
final class CatalogReader: StreamOwner {
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
  static func read(_ target: BackendTarget, context: GatewayContext, on reactor: Reactor) -> EventLoopFuture<Catalog> {
    context.dialler.dial(target.settings.address, region: target.settings.region, on: reactor)
      .flatMap { read(target, context: context, over: $0.value) }
  }

  private static func read(
    _ target: BackendTarget, context: GatewayContext, over stream: StreamSocket
  ) -> EventLoopFuture<Catalog> {
    let promise = stream.reactor.makePromise(of: Catalog.self)
    let parameters: [StartupMessage.Parameter] = [
      .init("user", target.account.user), .init("database", target.database),
      .init("application_name", "sallyport catalog"), .init("search_path", "pg_catalog"),
      .init("client_encoding", "UTF8"),
    ]
    let opening = BackendOpening(target: target, parameters: parameters, keys: context.backendKeys)
    let reader = CatalogReader(opening: opening, promise: promise)
    stream.owner = reader
    let bound = NIOLoopBound((reader, stream), eventLoop: stream.reactor)
    reader.deadline = stream.reactor.scheduleTask(in: context.deadlines.catalog) {
      let (reader, stream) = bound.value
      reader.fail(stream, "the catalogue took too long")
    }
    opening.start(stream)
    return promise.futureResult
  }

  func streamRead(_ stream: StreamSocket, _ bytes: ByteBuffer) {
    var bytes = bytes
    guard !isReading else {
      buffer.writeBuffer(&bytes)
      return take(stream)
    }
    switch opening.receive(bytes, stream) {
    case .pending: break
    case .failed(let failure): fail(stream, failure.message)
    case .ready:
      isReading = true
      catalog.readAt = Clock.monotonic()
      var query = ByteBuffer()
      QueryMessage(text: ByteBuffer(string: CatalogReader.query)).encode(into: &query)
      stream.write(query)
      stream.flush()
    }
  }

  func streamReadCompleted(_ stream: StreamSocket) {}
  func streamDrained(_ stream: StreamSocket) {}

  func streamEnded(_ stream: StreamSocket, _ failure: (any Error)?) {
    deadline?.cancel()
    promise.fail(DialFailure(message: failure.map { "\($0)" } ?? "the backend closed the connection"))
  }

  private func take(_ stream: StreamSocket) {
    do {
      while let message = try CatalogMessage.take(from: &buffer) {
        switch message {
        case .row(let values): try add(values)
        case .error(let text): return fail(stream, text)
        case .other: break
        case .ready:
          promise.succeed(catalog)
          return finish(stream)
        }
      }
    } catch { fail(stream, "the catalogue could not be read: \(error)") }
  }

  private func add(_ values: [String]) throws {
    columns += 1
    guard columns <= CatalogReader.columnLimit else { throw DialFailure(message: "it has too many columns") }
    guard values.count == 5, let oid = UInt32(values[0]), let attribute = Int16(values[3]) else {
      throw DialFailure(message: "a row is malformed")
    }
    catalog.add(oid: oid, schema: values[1], relation: values[2], attribute: attribute, column: values[4])
  }

  private func fail(_ stream: StreamSocket, _ message: String) {
    promise.fail(DialFailure(message: message))
    finish(stream)
  }

  private func finish(_ stream: StreamSocket) {
    deadline?.cancel()
    stream.close()
  }
}
