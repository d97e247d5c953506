/// Reads the attributes of a SCRAM message, `a=value` joined by commas, from front to back (RFC 5802 §7).
struct SCRAMAttributes {
  private(set) var rest: ArraySlice<UInt8>
  private(set) var ended = false

  /// Takes a message or the part of it that is made of attributes.
  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// The next attribute's name and value; throws when there is none or it is not `letter=value`.
  mutating func next(_ field: SCRAMError.Field) throws(SCRAMError) -> (name: UInt8, value: ArraySlice<UInt8>) {
    guard !ended else { throw .malformed(field) }
    let end = rest.firstIndex(of: UInt8(ascii: ",")) ?? rest.endIndex
    var attribute = rest[..<end]
    ended = end == rest.endIndex
    rest = ended ? rest[end...] : rest[(end + 1)...]
    guard let name = attribute.popFirst(), SCRAMSyntax.isLetter(name),
      attribute.popFirst() == UInt8(ascii: "=")
    else { throw .malformed(field) }
    return (name, attribute)
  }

  /// The value of the next attribute, which must have this name.
  mutating func value(of name: Unicode.Scalar, _ field: SCRAMError.Field) throws(SCRAMError) -> ArraySlice<UInt8> {
    let attribute = try next(field)
    if attribute.name == UInt8(ascii: "m") { throw .mandatoryExtension }
    guard attribute.name == UInt8(ascii: name) else { throw .malformed(field) }
    return attribute.value
  }
}

/// The small grammar of values in SCRAM messages.
enum SCRAMSyntax {
  static func isLetter(_ byte: UInt8) -> Bool {
    switch byte | 0x20 {
    case UInt8(ascii: "a")...UInt8(ascii: "z"): true
    case _: false
    }
  }

  /// Letters, digits, `.` and `-`: what the name of a kind of channel binding is made of.
  static func isInBindingName(_ byte: UInt8) -> Bool {
    isLetter(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: ".")
      || byte == UInt8(ascii: "-")
  }

  /// Refuses what is longer than a message may be, and zero bytes, which no SCRAM text holds.
  static func checkMessage(_ bytes: [UInt8]) throws(SCRAMError) {
    guard bytes.count <= SCRAMLimits.message else { throw .tooLong(.message) }
    guard !bytes.contains(0) else { throw .malformed(.message) }
  }

  /// A nonce is 1 to 256 printable ASCII characters other than the comma.
  static func checkNonce(_ nonce: some Collection<UInt8>) throws(SCRAMError) {
    guard nonce.count <= SCRAMLimits.nonce else { throw .tooLong(.nonce) }
    let printable = nonce.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ",") }
    guard !nonce.isEmpty, printable else { throw .malformed(.nonce) }
  }

  /// A decimal number from 1 to `SCRAMLimits.iterations` without a leading zero, or nil.
  static func iterations(_ digits: some Collection<UInt8>) -> Int? {
    guard !digits.isEmpty, digits.count <= 7, digits.first != UInt8(ascii: "0") else { return nil }
    var value = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      value = value * 10 + Int(digit - UInt8(ascii: "0"))
    }
    return value <= SCRAMLimits.iterations ? value : nil
  }

  /// `n=` of the client-first message: UTF-8 without `=` other than `=2C` and `=3D`; its worth is nothing here.
  static func checkUser(_ name: ArraySlice<UInt8>) throws(SCRAMError) {
    guard String(validating: name, as: UTF8.self) != nil else { throw .malformed(.user) }
    var rest = name
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "=") else { continue }
      let code = rest.prefix(2)
      guard code.elementsEqual("2C".utf8) || code.elementsEqual("3D".utf8) else { throw .malformed(.user) }
      rest = rest.dropFirst(2)
    }
  }
}

/// The fresh random text by which each side makes an exchange unlike any other.
public enum SCRAMNonce {
  /// 18 random bytes in base64, as PostgreSQL does: 24 characters.
  public static func generate() -> [UInt8] { Base64.encode(randomBytes(18)) }
}

/// Bytes from the system's cryptographic source.
func randomBytes(_ count: Int) -> [UInt8] {
  var source = SystemRandomNumberGenerator()
  return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &source) }
}
