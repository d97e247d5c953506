import Crypto
import CryptoExtras

/// FF1 of NIST SP 800-38G over AES, for numerals whose radix differs from place to place.
///
/// Where all places have one radix it is FF1 as published (§5.1), test vectors and all. Where they differ, each half of the
/// Feistel network counts modulo the product of its own radices, and the radix in the fixed block P is 0; nothing else
/// changes. Tweak and key are as long as the standard allows. Domains of fewer than 1,000,000 values are refused, as its
/// first revision asks. Up to some 60 places it takes no allocation.
struct FormatPreserving {
  /// Values that a domain must have (SP 800-38G Rev. 1, §5.1).
  static let smallestDomain: Double = 1_000_000
  /// Places that are taken; the standard allows more.
  static let maxPlaces = 256

  private let key: SymmetricKey

  /// - Parameter key: 16, 24 or 32 bytes.
  init(key: [UInt8]) { self.key = SymmetricKey(data: key) }

  enum Direction { case encrypt, decrypt }

  /// Numerals to change, each below its radix, and the radices, 2 to 256.
  struct Numerals {
    var values: UnsafeMutableBufferPointer<UInt8>
    var radices: UnsafeBufferPointer<UInt16>

    fileprivate func half(_ range: Range<Int>) -> Numerals {
      Numerals(
        values: UnsafeMutableBufferPointer(rebasing: values[range]),
        radices: UnsafeBufferPointer(rebasing: radices[range]))
    }

    fileprivate var isInDomain: Bool {
      guard values.count >= 2, values.count <= FormatPreserving.maxPlaces, radices.count == values.count else {
        return false
      }
      var size = 1.0
      for place in values.indices {
        guard (2...256).contains(radices[place]), UInt16(values[place]) < radices[place] else { return false }
        size *= Double(radices[place])
      }
      return size >= FormatPreserving.smallestDomain
    }

    fileprivate var hasOneRadix: Bool { radices.allSatisfy { $0 == radices[0] } }

    /// Bytes that hold any number of this half.
    fileprivate var byteCount: Int {
      withUnsafeTemporaryAllocation(byteCount: values.count, alignment: 1) { room in
        room.initializeMemory(as: UInt8.self, repeating: 0)
        for radix in radices { FormatPreserving.multiply(room, by: Int(radix), adding: Int(radix) - 1) }
        return max(1, room.count - (room.firstIndex { $0 != 0 } ?? room.count))
      }
    }
  }

  /// Changes the numerals in place. Returns false, with nothing changed, where the domain is too small, there are too many
  /// places, or one is not below its radix.
  func turn(_ numerals: Numerals, tweak: UnsafeRawBufferPointer, _ direction: Direction) -> Bool {
    guard numerals.isInDomain, tweak.count <= 1 << 16 else { return false }
    let count = numerals.values.count
    let (a, b) = (numerals.half(0..<(count / 2)), numerals.half((count / 2)..<count))
    let bytes = max(a.byteCount, b.byteCount)
    let padding = (16 - (tweak.count + bytes + 1) % 16) % 16
    let messageLength = tweak.count + padding + 1 + bytes
    let outputLength = (4 * ((bytes + 3) / 4) + 4 + 15) / 16 * 16
    return withUnsafeTemporaryAllocation(byteCount: 16 + messageLength + outputLength, alignment: 16) { room in
      room.initializeMemory(as: UInt8.self, repeating: 0)
      let begun = UnsafeMutableRawBufferPointer(rebasing: room[..<16])
      let message = UnsafeMutableRawBufferPointer(rebasing: room[16..<(16 + messageLength)])
      let output = UnsafeMutableRawBufferPointer(rebasing: room[(16 + messageLength)...])
      fixedBlock(begun, numerals, tweak.count)
      message.copyMemory(from: tweak)
      guard cipher(begun) else { return false }
      for step in 0..<10 {
        let round = direction == .encrypt ? step : 9 - step
        // The first half changes in even rounds, the second in odd ones (§6.2, where they change places instead).
        let (changed, other) = round.isMultiple(of: 2) ? (a, b) : (b, a)
        message[tweak.count + padding] = UInt8(round)
        let tail = UnsafeMutableRawBufferPointer(rebasing: message[(messageLength - bytes)...])
        tail.initializeMemory(as: UInt8.self, repeating: 0)
        for place in other.values.indices {
          FormatPreserving.multiply(tail, by: Int(other.radices[place]), adding: Int(other.values[place]))
        }
        guard expand(begun, message, into: output) else { return false }
        let length = 4 * ((bytes + 3) / 4) + 4
        add(UnsafeMutableRawBufferPointer(rebasing: output[..<length]), to: changed, direction)
      }
      return true
    }
  }

