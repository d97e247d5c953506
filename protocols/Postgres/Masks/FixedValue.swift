/// A value that a rule writes out, in a column's type.
extension ValueType {
  /// The bytes of `text` as a value of this type, at most `maxCharacters` long where it is text; nil when it is none.
  func spelled(_ text: String, isBinary: Bool, maxCharacters: Int?) -> [UInt8]? {
    switch self {
    case .text:
      return Array(String(String.UnicodeScalarView(text.unicodeScalars.prefix(maxCharacters ?? .max))).utf8)
    case .json: return Array(ValueType.jsonString(text).utf8)
    case .jsonb: return (isBinary ? [1] : []) + Array(ValueType.jsonString(text).utf8)
    case .xml: return Array(ValueType.xmlText(text).utf8)
    case .integer, .numeric, .float4, .float8: return number(text, isBinary: isBinary)
    case .bool:
      guard let value = ["true": true, "t": true, "false": false, "f": false][text.lowercased()] else { return nil }
      return isBinary ? [value ? 1 : 0] : [UInt8(ascii: value ? "t" : "f")]
    case .date, .timestamp, .timestampWithZone:
      let bytes = Array(text.utf8)
      guard bytes.count == 10, let day = CalendarDay(isoPrefix: bytes[...]) else { return nil }
      return spelled(day, isBinary: isBinary)
    case .uuid:
      guard let bytes = ValueType.uuidBytes(Array(text.utf8)[...]) else { return nil }
      return isBinary ? bytes : Array(text.lowercased().utf8)
    case .bytea: return isBinary ? Array(text.utf8) : ValueType.hexText(Array(text.utf8))
    case .byte, .time, .timeWithZone, .interval, .inet, .cidr, .hardwareAddress, .array, .range, .multirange, .other:
      return nil
    }
  }

  /// A number of this type; nil when the text is none or does not fit.
  private func number(_ text: String, isBinary: Bool) -> [UInt8]? {
    guard let value = NumericValue(text: Array(text.utf8)[...]) else { return nil }
    switch self {
    case .integer(let bytes, let isSigned):
      guard value.fraction.isEmpty, let number = value.wholeNumber else { return nil }
      return integer(number, bytes: bytes, isSigned: isSigned, isBinary: isBinary)
    case .numeric: return isBinary ? value.binary : value.text
    case .float4: return Float(text).map { isBinary ? bigEndian($0.bitPattern) : value.text }
    case .float8: return Double(text).map { isBinary ? bigEndian($0.bitPattern) : value.text }
    default: return nil
    }
  }

  func integer(_ number: Int64, bytes: Int, isSigned: Bool, isBinary: Bool) -> [UInt8]? {
    let bits = bytes * 8
    let fits =
      isSigned
      ? bits == 64 || (-(Int64(1) << (bits - 1))..<(Int64(1) << (bits - 1))).contains(number)
      : number >= 0 && (bits == 64 || number < Int64(1) << bits)
    guard fits else { return nil }
    return isBinary ? Array(bigEndian(number).suffix(bytes)) : Array(String(number).utf8)
  }

  /// A day as a date, or its midnight as a timestamp. In text with a time zone it is UTC's.
  func spelled(_ day: CalendarDay, isBinary: Bool) -> [UInt8]? {
    let days = day.daysSince1970 - CalendarDay.postgresEpoch
    switch self {
    case .date: return isBinary ? bigEndian(Int32(days)) : Array(day.iso.utf8)
    case .timestamp, .timestampWithZone:
      if isBinary { return bigEndian(Int64(days) * CalendarDay.microseconds) }
      return Array((day.iso + " 00:00:00" + (self == .timestamp ? "" : "+00")).utf8)
    default: return nil
    }
  }

  // MARK: Spellings

  /// RFC 8259 §7.
  static func jsonString(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }

  /// XML 1.0 §2.4.
  private static func xmlText(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { out, scalar in
      switch scalar {
      case "<": out += "&lt;"
      case "&": out += "&amp;"
      case ">": out += "&gt;"
      case _ where scalar.value < 0x20 && scalar != "\n" && scalar != "\t": out += " "
      default: out.unicodeScalars.append(scalar)
      }
    }
  }

  /// 16 bytes from 32 digits, with or without dashes.
  static func uuidBytes(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    let digits = text.filter { $0 != UInt8(ascii: "-") }.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
    guard digits.count == 32, text.count <= 36 else { return nil }
    return stride(from: 0, to: 32, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }

  static func uuidText(_ bytes: [UInt8]) -> [UInt8] {
    let hex = ValueType.hexDigits(bytes)
    var text: [UInt8] = []
    for (index, digit) in hex.enumerated() {
      if [8, 12, 16, 20].contains(index) { text.append(UInt8(ascii: "-")) }
      text.append(digit)
    }
    return text
  }

  static func hexDigits(_ bytes: [UInt8]) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    return bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
  }

  /// bytea's hex form (PostgreSQL 8.4.1).
  static func hexText(_ bytes: [UInt8]) -> [UInt8] { Array("\\x".utf8) + hexDigits(bytes) }
}
