/// How a segment file is laid out. All numbers are little-endian; everything is aligned to 8 bytes.
///
///     header, 256 bytes
///       0  magic u64, written last: zero while the segment is prepared and unused
///       8  version u32, size of this header u32
///      16  segment number u64 · 24 creation time i64 (µs since 1970)
///      32  link to the previous segment: the hash of its last record, or of its header when it has none (32 bytes)
///      64  sequence number of the first record u64
///      72  length of the lane's name u32 · 76 the name (64 bytes) · zeros
///     224  hash of the 224 bytes before: the link that the first record continues
///     record
///       0  length of the payload u32, written first
///       4  commit word u32, written last
///       8  sequence number u64 · 16 time i64 (µs since 1970)
///      24  payload, JSON in UTF-8 or a `BriefRecord`, and bound values, filled up with zeros to a multiple of 8
///       …  hash of link ‖ sequence number ‖ time ‖ payload: the next link (32 bytes)
///
/// What follows the last record is zero, but for one unfinished record that the process died in.
///
/// Since version 2 a `decided` record may leave out what an earlier one of the same segment says, and names it by its
/// sequence number, and some members have a default; see `PayloadExpansion`. Each segment can be read by itself. Since
/// version 3 the values bound to a command follow, behind a zero byte; see `BoundValues`. Since version 4 the hash is
/// BLAKE2b-256 (before, SHA-256; see `ChainHash`), and what every statement makes is brief.
enum SegmentFormat {
  /// "SPAUDIT" and the format's number.
  static let magic: UInt64 = 0x0154_4944_5541_5053
  static let version: UInt32 = 4
  /// Those that can be read.
  static let versions: ClosedRange<UInt32> = 1...version
  static let headerSize = 256
  static let headerHashOffset = 224
  static let laneNameOffset = 76
  static let laneNameLimit = 64
  static let recordHeaderSize = 24
  static let hashSize = ChainHash.size
  /// "DONE"; no byte of it is zero, so that no change of one byte makes a record look unfinished.
  static let committed: UInt32 = 0x454E_4F44
  /// No payload is longer; a length beyond it is damage.
  static let payloadLimit = 1 << 30
  /// How many bytes back a record may name another: so much a reader has to remember.
  static let reach = 4 << 20

  /// Bytes that a record takes with a payload of this many bytes.
  static func recordSize(payload: Int) -> Int {
    recordHeaderSize + padded(payload) + hashSize
  }

  static func padded(_ count: Int) -> Int { (count + 7) & ~7 }

  static func fileName(_ number: UInt64) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".seg"
  }

  static func number(ofFile name: String) -> UInt64? {
    guard name.hasSuffix(".seg"), let number = UInt64(name.dropLast(4)), fileName(number) == name else { return nil }
    return number
  }

  static func link(
    _ link: [UInt8], sequenceTimeAndPayload bytes: ArraySlice<UInt8>, version: UInt32 = version
  ) -> [UInt8] {
    ChainHash.of(link + bytes, version: version)
  }
}

/// What a segment says of itself at its start.
struct SegmentHeader: Hashable {
  var lane: String
  var number: UInt64
  var createdAt: Int64
  /// The link that this segment continues; zeros for the first.
  var previous: [UInt8]
  var firstSequence: UInt64
  var version: UInt32

  /// The 256 bytes, the hash included.
  func encoded() -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(SegmentFormat.headerSize)
    bytes.appendInteger(SegmentFormat.magic)
    bytes.appendInteger(version)
    bytes.appendInteger(UInt32(SegmentFormat.headerSize))
    bytes.appendInteger(number)
    bytes.appendInteger(createdAt)
    bytes += previous.prefix(SegmentFormat.hashSize)
    bytes.appendInteger(firstSequence)
    let name = Array(lane.utf8.prefix(SegmentFormat.laneNameLimit))
    bytes.appendInteger(UInt32(truncatingIfNeeded: name.count))
    bytes += name
    bytes += [UInt8](repeating: 0, count: SegmentFormat.headerHashOffset - bytes.count)
    return bytes + ChainHash.of(bytes, version: version)
  }

  /// Why 256 bytes are not a header.
  struct Damage: Error { var reason: String }

  init(
    lane: String, number: UInt64, createdAt: Int64, previous: [UInt8], firstSequence: UInt64,
    version: UInt32 = SegmentFormat.version
  ) {
    self.version = version
    self.lane = lane
    self.number = number
    self.createdAt = createdAt
    self.previous = previous
    self.firstSequence = firstSequence
  }

  init(decoding bytes: [UInt8]) throws(Damage) {
    guard bytes.count == SegmentFormat.headerSize else { throw Damage(reason: "the header is cut off") }
    guard bytes.integer(UInt64.self, at: 0) == SegmentFormat.magic else {
      throw Damage(reason: "not a segment of an audit trail")
    }
    version = bytes.integer(UInt32.self, at: 8)
    guard SegmentFormat.versions.contains(version) else {
      throw Damage(reason: "unknown version of the format, or a changed header")
    }
    let hash = ChainHash.of(Array(bytes[..<SegmentFormat.headerHashOffset]), version: version)
    guard hash.elementsEqual(bytes[SegmentFormat.headerHashOffset...]) else {
      throw Damage(reason: "the header's hash does not fit its content")
    }
    let length = Int(bytes.integer(UInt32.self, at: 72))
    guard length <= SegmentFormat.laneNameLimit else { throw Damage(reason: "the lane's name is too long") }
    let start = SegmentFormat.laneNameOffset
    lane = String(decoding: bytes[start..<(start + length)], as: UTF8.self)
    number = bytes.integer(UInt64.self, at: 16)
    createdAt = bytes.integer(Int64.self, at: 24)
    previous = Array(bytes[32..<64])
    firstSequence = bytes.integer(UInt64.self, at: 64)
  }
}

extension [UInt8] {
  mutating func appendInteger(_ value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }

  /// The little-endian number at `offset`; zero when the bytes end before.
  func integer<Number: FixedWidthInteger>(_: Number.Type, at offset: Int) -> Number {
    guard offset >= 0, count - offset >= MemoryLayout<Number>.size else { return 0 }
    return withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
  }

  var hex: String {
    var text: [UInt8] = []
    text.reserveCapacity(count * 2)
    for byte in self {
      text.append(JSONWriter.hexDigit(byte >> 4))
      text.append(JSONWriter.hexDigit(byte & 15))
    }
    return String(decoding: text, as: UTF8.self)
  }
}
