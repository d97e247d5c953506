import AccessModel
import Identity
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Postgres
import SallyportConfiguration

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

/// Drives a `BackendHandshake` over a stream: bytes, TLS when the backend agrees, and the costly derivation elsewhere.
final class BackendOpening {
  enum Step {
    case ready(BackendHandshake.Ready)
    case failed(BackendHandshake.Failure)
  }
  private var handshake: BackendHandshake
  private let target: BackendTarget
  private let keys: BackendKeys
  private let pool: NIOThreadPool
  /// Whose bytes these are, for the right to write them.
  private let purpose: ControlPermit.Purpose
  private var isEstablished = false

  /// A session, or a look-up of the gateway's own.
  init(target: BackendTarget, parameters: [StartupMessage.Parameter], keys: BackendKeys, pool: NIOThreadPool) {
    self.target = target
    self.keys = keys
    self.pool = pool
    purpose = .handshake
    var account = target.account
    account.keys = keys.find(target)
    handshake = BackendHandshake(
      account: account, parameters: parameters,
      tls: Postgres.BackendTLS(rawValue: target.settings.tls.rawValue) ?? .verifyFull,
      channelBinding: ChannelBinding(rawValue: target.settings.channelBinding.rawValue) ?? .require)
  }

  /// A cancel request for a session that is encrypted, or is not.
  init(cancelling key: BackendKeyData, isEncrypted: Bool, target: BackendTarget, context: GatewayContext) {
    self.target = target
    keys = context.backendKeys
    pool = context.pool
    purpose = .cancel
    handshake = BackendHandshake(cancelling: key, tls: isEncrypted ? .require : .disable)
  }

  func start(_ stream: StreamSocket) {
    handshake.start()
    write(stream, under: ControlPermit(purpose))
  }

  /// Takes bytes from the backend; `then` hears, now or later, how it ended.
  func receive(_ bytes: ByteBuffer, _ stream: StreamSocket, then: @escaping (Step) -> Void) {
    if let tls = stream.tls, !isEstablished {
      // The first bytes that TLS lets through: its handshake is over.
      isEstablished = true
      handshake.established(endPoint: tls.peerCertificate.flatMap(ServerEndPoint.hash))
    }
    follow(handshake.receive(bytes), stream, then: then)
  }

  private func follow(_ event: BackendHandshake.Event?, _ stream: StreamSocket, then: @escaping (Step) -> Void) {
    write(stream, under: ControlPermit(purpose))
    switch event {
    case nil: break
    case .failed(let failure): then(.failed(failure))
    case .ready:
      if let keys = handshake.keys { self.keys.store(keys, for: target) }
      then(.ready(handshake.takeReady()))
    case .startTLS:
      do {
        try startTLS(stream)
      } catch {
        then(.failed(BackendHandshake.Failure(message: "could not start TLS: \(error)")))
      }
    case .needsKeys(let derivation):
      pool.runIfActive(eventLoop: stream.reactor) { derivation.derive() }.assumeIsolated().whenComplete { result in
        guard stream.isOpen else { return }
        switch result {
        case .success(let keys): self.follow(self.handshake.supply(keys), stream, then: then)
        case .failure(let error): then(.failed(BackendHandshake.Failure(message: "\(error)")))
        }
      }
    }
  }

  /// Bytes behind the first ReadyForQuery.
  func takeRemainder() -> ByteBuffer { handshake.takeRemainder() }

  private func startTLS(_ stream: StreamSocket) throws {
    guard let configuration = target.tls else { throw DialFailure(message: "TLS is not configured") }
    let host = target.settings.address.host
    // A number is no server name (RFC 6066 §3); it is compared with the address dialled instead.
    let isName = (try? SocketAddress(ipAddress: host, port: 0)) == nil
    try stream.startTLS(.client(configuration, name: isName ? host : nil))
    handshake.startedTLS()
    write(stream, under: ControlPermit(purpose))
  }

  private func write(_ stream: StreamSocket, under permit: consuming ControlPermit) {
    _ = consume permit
    guard let output = handshake.takeOutput() else { return }
    stream.write(output)
    stream.flush()
  }
}
