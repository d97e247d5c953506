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
    // A backend that is blocked in writing to a client that has gone does not read our close_notify; it is not waited
    // for, since its session and its locks live until then.
    configuration.shutdownTimeout = .milliseconds(100)
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
