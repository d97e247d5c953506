import Foundation

/// A public key by which somebody proves over SSH who they are.
public struct AuthorizedKey: Hashable, Sendable {
  /// As SSH names it: `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa`, …
  public var type: String
  /// As it stands on the wire (RFC 4253 §6.6, RFC 5656, RFC 8709).
  public var blob: [UInt8]
  /// What follows it in its line; empty without.
  public var comment: String

  /// Why a line is no key. Lower case, without a full stop.
  public struct Malformed: Error, Hashable, Sendable {
    public var reason: String
  }

  /// Bits of an RSA key.
  public static let rsaBits = 2048...8192
  /// Bytes of a key on the wire; RSA keys of 8192 bits have about 1,050.
  static let maximumBytes = 1200

  static let types = [
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
    "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
  ]

  /// Reads the line of a `.pub` file: type, base64, comment. Options in front of it, as in authorized_keys, are refused.
  public init(line: String) throws(Malformed) {
    let parts = line.split(separator: " ", maxSplits: 2)
    guard parts.count >= 2 else { throw Malformed(reason: "it is not a type and a key") }
    let type = String(parts[0])
    guard AuthorizedKey.types.contains(type) else {
      throw Malformed(reason: "its type is not one of \(AuthorizedKey.types.joined(separator: ", "))")
    }
    guard let data = Data(base64Encoded: String(parts[1])), data.count <= AuthorizedKey.maximumBytes else {
      throw Malformed(reason: "what follows the type is not base64 of a key")
    }
    self.type = type
    blob = Array(data)
    comment = parts.count > 2 ? String(parts[2]) : ""
    var fields = blob[...]
    guard AuthorizedKey.field(&fields).map({ $0.elementsEqual(type.utf8) }) ?? false else {
      throw Malformed(reason: "the key is not of the type that stands before it")
    }
    try AuthorizedKey.check(type, fields)
  }

  /// The rest of a key has the fields of its type, and no more.
  private static func check(_ type: String, _ rest: ArraySlice<UInt8>) throws(Malformed) {
    var rest = rest
    var fields: [ArraySlice<UInt8>] = []
    while !rest.isEmpty {
      guard let field = field(&rest), fields.count < 4 else { throw Malformed(reason: "it is cut off") }
      fields.append(field)
    }
    let isWhole: Bool
    switch type {
    case "ssh-ed25519": isWhole = fields.count == 1 && fields[0].count == 32
    case "ssh-rsa":
      isWhole = fields.count == 2
      let modulus = fields.last.map { $0.drop { $0 == 0 } } ?? []
      let bits = modulus.count * 8 - (modulus.first?.leadingZeroBitCount ?? 0)
      guard !isWhole || rsaBits.contains(bits) else {
        throw Malformed(reason: "RSA keys have \(rsaBits.lowerBound) to \(rsaBits.upperBound) bits, not \(bits)")
      }
    case "sk-ssh-ed25519@openssh.com": isWhole = fields.count == 2 && fields[0].count == 32
    case "sk-ecdsa-sha2-nistp256@openssh.com": isWhole = fields.count == 3
    default: isWhole = fields.count == 2
    }
    guard isWhole else { throw Malformed(reason: "it is cut off") }
  }

  /// A length of four bytes and as many bytes (RFC 4251 §5).
  private static func field(_ bytes: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard bytes.count >= 4 else { return nil }
    let length = bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    bytes = bytes.dropFirst(4)
    guard length <= bytes.count else { return nil }
    defer { bytes = bytes.dropFirst(length) }
    return bytes.prefix(length)
  }
}
