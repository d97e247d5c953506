import AccessModel
import Detection
import NIOCore

/// Hides what detectors find in the values of one column; the rest of a value stays, and the value stays valid.
struct SpanMask: Hashable, Sendable {
  private var contents: ContentMasks
  private var key: MaskKey
  private var type: ValueType
  private var isBinary: Bool
  private var label: Context
  private var maxCharacters: Int?

  /// The shortest value that something can be found in.
  private static let shortest = 4

  /// nil for types whose values hold nothing that detectors look for.
  init?(
    _ contents: ContentMasks, key: MaskKey, type: ValueType, isBinary: Bool, label: Context, maxCharacters: Int? = nil
  ) {
    guard SpanMask.isLookedAt(type) else { return nil }
    self.contents = contents
    self.key = key
    self.type = type
    self.isBinary = isBinary
    self.label = label
    self.maxCharacters = maxCharacters
  }

  /// Text, what holds text, what has no type that is known, and numbers long enough for a card.
  private static func isLookedAt(_ type: ValueType) -> Bool {
    switch type {
    case .text, .json, .jsonb, .xml, .bytea, .other, .inet, .cidr, .hardwareAddress, .numeric: true
    case .integer(let bytes, _): bytes == 8
    case .array(let element): isLookedAt(ValueType(element))
    case .byte, .float4, .float8, .bool, .date, .time, .timeWithZone, .timestamp, .timestampWithZone, .interval, .uuid,
      .range, .multirange:
      false
    }
  }

  /// What is found in a value that is to be hidden, with how; empty for nearly all.
  func findings(_ value: UnsafeRawBufferPointer) -> [(finding: Finding, mask: Mask)] {
    guard value.count >= SpanMask.shortest else { return [] }
    let found: [Finding]
    switch type {
    case .text, .xml, .json, .other: found = look(value)
    // Binary: a version, then the text.
    case .jsonb: found = look(value)
    case .inet, .cidr:
      if isBinary { return whole(.ipAddress, value) }
      found = look(value)
    case .hardwareAddress:
      if isBinary { return whole(.macAddress, value) }
      found = look(value)
    case .integer, .numeric: found = number(value)
    case .bytea: found = bytea(value)
    case .array: found = look(value)
    case .byte, .float4, .float8, .bool, .date, .time, .timeWithZone, .timestamp, .timestampWithZone, .interval, .uuid,
      .range, .multirange:
      return []
    }
    if found.isEmpty { return [] }
    return found.joined.compactMap { finding in contents.mask(for: finding).map { (finding, $0) } }
  }

  private func look(_ value: UnsafeRawBufferPointer) -> [Finding] {
    contents.detectors.findings(in: value, label: label)
  }

  private func whole(_ kind: DetectorKind, _ value: UnsafeRawBufferPointer) -> [(finding: Finding, mask: Mask)] {
    let finding = Finding(.kind(kind), 0..<value.count, .high)
    guard contents.detectors.kinds.contains(kind), let mask = contents.mask(for: finding) else { return [] }
    return [(finding, mask)]
  }

  /// Of a number: all of it or nothing. Nine digits are the fewest.
  private func number(_ value: UnsafeRawBufferPointer) -> [Finding] {
    guard isBinary else { return value.count >= 9 ? look(value) : [] }
    var digits: [UInt8]
    switch type {
    case .integer(let bytes, let isSigned):
      guard value.count == 8, value.prefix(4).contains(where: { $0 != 0 }) || value[4] >= 0x05 else { return [] }
      digits = KeyedHash.decimal(Array(value)[...], bytes: bytes, isSigned: isSigned, isBinary: true)
    default:
      guard let number = NumericValue(binary: Array(value)[...]) else { return [] }
      digits = number.text
    }
    return digits.withUnsafeBytes { look($0) }
  }

  /// Bytes that are text are read as that; others, such as pictures, are not altered.
  private func bytea(_ value: UnsafeRawBufferPointer) -> [Finding] {
    let bytes = isBinary ? Array(value) : ValueType.hexBytes(Array(value)[...]) ?? []
    guard String(validating: bytes, as: UTF8.self) != nil else { return [] }
    return bytes.withUnsafeBytes { look($0) }
  }

  /// The value with its findings hidden; nil is NULL.
  func hidden(_ value: UnsafeRawBufferPointer, _ findings: [(finding: Finding, mask: Mask)]) -> [UInt8]? {
    if findings.contains(where: { $0.mask == .null }) { return nil }
    switch type {
    case .text, .xml: return replaced(value, findings)
    case .json, .jsonb: return replacedInJSON(value, findings)
    case .bytea:
      let bytes = isBinary ? Array(value) : ValueType.hexBytes(Array(value)[...]) ?? []
      let hidden = bytes.withUnsafeBytes { replaced($0, findings) }
      return isBinary ? hidden : ValueType.hexText(hidden)
    case .array(let element):
      if !isBinary { return replaced(value, findings) }
      return elements(value, ValueType(element)) ?? type.neutral(isBinary: true)
    // Of a composite or an extension's type the text keeps its form; in binary there may be lengths.
    case .other: return isBinary ? nil : replaced(value, findings)
    default: return type.neutral(isBinary: isBinary)
    }
  }

