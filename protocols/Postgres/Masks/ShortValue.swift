import NIOCore

/// A value of up to 64 bytes while it is made, without an allocation.
struct ShortValue {
  static let limit = 64
  private var bytes = SIMD64<UInt8>()
  private(set) var count = 0
  /// More was to be in it than there is room for.
  private(set) var isCut = false

  init() {}

  /// nil when that is too long.
  init?(_ value: UnsafeRawBufferPointer) {
    guard value.count <= ShortValue.limit else { return nil }
    for byte in value { append(byte) }
  }

  subscript(_ index: Int) -> UInt8 {
    get { index < count ? bytes[index] : 0 }
    set { if index < count { bytes[index] = newValue } }
  }

  mutating func append(_ byte: UInt8) {
    guard count < ShortValue.limit else {
      isCut = true
      return
    }
    bytes[count] = byte
    count += 1
  }

  mutating func append(_ text: StaticString) {
    for offset in 0..<text.utf8CodeUnitCount { append(text.utf8Start[offset]) }
  }

  mutating func append(decimal number: Int64, atLeast digits: Int = 1) {
    if number < 0 { append(UInt8(ascii: "-")) }
    var scale: UInt64 = 1
    var width = 1
    let magnitude = number.magnitude
    while width < digits || width < 20 && magnitude / scale >= 10 {
      scale *= 10
      width += 1
    }
    while scale > 0 {
      append(UInt8(truncatingIfNeeded: magnitude / scale % 10) + UInt8(ascii: "0"))
      scale /= 10
    }
  }

  /// In network order.
  mutating func append(bigEndian number: UInt64, bytes: Int) {
    for place in (0..<bytes).reversed() { append(UInt8(truncatingIfNeeded: number >> UInt64(8 * place))) }
  }

  mutating func append(hex byte: UInt8) {
    append(hexDigit: byte >> 4)
    append(hexDigit: byte & 15)
  }

  private mutating func append(hexDigit digit: UInt8) { append(digit < 10 ? digit + 0x30 : digit + 0x57) }

  /// `YYYY-MM-DD`.
  mutating func append(_ day: CalendarDay) {
    append(decimal: Int64(day.year), atLeast: 4)
    append(UInt8(ascii: "-"))
    append(decimal: Int64(day.month), atLeast: 2)
    append(UInt8(ascii: "-"))
    append(decimal: Int64(day.day), atLeast: 2)
  }

  /// `numeric_send`'s form of a whole number (see `NumericValue`); `scale`: digits that are shown behind the point.
  mutating func append(numeric number: Int64, scale: Int) {
    var groups = SIMD8<UInt16>()
    var (used, skipped) = (0, 0)
    var rest = number.magnitude
    while rest > 0 {
      let group = UInt16(rest % 10_000)
      // Zeros at the end are told by the weight.
      if used == 0, group == 0 {
        skipped += 1
      } else {
        groups[used] = group
        used += 1
      }
      rest /= 10_000
    }
    append(bigEndian: UInt64(used), bytes: 2)
    append(bigEndian: UInt64(max(0, used + skipped - 1)), bytes: 2)
    append(bigEndian: number < 0 ? 0x4000 : 0, bytes: 2)
    append(bigEndian: UInt64(scale), bytes: 2)
    for place in (0..<used).reversed() { append(bigEndian: UInt64(groups[place]), bytes: 2) }
  }

  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    withUnsafeBytes(of: bytes) { body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
  }

  var array: [UInt8] { withBytes { Array($0) } }

  /// Length and bytes, as a row has them.
  func write(into output: inout ByteBuffer) {
    output.writeInteger(Int32(truncatingIfNeeded: count))
    withBytes { _ = output.writeBytes($0) }
  }
}

/// Reading without an allocation.
extension ValueType {
  /// An integer in either format; nil for what is none.
  func integer(_ value: UnsafeRawBufferPointer, isBinary: Bool) -> Int64? {
    guard case .integer(let bytes, let isSigned) = self else { return nil }
    if isBinary {
      guard value.count == bytes else { return nil }
      let isNegative = isSigned && value[0] & 0x80 != 0
      return Int64(bitPattern: value.reduce(isNegative ? UInt64.max : 0) { $0 << 8 | UInt64($1) })
    }
    return ValueType.decimal(value)
  }

