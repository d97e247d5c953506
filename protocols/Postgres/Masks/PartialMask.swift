import AccessModel
import NIOCore

/// Values of which some characters or digits stay.
struct PartialMask: Hashable, Sendable {
  var keepFirst: Int
  var keepLast: Int
  var keeping: Mask.Kept
  var type: ValueType
  var isBinary: Bool
  var maxCharacters: Int?

  private static let star = UInt8(ascii: "*")

  /// Writes length and bytes of the stand-in where the value is ASCII text, as nearly all are: nothing is allocated.
  /// Returns false, with nothing written, for others.
  func writePlain(_ value: UnsafeRawBufferPointer, into output: inout ByteBuffer) -> Bool {
    output.writeWithUnsafeMutableBytes(minimumWritableBytes: value.count + 4) { room in
      guard let to = room.baseAddress, fill(to + 4, with: value) else { return 0 }
      to.storeBytes(of: Int32(truncatingIfNeeded: value.count).bigEndian, as: Int32.self)
      return value.count + 4
    } > 0
  }

  /// Writes the stand-in, which is as long as the value, where there is room for it. Returns false for all but ASCII text.
  func fill(_ output: UnsafeMutableRawPointer, with value: UnsafeRawBufferPointer) -> Bool {
    guard case .text = type, PartialMask.isASCII(value) else { return false }
    var masked = value.count
    if keeping.contains(.domain) {
      guard let at = value.lastIndex(of: UInt8(ascii: "@")), keepFirst + keepLast > 0 else { return false }
      masked = at
    }
    guard let from = value.baseAddress, value.count > 0 else { return true }
    output.copyMemory(from: from, byteCount: value.count)
    for index in hiddenRange(of: masked) where !keeping.contains(.format) || !PartialMask.isFormat(value[index]) {
      output.storeBytes(of: PartialMask.star, toByteOffset: index, as: UInt8.self)
    }
    return true
  }

  private static func isASCII(_ value: UnsafeRawBufferPointer) -> Bool {
    var at = 0
    while at + 8 <= value.count {
      if value.loadUnaligned(fromByteOffset: at, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 { return false }
      at += 8
    }
    return value[at...].allSatisfy { $0 < 0x80 }
  }

  /// Neither a letter nor a digit.
  private static func isFormat(_ byte: UInt8) -> Bool {
    !(0x30...0x39).contains(byte) && !(0x61...0x7A).contains(byte | 0x20)
  }

  /// Which of so many characters are hidden: all, where keeping both ends would hide none.
  private func hiddenRange(of count: Int) -> Range<Int> {
    let isShort = keepFirst >= count || keepLast >= count || keepFirst + keepLast >= count
    return isShort ? 0..<count : keepFirst..<(count - keepLast)
  }

  /// nil is NULL.
  func standIn(_ value: ArraySlice<UInt8>) -> [UInt8]? {
    switch type {
    case .text: return text(value)
    case .integer(let bytes, let isSigned): return integer(value, bytes: bytes, isSigned: isSigned)
    default: return type.neutral(isBinary: isBinary)
    }
  }

  /// A value too short to hide anything, or no UTF-8, is replaced whole.
  private func text(_ value: ArraySlice<UInt8>) -> [UInt8] {
    guard let text = String(validating: value, as: UTF8.self) else { return stars(4) }
    guard keeping.contains(.domain) else { return masked(Array(text.unicodeScalars)) }
    guard let at = text.unicodeScalars.lastIndex(of: "@") else { return stars(min(text.unicodeScalars.count, 4)) }
    // The name before it is never empty, nor of a length that tells.
    let name = keepFirst == 0 && keepLast == 0 ? stars(4) : masked(Array(text.unicodeScalars[..<at]))
    return name + Array(String(text.unicodeScalars[at...]).utf8)
  }

  private func masked(_ scalars: [Unicode.Scalar]) -> [UInt8] {
    let hidden = hiddenRange(of: scalars.count)
    var out: [UInt8] = []
    out.reserveCapacity(scalars.count)
    for (index, scalar) in scalars.enumerated() {
      let staysAsFormat = keeping.contains(.format) && scalar.isASCII && PartialMask.isFormat(UInt8(scalar.value))
      if hidden.contains(index), !staysAsFormat {
        out.append(PartialMask.star)
      } else {
        out.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
      }
    }
    return out
  }

  private func stars(_ count: Int) -> [UInt8] {
    [UInt8](repeating: PartialMask.star, count: min(count, maxCharacters ?? count))
  }

  /// Digits that are hidden become 0, and the sign goes.
  private func integer(_ value: ArraySlice<UInt8>, bytes: Int, isSigned: Bool) -> [UInt8]? {
    let spelled = KeyedHash.decimal(value, bytes: bytes, isSigned: isSigned, isBinary: isBinary)
    guard let number = Int64(String(decoding: spelled, as: UTF8.self)) else { return type.neutral(isBinary: isBinary) }
    var digits = Array(String(number.magnitude).utf8)
    for index in hiddenRange(of: digits.count) { digits[index] = UInt8(ascii: "0") }
    let kept = Int64(String(decoding: digits, as: UTF8.self)) ?? 0
    return type.integer(kept, bytes: bytes, isSigned: isSigned, isBinary: isBinary) ?? type.neutral(isBinary: isBinary)
  }
}
