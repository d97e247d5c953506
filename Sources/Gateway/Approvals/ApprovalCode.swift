import Crypto
import Foundation
import Store

/// A code by which an approver names one request, once: what a message about the request carries. It says which request,
/// until when and for whom, and is signed. One for a person is that person's proof on the page that its link leads to; it
/// signs nobody in elsewhere.
struct ApprovalCode: Sendable {
  /// What every code begins with.
  static let prefix = "spa_"
  private static let signatureLength = 16
  /// Request, end and nonce.
  private static let numbersLength = 24
  /// A name has at most 63 bytes.
  private static let textLimit = 200

  let request: Int64
  /// Seconds since 1970.
  let expiresAt: Int64
  /// Whom it was made for; empty for whoever may decide.
  let person: String
  let text: String

  /// A new code.
  init(request: Int64, person: String = "", expiresAt: Int64, key: SymmetricKey) {
    var source = SystemRandomNumberGenerator()
    let nonce = (0..<8).map { _ in UInt8.random(in: .min ... .max, using: &source) }
    let body = ApprovalCode.bytes(request) + ApprovalCode.bytes(expiresAt) + nonce + Array(person.utf8)
    self.request = request
    self.person = person
    self.expiresAt = expiresAt
    text = ApprovalCode.prefix + ApprovalCode.encode(body + ApprovalCode.signature(body, key))
  }

  /// nil for anything that was not made with this key.
  init?(text: String, key: SymmetricKey) {
    guard text.hasPrefix(ApprovalCode.prefix), text.utf8.count < ApprovalCode.textLimit,
      let bytes = ApprovalCode.decode(String(text.dropFirst(ApprovalCode.prefix.count))),
      bytes.count >= ApprovalCode.numbersLength + ApprovalCode.signatureLength
    else { return nil }
    let body = Array(bytes.dropLast(ApprovalCode.signatureLength))
    let isGenuine = HMAC<SHA256>.isValidAuthenticationCode(
      Array(bytes.suffix(ApprovalCode.signatureLength)), prefixOf: body, key)
    guard isGenuine, let person = String(validating: body[ApprovalCode.numbersLength...], as: UTF8.self) else {
      return nil
    }
    self.person = person
    request = ApprovalCode.number(body[0..<8])
    expiresAt = ApprovalCode.number(body[8..<16])
    self.text = text
  }

  /// What is stored of it.
  var digest: [UInt8] { Array(SHA256.hash(data: Array(text.utf8))) }

  private static func signature(_ body: [UInt8], _ key: SymmetricKey) -> [UInt8] {
    Array(HMAC<SHA256>.authenticationCode(for: body, using: key).prefix(signatureLength))
  }

  private static func bytes(_ number: Int64) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
  private static func number(_ bytes: ArraySlice<UInt8>) -> Int64 {
    Int64(bitPattern: bytes.reduce(0) { $0 << 8 | UInt64($1) })
  }

  private static func encode(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }

  private static func decode(_ text: String) -> [UInt8]? {
    let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
    return Data(base64Encoded: text.replacing("-", with: "+").replacing("_", with: "/") + padding).map(Array.init)
  }
}

extension HMAC<SHA256> {
  /// Compares in the same time for all codes of one length.
  fileprivate static func isValidAuthenticationCode(
    _ presented: [UInt8], prefixOf body: [UInt8], _ key: SymmetricKey
  ) -> Bool {
    let code = Array(authenticationCode(for: body, using: key).prefix(presented.count))
    return code.count == presented.count && zip(code, presented).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }
}
