/// Detectors over a text that comes in pieces: what is found is the same wherever it was cut.
public struct DetectionStream {
  private let set: DetectorSet
  private let label: Context
  /// What may still be looked at, and its place in the whole.
  private var buffer: [UInt8] = []
  private var origin = 0
  /// Where each pass is, as places in `buffer`: the catalogue's own, then each of the configuration.
  private var position = 0
  private var positions: [Int]
  /// Findings that a later one might still replace; places in the whole.
  private var open: [Finding] = []

  public init(_ set: DetectorSet, label: Context = .none) {
    self.set = set
    self.label = label
    positions = Array(repeating: 0, count: set.custom.count)
  }

  /// Everything before this offset is decided: no finding to come begins before it.
  public var settled: Int {
    let builtIn = set.kinds.isEmpty ? buffer.count : position - Scanner.reach
    let first = origin + max(0, positions.reduce(builtIn, min))
    return open.reduce(first) { min($0, $1.range.lowerBound) }
  }

  /// Takes the next piece; returns findings that are certain now, with offsets in the whole text.
  public mutating func feed(_ bytes: UnsafeRawBufferPointer) -> [Finding] {
    buffer.append(contentsOf: bytes)
    return advance(isFinal: false)
  }

  /// The text ends here, or a pause is taken for its end; what follows is a text of its own at the same offsets.
  public mutating func flush() -> [Finding] {
    defer {
      origin += buffer.count
      buffer.removeAll(keepingCapacity: true)
      position = 0
      for index in positions.indices { positions[index] = 0 }
    }
    return advance(isFinal: true)
  }

  private mutating func advance(isFinal: Bool) -> [Finding] {
    var certain: [Finding] = []
    buffer.withUnsafeBufferPointer { bytes in
      guard let base = bytes.baseAddress else { return }
      let text = ScannedBytes(base: base, count: bytes.count)
      if !set.kinds.isEmpty { runCatalogue(text, isFinal) }
      for (index, detector) in set.custom.enumerated() {
        detector.scan(
          text, from: &positions[index], isFinal: isFinal, minimum: set.minimum, as: index, into: &certain)
      }
    }
    for index in certain.indices { certain[index] = certain[index].moved(by: origin) }
    let edge = isFinal ? Int.max : origin + position - Scanner.reach
    let known = open.prefix { $0.range.upperBound <= edge }
    certain += known
    open.removeFirst(known.count)
    forget()
    return certain.sorted { $0.range.lowerBound < $1.range.lowerBound }
  }

  private mutating func runCatalogue(_ text: ScannedBytes, _ isFinal: Bool) {
    let (from, origin, kept) = (position, origin, open)
    let (set, label) = (set, label)
    let scanner = NumberScratch.with { scratch in
      var scanner = Scanner(
        text, kinds: set.kinds, label: label, minimum: set.minimum, from: from, isFinal: isFinal, scratch: scratch)
      scanner.findings = kept.map { $0.moved(by: -origin) }
      scanner.run()
      return scanner
    }
    position = scanner.position
    open = scanner.findings.map { $0.moved(by: origin) }
  }

  /// Drops what nobody looks at any more, once it is worth the move.
  private mutating func forget() {
    let needed = positions.reduce(set.kinds.isEmpty ? buffer.count : position, min) - Scanner.lookBehind
    guard needed > Scanner.longLookAhead || needed * 2 > buffer.count, needed > 0 else { return }
    buffer.removeFirst(needed)
    origin += needed
    position -= needed
    for index in positions.indices { positions[index] -= needed }
  }
}

extension Finding {
  func moved(by distance: Int) -> Finding {
    Finding(detector, (range.lowerBound + distance)..<(range.upperBound + distance), confidence)
  }
}
