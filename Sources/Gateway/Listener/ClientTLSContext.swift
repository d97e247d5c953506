import Foundation
import NIOSSL
import Postgres
import Residency
import SallyportConfiguration

/// TLS towards clients: from the files of the configuration, or from the gateway's own authority.
struct ClientTLSContext: Sendable {
  var context: NIOSSLContext
  /// The same certificate towards those who ask for health or control, in HTTP.
  var console: NIOSSLContext
  /// What clients bind SCRAM-SHA-256-PLUS to; nil when the certificate's signature names no hash.
  var endPoint: [UInt8]?

  static func make(_ configuration: GatewayConfiguration, data: String) throws -> ClientTLSContext {
    let chain: [NIOSSLCertificate]
    let key: NIOSSLPrivateKey
    if let tls = configuration.gateway.tls {
      chain = try NIOSSLCertificate.fromPEMFile(configuration.path(of: tls.certificate))
      let pem = try tls.key.resolve(relativeTo: configuration.directory)
      key = try NIOSSLPrivateKey(bytes: Array(pem.utf8), format: .pem)
    } else {
      let (names, addresses) = identities(of: configuration)
      let issued = try CertificateAuthority(data: data).issue(names: names, addresses: addresses)
      chain = try NIOSSLCertificate.fromPEMBytes(Array(issued.chain.utf8))
      key = try NIOSSLPrivateKey(bytes: Array(issued.key.utf8), format: .pem)
    }
    var tls = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
    tls.minimumTLSVersion = .tlsv12
    tls.applicationProtocols = [ClientHandshake.applicationProtocol]
    var console = tls
    console.applicationProtocols = ["http/1.1"]
    return ClientTLSContext(
      context: try NIOSSLContext(configuration: tls), console: try NIOSSLContext(configuration: console),
      endPoint: chain.first.flatMap(ServerEndPoint.hash))
  }

  /// What a certificate of our own is for: this host under its usual names.
  private static func identities(of configuration: GatewayConfiguration) -> ([String], [[UInt8]]) {
    var names = [configuration.gateway.name, "localhost", ProcessInfo.processInfo.hostName]
    var addresses: [[UInt8]] = [[127, 0, 0, 1], [UInt8](repeating: 0, count: 15) + [1]]
    for host in [configuration.gateway.listenPostgres.host, configuration.gateway.listenConsole?.host ?? ""] {
      if let address = NetworkAddress(host) {
        if !address.isUnspecified, !addresses.contains(address.bytes) { addresses.append(address.bytes) }
      } else {
        names.append(host)
      }
    }
    var seen: Set<String> = []
    return (names.filter { !$0.isEmpty && seen.insert($0).inserted }, addresses)
  }
}

/// Why the gateway could not start or go on. Lower case, without a full stop.
public struct GatewayFailure: Error, Hashable, Sendable, CustomStringConvertible {
  public var message: String
  /// What to do, as a sentence.
  public var hint: String?
  public init(_ message: String, hint: String? = nil) {
    self.message = message
    self.hint = hint
  }
  public var description: String { hint.map { "\(message)\n  \($0)" } ?? message }
}
