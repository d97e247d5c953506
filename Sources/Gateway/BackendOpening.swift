import Configuration
import Identity
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL
import Postgres

/// Where a session goes, with which account; the secret exists here and on the wire to the backend, nowhere else.
struct BackendTarget: Sendable {
  var settings: ConnectionSettings
  /// The database on the backend.
  var database: String
  var account: BackendAccount
  /// nil for `disable`.
  var tls: NIOSSLContext?

  var catalogKey: CatalogCache.Key {
    CatalogCache.Key(connection: settings.name, database: database, user: account.user)
  }
}

/// What sign-ins derived from backend passwords, so that only the first pays the milliseconds that it takes.
///
/// In memory only. A password that was rotated derives anew, because it is part of the key.
final class BackendKeys: Sendable {
  private struct Key: Hashable {
    var connection: String
    var user: String
    var password: String
  }
  /// Accounts; more than a configuration has, unless passwords rotate for years.
  private static let limit = 10_000
  private let known = NIOLockedValueBox<[Key: SCRAMKeys]>([:])

  private func key(_ target: BackendTarget) -> Key {
    Key(connection: target.settings.name, user: target.account.user, password: target.account.password ?? "")
  }

  func find(_ target: BackendTarget) -> SCRAMKeys? { known.withLockedValue { $0[key(target)] } }

  func store(_ keys: SCRAMKeys, for target: BackendTarget) {
    known.withLockedValue { known in
      if known.count >= BackendKeys.limit { known.removeAll() }
      known[key(target)] = keys
    }
  }
}

/// Drives a `BackendHandshake` over a stream: bytes, and TLS when the backend agrees.
final class BackendOpening {
  enum Step {
    case pending
    case ready(BackendHandshake.Ready)
    case failed(BackendHandshake.Failure)
  }
  private var handshake: BackendHandshake
  private let target: BackendTarget
  private let keys: BackendKeys

  init(target: BackendTarget, parameters: [StartupMessage.Parameter], keys: BackendKeys) {
    self.target = target
    self.keys = keys
    var account = target.account
    account.keys = keys.find(target)
    let tls = Postgres.BackendTLS(rawValue: target.settings.tls.rawValue) ?? .verifyFull
    handshake = BackendHandshake(account: account, parameters: parameters, tls: tls)
  }

  func start(_ stream: StreamSocket) {
    handshake.start()
    write(stream)
  }

  /// Takes bytes from the backend.
  func receive(_ bytes: ByteBuffer, _ stream: StreamSocket) -> Step {
    let event = handshake.receive(bytes)
    write(stream)
    switch event {
    case nil: return .pending
    case .failed(let failure): return .failed(failure)
    case .ready:
      if let keys = handshake.keys { self.keys.store(keys, for: target) }
      return .ready(handshake.takeReady())
    case .startTLS:
      do {
        try startTLS(stream)
        return .pending
      } catch {
        return .failed(BackendHandshake.Failure(message: "could not start TLS: \(error)", passOn: nil))
      }
    }
  }

  /// Bytes behind the first ReadyForQuery.
  func takeRemainder() -> ByteBuffer { handshake.takeRemainder() }

  private func startTLS(_ stream: StreamSocket) throws {
    guard let tls = target.tls else { throw DialFailure(message: "TLS is not configured") }
    let host = target.settings.address.host
    // A number is no server name (RFC 6066 §3); it is compared with the address dialled instead.
    let isName = (try? SocketAddress(ipAddress: host, port: 0)) == nil
    try stream.startTLS(.client(tls, name: isName ? host : nil))
    handshake.startedTLS()
    write(stream)
  }

  private func write(_ stream: StreamSocket) {
    guard let output = handshake.takeOutput() else { return }
    stream.write(output)
    stream.flush()
  }
}
