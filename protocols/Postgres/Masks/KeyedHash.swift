import Crypto

/// The secret of hashed values: the same for all sessions of a gateway, so that equal values stay equal.
public struct MaskKey: Hashable, Sendable {
  private let bytes: [UInt8]
  /// 32 bytes that nobody else knows.
  public init(_ bytes: [UInt8]) { self.bytes = bytes }
  public static func random() -> MaskKey { MaskKey((0..<32).map { _ in UInt8.random(in: .min ... .max) }) }

  /// HMAC-SHA256 (RFC 2104), 32 bytes.
  func digest(_ value: some Sequence<UInt8>) -> [UInt8] {
    Array(HMAC<SHA256>.authenticationCode(for: Array(value), using: SymmetricKey(data: bytes)))
  }
}

/// Values that stand in for others by a keyed hash: valid in the type, equal for equal values in either format.
struct KeyedHash: Hashable, Sendable {
  var key: MaskKey
  var type: ValueType
  var isBinary: Bool
  var maxCharacters: Int?
  /// Digits before and behind the point that a numeric may have.
  var numericDigits: (whole: Int, fraction: Int)?

  static func == (a: KeyedHash, b: KeyedHash) -> Bool {
    a.key == b.key && a.type == b.type && a.isBinary == b.isBinary && a.maxCharacters == b.maxCharacters
      && a.numericDigits?.whole == b.numericDigits?.whole && a.numericDigits?.fraction == b.numericDigits?.fraction
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(key)
    hasher.combine(type)
    hasher.combine(isBinary)
  }

  /// Characters of a hashed text, where the type has room.
  private static let textLength = 16
  /// What dates are spread over: a hundred years.
  private static let days: UInt64 = 36_524

  /// The stand-in for a value; nil is NULL.
  func standIn(_ value: ArraySlice<UInt8>) -> [UInt8]? {
    let digest = key.digest(canonical(value))
    let number = digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    switch type {
    case .text: return Array(hexText(digest).prefix(maxCharacters ?? .max))
    case .json: return quoted(digest)
    case .jsonb: return (isBinary ? [1] : []) + quoted(digest)
    case .xml: return hexText(digest)
    case .integer(let bytes, let isSigned):
      let room = UInt64(1) << UInt64(min(bytes * 8 - (isSigned ? 1 : 0), 63))
      return type.integer(Int64(number % room), bytes: bytes, isSigned: isSigned, isBinary: isBinary)
    case .numeric: return numeric(number)
    // Whole numbers that both hold exactly.
    case .float4: return float(Double(number % (1 << 24)))
    case .float8: return float(Double(number % (1 << 53)))
    case .date, .timestamp, .timestampWithZone:
      return type.spelled(CalendarDay(daysSince1970: Int(number % KeyedHash.days)), isBinary: isBinary)
    case .uuid:
      var bytes = Array(digest.prefix(16))
      // Version 8 is for whatever one likes (RFC 9562 §5.8).
      bytes[6] = bytes[6] & 0x0F | 0x80
      bytes[8] = bytes[8] & 0x3F | 0x80
      return isBinary ? bytes : ValueType.uuidText(bytes)
    case .bytea: return isBinary ? Array(digest.prefix(16)) : ValueType.hexText(Array(digest.prefix(16)))
    case .bool, .byte, .time, .timeWithZone, .interval, .inet, .cidr, .hardwareAddress, .array, .range, .multirange,
      .other:
      return type.neutral(isBinary: isBinary)
    }
  }

  private func hexText(_ digest: [UInt8]) -> [UInt8] {
    ValueType.hexDigits(Array(digest.prefix(KeyedHash.textLength / 2)))
  }

  private func quoted(_ digest: [UInt8]) -> [UInt8] { [UInt8(ascii: "\"")] + hexText(digest) + [UInt8(ascii: "\"")] }

  private func numeric(_ number: UInt64) -> [UInt8] {
    let digits = numericDigits ?? (15, 0)
    let room = (0..<min(max(digits.whole, 0), 15)).reduce(UInt64(1)) { room, _ in room * 10 }
    var value = NumericValue(Int64(number % room))
    value.fraction = [UInt8](repeating: UInt8(ascii: "0"), count: max(0, digits.fraction))
    return isBinary ? value.binary : value.text
  }

  private func float(_ value: Double) -> [UInt8] {
    if !isBinary { return Array(String(Int64(value)).utf8) }
    return type == .float4 ? bigEndian(Float(value).bitPattern) : bigEndian(value.bitPattern)
  }

  // MARK: One spelling for equal values

  /// What is hashed: the same for a value in text and in binary, and for all ways in which the type spells it.
  func canonical(_ value: ArraySlice<UInt8>) -> [UInt8] {
    switch type {
    case .text(let isPadded):
      guard isPadded, let last = value.lastIndex(where: { $0 != UInt8(ascii: " ") }) else { return Array(value) }
      return Array(value[...last])
    case .integer(let bytes, let isSigned):
      return KeyedHash.decimal(value, bytes: bytes, isSigned: isSigned, isBinary: isBinary)
    case .numeric:
      let number = isBinary ? NumericValue(binary: value) : NumericValue(text: value)
      return number?.canonical ?? Array(value)
    case .float4: return ValueType.double(value, isBinary: isBinary).map { Array("\(Float($0))".utf8) } ?? Array(value)
    case .float8: return ValueType.double(value, isBinary: isBinary).map { Array("\($0)".utf8) } ?? Array(value)
    case .date, .timestamp, .timestampWithZone:
      return type.moment(value, isBinary: isBinary).map { Array(String($0).utf8) } ?? Array(value)
    case .uuid: return isBinary ? Array(value) : ValueType.uuidBytes(value) ?? Array(value)
    case .bytea: return isBinary ? Array(value) : ValueType.hexBytes(value) ?? Array(value)
    // jsonb's binary form is its text behind a version.
    case .jsonb: return isBinary ? Array(value.dropFirst()) : Array(value)
    default: return Array(value)
    }
  }

  /// The digits of an integer in either format; what is none stays as it is.
  static func decimal(_ value: ArraySlice<UInt8>, bytes: Int, isSigned: Bool, isBinary: Bool) -> [UInt8] {
    guard isBinary, value.count == bytes else { return Array(value) }
    let isNegative = isSigned && value.first.map { $0 & 0x80 != 0 } ?? false
    let number = value.reduce(isNegative ? UInt64.max : 0) { $0 << 8 | UInt64($1) }
    return Array(String(Int64(bitPattern: number)).utf8)
  }
}

extension ValueType {
  /// A float4 or float8 in either format; nil for what is none.
  static func double(_ value: ArraySlice<UInt8>, isBinary: Bool) -> Double? {
    guard isBinary else { return Double(String(decoding: value, as: UTF8.self)) }
    let bits = value.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    switch value.count {
    case 4: return Double(Float(bitPattern: UInt32(bits)))
    case 8: return Double(bitPattern: bits)
    default: return nil
    }
  }

  /// Of `\x0a1b`; nil for the older escape form.
  static func hexBytes(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    guard text.starts(with: "\\x".utf8), text.count.isMultiple(of: 2) else { return nil }
    let digits = text.dropFirst(2).compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
    guard digits.count == text.count - 2 else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }
}
