/// Values of PostgreSQL as its wire has them, for people to read: text as it is, binary of the common types as the text
/// that the backend would write (its `…send` functions), nothing where that is not certain.
public enum WireValue {
  /// nil where the bytes cannot be read with certainty.
  ///
  /// - Parameters:
  ///   - format: 0 text, 1 binary.
  ///   - type: its OID (pg_type.dat), 0 when not known.
  public static func text(_ bytes: [UInt8], format: UInt8, type: UInt32) -> String? {
    if format == 0 || isText(type) { return String(validating: bytes, as: UTF8.self) }
    guard format == 1 else { return nil }
    return bytes.withUnsafeBytes { binary($0, type) }
  }

  /// Types whose binary format is their text: "char", name, text, json, xml, unknown, bpchar, varchar.
  static func isText(_ type: UInt32) -> Bool { [18, 19, 25, 114, 142, 705, 1042, 1043].contains(type) }

  /// The characters at the front that are whole; nil when it is no text.
  static func front(of bytes: [UInt8]) -> String? {
    for dropped in 0..<4 {
      if let text = String(validating: bytes.dropLast(dropped), as: UTF8.self) { return text }
    }
    return nil
  }

  private static func binary(_ bytes: UnsafeRawBufferPointer, _ type: UInt32) -> String? {
    func number<Number: FixedWidthInteger>(_: Number.Type) -> Number? {
      bytes.count == MemoryLayout<Number>.size ? bytes.bigEndian(Number.self, at: 0) : nil
    }
    switch type {
    case 16: return number(UInt8.self).flatMap { $0 < 2 ? ($0 == 1 ? "t" : "f") : nil }
    case 17: return "\\x" + Array(bytes).hex
    case 20: return number(Int64.self).map(String.init)
    case 21: return number(Int16.self).map(String.init)
    case 23: return number(Int32.self).map(String.init)
    case 26: return number(UInt32.self).map(String.init)
    case 700: return number(UInt32.self).map { "\(Float(bitPattern: $0))" }
    case 701: return number(UInt64.self).map { "\(Double(bitPattern: $0))" }
    case 1082: return number(Int32.self).flatMap(date)
    case 1114: return number(Int64.self).flatMap { timestamp($0, suffix: "") }
    case 1184: return number(Int64.self).flatMap { timestamp($0, suffix: "+00") }
    case 1700: return numeric(bytes)
    case 2950: return uuid(Array(bytes))
    case 3802: return bytes.first == 1 ? String(validating: bytes.dropFirst(), as: UTF8.self) : nil
    case _: return nil
    }
  }

  /// Days between 1970 and PostgreSQL's epoch, 2000.
  private static let epochDays: Int64 = 10_957

  private static func date(_ days: Int32) -> String? {
    if days == .max { return "infinity" }
    if days == .min { return "-infinity" }
    return day(Int64(days)).map { String($0) }
  }

  /// The date of a day after PostgreSQL's epoch; nil outside the years 1 to 9999.
  private static func day(_ days: Int64) -> Substring? {
    let micros = (days + epochDays) * 86_400_000_000
    guard (-62_135_596_800_000_000...253_402_300_799_999_999).contains(micros) else { return nil }
    return AuditFormatter.time(micros).prefix(10)
  }

  private static func timestamp(_ micros: Int64, suffix: String) -> String? {
    if micros == .max { return "infinity" }
    if micros == .min { return "-infinity" }
    let (sum, overflow) = micros.addingReportingOverflow(epochDays * 86_400_000_000)
    guard !overflow, (-62_135_596_800_000_000...253_402_300_799_999_999).contains(sum) else { return nil }
    let text = AuditFormatter.time(sum).dropLast()
    var clock = text.dropFirst(11)
    while clock.last == "0", clock.count > 8 { clock.removeLast() }
    if clock.last == "." { clock.removeLast() }
    return "\(text.prefix(10)) \(clock)\(suffix)"
  }

  private static func uuid(_ bytes: [UInt8]) -> String? {
    guard bytes.count == 16 else { return nil }
    let digits = bytes.hex
    var parts: [Substring] = []
    var rest = digits[...]
    for length in [8, 4, 4, 4, 12] {
      parts.append(rest.prefix(length))
      rest = rest.dropFirst(length)
    }
    return parts.joined(separator: "-")
  }

  /// `numeric_send`: count of digits to the base 10,000, weight of the first, sign, digits behind the point.
  private static func numeric(_ bytes: UnsafeRawBufferPointer) -> String? {
    guard let count = bytes.bigEndian(UInt16.self, at: 0), let weight = bytes.bigEndian(Int16.self, at: 2),
      let sign = bytes.bigEndian(UInt16.self, at: 4), let scale = bytes.bigEndian(UInt16.self, at: 6),
      bytes.count == 8 + 2 * Int(count), scale <= 16_383
    else { return nil }
    switch sign {
    case 0, 0x4000: break
    case 0xC000: return "NaN"
    case 0xD000: return "Infinity"
    case 0xF000: return "-Infinity"
    case _: return nil
    }
    func group(_ place: Int) -> String? {
      let index = Int(weight) - place
      guard index >= 0, index < Int(count) else { return "0000" }
      guard let digit = bytes.bigEndian(UInt16.self, at: 8 + 2 * index), digit < 10_000 else { return nil }
      let text = String(digit)
      return String(repeating: "0", count: 4 - text.count) + text
    }
    var whole = ""
    for place in stride(from: Swift.max(0, Int(weight)), through: 0, by: -1) {
      guard let text = group(place) else { return nil }
      whole += text
    }
    var fraction = ""
    var place = -1
    while fraction.count < Int(scale) {
      guard let text = group(place) else { return nil }
      fraction += text
      place -= 1
    }
    let trimmed = whole.drop { $0 == "0" }
    let number = (trimmed.isEmpty ? "0" : String(trimmed)) + (scale == 0 ? "" : "." + fraction.prefix(Int(scale)))
    return sign == 0x4000 ? "-" + number : number
  }
}
