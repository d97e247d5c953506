import AccessModel
import NIOCore

/// Tokens: values of the same format that stand in for others, and that only the key turns back.
///
/// Digits stay digits, letters letters of the same case, and whatever else is ASCII stays where it is. Numbers stay in
/// their type and keep their sign; a numeric keeps its digits, and so does a float8 of up to 15; days and moments of the
/// years 1 to 9999 change places, midnights with midnights and whole seconds with whole seconds. What has fewer than
/// 1,000,000 forms, is too long, or is of a type without tokens gets the value that says nothing.
struct TokenMask: Hashable, Sendable {
  /// Made of the gateway's key and the domain: tokens of one domain are equal for equal values.
  private let secret: [UInt8]
  private let cipher: FormatPreserving
  var type: ValueType
  var isBinary: Bool
  var maxCharacters: Int?
  /// What stands for a value without a token; nil is NULL.
  let neutral: [UInt8]?

  init(key: MaskKey, domain: String, type: ValueType, isBinary: Bool, maxCharacters: Int? = nil) {
    secret = key.digest(Array("sallyport tokens 1 \(domain)".utf8))
    cipher = FormatPreserving(key: secret)
    self.type = type
    self.isBinary = isBinary
    self.maxCharacters = maxCharacters
    let neutral = type.neutral(isBinary: isBinary)
    if case .text = type, let maxCharacters {
      self.neutral = neutral.map { Array($0.prefix(maxCharacters)) }
    } else {
      self.neutral = neutral
    }
  }

  static func == (a: TokenMask, b: TokenMask) -> Bool {
    a.secret == b.secret && a.type == b.type && a.isBinary == b.isBinary && a.maxCharacters == b.maxCharacters
  }

  func hash(into hasher: inout Hasher) {
    hasher.combine(secret)
    hasher.combine(type)
    hasher.combine(isBinary)
  }

  typealias Direction = FormatPreserving.Direction

  /// False for types of which every value becomes the one that says nothing.
  static func makesValues(of type: ValueType) -> Bool {
    switch type {
    case .text, .integer, .numeric, .float8, .uuid, .bytea, .date, .timestamp, .timestampWithZone: true
    case .json, .jsonb, .xml, .float4, .bool, .byte, .time, .timeWithZone, .interval, .inet, .cidr, .hardwareAddress,
      .array, .range, .multirange, .other:
      false
    }
  }

  /// The stand-in for a value; nil is NULL.
  func standIn(_ value: ArraySlice<UInt8>) -> [UInt8]? { turned(value, .encrypt) ?? neutral }

  /// The value that a token stands for, as text; nil when it can be nobody's.
  func revealed(_ token: ArraySlice<UInt8>) -> [UInt8]? { turned(token, .decrypt) }

  private func turned(_ value: ArraySlice<UInt8>, _ direction: Direction) -> [UInt8]? {
    if let digits = digits(value, direction) { return digits }
    var isTurned = false
    let out = [UInt8](unsafeUninitializedCapacity: max(value.count, ShortValue.limit)) { room, count in
      let found = value.withUnsafeBytes { fill(UnsafeMutableRawBufferPointer(room), with: $0, direction) }
      isTurned = found != nil
      count = found ?? 0
    }
    return isTurned ? out : nil
  }

  /// Writes the token where there is room for it, without an allocation up to some 60 bytes: `room` has as many bytes as the
  /// value, and 64 at least. Returns how many are written; nil for a value without a token, and for what keeps its digits.
  func fill(
    _ room: UnsafeMutableRawBufferPointer, with value: UnsafeRawBufferPointer, _ direction: Direction = .encrypt
  ) -> Int? {
    let short: ShortValue?
    switch type {
    case .text(let isPadded): return text(room, value, isPadded: isPadded, direction)
    case .bytea: return bytea(room, value, direction)
    case .integer: short = integer(value, direction)
    case .uuid: short = uuid(value, direction)
    case .date, .timestamp, .timestampWithZone: short = moment(value, direction)
    default: short = nil
    }
    guard let short else { return nil }
    short.withBytes { room.copyMemory(from: $0) }
    return short.count
  }

