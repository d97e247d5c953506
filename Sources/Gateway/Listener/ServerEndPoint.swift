import Crypto
import NIOSSL
import SwiftASN1

/// The channel binding `tls-server-end-point`: a hash of the server's certificate, which both ends of one TLS channel
/// know, and somebody between two channels cannot have the same (RFC 5929 §4.1).
enum ServerEndPoint {
  enum Digest: Hashable, Sendable { case sha256, sha384, sha512 }

  /// nil where the RFC does not say which hash to take, as for Ed25519.
  static func hash(of certificate: NIOSSLCertificate) -> [UInt8]? {
    guard let der = try? certificate.toDERBytes(), let digest = digest(ofDER: der) else { return nil }
    return switch digest {
    case .sha256: Array(SHA256.hash(data: der))
    case .sha384: Array(SHA384.hash(data: der))
    case .sha512: Array(SHA512.hash(data: der))
    }
  }

  /// The hash of the signature on the certificate; SHA-256 in place of MD5 and SHA-1.
  static func digest(ofDER der: [UInt8]) -> Digest? {
    guard let root = try? DER.parse(der), case .constructed(let parts) = root.content else { return nil }
    // Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }
    var fields = parts.makeIterator()
    guard fields.next() != nil, let algorithm = fields.next() else { return nil }
    return digest(ofAlgorithm: algorithm)
  }

  private static func digest(ofAlgorithm node: ASN1Node) -> Digest? {
    guard let (name, parameters) = identifier(node) else { return nil }
    if name == probabilistic { return digest(ofProbabilistic: parameters) }
    return signatures[name]
  }

  /// AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }
  private static func identifier(_ node: ASN1Node) -> (name: String, parameters: ASN1Node?)? {
    guard case .constructed(let parts) = node.content else { return nil }
    var fields = parts.makeIterator()
    guard let first = fields.next(), let name = try? ASN1ObjectIdentifier(derEncoded: first) else { return nil }
    return ("\(name)", fields.next())
  }

  /// RSASSA-PSS says its hash in its parameters: [0] AlgorithmIdentifier, SHA-1 where it is left out (RFC 4055 §3.1).
  private static func digest(ofProbabilistic parameters: ASN1Node?) -> Digest? {
    guard let parameters, case .constructed(let fields) = parameters.content else { return nil }
    for field in fields where field.identifier == ASN1Identifier(tagWithNumber: 0, tagClass: .contextSpecific) {
      guard case .constructed(let inner) = field.content, let node = Array(inner).first,
        let (name, _) = identifier(node)
      else { return nil }
      return hashes[name]
    }
    return .sha256
  }

  private static let probabilistic = "1.2.840.113549.1.1.10"
  private static let hashes: [String: Digest] = [
    "1.3.14.3.2.26": .sha256, "2.16.840.1.101.3.4.2.1": .sha256, "2.16.840.1.101.3.4.2.2": .sha384,
    "2.16.840.1.101.3.4.2.3": .sha512,
  ]
  private static let signatures: [String: Digest] = [
    // RSA with MD5, SHA-1, SHA-256, SHA-384, SHA-512.
    "1.2.840.113549.1.1.4": .sha256, "1.2.840.113549.1.1.5": .sha256, "1.2.840.113549.1.1.11": .sha256,
    "1.2.840.113549.1.1.12": .sha384, "1.2.840.113549.1.1.13": .sha512,
    // ECDSA with SHA-1, SHA-256, SHA-384, SHA-512.
    "1.2.840.10045.4.1": .sha256, "1.2.840.10045.4.3.2": .sha256, "1.2.840.10045.4.3.3": .sha384,
    "1.2.840.10045.4.3.4": .sha512,
  ]
}
