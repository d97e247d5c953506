import AccessModel
import NIOCore
import Postgres
import SallyportConfiguration

/// Reads the catalogue of a database over a connection of its own. Names no user-made object: the session's
/// search_path is pg_catalog alone (CVE-2025-12819).
final class CatalogReader: StreamOwner {
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

  /// Columns that masks have bound, and what they went by then.
  private let bind: (Catalog) -> [UInt32: [Int16: [StoredColumn]]]

  private init(
    opening: BackendOpening, known: Catalog?, promise: EventLoopPromise<Catalog>,
    bind: @escaping (Catalog) -> [UInt32: [Int16: [StoredColumn]]]
  ) {
    self.bind = bind
    self.opening = opening
    self.known = known
    self.promise = promise
  }

  /// Reads the catalogue with the account of a session; when nothing has changed since `known` was read, the same again
  /// with a new time. The future fails with `DialFailure`.
  static func read(
    _ target: BackendTarget, known: Catalog? = nil, context: GatewayContext, on reactor: Reactor
  ) -> EventLoopFuture<Catalog> {
    context.dialler.dial(target.settings.address, region: target.settings.region, on: reactor)
      .flatMap { read(target, known: known, context: context, over: $0.value) }
  }

  private static func read(
    _ target: BackendTarget, known: Catalog?, context: GatewayContext, over stream: StreamSocket
  ) -> EventLoopFuture<Catalog> {
    let promise = stream.reactor.makePromise(of: Catalog.self)
    let parameters: [StartupMessage.Parameter] = [
      .init("user", target.account.user), .init("database", target.database),
      .init("application_name", "sallyport catalog"), .init("search_path", "pg_catalog"),
      .init("client_encoding", "UTF8"),
    ]
    let opening = BackendOpening(target: target, parameters: parameters, keys: context.backendKeys, pool: context.pool)
    let key = ColumnBindings.Database(connection: target.settings.name, name: target.database)
    let reader = CatalogReader(opening: opening, known: known, promise: promise) { catalog in
      context.bindings.bind(catalog.relations, of: key, by: context.policy.document)
    }
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
    guard builder == nil else {
      buffer.writeBuffer(&bytes)
      return take(stream)
    }
    opening.receive(bytes, stream) { step in
      switch step {
      case .failed(let failure): self.fail(stream, failure.message)
      case .ready: self.begin(stream)
      }
    }
  }

  private func begin(_ stream: StreamSocket) {
    builder = CatalogBuilder(readAt: Clock.monotonic())
    isComparing = known.map { !$0.stamp.isEmpty } ?? false
    ask(
      isComparing ? CatalogQuery.stamp : "\(CatalogQuery.stamp); \(CatalogQuery.contents)", stream,
      under: ControlPermit(.catalog))
  }

  private func ask(_ text: String, _ stream: StreamSocket, under permit: consuming ControlPermit) {
    _ = consume permit
    var query = ByteBuffer()
    QueryMessage(text: ByteBuffer(string: text)).encode(into: &query)
    stream.write(query)
    stream.flush()
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
          if let catalog = answered(stream) {
            promise.succeed(catalog)
            return finish(stream)
          }
        }
      }
    } catch { fail(stream, "the catalogue could not be read: \(error)") }
  }

  /// What was asked for has come: the catalogue, or nil when its contents are still to be asked for.
  private func answered(_ stream: StreamSocket) -> Catalog? {
    guard isComparing, var known, let builder else { return builder?.finished(bind) }
    if builder.catalog.stamp == known.stamp {
      known.readAt = builder.catalog.readAt
      return known
    }
    isComparing = false
    ask(CatalogQuery.contents, stream, under: ControlPermit(.catalog))
    return nil
  }

  private func add(_ values: [String]) throws {
    rows += 1
    guard rows <= CatalogReader.rowLimit else { throw DialFailure(message: "it has too many columns") }
    do { try builder?.add(values) } catch { throw DialFailure(message: "a row is malformed") }
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
