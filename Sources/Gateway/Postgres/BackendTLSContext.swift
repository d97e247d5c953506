import NIOSSL
import Postgres
import SallyportConfiguration

/// TLS towards backends, by libpq's sslmode words.
enum BackendTLSContext {
  /// The certificate by which the gateway proves to a backend who it is, both as PEM.
  struct Identity {
    var chain: [UInt8]
    var key: [UInt8]
  }

  /// nil for `disable`. `authority` is a PEM file that the backend's certificate is checked against; nil: the system's.
  ///
  /// Reads files: off the event loop.
  static func make(
    _ mode: SallyportConfiguration.BackendTLS, authority: String?, identity: Identity? = nil
  ) throws -> NIOSSLContext? {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = [ClientHandshake.applicationProtocol]
    switch mode {
    case .disable: return nil
    case .prefer, .require: configuration.certificateVerification = .none
    case .verifyCA: configuration.certificateVerification = .noHostnameVerification
    case .verifyFull: configuration.certificateVerification = .fullVerification
    }
    if let authority { configuration.trustRoots = .file(authority) }
    if let identity {
      configuration.certificateChain = try NIOSSLCertificate.fromPEMBytes(identity.chain).map { .certificate($0) }
      configuration.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: identity.key, format: .pem))
    }
    return try NIOSSLContext(configuration: configuration)
  }
}