  /// Writes length and bytes of the stand-in, where no allocation is needed for it; false, with nothing written, for what
  /// keeps its digits.
  func write(_ value: UnsafeRawBufferPointer, into output: inout ByteBuffer) -> Bool {
    let room = max(value.count, ShortValue.limit) + 4
    let written = output.writeWithUnsafeMutableBytes(minimumWritableBytes: room) { bytes in
      guard let count = fill(UnsafeMutableRawBufferPointer(rebasing: bytes[4...]), with: value) else { return 0 }
      bytes.storeBytes(of: Int32(truncatingIfNeeded: count).bigEndian, as: Int32.self)
      return count + 4
    }
    if written > 0 { return true }
    switch type {
    case .numeric, .float8: return false
    default:
      RowMask.write(neutral, into: &output)
      return true
    }
  }

  // MARK: Formats

  private func text(
    _ room: UnsafeMutableRawBufferPointer, _ value: UnsafeRawBufferPointer, isPadded: Bool, _ direction: Direction
  ) -> Int? {
    var length = value.count
    if isPadded { while length > 0, value[length - 1] == UInt8(ascii: " ") { length -= 1 } }
    guard length <= FormatPreserving.maxPlaces, value.allSatisfy({ $0 < 0x80 }) else { return nil }
    room.copyMemory(from: value)
    let token = UnsafeMutableRawBufferPointer(rebasing: room[..<length])
    return withUnsafeTemporaryAllocation(byteCount: 4 * max(length, 1), alignment: 2) { scratch -> Int? in
      let radices = UnsafeMutableRawBufferPointer(rebasing: scratch[..<(2 * length)]).bindMemory(to: UInt16.self)
      let numerals = UnsafeMutableRawBufferPointer(rebasing: scratch[(2 * length)..<(3 * length)])
        .bindMemory(to: UInt8.self)
      var count = 0
      // What is not replaced is the same in value and token, and part of the tweak.
      for place in 0..<length {
        guard let first = TokenMask.first(token[place]) else { continue }
        numerals[count] = token[place] - first
        radices[count] = first == 0x30 ? 10 : 26
        token[place] = first
        count += 1
      }
      let places = FormatPreserving.Numerals(
        values: UnsafeMutableBufferPointer(rebasing: numerals[..<count]),
        radices: UnsafeBufferPointer(rebasing: radices[..<count]))
      guard cipher.turn(places, tweak: UnsafeRawBufferPointer(token), direction) else { return nil }
      count = 0
      for place in 0..<length where TokenMask.first(token[place]) != nil {
        token[place] += numerals[count]
        count += 1
      }
      return value.count
    }
  }

