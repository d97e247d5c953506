/// Numerics that are read without an allocation: up to 62 digits.
struct ShortNumeric {
  var isNegative = false
  /// Digits as characters, the point left out.
  private var digits = ShortValue()
  /// How many of them stand before the point.
  private var whole = 0

  /// nil for NaN, infinities, exponents and what is too long.
  init?(_ value: UnsafeRawBufferPointer, isBinary: Bool) {
    guard isBinary ? read(binary: value) : read(text: value), !digits.isCut else { return nil }
  }

  private mutating func read(text: UnsafeRawBufferPointer) -> Bool {
    var hasPoint = false
    for (index, byte) in text.enumerated() {
      switch byte {
      case UInt8(ascii: "-") where index == 0: isNegative = true
      case UInt8(ascii: ".") where !hasPoint: hasPoint = true
      case 0x30...0x39:
        digits.append(byte)
        if !hasPoint { whole += 1 }
      default: return false
      }
    }
    return digits.count > 0
  }

  private mutating func read(binary: UnsafeRawBufferPointer) -> Bool {
    func word(_ place: Int) -> Int { Int(binary[place * 2]) << 8 | Int(binary[place * 2 + 1]) }
    guard binary.count >= 8, binary.count == 8 + 2 * word(0), word(2) == 0 || word(2) == 0x4000 else { return false }
    isNegative = word(2) != 0
    let (count, weight) = (word(0), Int(Int16(truncatingIfNeeded: word(1))))
    guard weight < 15, weight >= -15 else { return false }
    // Groups of four digits from the point's left on, those that are not written as zeros.
    var group = max(weight, 0)
    while group >= 0 || weight - group < count {
      let place = weight - group
      let value = place >= 0 && place < count ? word(4 + place) : 0
      guard value < 10_000 else { return false }
      var scale = 1_000
      while scale > 0 {
        digits.append(UInt8(value / scale % 10) + 0x30)
        scale /= 10
      }
      if group >= 0 { whole += 4 }
      group -= 1
      if digits.isCut { return false }
    }
    return true
  }

  /// One spelling for each number: that of `NumericValue.canonical`; nil where it is too long.
  var canonical: ShortValue? {
    var last = digits.count
    while last > whole, digits[last - 1] == 0x30 { last -= 1 }
    var first = 0
    while first < whole, digits[first] == 0x30 { first += 1 }
    var out = ShortValue()
    let isZero = first == whole && last == whole
    if isNegative, !isZero { out.append(UInt8(ascii: "-")) }
    if first == whole { out.append(0x30) }
    for index in first..<whole { out.append(digits[index]) }
    if last > whole {
      out.append(UInt8(ascii: "."))
      for index in whole..<last { out.append(digits[index]) }
    }
    return out.isCut ? nil : out
  }

  /// The largest whole number that is not above it; nil where that does not fit.
  var floor: Int64? {
    var number: Int64 = 0
    for index in 0..<whole {
      let (product, isOver) = number.multipliedReportingOverflow(by: 10)
      let (sum, isOverToo) = product.addingReportingOverflow(-Int64(digits[index] - 0x30))
      if isOver || isOverToo { return nil }
      number = sum
    }
    // Counted below zero, where there is room for one more.
    guard isNegative else { return number == .min ? nil : -number }
    let isBetween = (whole..<digits.count).contains { digits[$0] != 0x30 }
    return isBetween ? (number == .min ? nil : number - 1) : number
  }
}
