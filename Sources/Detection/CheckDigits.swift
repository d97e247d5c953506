/// Check digits of numbers; `digits` are values 0 to 9.
struct Digits {
  let base: UnsafePointer<UInt8>
  let count: Int

  @inline(__always) subscript(_ index: Int) -> Int { index < count ? Int(base[index]) : 0 }

  /// `n` digits from `start` as a number; at most 18.
  func number(_ start: Int, _ n: Int) -> Int {
    var value = 0
    for index in start..<(start + n) { value = value &* 10 &+ self[index] }
    return value
  }

  func weighted(_ weights: [Int]) -> Int {
    var sum = 0
    for index in weights.indices { sum &+= weights[index] &* self[index] }
    return sum
  }

  /// ISO/IEC 7812-1, annex B.
  var isLuhn: Bool { luhn(0, count) }

  func luhn(_ start: Int, _ n: Int) -> Bool {
    var sum = 0
    for index in 0..<n {
      let digit = self[start + n - 1 - index]
      let doubled = digit &* 2
      sum &+= index & 1 == 0 ? digit : (doubled > 9 ? doubled &- 9 : doubled)
    }
    return sum % 10 == 0
  }

  /// ISO/IEC 7064 MOD 11,10 over all digits, the last of them the check digit.
  var isMod11And10: Bool {
    var product = 10
    for index in 0..<(count - 1) {
      let sum = (self[index] &+ product) % 10
      product = (sum == 0 ? 10 : sum) &* 2 % 11
    }
    return (11 &- product) % 10 == self[count - 1]
  }

  /// True for days of the years 1900 to 2099; `year` may be of two digits, of any century then.
  static func isDay(_ year: Int, _ month: Int, _ day: Int) -> Bool {
    guard (1...12).contains(month), day >= 1 else { return false }
    if year > 99, !(1900...2099).contains(year) { return false }
    if month == 2 { return day <= 28 || day == 29 && year % 4 == 0 && year != 1900 }
    return day <= (month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31)
  }
}
