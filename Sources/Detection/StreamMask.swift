/// Puts something else in place of what detectors find in a stream, wherever its pieces were cut.
///
/// What is not decided yet is held back: some hundred bytes, until more comes or `flush` takes a pause for the end.
/// Escape sequences that colour text or move the cursor (ECMA-48 CSI) are not looked at, so that they do not hide what
/// stands around them, and all of them are passed on.
public struct StreamMask {
  /// What stands in place of these bytes; nil leaves them.
  public typealias Replacement = (Finding, [UInt8]) -> [UInt8]?

  private var stream: DetectionStream
  private let replacement: Replacement
  /// Bytes that are looked at and not given out yet; `origin` is the place of the first in all that were looked at.
  private var held: [UInt8] = []
  private var origin = 0
  private var findings: [Finding] = []
  /// Sequences that are not looked at, by their place among the bytes that are.
  private var escapes: [(place: Int, bytes: [UInt8])] = []
  /// The beginning of a sequence that is not complete.
  private var sequence: [UInt8] = []
  /// Names of what was replaced so far, by how often.
  public private(set) var count = 0

  private static let escape: UInt8 = 0x1B
  /// Bytes of a sequence; what is longer is none.
  private static let longest = 64

  public init(_ detectors: DetectorSet, replacement: @escaping Replacement) {
    stream = DetectionStream(detectors)
    self.replacement = replacement
  }

  /// `[credit-card]` and the like, as in what is stored.
  public init(naming detectors: DetectorSet) {
    self.init(detectors) { finding, _ in Array("[\(detectors.name(of: finding.detector))]".utf8) }
  }

  /// Whether anything is held back.
  public var isHolding: Bool { !held.isEmpty || !sequence.isEmpty }

  /// Takes the next bytes; returns what can be given out now.
  public mutating func feed(_ bytes: [UInt8]) -> [UInt8] {
    let visible = sequence.isEmpty && !bytes.contains(StreamMask.escape) ? bytes : withoutSequences(bytes)
    held += visible
    findings += visible.withUnsafeBytes { stream.feed($0) }
    return give(upTo: min(stream.settled, origin + held.count))
  }

  /// The stream ends, or a pause is taken for its end.
  public mutating func flush() -> [UInt8] {
    if !sequence.isEmpty {
      held += sequence
      findings += sequence.withUnsafeBytes { stream.feed($0) }
      sequence = []
    }
    findings += stream.flush()
    return give(upTo: origin + held.count)
  }

  private mutating func withoutSequences(_ bytes: [UInt8]) -> [UInt8] {
    var visible: [UInt8] = []
    visible.reserveCapacity(bytes.count)
    for byte in bytes {
      if sequence.isEmpty {
        if byte == StreamMask.escape { sequence = [byte] } else { visible.append(byte) }
        continue
      }
      sequence.append(byte)
      // ESC [, parameters and intermediates, one final byte.
      let isBeginning = sequence.count == 2 ? byte == UInt8(ascii: "[") : (0x20...0x3F).contains(byte)
      if sequence.count > 2, (0x40...0x7E).contains(byte) {
        escapes.append((origin + held.count + visible.count, sequence))
        sequence = []
      } else if !isBeginning || sequence.count > StreamMask.longest {
        visible += sequence.dropLast()
        sequence = byte == StreamMask.escape ? [byte] : []
        if byte != StreamMask.escape { visible.append(byte) }
      }
    }
    return visible
  }

  private mutating func give(upTo limit: Int) -> [UInt8] {
    var out: [UInt8] = []
    var place = origin
    let certain = findings.sorted { $0.range.lowerBound < $1.range.lowerBound }.joined
    var later: [Finding] = []
    for finding in certain {
      guard finding.range.lowerBound < limit else {
        later.append(finding)
        continue
      }
      let range = max(finding.range.lowerBound, place)..<max(finding.range.upperBound, place)
      guard !range.isEmpty,
        let words = replacement(finding, Array(held[(range.lowerBound - origin)..<(range.upperBound - origin)]))
      else { continue }
      copy(place..<range.lowerBound, to: &out)
      out += words
      copySequences(upTo: range.upperBound, to: &out)
      place = range.upperBound
      count += 1
    }
    if place < limit {
      copy(place..<limit, to: &out)
      place = limit
    }
    copySequences(upTo: place, to: &out)
    held.removeFirst(place - origin)
    origin = place
    findings = later
    return out
  }

  private mutating func copy(_ range: Range<Int>, to out: inout [UInt8]) {
    var from = range.lowerBound
    while let next = escapes.first, next.place < range.upperBound {
      out += held[(from - origin)..<(max(next.place, from) - origin)]
      out += next.bytes
      from = max(next.place, from)
      escapes.removeFirst()
    }
    out += held[(from - origin)..<(range.upperBound - origin)]
  }

  private mutating func copySequences(upTo place: Int, to out: inout [UInt8]) {
    while let next = escapes.first, next.place <= place {
      out += next.bytes
      escapes.removeFirst()
    }
  }
}
