import Glibc
import NIOCore
import NIOPosix
import Residency
import SallyportConfiguration

/// Why a backend could not be reached. Lower case, without a full stop; for the log and the audit trail.
struct DialFailure: Error, Hashable, Sendable, CustomStringConvertible {
  var message: String
  var description: String { message }
}

/// The one place that opens connections: resolves a name, checks each address, and dials by number (DECISIONS 28).
///
/// What was checked is what is dialled: the name is not looked at again in between.
struct PinnedDialler: Sendable {
  let pool: NIOThreadPool
  let regions: any RegionPolicy
  /// For a name to be resolved, and for each connection.
  let timeout: TimeAmount
  /// Blocks, so it runs on a thread of the pool.
  var lookUp: @Sendable (Endpoint) throws -> [SocketAddress] = { try PinnedDialler.lookUp($0) }

  /// Connects on a reactor; addresses are tried in the resolver's order. Fails with `DialFailure`.
  func dial(_ endpoint: Endpoint, region: String?, on reactor: Reactor) -> EventLoopFuture<NIOLoopBound<StreamSocket>> {
    resolve(endpoint, on: reactor).flatMap { candidates in
      connect(candidates[...], region: region, on: reactor, lastFailure: nil)
    }
  }

  /// Connects to an address that was dialled before, and is checked again.
  func redial(
    _ address: SocketAddress, region: String?, on reactor: Reactor
  ) -> EventLoopFuture<NIOLoopBound<StreamSocket>> {
    connect([address], region: region, on: reactor, lastFailure: nil)
  }

  /// The addresses that an endpoint may be dialled at, checked, for a client that dials by itself and must not look the
  /// name up again. Fails with `DialFailure` when there is none.
  func addresses(of endpoint: Endpoint, region: String?, on loop: any EventLoop) -> EventLoopFuture<[SocketAddress]> {
    let regions = regions
    return resolve(endpoint, on: loop).flatMapThrowing { candidates in
      var lastFailure: String?
      let allowed = candidates.filter { address in
        guard case .refused(let reason) = regions.allows(address.ipAddress ?? "", region: region) else { return true }
        lastFailure = reason
        return false
      }
      guard !allowed.isEmpty else { throw DialFailure(message: lastFailure ?? "the name has no address") }
      return allowed
    }
  }

  private func resolve(_ endpoint: Endpoint, on loop: any EventLoop) -> EventLoopFuture<[SocketAddress]> {
    if NetworkAddress(endpoint.host) != nil {
      return loop.makeCompletedFuture { [try SocketAddress(ipAddress: endpoint.host, port: Int(endpoint.port))] }
    }
    let promise = loop.makePromise(of: [SocketAddress].self)
    // A resolver may take minutes, and whoever waits for it does not always have a deadline of their own.
    let timer = loop.scheduleTask(in: timeout) {
      promise.fail(DialFailure(message: "resolving \"\(endpoint.host)\" took too long"))
    }
    let lookUp = lookUp
    pool.runIfActive(eventLoop: loop) { try lookUp(endpoint) }.whenComplete { result in
      timer.cancel()
      promise.completeWith(result)
    }
    return promise.futureResult
  }

  private func connect(
    _ candidates: ArraySlice<SocketAddress>, region: String?, on reactor: Reactor, lastFailure: String?
  ) -> EventLoopFuture<NIOLoopBound<StreamSocket>> {
    guard let address = candidates.first else {
      return reactor.makeFailedFuture(DialFailure(message: lastFailure ?? "the name has no address"))
    }
    let rest = candidates.dropFirst()
    if case .refused(let reason) = regions.allows(address.ipAddress ?? "", region: region) {
      return connect(rest, region: region, on: reactor, lastFailure: reason)
    }
    return StreamConnector.connect(to: address, on: reactor, timeout: timeout)
      .flatMapError { error in
        connect(rest, region: region, on: reactor, lastFailure: words(for: error))
      }
  }

  /// The system's words for its errors, without the library's around them.
  private func words(for error: any Error) -> String {
    (error as? IOError).map { String(cString: strerror($0.errnoCode)).lowercased() } ?? "\(error)"
  }

  /// getaddrinfo; blocks, so it runs on a thread of the pool.
  private static func lookUp(_ endpoint: Endpoint) throws -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var result: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(endpoint.host, String(endpoint.port), &hints, &result)
    guard code == 0 else {
      throw DialFailure(message: "could not resolve \"\(endpoint.host)\": \(String(cString: gai_strerror(code)))")
    }
    defer { freeaddrinfo(result) }
    var addresses: [SocketAddress] = []
    var entry = result
    while let current = entry, addresses.count < 16 {
      if let address = numeric(current.pointee) {
        addresses.append(try SocketAddress(ipAddress: address, port: Int(endpoint.port)))
      }
      entry = current.pointee.ai_next
    }
    return addresses
  }

  private static func numeric(_ info: addrinfo) -> String? {
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    guard getnameinfo(info.ai_addr, info.ai_addrlen, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST) == 0
    else { return nil }
    return String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
