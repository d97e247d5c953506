import AccessModel
import Crypto

/// Tokens: values of the same format that stand in for others, and that only the key turns back.
///
/// Digits stay digits, letters letters of the same case, and whatever else is ASCII stays where it is. Numbers stay in
/// their type and keep their sign; a numeric keeps its digits. What has fewer than 1,000,000 forms, is too long, or is of a
/// type without tokens gets the value that says nothing.
struct TokenMask: Hashable, Sendable {
  /// Made of the gateway's key and the domain: tokens of one domain are equal for equal values.
  private let secret: [UInt8]
  var type: ValueType
  var isBinary: Bool
  var maxCharacters: Int?

  init(key: MaskKey, domain: String, type: ValueType, isBinary: Bool, maxCharacters: Int? = nil) {
    secret = key.digest(Array("sallyport tokens 1 \(domain)".utf8))
    self.type = type
    self.isBinary = isBinary
    self.maxCharacters = maxCharacters
  }

  /// The stand-in for a value; nil is NULL.
  func standIn(_ value: ArraySlice<UInt8>) -> [UInt8]? {
    if let token = turned(value, .make) { return token }
    guard let neutral = type.neutral(isBinary: isBinary) else { return nil }
    guard case .text = type, let maxCharacters else { return neutral }
    return Array(neutral.prefix(maxCharacters))
  }

  /// The value that a token stands for, as text; nil when it can be nobody's.
  func revealed(_ token: ArraySlice<UInt8>) -> [UInt8]? { turned(token, .reveal) }

  enum Direction { case make, reveal }

  private func turned(_ value: ArraySlice<UInt8>, _ direction: Direction) -> [UInt8]? {
    switch type {
    case .text(let isPadded): return text(value, isPadded: isPadded, direction)
    case .integer(let bytes, let isSigned): return integer(value, bytes: bytes, isSigned: isSigned, direction)
    case .numeric: return numeric(value, direction)
    case .uuid: return uuid(value, direction)
    case .bytea:
      guard let bytes = isBinary ? Array(value) : ValueType.hexBytes(value),
        let out = permuted(bytes.map(Int.init), bytes.map { _ in 256 }, tweak: "bytea", direction)
      else { return nil }
      let turned = out.map { UInt8($0) }
      return isBinary ? turned : ValueType.hexText(turned)
    default: return nil
    }
  }

  // MARK: Formats

