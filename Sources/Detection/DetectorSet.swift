/// Which detectors look at a text, and how sure a finding must be.
public struct DetectorSet: Hashable, Sendable {
  public var kinds: DetectorKinds
  public var custom: [CustomDetector]
  public var minimum: Confidence

  public init(_ kinds: DetectorKinds = .all, custom: [CustomDetector] = [], minimum: Confidence = .medium) {
    self.kinds = kinds
    self.custom = custom
    self.minimum = minimum
  }

  public var isEmpty: Bool { kinds.isEmpty && custom.isEmpty }

  public func name(of detector: Finding.Detector) -> String {
    switch detector {
    case .kind(let kind): kind.name
    case .custom(let index): index < custom.count ? custom[index].name : "custom"
    }
  }

  /// What is found in a text that is there whole, in the order of places; two detectors may find overlapping parts.
  ///
  /// Nothing is allocated where nothing is found by the catalogue's own detectors.
  /// - Parameter label: what the name of the column or key says of all of it.
  public func findings(in bytes: UnsafeRawBufferPointer, label: Context = .none) -> [Finding] {
    guard let base = bytes.baseAddress, bytes.count >= DetectorSet.shortest else { return [] }
    let text = ScannedBytes(base: base.assumingMemoryBound(to: UInt8.self), count: bytes.count)
    var findings: [Finding] = []
    if !kinds.isEmpty {
      findings = NumberScratch.with { scratch in
        var scanner = Scanner(text, kinds: kinds, label: label, minimum: minimum, scratch: scratch)
        scanner.run()
        return scanner.findings
      }
    }
    if custom.isEmpty { return findings }
    for (index, detector) in custom.enumerated() {
      var position = 0
      detector.scan(text, from: &position, isFinal: true, minimum: minimum, as: index, into: &findings)
    }
    return findings.sorted { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
  }

  public func findings(in text: String, label: Context = .none) -> [Finding] {
    var text = text
    return text.withUTF8 { findings(in: UnsafeRawBufferPointer($0), label: label) }
  }

  /// The shortest text in which something can be: a word of a list.
  private static let shortest = 2
}

extension [Finding] {
  /// The parts of a text that are to be hidden: what overlaps is one, under the name of the first.
  public var joined: [Finding] {
    reduce(into: []) { joined, next in
      guard let last = joined.last, next.range.lowerBound < last.range.upperBound else { return joined.append(next) }
      let end = Swift.max(last.range.upperBound, next.range.upperBound)
      joined[joined.count - 1].range = last.range.lowerBound..<end
    }
  }
}
