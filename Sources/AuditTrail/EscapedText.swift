/// Text with its escapes put in plain letters, as far as looking for ASCII words in it needs that.
enum EscapedText {
  enum Style {
    /// `E'…'`: `\x70`, `\160`, `\u0070`, `\U00000070`; a backslash before another letter means that letter (PostgreSQL
    /// 4.1.2.2).
    case escapeString
    /// `U&'…'`: `\0070` and `\+000070` (PostgreSQL 4.1.2.3).
    case unicode
  }

  /// Also with `%70` as URLs have it. What is no ASCII becomes a question mark; what is no escape stays.
  static func decoded(_ text: [UInt8], as style: Style) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      let rest = text[(index + 1)...]
      switch text[index] {
      case UInt8(ascii: "%"):
        if let (code, length) = number(rest, base: 16, digits: 2...2) {
          output.append(ascii(code))
          index += 1 + length
          continue
        }
      case UInt8(ascii: "\\"):
        if let (code, length) = style == .unicode ? unicode(rest) : escape(rest) {
          output.append(ascii(code))
          index += 1 + length
          continue
        }
      case _: break
      }
      output.append(text[index])
      index += 1
    }
    return output
  }

  private static func ascii(_ code: Int) -> UInt8 { (1..<0x80).contains(code) ? UInt8(code) : UInt8(ascii: "?") }

  private static func unicode(_ rest: ArraySlice<UInt8>) -> (code: Int, length: Int)? {
    if rest.first == UInt8(ascii: "+") {
      return number(rest.dropFirst(), base: 16, digits: 6...6).map { ($0.code, $0.length + 1) }
    }
    return number(rest, base: 16, digits: 4...4)
  }

  private static func escape(_ rest: ArraySlice<UInt8>) -> (code: Int, length: Int)? {
    guard let letter = rest.first else { return nil }
    let behind = rest.dropFirst()
    switch letter {
    case UInt8(ascii: "x"):
      return number(behind, base: 16, digits: 1...2).map { ($0.code, $0.length + 1) } ?? (Int(letter), 1)
    case UInt8(ascii: "u"): return number(behind, base: 16, digits: 4...4).map { ($0.code, $0.length + 1) }
    case UInt8(ascii: "U"): return number(behind, base: 16, digits: 8...8).map { ($0.code, $0.length + 1) }
    case UInt8(ascii: "0")...UInt8(ascii: "7"): return number(rest, base: 8, digits: 1...3)
    case UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"): return (0x20, 1)
    case _: return (Int(letter), 1)
    }
  }

  /// A number of so many digits; as many as there are.
  private static func number(
    _ text: ArraySlice<UInt8>, base: Int, digits: ClosedRange<Int>
  ) -> (code: Int, length: Int)? {
    var code = 0
    var length = 0
    for byte in text.prefix(digits.upperBound) {
      guard let value = Character(Unicode.Scalar(byte)).hexDigitValue, value < base else { break }
      code = code * base + value
      length += 1
    }
    return digits.contains(length) ? (code, length) : nil
  }
}