  private func text(_ value: ArraySlice<UInt8>, isPadded: Bool, _ direction: Direction) -> [UInt8]? {
    var body = value
    if isPadded { while body.last == UInt8(ascii: " ") { body = body.dropLast() } }
    guard body.allSatisfy({ $0 < 0x80 }) else { return nil }
    let classes = body.map(TokenMask.first)
    let places = classes.indices.filter { classes[$0] != nil }
    // What is not replaced is the same in value and token, and part of the tweak.
    var pattern = Array(body)
    for place in places { pattern[place] = classes[place] ?? 0 }
    let bytes = Array(body)
    guard
      let out = permuted(
        places.map { Int(bytes[$0] - pattern[$0]) }, places.map { pattern[$0] == UInt8(ascii: "0") ? 10 : 26 },
        tweak: String(decoding: pattern, as: UTF8.self), direction)
    else { return nil }
    var token = pattern
    for (place, numeral) in zip(places, out) { token[place] = pattern[place] + UInt8(numeral) }
    return token + value[body.endIndex...]
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

  /// All numbers of a sign and size change places.
  private func integer(
    _ value: ArraySlice<UInt8>, bytes: Int, isSigned: Bool, _ direction: Direction
  ) -> [UInt8]? {
    let spelled = KeyedHash.decimal(value, bytes: bytes, isSigned: isSigned, isBinary: isBinary)
    guard let number = Int64(String(decoding: spelled, as: UTF8.self)) else { return nil }
    let width = bytes * 8 - (isSigned ? 1 : 0)
    let magnitude = UInt64(bitPattern: number < 0 ? ~number : number)
    let bits = (0..<width).reversed().map { Int(magnitude >> UInt64($0) & 1) }
    guard width >= 20, let out = permuted(bits, bits.map { _ in 2 }, tweak: "int\(bytes)\(number < 0)", direction)
    else { return nil }
    let turned = Int64(bitPattern: out.reduce(UInt64(0)) { $0 << 1 | UInt64($1) })
    return type.integer(
      number < 0 ? ~turned : turned, bytes: bytes, isSigned: isSigned, isBinary: isBinary)
  }

  /// As many digits before the point and behind it; zeros at the end are not digits of the value.
  private func numeric(_ value: ArraySlice<UInt8>, _ direction: Direction) -> [UInt8]? {
    guard var number = isBinary ? NumericValue(binary: value) : NumericValue(text: value) else { return nil }
    let shown = number.fraction.count
    while number.fraction.last == UInt8(ascii: "0") { number.fraction.removeLast() }
    let isFraction = number.whole == [UInt8(ascii: "0")]
    var digits = (isFraction ? [] : number.whole) + number.fraction
    let split = isFraction ? 0 : number.whole.count
    let kept = number.fraction.count
    let tweak = "numeric \(number.isNegative) \(split) \(kept)"
    // Again until it is as long as it was, which leads back, too.
    for _ in 0..<200 {
      guard let out = permuted(digits.map { Int($0 - 0x30) }, digits.map { _ in 10 }, tweak: tweak, direction) else {
        return nil
      }
      digits = out.map { UInt8($0) + 0x30 }
      if split > 0, digits[0] == UInt8(ascii: "0") { continue }
      if kept > 0, digits.last == UInt8(ascii: "0") { continue }
      number.whole = split == 0 ? [UInt8(ascii: "0")] : Array(digits[..<split])
      number.fraction = Array(digits[split...]) + [UInt8](repeating: 0x30, count: shown - kept)
      return isBinary ? number.binary : number.text
    }
    return nil
  }

  /// Version and variant stay (RFC 9562 §4).
  private func uuid(_ value: ArraySlice<UInt8>, _ direction: Direction) -> [UInt8]? {
    guard var bytes = isBinary ? Array(value) : ValueType.uuidBytes(value), bytes.count == 16 else { return nil }
    var numerals = bytes.flatMap { [Int($0 >> 4), Int($0 & 15)] }
    let places = numerals.indices.filter { $0 != 12 && $0 != 16 }
    guard
      let out = permuted(
        places.map { numerals[$0] }, places.map { _ in 16 }, tweak: "uuid \(numerals[12]) \(numerals[16])", direction)
    else { return nil }
    for (place, numeral) in zip(places, out) { numerals[place] = numeral }
    bytes = stride(from: 0, to: 32, by: 2).map { UInt8(numerals[$0] << 4 | numerals[$0 + 1]) }
    return isBinary ? bytes : ValueType.uuidText(bytes)
  }

  private func permuted(_ numerals: [Int], _ radices: [Int], tweak: String, _ direction: Direction) -> [Int]? {
    guard let cipher = FormatPreserving(key: secret, tweak: Array(tweak.utf8), radices: radices) else { return nil }
    return direction == .make ? cipher.encrypt(numerals) : cipher.decrypt(numerals)
  }
}

/// Turns tokens back: for those who may.
public enum TokenReveal {
  /// Types by the names that people give them, and their OIDs.
  public static let types: [String: UInt32] = [
    "text": 25, "varchar": 1043, "char": 1042, "int4": 23, "int8": 20, "oid": 26, "numeric": 1700, "uuid": 2950,
    "bytea": 17,
  ]

  /// The value that a token of a type stands for, as PostgreSQL writes it; nil when it can be no token.
  public static func reveal(_ token: String, type: String, domain: String, key: MaskKey) -> String? {
    guard let oid = types[type] else { return nil }
    let mask = TokenMask(key: key, domain: domain, type: ValueType(oid), isBinary: false)
    return mask.revealed(Array(token.utf8)[...]).map { String(decoding: $0, as: UTF8.self) }
  }
}
