import AsyncHTTPClient
import Crypto
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import Residency
import SallyportConfiguration

/// Posts small signed messages to webhooks: each with a deadline, tried a bounded number of times, and never in anybody's
/// way. Safe from any thread.
///
/// The address is looked up, checked and dialled by number like a backend's (DECISIONS 28); redirects are not followed.
final class WebhookSender: Sendable {
  /// How long and how often it is tried.
  struct Patience: Sendable {
    /// For one attempt, the look-up of the name included.
    var deadline = TimeAmount.seconds(10)
    /// Before the second attempt and the ones behind it.
    var pauses = [TimeAmount.seconds(1), .seconds(10)]
    /// Messages under way at a time; further ones are given up at once.
    var limit = 100
  }

  private struct State {
    var underWay = 0
    var clients: [ObjectIdentifier: HTTPClient] = [:]
    var isStopped = false
  }

  private let loop: any EventLoop
  /// Of its own: a resolver or a file that hangs holds up nobody else.
  private let pool = NIOThreadPool(numberOfThreads: 1)
  private let dialler: PinnedDialler
  private let patience: Patience
  /// What secrets that are files are relative to.
  private let directory: String
  private let logger: Logger
  private let state = NIOLockedValueBox(State())

  init(
    loop: any EventLoop, regions: any RegionPolicy, directory: String, patience: Patience = Patience(), logger: Logger
  ) {
    self.loop = loop
    self.directory = directory
    self.patience = patience
    self.logger = logger
    pool.start()
    dialler = PinnedDialler(pool: pool, regions: regions, timeout: patience.deadline)
  }

  /// Makes a message, off the event loops, and posts it. Returns at once; what fails is in the log, without the address's
  /// path, which may hold a secret (DECISIONS 25).
  ///
  /// - Parameter finished: called once from some thread, with nil when the other side took the message.
  func post(
    to webhook: WebhookSettings, _ body: @escaping @Sendable () throws -> [UInt8],
    finished: @escaping @Sendable ((any Error)?) -> Void = { _ in }
  ) {
    let isTaken = state.withLockedValue { state in
      guard !state.isStopped, state.underWay < patience.limit else { return false }
      state.underWay += 1
      return true
    }
    let end: @Sendable (Result<Void, any Error>) -> Void = { [self] result in
      if isTaken { state.withLockedValue { $0.underWay -= 1 } }
      guard case .failure(let error) = result else { return finished(nil) }
      logger.warning("webhook failed", metadata: ["host": "\(webhook.host)", "reason": "\(error)"])
      finished(error)
    }
    guard isTaken else { return end(.failure(DialFailure(message: "too many webhooks are under way"))) }
    pool.runIfActive(eventLoop: loop) { (try body(), try webhook.secret.resolve(relativeTo: self.directory)) }
      .flatMap { self.attempt(webhook, $0, secret: $1, number: 0) }
      .whenComplete(end)
  }

  private func attempt(
    _ webhook: WebhookSettings, _ body: [UInt8], secret: String, number: Int
  ) -> EventLoopFuture<Void> {
    send(webhook, body, secret: secret).flatMapError { [self] error in
      guard number < patience.pauses.count, !state.withLockedValue({ $0.isStopped }) else {
        return loop.makeFailedFuture(error)
      }
      return loop.scheduleTask(in: patience.pauses[number]) {}.futureResult
        .flatMap { self.attempt(webhook, body, secret: secret, number: number + 1) }
    }
  }

  /// Asks the place of a webhook what it takes, and posts nothing. Blocks. Returns the status that it answered, whatever
  /// it is: that something answered over a TLS that was checked is what is to be known.
  func probe(_ webhook: WebhookSettings) throws -> UInt {
    _ = try webhook.secret.resolve(relativeTo: directory)
    return try exchange(
      with: webhook,
      { try HTTPClient.Request(url: webhook.url, method: .OPTIONS, headers: ["user-agent": "sallyport"]) }
    ).wait()
  }

  /// Anew each time: the address may have changed, and the timestamp has.
  private func send(_ webhook: WebhookSettings, _ body: [UInt8], secret: String) -> EventLoopFuture<Void> {
    exchange(with: webhook) { try WebhookSender.request(webhook, body, secret: secret) }
      .flatMapThrowing { status in
        guard (200..<300).contains(status) else { throw DialFailure(message: "it answered \(status)") }
      }
  }

  private func exchange(
    with webhook: WebhookSettings, _ request: @escaping @Sendable () throws -> HTTPClient.Request
  ) -> EventLoopFuture<UInt> {
    let end = NIODeadline.now() + patience.deadline
    return dialler.addresses(of: Endpoint(host: webhook.host, port: webhook.port), region: nil, on: loop)
      .flatMap { [self] addresses in
        guard let address = addresses.first?.ipAddress else {
          return loop.makeFailedFuture(DialFailure(message: "the name has no address"))
        }
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.dnsOverride = [webhook.host: address]
        configuration.httpVersion = .http1Only
        // Why it failed is to be known; whether it is tried again is decided here.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .shared(loop), configuration: configuration)
        let isKept = state.withLockedValue { state in
          if !state.isStopped { state.clients[ObjectIdentifier(client)] = client }
          return !state.isStopped
        }
        let sent =
          isKept
          ? loop.makeCompletedFuture { try request() }.flatMap { self.exchange($0, by: client, until: end) }
          : loop.makeFailedFuture(DialFailure(message: "the gateway stops"))
        return sent.always { [self] _ in
          state.withLockedValue { $0.clients[ObjectIdentifier(client)] = nil }
          client.shutdown { _ in }
        }
      }
  }

  private static func request(
    _ webhook: WebhookSettings, _ body: [UInt8], secret: String
  ) throws -> HTTPClient.Request {
    let timestamp = Clock.seconds()
    return try HTTPClient.Request(
      url: webhook.url, method: .POST,
      headers: [
        "content-type": "application/json", "user-agent": "sallyport",
        "x-sallyport-timestamp": "\(timestamp)",
        "x-sallyport-signature": WebhookSender.signature(of: body, at: timestamp, secret: secret),
      ], body: .bytes(body))
  }

  /// The status of the answer.
  private func exchange(
    _ request: HTTPClient.Request, by client: HTTPClient, until end: NIODeadline
  ) -> EventLoopFuture<UInt> {
    client.execute(
      request: request, delegate: ResponseAccumulator(request: request, maxBodySize: 64 << 10), deadline: end
    ).futureResult.map(\.status.code)
  }

  /// `v1=` and HMAC-SHA256 over the timestamp, a full stop and the body, in hexadecimal.
  static func signature(of body: [UInt8], at timestamp: Int64, secret: String) -> String {
    let code = HMAC<SHA256>.authenticationCode(
      for: Array("\(timestamp).".utf8) + body, using: SymmetricKey(data: Array(secret.utf8)))
    return "v1=" + code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// Gives up what is under way. Blocks for a moment, so never called on an event loop.
  func stop() {
    let clients = state.withLockedValue { state in
      state.isStopped = true
      return Array(state.clients.values)
    }
    for client in clients { try? client.syncShutdown() }
    pool.shutdownGracefully { _ in }
  }
}
