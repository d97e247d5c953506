/// Base64 with padding (RFC 4648 §4), strict: one text for one value, so that a changed character is never overlooked.
enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let padding = UInt8(ascii: "=")

  static func encode(_ bytes: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var rest = bytes[...]
    while let first = rest.popFirst() {
      let second = rest.popFirst()
      let third = rest.popFirst()
      let group = UInt32(first) << 16 | UInt32(second ?? 0) << 8 | UInt32(third ?? 0)
      text.append(alphabet[Int(group >> 18)])
      text.append(alphabet[Int(group >> 12 & 63)])
      text.append(second == nil ? padding : alphabet[Int(group >> 6 & 63)])
      text.append(third == nil ? padding : alphabet[Int(group & 63)])
    }
    return text
  }

  /// nil for anything that `encode` would not have written: stray characters, missing padding, spare bits that are set.
  static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    guard text.count.isMultiple(of: 4) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3)
    var group: UInt32 = 0
    var digits = 0
    var padded = 0
    for character in text {
      if character == padding {
        padded += 1
        group <<= 6
      } else {
        guard padded == 0, let value = value(of: character) else { return nil }
        group = group << 6 | value
      }
      digits += 1
      guard digits == 4 else { continue }
      guard padded <= 2, group & (padded == 2 ? 0xFFFF : padded == 1 ? 0xFF : 0) == 0 else { return nil }
      bytes.append(UInt8(truncatingIfNeeded: group >> 16))
      if padded < 2 { bytes.append(UInt8(truncatingIfNeeded: group >> 8)) }
      if padded < 1 { bytes.append(UInt8(truncatingIfNeeded: group)) }
      group = 0
      digits = 0
      if padded > 0 { padded = 3 }
    }
    return bytes
  }

  private static func value(of character: UInt8) -> UInt32? {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
    case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    case _: nil
    }
  }
}
