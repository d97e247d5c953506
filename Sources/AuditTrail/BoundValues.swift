import AccessModel
import Enforcement

/// The values bound to a command, as its record keeps them: behind the JSON and a zero byte, which no JSON has.
///
/// They are stored as the client encoded them and only spelled out when somebody reads them, so that a statement pays
/// for a copy of a few bytes. All numbers of ours are little-endian.
///
///     form u8, types of the values follow when its top bit is set: count u16, one u32 each
///       1  whole: the bytes of Bind from the format codes to the last value (PostgreSQL 55.7), to the record's end
///       2  cut: count u32, bytes u32, then of each value that is kept: format u8, length i32 and what is kept of it;
///          the length -1 is NULL, -2 a secret
///       3  masked: count u32, bytes u32
///       4  the text speaks of a secret: count u32, bytes u32
enum BoundValues {
  static let whole: UInt8 = 1
  static let cut: UInt8 = 2
  static let masked: UInt8 = 3
  static let secret: UInt8 = 4
  static let withTypes: UInt8 = 0x80
  /// Length of a value that is kept from the trail whatever the rules say.
  static let secretLength: Int32 = -2
  /// Values shorter than this hold no `password=x` and no `://u:p@h`.
  static let shortestSecret = 9

  /// Format codes and values as a client encodes them; stops where the bytes end.
  struct Values: Sequence, IteratorProtocol {
    private let bytes: UnsafeRawBufferPointer
    private let formats: Range<Int>
    /// As the client says; there may be fewer.
    let count: Int
    private var index = 0
    private var offset: Int

    /// nil when not even the format codes are whole.
    init?(_ bytes: UnsafeRawBufferPointer) {
      self.bytes = bytes
      guard let formatCount = bytes.bigEndian(UInt16.self, at: 0),
        let count = bytes.bigEndian(UInt16.self, at: 2 + 2 * Int(formatCount))
      else { return nil }
      formats = 2..<(2 + 2 * Int(formatCount))
      self.count = Int(count)
      offset = formats.upperBound + 2
    }

    /// 0 text, 1 binary; the length may be greater than what is here of the bytes, and -1 for NULL.
    mutating func next() -> (format: UInt8, length: Int32, bytes: UnsafeRawBufferPointer)? {
      guard index < count, let length = bytes.bigEndian(Int32.self, at: offset), length >= -1 else { return nil }
      let start = offset + 4
      let end = Swift.min(bytes.count, start + Swift.max(0, Int(length)))
      defer {
        index += 1
        offset = start + Swift.max(0, Int(length))
      }
      return (format(index), length, UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
    }

    private func format(_ index: Int) -> UInt8 {
      // None: all are text. One: it is that of all.
      let place = formats.count == 2 ? formats.lowerBound : formats.lowerBound + 2 * index
      guard formats.contains(place) else { return 0 }
      return bytes[place + 1]
    }
  }
}

extension UnsafeRawBufferPointer {
  /// nil when the bytes end before.
  func bigEndian<Number: FixedWidthInteger>(_: Number.Type, at offset: Int) -> Number? {
    guard offset >= 0, count - offset >= MemoryLayout<Number>.size else { return nil }
    return Number(bigEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
  }
}

extension JSONWriter {
  /// What a record keeps of the values of a command; `isSecret` when its text speaks of passwords.
  @inline(__always)
  mutating func values(_ parameters: Parameters, _ disclosure: ValueDisclosure, isSecret: Bool) {
    guard parameters.count > 0, disclosure != .omitted else { return }
    appendInteger(UInt8(0))
    guard disclosure == .kept, !isSecret else {
      return hidden(parameters, disclosure == .masked ? BoundValues.masked : BoundValues.secret)
    }
    guard parameters.types.isEmpty, parameters.isWhole, parameters.encoded.count <= RecordLimits.value,
      !mentionsSecret(parameters)
    else { return longValues(parameters) }
    appendInteger(BoundValues.whole)
    append(parameters.encoded)
  }

  private func mentionsSecret(_ parameters: Parameters) -> Bool {
    parameters.encoded.count >= BoundValues.shortestSecret + 8
      && parameters.encoded.withUnsafeBytes { isSecret($0) }
  }

  /// Whether the bytes speak of a password, or detectors find something in them.
  private func isSecret(_ bytes: UnsafeRawBufferPointer) -> Bool {
    PasswordRedaction.mayMentionSecret(bytes) && PasswordRedaction.mentionsSecret(bytes)
      || detectors?.findings(in: bytes).isEmpty == false
  }

  private mutating func hidden(_ parameters: Parameters, _ form: UInt8) {
    appendInteger(form)
    counts(parameters)
  }

  private mutating func counts(_ parameters: Parameters) {
    appendInteger(UInt32(truncatingIfNeeded: parameters.count))
    appendInteger(UInt32(clamping: parameters.byteCount))
  }

  /// Values with types, or of which not all may be kept.
  @inline(never)
  private mutating func longValues(_ parameters: Parameters) {
    let isWhole =
      parameters.isWhole && parameters.encoded.count <= RecordLimits.value && !mentionsSecret(parameters)
    let form = isWhole ? BoundValues.whole : BoundValues.cut
    // A type for each value that can be kept, and no more.
    let types = parameters.types.prefix(Swift.min(parameters.count, RecordLimits.values / 5))
    appendInteger(types.isEmpty ? form : form | BoundValues.withTypes)
    if !types.isEmpty {
      appendInteger(UInt16(truncatingIfNeeded: types.count))
      for type in types { appendInteger(type) }
    }
    guard !isWhole else { return append(parameters.encoded) }
    counts(parameters)
    parameters.encoded.withUnsafeBytes { cutValues($0) }
  }

  private mutating func cutValues(_ encoded: UnsafeRawBufferPointer) {
    guard let values = BoundValues.Values(encoded) else { return }
    var room = RecordLimits.values
    for value in values {
      let isSecret =
        value.bytes.count >= BoundValues.shortestSecret && self.isSecret(value.bytes)
      let kept = isSecret ? value.bytes.prefix(0) : value.bytes.prefix(RecordLimits.value)
      room -= 5 + kept.count
      guard room >= 0 else { return }
      appendInteger(value.format)
      appendInteger(isSecret ? BoundValues.secretLength : value.length)
      append(UnsafeRawBufferPointer(rebasing: kept))
    }
  }
}
