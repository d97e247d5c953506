import Detection

/// Writes JSON (RFC 8259) as UTF-8 into a buffer that is used again and again, without an allocation per value.
struct JSONWriter: ~Copyable {
  /// What texts and values are looked through for before they are written; nil: they are kept as they are.
  var detectors: DetectorSet?
  private var storage: UnsafeMutableRawBufferPointer
  /// Bytes written so far.
  private(set) var count = 0
  private static let capacity = 4096

  init() { storage = .allocate(byteCount: JSONWriter.capacity, alignment: 16) }

  deinit { storage.deallocate() }

  /// What was written; valid until more is.
  var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage[..<count]) }

  /// A copy of what was written.
  var bytes: [UInt8] { Array(written) }

  /// Takes back all but the first bytes. A buffer that one long record made large is not kept for long.
  mutating func removeAll(keepingFirst kept: Int) {
    count = min(count, max(0, kept))
    if storage.count > 1 << 16 { move(to: max(JSONWriter.capacity, count)) }
  }

  /// Overwrites the first bytes; what does not fit is left out.
  mutating func replaceStart(with other: UnsafeRawBufferPointer) {
    let length = min(count, other.count)
    UnsafeMutableRawBufferPointer(rebasing: storage[..<length])
      .copyMemory(from: UnsafeRawBufferPointer(rebasing: other[..<length]))
  }

  // MARK: Room

  /// Makes room for so many bytes more.
  @inline(__always)
  private mutating func reserve(_ more: Int) {
    if storage.count - count < more { grow(more) }
  }

  @inline(never)
  private mutating func grow(_ more: Int) { move(to: max(storage.count * 2, count + more)) }

  private mutating func move(to capacity: Int) {
    let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
    larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage[..<min(count, capacity)]))
    storage.deallocate()
    storage = larger
  }

  @inline(__always)
  private mutating func append(_ start: UnsafeRawPointer?, _ length: Int) {
    reserve(length)
    guard length > 0, let start, let base = storage.baseAddress else { return }
    (base + count).copyMemory(from: start, byteCount: length)
    count += length
  }

  private mutating func append(_ byte: UInt8) {
    reserve(1)
    storage[count] = byte
    count += 1
  }

  /// Has up to `limit` bytes written in place.
  @inline(__always)
  mutating func write(upTo limit: Int, _ body: (inout BriefCursor) -> Void) {
    reserve(limit)
    guard let base = storage.baseAddress else { return }
    var cursor = BriefCursor(base + count)
    body(&cursor)
    count = cursor.position - base
  }

  mutating func append(utf8Of text: String) {
    var text = text
    text.withUTF8 { append($0.baseAddress, $0.count) }
  }

  mutating func append(_ other: UnsafeRawBufferPointer) { append(other.baseAddress, other.count) }

  mutating func append(_ other: [UInt8]) { other.withUnsafeBytes { append($0.baseAddress, $0.count) } }

  @inline(__always)
  mutating func appendInteger<Number: FixedWidthInteger>(_ value: Number) {
    reserve(MemoryLayout<Number>.size)
    storage.storeBytes(of: value.littleEndian, toByteOffset: count, as: Number.self)
    count += MemoryLayout<Number>.size
  }

  // MARK: Values

  /// Text that is JSON already.
  @inline(__always)
  mutating func raw(_ text: StaticString) { append(text.utf8Start, text.utf8CodeUnitCount) }

  /// A comma and the name of a member; `name` needs no escape.
  @inline(__always)
  mutating func key(_ name: StaticString) {
    raw(",\"")
    raw(name)
    raw("\":")
  }

  @inline(__always)
  mutating func field(_ name: StaticString, _ value: String, limit: Int = .max) {
    key(name)
    string(value, limit: limit)
  }

  /// A member that is left out when there is nothing to say.
  @inline(__always)
  mutating func fieldUnlessEmpty(_ name: StaticString, _ value: String, limit: Int = .max) {
    if !value.isEmpty { field(name, value, limit: limit) }
  }

  @inline(__always)
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
    let start = count
    raw("[")
    for (index, value) in values.enumerated() {
      let room = limit - (count - start) - 4
      guard room > 0 else { break }
      if index > 0 { raw(",") }
      string(value, limit: room)
    }
    raw("]")
  }

  mutating func integer<Number: FixedWidthInteger>(_ value: Number) {
    if value < 0 { raw("-") }
    digits(UInt64(truncatingIfNeeded: value.magnitude))
  }

  private mutating func digits(_ value: UInt64) {
    var rest = value
    var length = 1
    while rest >= 10 {
      rest /= 10
      length += 1
    }
    reserve(length)
    rest = value
    var place = count + length
    while place > count {
      place -= 1
      storage[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    count += length
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
    let start = count
    escapedInFull(text)
    guard count - start > limit else { return }
    // Too long as written: write again what surely fits, cut between two characters.
    count = start
    var end = max(0, limit / 6 - 1)
    while end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
    escapedInFull(UnsafeBufferPointer(rebasing: text[..<end]))
    raw("…")
  }

  /// Copies runs that need no escape at once; looks at eight bytes at a time.
  private mutating func escapedInFull(_ text: UnsafeBufferPointer<UInt8>) {
    guard let start = UnsafeRawPointer(text.baseAddress) else { return }
    var clean = 0
    var index = 0
    while index < text.count {
      if text.count - index >= 8,
        !JSONWriter.needsEscape((start + index).loadUnaligned(as: UInt64.self))
      {
        index += 8
      } else if !JSONWriter.needsEscape(text[index]) {
        index += 1
      } else {
        append(start + clean, index - clean)
        escape(text[index])
        index += 1
        clean = index
      }
    }
    append(start + clean, text.count - clean)
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
      append(JSONWriter.hexDigit(byte >> 4))
      append(JSONWriter.hexDigit(byte & 15))
    }
  }

  private static func needsEscape(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == 0x22 || byte == 0x5C || byte == 0x7F
  }

  /// True when one of the eight bytes needs an escape (Anderson, Bit Twiddling Hacks: a byte less than n, a zero byte).
  private static func needsEscape(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops: UInt64 = 0x8080_8080_8080_8080
    func holdsZero(_ word: UInt64) -> UInt64 { (word &- ones) & ~word }
    let control = (word &- ones &* 0x20) & ~word
    let found =
      control | holdsZero(word ^ ones &* 0x22) | holdsZero(word ^ ones &* 0x5C) | holdsZero(word ^ ones &* 0x7F)
    return found & tops != 0
  }

  static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + (value &- 10)
  }
}
