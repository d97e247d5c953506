import Crypto
import CryptoExtras

/// FF1 of NIST SP 800-38G over AES, for numerals whose radix differs from place to place.
///
/// Where all places have one radix it is FF1 as published (§5.1), test vectors and all. Where they differ, each half of the
/// Feistel network counts modulo the product of its own radices, and the radix in the fixed block P is 0; nothing else
/// changes. Tweak and key are as long as the standard allows. Domains of fewer than 1,000,000 values are refused, as its
/// first revision asks.
struct FormatPreserving {
  /// Values that a domain must have (SP 800-38G Rev. 1, §5.1).
  static let smallestDomain: Double = 1_000_000
  /// Places that are taken; the standard allows more.
  static let maxPlaces = 256

  private let key: SymmetricKey
  private let tweak: [UInt8]
  private let radices: [Int]

  /// nil where the domain is too small, or there are too many places.
  ///
  /// - Parameters:
  ///   - key: 16, 24 or 32 bytes.
  ///   - radices: of each place, 2 to 256.
  init?(key: [UInt8], tweak: [UInt8], radices: [Int]) {
    guard radices.count >= 2, radices.count <= FormatPreserving.maxPlaces,
      radices.allSatisfy({ (2...256).contains($0) }), tweak.count <= 1 << 16,
      radices.reduce(1.0, { $0 * Double($1) }) >= FormatPreserving.smallestDomain
    else { return nil }
    self.key = SymmetricKey(data: key)
    self.tweak = tweak
    self.radices = radices
  }

  /// Numerals in, numerals out, each below its radix. nil when AES fails, which it does not.
  func encrypt(_ numerals: [Int]) -> [Int]? { run(numerals, rounds: Array(0..<10), sign: 1) }
  func decrypt(_ numerals: [Int]) -> [Int]? { run(numerals, rounds: (0..<10).reversed(), sign: -1) }

  private func run(_ numerals: [Int], rounds: [Int], sign: Int) -> [Int]? {
    guard numerals.count == radices.count, zip(numerals, radices).allSatisfy({ 0 <= $0 && $0 < $1 }) else { return nil }
    let u = radices.count / 2
    let widths = (Array(radices[..<u]), Array(radices[u...]))
    var halves = (Array(numerals[..<u]), Array(numerals[u...]))
    let bytes = max(byteCount(widths.0), byteCount(widths.1))
    // The first half changes in even rounds, the second in odd ones (§6.2, where they change places instead).
    for round in rounds {
      let (changed, other) = round.isMultiple(of: 2) ? (widths.0, widths.1) : (widths.1, widths.0)
      let value = number(round.isMultiple(of: 2) ? halves.1 : halves.0, other, bytes: bytes)
      guard let y = roundValue(round, value, bytes: bytes) else { return nil }
      if round.isMultiple(of: 2) {
        halves.0 = sum(halves.0, y, changed, sign)
      } else {
        halves.1 = sum(halves.1, y, changed, sign)
      }
    }
    return halves.0 + halves.1
  }

  /// b: bytes that hold any number of a half; with one radix that of the second is never less.
  private func byteCount(_ radices: [Int]) -> Int {
    // The largest of them, written down; as with logarithms, without their rounding.
    let largest = number(radices.map { $0 - 1 }, radices, bytes: radices.count)
    return max(1, largest.drop { $0 == 0 }.count)
  }

  /// NUM: big-endian.
  private func number(_ numerals: [Int], _ radices: [Int], bytes: Int) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: bytes)
    for (numeral, radix) in zip(numerals, radices) {
      var carry = numeral
      for index in out.indices.reversed() {
        let value = Int(out[index]) * radix + carry
        out[index] = UInt8(value & 0xFF)
        carry = value >> 8
      }
    }
    return out
  }

  /// The d bytes S of step 6iii, of which y is the number.
  private func roundValue(_ round: Int, _ value: [UInt8], bytes: Int) -> [UInt8]? {
    let count = radices.count
    let radix = Set(radices).count == 1 ? radices[0] : 0
    let length = 4 * ((bytes + 3) / 4) + 4
    func word(_ number: Int) -> [UInt8] { withUnsafeBytes(of: UInt32(number).bigEndian) { Array($0) } }
    let fixed =
      [1, 2, 1] + word(radix).suffix(3) + [10, UInt8((count / 2) & 0xFF)] + word(count) + word(tweak.count)
    let padding = [UInt8](repeating: 0, count: (16 - (tweak.count + bytes + 1) % 16) % 16)
    var block = [UInt8](repeating: 0, count: 16)
    let message = fixed + tweak + padding + [UInt8(round)] + value
    // PRF: CBC-MAC.
    for start in stride(from: 0, to: message.count, by: 16) {
      for index in 0..<16 { block[index] ^= message[start + index] }
      guard let next = cipher(block) else { return nil }
      block = next
    }
    var out = block
    var counter = 1
    while out.count < length {
      var next = block
      for (index, byte) in word(counter).enumerated() { next[12 + index] ^= byte }
      guard let more = cipher(next) else { return nil }
      out += more
      counter += 1
    }
    return Array(out.prefix(length))
  }

  private func cipher(_ block: [UInt8]) -> [UInt8]? {
    var block = block
    do { try AES.permute(&block, key: key) } catch { return nil }
    return block
  }

  /// numerals ± y, modulo the product of the radices.
  private func sum(_ numerals: [Int], _ y: [UInt8], _ radices: [Int], _ sign: Int) -> [Int] {
    var rest = y
    var out = numerals
    var carry = 0
    for index in radices.indices.reversed() {
      let radix = radices[index]
      var remainder = 0
      for place in rest.indices {
        let value = remainder << 8 | Int(rest[place])
        rest[place] = UInt8(value / radix)
        remainder = value % radix
      }
      let value = numerals[index] + sign * remainder + carry
      out[index] = (value % radix + radix) % radix
      carry = value < 0 ? -1 : value >= radix ? 1 : 0
    }
    return out
  }
}
