/// What bytes are, by one look-up each.
enum ByteClass {
  static let digit: UInt8 = 1
  static let upper: UInt8 = 2
  static let lower: UInt8 = 4
  static let letter: UInt8 = 6
  static let word: UInt8 = 7
  static let hex: UInt8 = 8
  /// Where some detector may begin to look.
  static let anchor: UInt8 = 16
  /// Letters, digits, `_` and `-`: base64url, and what keys are made of.
  static let token: UInt8 = 32
  /// What may stand before the `@` of an address.
  static let local: UInt8 = 64

  /// 256 classes. Written once, before anybody reads it, and never freed.
  nonisolated(unsafe) static let table: UnsafePointer<UInt8> = {
    let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
    for byte in UInt8.min ... .max { table[Int(byte)] = classes(of: byte) }
    return UnsafePointer(table)
  }()

  private static func classes(of byte: UInt8) -> UInt8 {
    var classes: UInt8 = 0
    switch byte {
    case 0x30...0x39: classes = digit | hex | token | local | anchor
    case 0x41...0x5A: classes = upper | token | local
    case 0x61...0x7A: classes = lower | token | local
    case 0x80...0xFF: classes = local
    default: break
    }
    if (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte) { classes |= hex }
    if "@:=_-JI~<".utf8.contains(byte) { classes |= anchor }
    if "_-".utf8.contains(byte) { classes |= token }
    if "._%+-".utf8.contains(byte) { classes |= local }
    return classes
  }
}

extension UInt8 {
  @inline(__always) var isDigit: Bool { self &- 0x30 < 10 }
  @inline(__always) var isUpper: Bool { self &- 0x41 < 26 }
  @inline(__always) var isLetter: Bool { (self | 0x20) &- 0x61 < 26 }
  @inline(__always) var isWord: Bool { isDigit || isLetter }
  @inline(__always) var isHex: Bool { isDigit || (self | 0x20) &- 0x61 < 6 }
  @inline(__always) var isToken: Bool { ByteClass.table[Int(self)] & ByteClass.token != 0 }
  /// Of ASCII letters; others stay.
  @inline(__always) var lowered: UInt8 { isUpper ? self | 0x20 : self }
  @inline(__always) var isBlank: Bool { self == 0x20 || self == 0x09 || self == 0x0A || self == 0x0D }
}

/// Bytes that detectors look at. What lies outside counts as 0, so that no look ahead or behind can go astray.
struct ScannedBytes {
  let base: UnsafePointer<UInt8>
  let count: Int

  @inline(__always) subscript(_ index: Int) -> UInt8 {
    UInt(bitPattern: index) < UInt(bitPattern: count) ? base[index] : 0
  }

  func matches(_ text: StaticString, at index: Int) -> Bool {
    guard index >= 0, text.utf8CodeUnitCount <= count - index else { return false }
    let start = text.utf8Start
    for offset in 0..<text.utf8CodeUnitCount where base[index + offset] != start[offset] { return false }
    return true
  }

  /// The end of the run of words' bytes from there, at most `limit` further.
  func endOfWord(_ index: Int, limit: Int = 128) -> Int {
    var end = index
    while end - index < limit, self[end].isWord { end += 1 }
    return end
  }

  /// The end of the run of letters, digits, `_` and `-` from there.
  func endOfToken(_ index: Int, limit: Int) -> Int {
    var end = index
    while end - index < limit, self[end].isToken { end += 1 }
    return end
  }
}
