import Crypto
import Foundation
import NIOSSL
import SwiftASN1
import X509

/// The gateway's own certificate authority: made on first start, it signs the certificate that clients see.
public struct CertificateAuthority: Sendable {
  private static let caLifetime: TimeInterval = 3650 * 86_400
  private static let leafLifetime: TimeInterval = 397 * 86_400
  /// A certificate is made anew when less than this is left of it.
  private static let renewal: TimeInterval = 30 * 86_400

  public let certificate: Certificate
  private let key: P256.Signing.PrivateKey

  /// Loads the authority of a data folder, or makes it. The key's file is readable by its owner alone.
  public init(data: String) throws {
    let folder = data + "/ca"
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    let keyPath = folder + "/ca.key"
    let certificatePath = folder + "/ca.pem"
    if FileManager.default.fileExists(atPath: keyPath) {
      key = try P256.Signing.PrivateKey(pemRepresentation: try String(contentsOfFile: keyPath, encoding: .utf8))
      certificate = try Certificate(pemEncoded: try String(contentsOfFile: certificatePath, encoding: .utf8))
    } else {
      key = P256.Signing.PrivateKey()
      certificate = try CertificateAuthority.makeAuthority(key)
      try PrivateFile.write(certificate.serializeAsPEM().pemString, to: certificatePath, mode: 0o644)
      try PrivateFile.write(key.pemRepresentation, to: keyPath, mode: 0o600)
    }
  }

  /// The authority's certificate as PEM, for clients to trust.
  public static func export(data: String) throws -> String {
    try String(contentsOfFile: data + "/ca/ca.pem", encoding: .utf8)
  }

  /// A certificate for these names, good for 397 days, with its key, both as PEM.
  public func issue(names: [String], addresses: [[UInt8]]) throws -> (chain: String, key: String) {
    let leafKey = P256.Signing.PrivateKey()
    let now = Date()
    let subject = try DistinguishedName { CommonName(names.first ?? "sallyport") }
    let alternatives =
      names.map { GeneralName.dnsName($0) }
      + addresses.map { GeneralName.ipAddress(ASN1OctetString(contentBytes: $0[...])) }
    let leaf = try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: .init(leafKey.publicKey),
      notValidBefore: now - 300, notValidAfter: now + CertificateAuthority.leafLifetime,
      issuer: certificate.subject, subject: subject, signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.notCertificateAuthority)
        Critical(KeyUsage(digitalSignature: true))
        try ExtendedKeyUsage([.serverAuth])
        SubjectAlternativeNames(alternatives)
      }, issuerPrivateKey: .init(key))
    let chain = try leaf.serializeAsPEM().pemString + "\n" + certificate.serializeAsPEM().pemString
    return (chain, leafKey.pemRepresentation)
  }

  private static func makeAuthority(_ key: P256.Signing.PrivateKey) throws -> Certificate {
    let now = Date()
    let name = try DistinguishedName {
      OrganizationName("Sallyport")
      CommonName("Sallyport gateway authority")
    }
    return try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: .init(key.publicKey),
      notValidBefore: now - 300, notValidAfter: now + caLifetime, issuer: name, subject: name,
      signatureAlgorithm: .ecdsaWithSHA256,
      extensions: try Certificate.Extensions {
        Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
        Critical(KeyUsage(keyCertSign: true, cRLSign: true))
      }, issuerPrivateKey: .init(key))
  }
}

/// Files that hold secrets: written beside, then moved, so that a half-written one is never read.
enum PrivateFile {
  static func write(_ text: String, to path: String, mode: Int) throws {
    let temporary = path + ".new"
    try? FileManager.default.removeItem(atPath: temporary)
    let isMade = FileManager.default.createFile(
      atPath: temporary, contents: Data(text.utf8), attributes: [.posixPermissions: mode])
    guard isMade, rename(temporary, path) == 0 else {
      throw GatewayFailure("could not write \"\(path)\"", hint: "Check the data folder's permissions and free space.")
    }
  }
}
