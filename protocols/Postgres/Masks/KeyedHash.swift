import Crypto

/// The secret of hashed values: the same for all sessions of a gateway, so that equal values stay equal.
public struct MaskKey: Hashable, Sendable {
  fileprivate let bytes: [UInt8]
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
  private let mac: KeyedMAC

  init(
    key: MaskKey, type: ValueType, isBinary: Bool, maxCharacters: Int? = nil,
    numericDigits: (whole: Int, fraction: Int)? = nil
  ) {
    self.key = key
    self.type = type
    self.isBinary = isBinary
    self.maxCharacters = maxCharacters
    self.numericDigits = numericDigits
    mac = KeyedMAC(key.bytes)
  }

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

  /// False for types of which every value becomes the one that says nothing.
  static func makesValues(of type: ValueType) -> Bool {
    switch type {
    case .text, .json, .jsonb, .xml, .integer, .numeric, .float4, .float8, .date, .timestamp, .timestampWithZone, .uuid,
      .bytea:
      true
    case .bool, .byte, .time, .timeWithZone, .interval, .inet, .cidr, .hardwareAddress, .array, .range, .multirange,
      .other:
      false
    }
  }

  /// The stand-in for a value; nil is NULL.
  func standIn(_ value: ArraySlice<UInt8>) -> [UInt8]? {
    value.withUnsafeBytes { short($0)?.array } ?? type.neutral(isBinary: isBinary)
  }

  /// The stand-in, made without an allocation; nil for types without one.
  func short(_ value: UnsafeRawBufferPointer) -> ShortValue? {
    guard KeyedHash.makesValues(of: type) else { return nil }
    let digest = digest(of: value)
    let number = digest.leadingNumber
    var out = ShortValue()
    switch type {
    case .text: write(hex: digest, atMost: maxCharacters ?? .max, &out)
    case .xml: write(hex: digest, &out)
    case .json, .jsonb:
      if type == .jsonb, isBinary { out.append(1) }
      out.append("\"")
      write(hex: digest, &out)
      out.append("\"")
    case .integer(let bytes, let isSigned):
      let room = UInt64(1) << UInt64(min(bytes * 8 - (isSigned ? 1 : 0), 63))
      return type.short(integer: Int64(number % room), isBinary: isBinary)
    case .numeric: write(numeric: number, &out)
    // Whole numbers that both hold exactly.
    case .float4, .float8: write(float: number, &out)
    case .date, .timestamp, .timestampWithZone:
      return type.short(
        moment: CalendarDay(daysSince1970: Int(number % KeyedHash.days)).moment, isBinary: isBinary)
    case .uuid: write(uuid: digest, &out)
    case .bytea:
      if !isBinary { out.append("\\x") }
      for place in 0..<16 { if isBinary { out.append(digest[place]) } else { out.append(hex: digest[place]) } }
    default: return nil
    }
    return out
  }

  private func write(hex digest: SIMD32<UInt8>, atMost limit: Int = .max, _ out: inout ShortValue) {
    var hex = ShortValue()
    for place in 0..<(KeyedHash.textLength / 2) { hex.append(hex: digest[place]) }
    for place in 0..<min(hex.count, limit) { out.append(hex[place]) }
  }

  private func write(numeric number: UInt64, _ out: inout ShortValue) {
    let digits = numericDigits ?? (15, 0)
    let room = (0..<min(max(digits.whole, 0), 15)).reduce(UInt64(1)) { room, _ in room * 10 }
    let (value, scale) = (Int64(number % room), max(0, digits.fraction))
    if isBinary { return out.append(numeric: value, scale: scale) }
    out.append(decimal: value)
    // Zeros that nobody needs are left out where there are very many.
    if scale > 0 { out.append(".") }
    for _ in 0..<min(scale, 40) { out.append("0") }
  }

