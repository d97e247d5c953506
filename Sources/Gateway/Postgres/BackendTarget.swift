import NIOSSL
import Postgres
import SallyportConfiguration

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

  /// Reads the secrets and certificates that the target needs. Blocks on files: off the event loop.
  static func resolve(
    _ settings: ConnectionSettings, _ credential: BackendCredential, database: String,
    in configuration: GatewayConfiguration
  ) throws -> BackendTarget {
    let identity = try credential.certificate?.resolve(relativeTo: configuration.directory)
    return BackendTarget(
      settings: settings, database: database,
      account: BackendAccount(
        user: credential.user, password: try credential.password?.resolve(relativeTo: configuration.directory)),
      tls: try BackendTLSContext.make(
        settings.tls, authority: settings.tlsAuthority.map(configuration.path),
        identity: identity.map { BackendTLSContext.Identity(chain: Array($0.chain.utf8), key: Array($0.key.utf8)) }))
  }
}
