import Detection

/// What becomes of what detectors find in values, whatever column they stand in.
public struct ContentMask: Hashable, Sendable {
  /// Name of the rule.
  public var rule: String
  public var detectors: DetectorSet
  public var mask: Mask

  public init(rule: String, detectors: DetectorSet, mask: Mask) {
    self.rule = rule
    self.detectors = detectors
    self.mask = mask
  }
}

/// Several of them, as one pass over a value.
public struct ContentMasks: Hashable, Sendable {
  public let masks: [ContentMask]
  /// All that any of them looks for, as unsure as the least sure wants it.
  public let detectors: DetectorSet

  /// nil when there is nothing to look for.
  public init?(_ masks: [ContentMask]) {
    let wanted = masks.filter { !$0.detectors.isEmpty }
    guard let first = wanted.first else { return nil }
    var joined = first.detectors
    for mask in wanted.dropFirst() {
      joined.kinds.formUnion(mask.detectors.kinds)
      joined.custom += mask.detectors.custom.filter { !joined.custom.contains($0) }
      joined.minimum = min(joined.minimum, mask.detectors.minimum)
    }
    self.masks = wanted
    detectors = joined
  }

  /// What becomes of a finding: the least revealing of all masks that are about it; nil when it is too unsure for them.
  public func mask(for finding: Finding) -> Mask? {
    var strongest: Mask?
    for mask in masks where mask.detectors.minimum <= finding.confidence {
      let isMeant: Bool
      switch finding.detector {
      case .kind(let kind): isMeant = mask.detectors.kinds.contains(kind)
      case .custom(let index): isMeant = mask.detectors.custom.contains(detectors.custom[index])
      }
      if isMeant { strongest = strongest?.merged(with: mask.mask) ?? mask.mask }
    }
    return strongest
  }

  /// The strongest of all, where what was found cannot be told apart.
  public var strongest: Mask { masks.dropFirst().reduce(masks[0].mask) { $0.merged(with: $1.mask) } }
}