  /// `-123`; nil for what is none, or is too large.
  static func decimal(_ text: UnsafeRawBufferPointer) -> Int64? {
    let isNegative = text.first == UInt8(ascii: "-")
    var number: Int64 = 0
    guard text.count > (isNegative ? 1 : 0) else { return nil }
    for index in (isNegative ? 1 : 0)..<text.count {
      let digit = text[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      let (product, isOver) = number.multipliedReportingOverflow(by: 10)
      let (sum, isOverToo) = product.addingReportingOverflow(isNegative ? -Int64(digit) : Int64(digit))
      if isOver || isOverToo { return nil }
      number = sum
    }
    return number
  }

  /// 16 bytes of a UUID in either format; nil for what is none.
  static func uuid(_ value: UnsafeRawBufferPointer, isBinary: Bool) -> ShortValue? {
    if isBinary { return value.count == 16 ? ShortValue(value) : nil }
    guard value.count <= 36 else { return nil }
    return hex(value, skipping: UInt8(ascii: "-")).flatMap { $0.count == 16 ? $0 : nil }
  }

  /// The bytes that digits stand for; nil for others, or too many.
  static func hex(_ text: UnsafeRawBufferPointer, skipping: UInt8? = nil) -> ShortValue? {
    var bytes = ShortValue()
    var half: UInt8?
    for byte in text where byte != skipping {
      let digit: UInt8
      switch byte {
      case 0x30...0x39: digit = byte - 0x30
      case 0x41...0x46, 0x61...0x66: digit = (byte | 0x20) - 0x57
      default: return nil
      }
      if let high = half { bytes.append(high << 4 | digit) }
      half = half == nil ? digit : nil
    }
    return half == nil && !bytes.isCut ? bytes : nil
  }

  /// A number in the type's format, where it fits.
  func short(integer number: Int64, isBinary: Bool) -> ShortValue? {
    guard case .integer(let bytes, let isSigned) = self else { return nil }
    let bits = UInt64(bytes * 8)
    let fits =
      isSigned
      ? bits == 64 || (-(Int64(1) << Int64(bits - 1))..<(Int64(1) << Int64(bits - 1))).contains(number)
      : number >= 0 && (bits == 64 || number < Int64(1) << Int64(bits))
    guard fits else { return nil }
    var short = ShortValue()
    if isBinary {
      short.append(bigEndian: UInt64(bitPattern: number), bytes: bytes)
    } else {
      short.append(decimal: number)
    }
    return short
  }

  /// µs since 1970 as a date, a timestamp, or one with a time zone, in text that of UTC; nil for another type, and years
  /// that ISO's style has not.
  func short(moment: Int64, isBinary: Bool) -> ShortValue? {
    let day = moment >= 0 ? moment / CalendarDay.microseconds : (moment + 1) / CalendarDay.microseconds - 1
    let date = CalendarDay(daysSince1970: Int(day))
    guard (1...9999).contains(date.year) else { return nil }
    var short = ShortValue()
    let days = day - Int64(CalendarDay.postgresEpoch)
    let time = moment - day * CalendarDay.microseconds
    switch self {
    case .date: if isBinary { short.append(bigEndian: UInt64(bitPattern: days), bytes: 4) } else { short.append(date) }
    case .timestamp, .timestampWithZone:
      if isBinary {
        short.append(bigEndian: UInt64(bitPattern: days * CalendarDay.microseconds + time), bytes: 8)
        break
      }
      short.append(date)
      let seconds = time / 1_000_000
      short.append(" ")
      short.append(decimal: seconds / 3600, atLeast: 2)
      short.append(":")
      short.append(decimal: seconds / 60 % 60, atLeast: 2)
      short.append(":")
      short.append(decimal: seconds % 60, atLeast: 2)
      // As many digits as say something, as PostgreSQL writes it.
      var (fraction, digits) = (time % 1_000_000, 6)
      if fraction > 0 {
        while fraction % 10 == 0 { (fraction, digits) = (fraction / 10, digits - 1) }
        short.append(".")
        short.append(decimal: fraction, atLeast: digits)
      }
      if self == .timestampWithZone { short.append("+00") }
    default: return nil
    }
    return short
  }
}

extension CalendarDay {
  /// Midnight, in µs since 1970.
  var moment: Int64 { Int64(daysSince1970) * CalendarDay.microseconds }
}