  /// Step 5: P.
  private func fixedBlock(_ block: UnsafeMutableRawBufferPointer, _ numerals: Numerals, _ tweakLength: Int) {
    let count = numerals.values.count
    let radix = numerals.hasOneRadix ? Int(numerals.radices[0]) : 0
    (block[0], block[1], block[2]) = (1, 2, 1)
    for place in 0..<3 { block[3 + place] = UInt8(truncatingIfNeeded: radix >> (16 - 8 * place)) }
    block[6] = 10
    block[7] = UInt8(truncatingIfNeeded: count / 2)
    for place in 0..<4 {
      block[8 + place] = UInt8(truncatingIfNeeded: count >> (24 - 8 * place))
      block[12 + place] = UInt8(truncatingIfNeeded: tweakLength >> (24 - 8 * place))
    }
  }

  /// Steps 6ii and 6iii: the CBC-MAC of P, which is begun, and Q; then as many blocks as it takes.
  private func expand(
    _ begun: UnsafeMutableRawBufferPointer, _ message: UnsafeMutableRawBufferPointer,
    into output: UnsafeMutableRawBufferPointer
  ) -> Bool {
    let block = UnsafeMutableRawBufferPointer(rebasing: output[..<16])
    block.copyMemory(from: UnsafeRawBufferPointer(begun))
    var at = 0
    while at < message.count {
      for place in 0..<16 { block[place] ^= message[at + place] }
      guard cipher(block) else { return false }
      at += 16
    }
    at = 16
    while at < output.count {
      let next = UnsafeMutableRawBufferPointer(rebasing: output[at..<(at + 16)])
      next.copyMemory(from: UnsafeRawBufferPointer(block))
      // At most sixteen more of them: the number is in the last byte.
      next[15] ^= UInt8(at / 16)
      guard cipher(next) else { return false }
      at += 16
    }
    return true
  }

  private func cipher(_ block: UnsafeMutableRawBufferPointer) -> Bool {
    var bytes = block.bindMemory(to: UInt8.self)
    do { try AES.permute(&bytes, key: key) } catch { return false }
    return true
  }

  /// A number in network order, times one, plus another.
  private static func multiply(_ number: UnsafeMutableRawBufferPointer, by factor: Int, adding term: Int) {
    var carry = term
    for place in number.indices.reversed() {
      let value = Int(number[place]) * factor + carry
      number[place] = UInt8(truncatingIfNeeded: value)
      carry = value >> 8
    }
  }

  /// numerals ± y, modulo the product of the radices. y is divided away.
  private func add(_ y: UnsafeMutableRawBufferPointer, to half: Numerals, _ direction: Direction) {
    var carry = 0
    for place in half.values.indices.reversed() {
      let radix = Int(half.radices[place])
      var remainder = 0
      for index in y.indices {
        let value = remainder << 8 | Int(y[index])
        y[index] = UInt8(truncatingIfNeeded: value / radix)
        remainder = value % radix
      }
      let value = Int(half.values[place]) + (direction == .encrypt ? remainder : -remainder) + carry
      half.values[place] = UInt8(truncatingIfNeeded: (value % radix + radix) % radix)
      carry = value < 0 ? -1 : value >= radix ? 1 : 0
    }
  }
}

extension FormatPreserving {
  /// The same for arrays: numerals in, numerals out; nil where that cannot be.
  func turned(_ numerals: [UInt8], radices: [UInt16], tweak: [UInt8], _ direction: Direction) -> [UInt8]? {
    var out = numerals
    let isTurned = out.withUnsafeMutableBufferPointer { values in
      radices.withUnsafeBufferPointer { radices in
        tweak.withUnsafeBytes { turn(Numerals(values: values, radices: radices), tweak: $0, direction) }
      }
    }
    return isTurned ? out : nil
  }
}
