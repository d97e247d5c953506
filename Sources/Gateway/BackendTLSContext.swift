import Configuration
import NIOSSL

/// TLS towards backends, by libpq's sslmode words.
enum BackendTLSContext {
  /// nil for `disable`. `authority` is a PEM file that the backend's certificate is checked against; nil: the system's.
  ///
  /// Reads files: off the event loop.
  static func make(_ mode: Configuration.BackendTLS, authority: String?) throws -> NIOSSLContext? {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.minimumTLSVersion = .tlsv12
    switch mode {
    case .disable: return nil
    case .prefer, .require: configuration.certificateVerification = .none
    case .verifyCA: configuration.certificateVerification = .noHostnameVerification
    case .verifyFull: configuration.certificateVerification = .fullVerification
    }
    if let authority { configuration.trustRoots = .file(authority) }
    return try NIOSSLContext(configuration: configuration)
  }
}