  /// The first character of its class; nil for what stays.
  private static func first(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: 0x30
    case 0x41...0x5A: 0x41
    case 0x61...0x7A: 0x61
    case _: nil
    }
  }

  private func bytea(
    _ room: UnsafeMutableRawBufferPointer, _ value: UnsafeRawBufferPointer, _ direction: Direction
  ) -> Int? {
    let bytes = isBinary ? nil : ValueType.hexBytes(Array(value)[...])
    if !isBinary, bytes == nil { return nil }
    let numerals = bytes ?? Array(value)
    guard
      let out = cipher.turned(numerals, radices: numerals.map { _ in 256 }, tweak: Array("bytea".utf8), direction)
    else { return nil }
    let token = isBinary ? out : ValueType.hexText(out)
    room.copyBytes(from: token)
    return token.count
  }

  /// All numbers of a sign and size change places.
  private func integer(_ value: UnsafeRawBufferPointer, _ direction: Direction) -> ShortValue? {
    guard case .integer(let bytes, let isSigned) = type, let number = type.integer(value, isBinary: isBinary) else {
      return nil
    }
    let width = bytes * 8 - (isSigned ? 1 : 0)
    var tweak = ShortValue()
    tweak.append("int")
    tweak.append(decimal: Int64(bytes))
    tweak.append(number < 0 ? "true" : "false")
    var magnitude = UInt64(bitPattern: number < 0 ? ~number : number)
    guard width >= 20, turn(&magnitude, radix: 2, places: width, tweak, direction) else { return nil }
    let turned = Int64(bitPattern: magnitude)
    return type.short(integer: number < 0 ? ~turned : turned, isBinary: isBinary)
  }

  /// Version and variant stay (RFC 9562 §4).
  private func uuid(_ value: UnsafeRawBufferPointer, _ direction: Direction) -> ShortValue? {
    guard var bytes = ValueType.uuid(value, isBinary: isBinary) else { return nil }
    var numerals = SIMD32<UInt8>()
    var radices = SIMD32<UInt16>(repeating: 16)
    var count = 0
    for place in 0..<32 where place != 12 && place != 16 {
      numerals[count] = place & 1 == 0 ? bytes[place / 2] >> 4 : bytes[place / 2] & 15
      count += 1
    }
    var tweak = ShortValue()
    tweak.append("uuid ")
    tweak.append(decimal: Int64(bytes[6] >> 4))
    tweak.append(" ")
    tweak.append(decimal: Int64(bytes[8] >> 4))
    guard turn(&numerals, &radices, count, tweak, direction) else { return nil }
    count = 0
    for place in 0..<32 where place != 12 && place != 16 {
      let byte = bytes[place / 2]
      bytes[place / 2] = place & 1 == 0 ? byte & 0x0F | numerals[count] << 4 : byte & 0xF0 | numerals[count]
      count += 1
    }
    if isBinary { return bytes }
    var text = ShortValue()
    for place in 0..<16 {
      if place == 4 || place == 6 || place == 8 || place == 10 { text.append("-") }
      text.append(hex: bytes[place])
    }
    return text
  }

  /// Days and moments of the years 1 to 9999 change places with those that are as precise.
  private func moment(_ value: UnsafeRawBufferPointer, _ direction: Direction) -> ShortValue? {
    guard let moment = type.moment(value, isBinary: isBinary) else { return nil }
    // Not up to the ends, where a time zone would lead beyond what clients have.
    let first = CalendarDay(year: 1, month: 1, day: 3).moment
    let end = CalendarDay(year: 9_999, month: 12, day: 30).moment
    guard moment >= first, moment < end else { return nil }
    let unit = TokenMask.units.first { (moment - first) % $0 == 0 } ?? 1
    let count = UInt64((end - first) / unit)
    var places = 0
    var size: UInt64 = 1
    while size < count { (size, places) = (size * 10, places + 1) }
    var tweak = ShortValue()
    tweak.append("moment ")
    tweak.append(decimal: unit)
    var number = UInt64((moment - first) / unit)
    // Again until it is such a moment as it was, which leads back, too.
    for _ in 0..<500 {
      guard turn(&number, radix: 10, places: places, tweak, direction) else { return nil }
      let turned = first + Int64(clamping: number) &* unit
      if number < count, TokenMask.units.first(where: { (turned - first) % $0 == 0 }) ?? 1 == unit {
        return type.short(moment: turned, isBinary: isBinary)
      }
    }
    return nil
  }

  /// Of midnights, whole seconds and all others, in µs.
  private static let units: [Int64] = [CalendarDay.microseconds, 1_000_000]

  /// What keeps its digits: as many before the point and behind it; zeros at the end are not digits of the value.
  private func digits(_ value: ArraySlice<UInt8>, _ direction: Direction) -> [UInt8]? {
    switch type {
    case .numeric:
      let number = isBinary ? NumericValue(binary: value) : NumericValue(text: value)
      return number.flatMap { digits($0, "numeric", direction) }.map { isBinary ? $0.binary : $0.text }
    case .float8:
      // More digits than 15 may not come back as they were.
      guard let double = ValueType.double(value, isBinary: isBinary),
        let number = NumericValue(text: Array("\(double)".utf8)[...]), number.whole.count + number.fraction.count <= 15,
        let turned = digits(number, "float8", direction), let out = Double(String(decoding: turned.text, as: UTF8.self))
      else { return nil }
      var text = turned
      while text.fraction.last == UInt8(ascii: "0") { text.fraction.removeLast() }
      return isBinary ? bigEndian(out.bitPattern) : text.text
    default: return nil
    }
  }

  private func digits(_ value: NumericValue, _ name: String, _ direction: Direction) -> NumericValue? {
    var number = value
    let shown = number.fraction.count
    while number.fraction.last == UInt8(ascii: "0") { number.fraction.removeLast() }
    let isFraction = number.whole == [UInt8(ascii: "0")]
    var digits = (isFraction ? [] : number.whole) + number.fraction
    let split = isFraction ? 0 : number.whole.count
    let kept = number.fraction.count
    let tweak = Array("\(name) \(number.isNegative) \(split) \(kept)".utf8)
    // Again until it is as long as it was, which leads back, too.
    for _ in 0..<200 {
      guard
        let out = cipher.turned(digits.map { $0 - 0x30 }, radices: digits.map { _ in 10 }, tweak: tweak, direction)
      else { return nil }
      digits = out.map { $0 + 0x30 }
      if split > 0, digits[0] == UInt8(ascii: "0") { continue }
      if kept > 0, digits.last == UInt8(ascii: "0") { continue }
      number.whole = split == 0 ? [UInt8(ascii: "0")] : Array(digits[..<split])
      number.fraction = Array(digits[split...]) + [UInt8](repeating: 0x30, count: shown - kept)
      return number
    }
    return nil
  }

  // MARK: Numbers

  /// A number of so many digits in a radix, of up to 64.
  private func turn(
    _ number: inout UInt64, radix: UInt64, places: Int, _ tweak: ShortValue, _ direction: Direction
  ) -> Bool {
    var numerals = SIMD64<UInt8>()
    var radices = SIMD64<UInt16>(repeating: UInt16(radix))
    for place in (0..<places).reversed() {
      numerals[place] = UInt8(number % radix)
      number /= radix
    }
    guard turn(&numerals, &radices, places, tweak, direction) else { return false }
    number = 0
    for place in 0..<places { number = number * radix + UInt64(numerals[place]) }
    return true
  }

  private func turn<Values, Radices>(
    _ values: inout Values, _ radices: inout Radices, _ count: Int, _ tweak: ShortValue, _ direction: Direction
  ) -> Bool where Values: SIMD<UInt8>, Radices: SIMD<UInt16> {
    withUnsafeMutableBytes(of: &values) { values in
      withUnsafeBytes(of: radices) { radices in
        let places = FormatPreserving.Numerals(
          values: UnsafeMutableBufferPointer(rebasing: values.bindMemory(to: UInt8.self)[..<count]),
          radices: UnsafeBufferPointer(rebasing: radices.bindMemory(to: UInt16.self)[..<count]))
        return tweak.withBytes { cipher.turn(places, tweak: $0, direction) }
      }
    }
  }
}

/// Turns tokens back: for those who may.
public enum TokenReveal {
  /// Types by the names that people give them, and their OIDs.
  public static let types: [String: UInt32] = [
    "text": 25, "varchar": 1043, "char": 1042, "int4": 23, "int8": 20, "oid": 26, "numeric": 1700, "float8": 701,
    "uuid": 2950, "bytea": 17, "date": 1082, "timestamp": 1114, "timestamptz": 1184,
  ]

  /// The value that a token of a type stands for, as PostgreSQL writes it; nil when it can be no token.
  public static func reveal(_ token: String, type: String, domain: String, key: MaskKey) -> String? {
    guard let oid = types[type] else { return nil }
    let mask = TokenMask(key: key, domain: domain, type: ValueType(oid), isBinary: false)
    return mask.revealed(Array(token.utf8)[...]).map { String(decoding: $0, as: UTF8.self) }
  }
}
