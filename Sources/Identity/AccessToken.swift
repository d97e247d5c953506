import Crypto

/// The secret by which a person or a service signs in to the gateway: 256 random bits with a text that scanners know.
///
/// `spt_`, 43 characters of base62 and a checksum of 6 characters. The checksum tells a typo or a cut-off copy from a
/// revoked token, and lets secret scanners recognise a token without asking; it adds no strength.
public struct AccessToken: Hashable, Sendable {
  /// What every token's text starts with.
  public static let prefix = "spt_"
  private static let bodyLength = 43
  private static let checksumLength = 6

  /// The token as its owner keeps it: 53 ASCII characters. Shown once, never stored.
  public let text: String

  /// Why a text is no token.
  public enum Malformed: Error, Hashable, Sendable {
    /// It does not start with `spt_`.
    case prefix
    /// It is not 53 characters long, or holds others than letters and digits.
    case form
    /// The checksum does not fit: a typo.
    case checksum

    /// Lower case, without a full stop, without the text itself.
    public var message: String {
      switch self {
      case .prefix: "not an access token: it does not start with \"\(AccessToken.prefix)\""
      case .form: "not an access token: it is cut off or holds other characters than letters and digits"
      case .checksum: "mistyped access token: its checksum does not fit"
      }
    }
  }

  /// Makes a token from the system's cryptographic source of randomness.
  public static func generate() -> AccessToken { AccessToken(secret: randomBytes(32)) }

  init(secret: [UInt8]) {
    let body = AccessToken.prefix.utf8 + Base62.encode(secret, length: AccessToken.bodyLength)
    text = String(decoding: body + AccessToken.checksum(body), as: UTF8.self)
  }

  /// Reads a token as its owner typed it; says what is wrong with it without a look-up.
  public init(text: String) throws(Malformed) {
    let bytes = Array(text.utf8)
    guard bytes.starts(with: AccessToken.prefix.utf8) else { throw .prefix }
    let length = AccessToken.prefix.utf8.count + AccessToken.bodyLength + AccessToken.checksumLength
    guard bytes.count == length, bytes.dropFirst(AccessToken.prefix.utf8.count).allSatisfy(Base62.isDigit)
    else { throw .form }
    let body = Array(bytes.dropLast(AccessToken.checksumLength))
    guard AccessToken.checksum(body).elementsEqual(bytes.suffix(AccessToken.checksumLength)) else { throw .checksum }
    self.text = text
  }

  /// SHA-256 of the text: what is stored of a token. No slow hash is needed for 256 random bits.
  public var digest: [UInt8] { AccessToken.digest(of: Array(text.utf8)) }

  /// SHA-256 of a text that may or may not be a token.
  public static func digest(of presented: [UInt8]) -> [UInt8] { sha256(presented) }

  private static func checksum(_ body: [UInt8]) -> [UInt8] {
    let crc = crc32(body)
    let bytes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: crc >> UInt32($0)) }
    return Base62.encode(bytes, length: checksumLength)
  }

  /// CRC-32 as in IEEE 802.3: finds every single typo and every two swapped neighbours.
  private static func crc32(_ bytes: [UInt8]) -> UInt32 {
    var crc = UInt32.max
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    return ~crc
  }
}

extension AccessToken: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Never the secret: what ends in a log by mistake is harmless.
  public var description: String { "\(AccessToken.prefix)…" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Numbers in the digits 0-9, A-Z, a-z, of a fixed length.
enum Base62 {
  private static let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

  static func isDigit(_ byte: UInt8) -> Bool { digits.contains(byte) }

  /// The big-endian number in `bytes`, filled up with zeros from the left; longer numbers lose their leading digits.
  static func encode(_ bytes: [UInt8], length: Int) -> [UInt8] {
    var number = bytes
    var text: [UInt8] = []
    for _ in 0..<length {
      var remainder = 0
      for index in number.indices {
        let value = remainder << 8 | Int(number[index])
        number[index] = UInt8(truncatingIfNeeded: value / 62)
        remainder = value % 62
      }
      text.append(digits[remainder])
    }
    return text.reversed()
  }
}
