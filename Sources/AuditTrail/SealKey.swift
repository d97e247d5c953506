import Crypto
import Enforcement
import Foundation
import Glibc

/// The public half of the key by which a trail is sealed; whoever has it can check seals and make none.
public struct SealPublicKey: Sendable {
  let key: Curve25519.Signing.PublicKey
  /// SHA-256 of the key's 32 bytes, its first 16 hex digits: how seals name their key.
  public var fingerprint: String { String(Array(SHA256.hash(data: key.rawRepresentation)).hex.prefix(16)) }

  /// What stands before the key's bytes in a SubjectPublicKeyInfo (RFC 8410).
  private static let prefix: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]

  /// In PEM, as OpenSSL reads it.
  var pem: String { PEM.text("PUBLIC KEY", SealPublicKey.prefix + key.rawRepresentation) }

  init(_ key: Curve25519.Signing.PublicKey) { self.key = key }

  /// Reads a PEM file of one public key. Throws when there is none in it; nil when there is no such file.
  public init?(file: String) throws(AuditFailure) {
    guard let text = try PEM.read(file) else { return nil }
    guard let bytes = PEM.bytes("PUBLIC KEY", text), bytes.starts(with: SealPublicKey.prefix),
      let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes.dropFirst(SealPublicKey.prefix.count))
    else { throw AuditFailure("\"\(file)\" holds no Ed25519 public key in PEM") }
    self.key = key
  }

  /// Where the public key of a data folder is.
  public static func path(data: String) -> String { "\(data)/audit-seal.pub" }
}

/// The Ed25519 key that seals a gateway's trail (RFC 8032); made when the gateway first starts.
public struct SealKey: Sendable {
  private let key: Curve25519.Signing.PrivateKey
  public var publicKey: SealPublicKey { SealPublicKey(key.publicKey) }

  /// What stands before the key's 32 bytes in a PrivateKeyInfo (RFC 8410).
  private static let prefix: [UInt8] = [
    0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
  ]

  /// A new key, kept nowhere yet.
  init() { key = Curve25519.Signing.PrivateKey() }

  static func path(data: String) -> String { "\(data)/audit-seal.key" }

  /// Reads the key of a data folder, or makes it (mode 0600) when neither it nor its public half is there.
  ///
  /// Throws when the private key is gone and the public one is not: a new one would make all seals so far worthless.
  public init(data: String) throws(AuditFailure) {
    let path = SealKey.path(data: data)
    if let text = try PEM.read(path) {
      guard let bytes = PEM.bytes("PRIVATE KEY", text), bytes.starts(with: SealKey.prefix),
        let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: bytes.dropFirst(SealKey.prefix.count))
      else { throw AuditFailure("\"\(path)\" holds no Ed25519 private key in PEM; restore it from a backup") }
      self.key = key
      return
    }
    guard access(SealPublicKey.path(data: data), F_OK) != 0 else {
      throw AuditFailure(
        "the key that seals the audit trail, \"\(path)\", is missing; restore it from a backup, or move the folder "
          + "\"audit\" and the file \"audit-seal.pub\" away to start a new trail")
    }
    key = Curve25519.Signing.PrivateKey()
    try PEM.write(PEM.text("PRIVATE KEY", SealKey.prefix + key.rawRepresentation), to: path, mode: 0o600)
  }

  /// Puts the public key beside the private one. Done last, so that where it is there are seals.
  public func publish(data: String) throws(AuditFailure) {
    let path = SealPublicKey.path(data: data)
    if let known = try SealPublicKey(file: path) {
      guard known.fingerprint == publicKey.fingerprint else {
        throw AuditFailure("\"\(path)\" is not the public half of the key that seals the audit trail")
      }
      return
    }
    try PEM.write(publicKey.pem, to: path, mode: 0o644)
  }

  /// 64 bytes; empty when the library fails, which no check takes for a signature.
  func signature(of bytes: [UInt8]) -> [UInt8] { (try? key.signature(for: bytes)).map(Array.init) ?? [] }
}

extension SealPublicKey {
  func hasSigned(_ bytes: some DataProtocol, _ signature: [UInt8]) -> Bool {
    key.isValidSignature(signature, for: bytes)
  }
}

/// The textual form of keys (RFC 7468), and their files.
private enum PEM {
  private static let limit = 16_384

  static func text(_ label: String, _ bytes: [UInt8]) -> String {
    "-----BEGIN \(label)-----\n\(Data(bytes).base64EncodedString())\n-----END \(label)-----\n"
  }

  static func bytes(_ label: String, _ text: String) -> [UInt8]? {
    guard let start = text.range(of: "-----BEGIN \(label)-----"),
      let end = text.range(of: "-----END \(label)-----", range: start.upperBound..<text.endIndex),
      let data = Data(base64Encoded: text[start.upperBound..<end.lowerBound].filter { !$0.isWhitespace })
    else { return nil }
    return Array(data)
  }

  /// nil when there is no such file.
  static func read(_ path: String) throws(AuditFailure) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return nil }
      throw Files.failure("open", path)
    }
    defer { close(descriptor) }
    return String(decoding: try Files.read(descriptor, at: 0, count: limit), as: UTF8.self)
  }

  /// Makes the file whole or not at all, and on the disk.
  static func write(_ text: String, to path: String, mode: mode_t) throws(AuditFailure) {
    let new = "\(path).new"
    unlink(new)
    let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
    guard descriptor >= 0 else { throw Files.failure("create", new) }
    defer { close(descriptor) }
    guard Files.append(Array(text.utf8), to: descriptor), fsync(descriptor) == 0,
      rename(new, path) == 0
    else { throw Files.failure("write", path) }
  }
}