  private func write(float number: UInt64, _ out: inout ShortValue) {
    let value = number % (type == .float4 ? 1 << 24 : 1 << 53)
    if !isBinary { return out.append(decimal: Int64(value)) }
    if type == .float4 { return out.append(bigEndian: UInt64(Float(value).bitPattern), bytes: 4) }
    out.append(bigEndian: Double(value).bitPattern, bytes: 8)
  }

  /// Version 8 is for whatever one likes (RFC 9562 §5.8).
  private func write(uuid digest: SIMD32<UInt8>, _ out: inout ShortValue) {
    for place in 0..<16 {
      var byte = digest[place]
      if place == 6 { byte = byte & 0x0F | 0x80 }
      if place == 8 { byte = byte & 0x3F | 0x80 }
      if isBinary {
        out.append(byte)
        continue
      }
      if place == 4 || place == 6 || place == 8 || place == 10 { out.append("-") }
      out.append(hex: byte)
    }
  }

  // MARK: One spelling for equal values

  private func digest(of value: UnsafeRawBufferPointer) -> SIMD32<UInt8> {
    if let canonical = canonical(short: value) { return mac.digest(canonical) }
    if let canonical = canonical(long: value) { return canonical.withUnsafeBytes { mac.digest($0) } }
    return mac.digest(UnsafeRawBufferPointer(rebasing: value[unpadded(value)]))
  }

  /// The same spelling of what is too long to be spelled without an allocation; nil where it counts as it stands.
  private func canonical(long value: UnsafeRawBufferPointer) -> [UInt8]? {
    switch type {
    case .bytea: isBinary ? nil : ValueType.hexBytes(Array(value)[...])
    case .numeric:
      (isBinary ? NumericValue(binary: Array(value)[...]) : NumericValue(text: Array(value)[...]))?.canonical
    default: nil
    }
  }

  /// What of a value counts, where it counts as it stands.
  private func unpadded(_ value: UnsafeRawBufferPointer) -> Range<Int> {
    switch type {
    case .text(isPadded: true):
      guard let last = value.lastIndex(where: { $0 != UInt8(ascii: " ") }) else { return 0..<value.count }
      return 0..<(last + 1)
    // jsonb's binary form is its text behind a version.
    case .jsonb where isBinary && !value.isEmpty: return 1..<value.count
    default: return 0..<value.count
    }
  }

  /// One spelling for a value in text and in binary, and for all ways in which the type spells it; nil where it counts as
  /// it stands, or is none.
  private func canonical(short value: UnsafeRawBufferPointer) -> ShortValue? {
    var out = ShortValue()
    switch type {
    case .integer:
      guard isBinary, let number = type.integer(value, isBinary: true) else { return nil }
      out.append(decimal: number)
    case .numeric: return ShortNumeric(value, isBinary: isBinary)?.canonical
    case .float4, .float8:
      guard let number = ValueType.double(value, isBinary: isBinary) else { return nil }
      let text = type == .float4 ? "\(Float(number))" : "\(number)"
      for byte in text.utf8 { out.append(byte) }
    case .date, .timestamp, .timestampWithZone:
      guard let moment = type.moment(value, isBinary: isBinary) else { return nil }
      out.append(decimal: moment)
    case .uuid: return ValueType.uuid(value, isBinary: isBinary)
    case .bytea:
      guard !isBinary, value.count <= 2 + 2 * ShortValue.limit, value.starts(with: "\\x".utf8) else { return nil }
      return ValueType.hex(UnsafeRawBufferPointer(rebasing: value[2...]))
    default: return nil
    }
    return out
  }

  /// What is hashed, whole.
  func canonical(_ value: ArraySlice<UInt8>) -> [UInt8] {
    value.withUnsafeBytes { value in
      canonical(short: value)?.array ?? canonical(long: value) ?? Array(value[unpadded(value)])
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
  static func double(_ value: some Collection<UInt8>, isBinary: Bool) -> Double? {
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
