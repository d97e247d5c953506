/// A value of PostgreSQL's type numeric: decimal digits, and the text and binary forms of it.
///
/// The binary form is `numeric_send`'s (src/backend/utils/adt/numeric.c): the number of base-10,000 digits, the weight of
/// the first, the sign, the display scale, the digits; each 16 bits.
struct NumericValue: Hashable {
  var isNegative: Bool
  /// Before the point, without leading zeros; at least one digit.
  var whole: [UInt8]
  /// Behind the point, as many as are displayed.
  var fraction: [UInt8]

  private static let negative: UInt16 = 0x4000
  /// Digits that are looked at; longer values count as none that a mask can be made of.
  private static let digitLimit = 1_000

  /// `-12.50`; nil for NaN, Infinity and exponents, which PostgreSQL never writes for numbers.
  init?(text: ArraySlice<UInt8>) {
    var rest = text
    isNegative = rest.first == UInt8(ascii: "-")
    if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    let point = rest.firstIndex(of: UInt8(ascii: ".")) ?? rest.endIndex
    let whole = rest[..<point]
    let fraction = point == rest.endIndex ? [] : rest[(point + 1)...]
    guard !whole.isEmpty || !fraction.isEmpty, whole.count + fraction.count <= NumericValue.digitLimit,
      whole.allSatisfy({ (0x30...0x39).contains($0) }), fraction.allSatisfy({ (0x30...0x39).contains($0) })
    else { return nil }
    self.whole = NumericValue.trimmed(Array(whole))
    self.fraction = Array(fraction)
  }

  init?(binary bytes: ArraySlice<UInt8>) {
    let words = stride(from: bytes.startIndex, to: bytes.endIndex - 1, by: 2).map {
      UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
    }
    guard bytes.count.isMultiple(of: 2), words.count >= 4, words.count == 4 + Int(words[0]),
      words[2] == 0 || words[2] == NumericValue.negative, words[4...].allSatisfy({ $0 < 10_000 })
    else { return nil }
    let weight = Int(Int16(bitPattern: words[1]))
    let scale = Int(words[3])
    guard weight <= NumericValue.digitLimit / 4, scale <= NumericValue.digitLimit,
      words.count <= NumericValue.digitLimit / 4
    else { return nil }
    isNegative = words[2] != 0
    func group(_ position: Int) -> [UInt8] {
      let index = weight - position
      let value = index >= 0 && index + 4 < words.count ? Int(words[index + 4]) : 0
      return [value / 1000, value / 100 % 10, value / 10 % 10, value % 10].map { UInt8($0) + 0x30 }
    }
    whole = NumericValue.trimmed(stride(from: max(weight, 0), through: 0, by: -1).flatMap(group))
    let behind = stride(from: -1, through: -((scale + 3) / 4), by: -1).flatMap(group)
    fraction = Array(behind.prefix(scale))
  }

  init(_ number: Int64) {
    isNegative = number < 0
    whole = Array(String(number.magnitude).utf8)
    fraction = []
  }

  private static func trimmed(_ digits: [UInt8]) -> [UInt8] {
    let rest = digits.drop { $0 == UInt8(ascii: "0") }
    return rest.isEmpty ? [UInt8(ascii: "0")] : Array(rest)
  }

  /// True when no digit is another than 0.
  var isZero: Bool { (whole + fraction).allSatisfy { $0 == UInt8(ascii: "0") } }

  var text: [UInt8] {
    (isNegative && !isZero ? [UInt8(ascii: "-")] : []) + whole
      + (fraction.isEmpty ? [] : [UInt8(ascii: ".")] + fraction)
  }

  var binary: [UInt8] {
    let front = [UInt8](repeating: 0x30, count: (4 - whole.count % 4) % 4) + whole
    let back = fraction + [UInt8](repeating: 0x30, count: (4 - fraction.count % 4) % 4)
    let digits = front + back
    var groups = stride(from: 0, to: digits.count, by: 4).map { start in
      digits[start..<(start + 4)].reduce(UInt16(0)) { $0 * 10 + UInt16($1 - 0x30) }
    }
    var weight = front.count / 4 - 1
    while groups.first == 0 {
      groups.removeFirst()
      weight -= 1
    }
    while groups.last == 0 { groups.removeLast() }
    if groups.isEmpty { weight = 0 }
    let sign = isNegative && !isZero ? NumericValue.negative : 0
    return ([UInt16(groups.count), UInt16(bitPattern: Int16(weight)), sign, UInt16(fraction.count)] + groups)
      .flatMap { bigEndian($0) }
  }

  /// One spelling for each number, whatever scale it is displayed with.
  var canonical: [UInt8] {
    var value = self
    while value.fraction.last == UInt8(ascii: "0") { value.fraction.removeLast() }
    return value.text
  }

  /// What stands before the point, with its sign; nil when it does not fit.
  var wholeNumber: Int64? {
    Int64(String(decoding: (isNegative ? [UInt8(ascii: "-")] : []) + whole, as: UTF8.self))
  }
}
