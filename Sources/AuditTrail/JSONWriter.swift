/// Writes JSON (RFC 8259) as UTF-8 into a buffer that is used again and again, without an allocation per value.
struct JSONWriter {
  private(set) var bytes: [UInt8] = []

  init() { bytes.reserveCapacity(4096) }

  mutating func removeAll(keepingFirst count: Int) {
    bytes.removeSubrange(Swift.min(count, bytes.count)...)
  }

  /// Overwrites the first bytes; what does not fit is left out.
  mutating func replaceStart(with other: UnsafeRawBufferPointer) {
    bytes.withUnsafeMutableBytes { bytes in
      let count = Swift.min(bytes.count, other.count)
      UnsafeMutableRawBufferPointer(rebasing: bytes[..<count])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: other[..<count]))
    }
  }

  mutating func append(_ other: [UInt8]) { bytes += other }

  mutating func appendInteger(_ value: some FixedWidthInteger) { bytes.appendInteger(value) }

  /// Text that is JSON already.
  mutating func raw(_ text: StaticString) {
    bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// A comma and the name of a member; `name` needs no escape.
  mutating func key(_ name: StaticString) {
    raw(",\"")
    raw(name)
    raw("\":")
  }

  mutating func field(_ name: StaticString, _ value: String, limit: Int = .max) {
    key(name)
    string(value, limit: limit)
  }

  /// A member that is left out when there is nothing to say.
  mutating func fieldUnlessEmpty(_ name: StaticString, _ value: String, limit: Int = .max) {
    if !value.isEmpty { field(name, value, limit: limit) }
  }

  mutating func field(_ name: StaticString, _ value: some FixedWidthInteger) {
    key(name)
    integer(value)
  }

  mutating func field(_ name: StaticString, _ value: Bool) {
    key(name)
    if value { raw("true") } else { raw("false") }
  }

  /// An array of strings that takes at most `limit` bytes; what does not fit is left out.
  mutating func field(_ name: StaticString, _ values: [String], limit: Int = .max) {
    key(name)
    let start = bytes.count
    raw("[")
    for (index, value) in values.enumerated() {
      let room = limit - (bytes.count - start) - 4
      guard room > 0 else { break }
      if index > 0 { raw(",") }
      string(value, limit: room)
    }
    raw("]")
  }

  mutating func integer<Number: FixedWidthInteger>(_ value: Number) {
    if value < 0 { raw("-") }
    var rest = value.magnitude
    let start = bytes.count
    repeat {
      bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
      rest /= 10
    } while rest > 0
    bytes[start...].reverse()
  }

  /// A string between quotes, of at most `limit` bytes between them as written; a longer one ends with `…`.
  mutating func string(_ value: String, limit: Int = .max) {
    raw("\"")
    let done: Void? = value.utf8.withContiguousStorageIfAvailable { escaped($0, limit: limit) }
    if done == nil { Array(value.utf8).withUnsafeBufferPointer { escaped($0, limit: limit) } }
    raw("\"")
  }

  private mutating func escaped(_ text: UnsafeBufferPointer<UInt8>, limit: Int) {
    if text.count <= limit / 6 { return escapedInFull(text) }
    let start = bytes.count
    escapedInFull(text)
    guard bytes.count - start > limit else { return }
    // Too long as written: write again what surely fits, cut between two characters.
    bytes.removeSubrange(start...)
    var end = Swift.max(0, limit / 6 - 1)
    while end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
    escapedInFull(UnsafeBufferPointer(rebasing: text[..<end]))
    raw("…")
  }

  private mutating func escapedInFull(_ text: UnsafeBufferPointer<UInt8>) {
    var clean = 0
    for index in text.indices where JSONWriter.needsEscape[Int(text[index])] {
      bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[clean..<index]))
      escape(text[index])
      clean = index + 1
    }
    bytes.append(contentsOf: UnsafeBufferPointer(rebasing: text[clean...]))
  }

  private mutating func escape(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""): raw("\\\"")
    case UInt8(ascii: "\\"): raw("\\\\")
    case UInt8(ascii: "\n"): raw("\\n")
    case UInt8(ascii: "\r"): raw("\\r")
    case UInt8(ascii: "\t"): raw("\\t")
    case _:
      raw("\\u00")
      bytes.append(JSONWriter.hexDigit(byte >> 4))
      bytes.append(JSONWriter.hexDigit(byte & 15))
    }
  }

  private static let needsEscape: [Bool] = (0..<256).map { byte in
    byte < 0x20 || byte == 0x22 || byte == 0x5C || byte == 0x7F
  }

  static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + (value &- 10)
  }
}
