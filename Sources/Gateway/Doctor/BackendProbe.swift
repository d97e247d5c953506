import AccessModel
import NIOCore
import NIOPosix
import Postgres

/// Signs in to a backend as a session would, asks it a few things about itself, and leaves.
final class BackendProbe: StreamOwner {
  /// What a backend says of itself.
  struct Answer: Sendable {
    var address: String
    var isEncrypted: Bool
    var version: String
    /// µs since 1970, by the backend's clock, and by ours when the answer came.
    var clock: Int64
    var ourClock: Int64
    var isSuperuser: Bool
    var maximumSessions: Int
  }

  private static let question = """
    SELECT pg_catalog.current_setting('server_version'), \
    (EXTRACT(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint, \
    COALESCE((SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER), false), \
    pg_catalog.current_setting('max_connections')
    """

  private let opening: BackendOpening
  private let promise: EventLoopPromise<Answer>
  private var buffer = ByteBuffer()
  private var hasAsked = false
  private var row: [String]?
  private var deadline: Scheduled<Void>?

  private init(_ opening: BackendOpening, _ promise: EventLoopPromise<Answer>) {
    self.opening = opening
    self.promise = promise
  }

  /// Fails with `DialFailure`, in words for whoever runs the gateway.
  static func ask(
    _ target: BackendTarget, dialler: PinnedDialler, pool: NIOThreadPool, deadline: TimeAmount, on reactor: Reactor
  ) -> EventLoopFuture<Answer> {
    dialler.dial(target.settings.address, region: target.settings.region, on: reactor).flatMap { stream in
      let stream = stream.value
      let promise = stream.reactor.makePromise(of: Answer.self)
      let parameters: [StartupMessage.Parameter] = [
        .init("user", target.account.user), .init("database", target.database),
        .init("application_name", "sallyport doctor"), .init("search_path", "pg_catalog"),
        .init("client_encoding", "UTF8"),
      ]
      let opening = BackendOpening(target: target, parameters: parameters, keys: BackendKeys(), pool: pool)
      let probe = BackendProbe(opening, promise)
      stream.owner = probe
      let bound = NIOLoopBound((probe, stream), eventLoop: stream.reactor)
      probe.deadline = stream.reactor.scheduleTask(in: deadline) {
        let (probe, stream) = bound.value
        probe.fail(stream, "the backend took too long")
      }
      opening.start(stream)
      return promise.futureResult
    }
  }

  func streamRead(_ stream: StreamSocket, _ bytes: ByteBuffer) {
    guard !hasAsked else {
      buffer.writeImmutableBuffer(bytes)
      return take(stream)
    }
    opening.receive(bytes, stream) { step in
      switch step {
      case .failed(let failure): self.fail(stream, failure.message)
      case .ready: self.ask(stream, under: ControlPermit(.catalog))
      }
    }
  }

  private func ask(_ stream: StreamSocket, under permit: consuming ControlPermit) {
    _ = consume permit
    hasAsked = true
    var query = ByteBuffer()
    QueryMessage(text: ByteBuffer(string: BackendProbe.question)).encode(into: &query)
    stream.write(query)
    stream.flush()
  }

  private func take(_ stream: StreamSocket) {
    do {
      while let message = try CatalogMessage.take(from: &buffer) {
        switch message {
        case .row(let values): row = values
        case .error(let text): return fail(stream, text)
        case .other: break
        case .ready: return finish(stream)
        }
      }
    } catch { fail(stream, "the answer could not be read: \(error)") }
  }

  private func finish(_ stream: StreamSocket) {
    guard let row, row.count == 4, let clock = Int64(row[1]), let sessions = Int(row[3]) else {
      return fail(stream, "the answer is not one of PostgreSQL's")
    }
    let answer = Answer(
      address: "\(stream.peer?.ipAddress ?? "?"):\(stream.peer?.port ?? 0)", isEncrypted: stream.tls != nil,
      version: row[0], clock: clock, ourClock: Clock.now(), isSuperuser: row[2] == "t", maximumSessions: sessions)
    end(stream)
    promise.succeed(answer)
  }

  private func fail(_ stream: StreamSocket, _ message: String) {
    end(stream)
    promise.fail(DialFailure(message: message))
  }

  private func end(_ stream: StreamSocket) {
    deadline?.cancel()
    stream.close()
  }

  func streamReadCompleted(_ stream: StreamSocket) {}
  func streamDrained(_ stream: StreamSocket) {}

  func streamEnded(_ stream: StreamSocket, _ failure: (any Error)?) {
    deadline?.cancel()
    promise.fail(DialFailure(message: failure.map { "\($0)" } ?? "the backend closed the connection"))
  }
}