  /// What stands for all of a value in which something is found; nil when nothing is, and nil inside for NULL.
  func replacement(_ value: UnsafeRawBufferPointer) -> [UInt8]?? {
    let findings = findings(value)
    if findings.isEmpty { return nil }
    if findings.contains(where: { $0.mask == .null }) { return .some(nil) }
    return .some(type.neutral(isBinary: isBinary))
  }

  private func replaced(_ value: UnsafeRawBufferPointer, _ findings: [(finding: Finding, mask: Mask)]) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(value.count)
    var place = 0
    for (finding, mask) in findings {
      out += value[place..<finding.range.lowerBound]
      out += standIn(value[finding.range], mask)
      place = finding.range.upperBound
    }
    out += value[place...]
    return out
  }

  /// A number becomes 0, a part of a string stays one.
  private func replacedInJSON(
    _ value: UnsafeRawBufferPointer, _ findings: [(finding: Finding, mask: Mask)]
  ) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(value.count)
    var place = 0
    var inString = false
    for (finding, mask) in findings {
      var start = max(place, finding.range.lowerBound)
      var index = place
      while index < start {
        if value[index] == UInt8(ascii: "\\"), inString {
          // What follows belongs to it, as far as it was found: `\nana@…` goes with its backslash.
          let end = index + (index + 1 < value.count && value[index + 1] == UInt8(ascii: "u") ? 6 : 2)
          if end > start { start = index }
          index = end
          continue
        }
        if value[index] == UInt8(ascii: "\"") { inString.toggle() }
        index += 1
      }
      out += value[place..<start]
      out += inString ? standIn(value[finding.range], mask) : [UInt8(ascii: "0")]
      place = finding.range.upperBound
    }
    out += value[place...]
    return out
  }

  /// An array in binary (array_send): each element by itself, as its type has it.
  private func elements(_ value: UnsafeRawBufferPointer, _ element: ValueType) -> [UInt8]? {
    guard value.count >= 12,
      let inner = SpanMask(contents, key: key, type: element, isBinary: true, label: label),
      let dimensions = SpanMask.int32(value, 0), (0...6).contains(dimensions)
    else { return nil }
    var place = 12 + 8 * dimensions
    guard place <= value.count else { return nil }
    var out = Array(value[..<place])
    while place < value.count {
      guard let length = SpanMask.int32(value, place) else { return nil }
      let end = place + 4 + max(0, length)
      guard end <= value.count else { return nil }
      let bytes = UnsafeRawBufferPointer(rebasing: value[(place + 4)..<end])
      let findings = length < 0 ? [] : inner.findings(bytes)
      if findings.isEmpty {
        out += value[place..<end]
      } else {
        let hidden = inner.hidden(bytes, findings)
        out += bigEndian(Int32(truncatingIfNeeded: hidden?.count ?? -1)) + (hidden ?? [])
      }
      place = end
    }
    return out
  }

  private static func int32(_ value: UnsafeRawBufferPointer, _ place: Int) -> Int? {
    guard place + 4 <= value.count else { return nil }
    return Int(Int32(bigEndian: value.loadUnaligned(fromByteOffset: place, as: Int32.self)))
  }

  /// What stands in for a part of a text; never longer than it where the type has a bound.
  private func standIn(_ part: Slice<UnsafeRawBufferPointer>, _ mask: Mask) -> [UInt8] {
    let bytes = Array(part)
    let room = maxCharacters.map { min($0, bytes.count) }
    let text: [UInt8]?
    switch mask {
    case .partial(let first, let last, let kept):
      text = PartialMask(
        keepFirst: first, keepLast: last, keeping: kept, type: .text(isPadded: false), isBinary: false,
        maxCharacters: bytes.count
      ).standIn(bytes[...])
    case .hash:
      text = KeyedHash(key: key, type: .text(isPadded: false), isBinary: false, maxCharacters: bytes.count)
        .standIn(bytes[...])
    case .fixed(let fixed): text = SpanMask.harmless(fixed)
    default: text = nil
    }
    return Array((text ?? Array("****".utf8)).prefix(room ?? .max))
  }

  /// What may stand in any text, list or document: without what has a meaning there.
  private static func harmless(_ text: String) -> [UInt8] {
    text.utf8.filter { $0 >= 0x20 && !"\"'\\<>&{},()".utf8.contains($0) }
  }
}
