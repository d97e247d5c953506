/// How a sensitive value is replaced. Ordered by how much it reveals: the less revealing of two masks wins.
public enum Mask: Hashable, Sendable {
  case null
  /// Redacted, and where there is NULL, too: of what is computed, that it is NULL can tell what it was computed of.
  case conceal
  case redact
  case fixed(String)
  /// A keyed hash in the shape of the type: equal values stay equal, and nothing else is told.
  case hash
  /// Another value of the same format, that the gateway can turn back; equal for equal values of one domain.
  case tokenize(domain: String)
  /// The range that the value lies in.
  case bucket(Bucket)
  /// Keeps characters at the ends and replaces each one between them by `*`.
  case partial(keepFirst: Int, keepLast: Int, keeping: Kept = [])

  /// What else a partial mask leaves.
  public struct Kept: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// What stands behind the last `@`; the rest of the mask is about what stands before it.
    public static let domain = Kept(rawValue: 1)
    /// What is neither letter nor digit, such as dashes and spaces.
    public static let format = Kept(rawValue: 2)
  }

  /// Ranges of dates and of numbers; nil where values of that kind are to be hidden whole.
  public struct Bucket: Hashable, Sendable {
    public enum Unit: String, Hashable, Sendable, CaseIterable { case year, month }
    public var date: Unit?
    /// The width of each range, from 0 on both ways; at least 1.
    public var number: Int64?
    public init(date: Unit? = nil, number: Int64? = nil) {
      self.date = date
      self.number = number
    }
  }

  /// 0 reveals least. The order of DESIGN §2: null, redact, fixed, hash, tokenize, bucket, partial.
  public var revelation: Int {
    switch self {
    case .null: 0
    case .conceal: 1
    case .redact: 2
    case .fixed: 3
    case .hash: 4
    case .tokenize: 5
    case .bucket: 6
    case .partial: 7
    }
  }

  /// The less revealing of two; of two of a kind, what both would show.
  public func merged(with other: Mask) -> Mask {
    switch (self, other) {
    case (.partial(let first, let last, let kept), .partial(let otherFirst, let otherLast, let otherKept)):
      .partial(
        keepFirst: min(first, otherFirst), keepLast: min(last, otherLast), keeping: kept.intersection(otherKept))
    // Tokens of either would fit values elsewhere.
    case (.tokenize(let mine), .tokenize(let theirs)) where mine != theirs: .hash
    case (.bucket(let mine), .bucket(let theirs)): Bucket.merged(mine, theirs).map(Mask.bucket) ?? .redact
    default: revelation <= other.revelation ? self : other
    }
  }

  public var name: String {
    switch self {
    case .null: "null"
    case .redact, .conceal: "redact"
    case .fixed: "fixed"
    case .hash: "hash"
    case .tokenize: "tokenize"
    case .bucket: "bucket"
    case .partial: "partial"
    }
  }
}

extension Mask.Bucket {
  /// The wider ranges of each kind; nil when nothing is left to show.
  fileprivate static func merged(_ a: Mask.Bucket, _ b: Mask.Bucket) -> Mask.Bucket? {
    var merged = Mask.Bucket()
    if let mine = a.date, let theirs = b.date { merged.date = mine == .year ? mine : theirs }
    // Two widths that do not nest would show where both grids cut.
    if let mine = a.number, let theirs = b.number, max(mine, theirs) % min(mine, theirs) == 0 {
      merged.number = max(mine, theirs)
    }
    return merged.date == nil && merged.number == nil ? nil : merged
  }
}

/// One column of a result, with the stored column that it comes from.
public struct ResultColumn: Hashable, Sendable {
  public enum Origin: Hashable, Sendable {
    /// An expression, or anything else that is no stored column.
    case computed
    /// A stored column whose name could not be found out: it may be any.
    case unresolved
    /// `[schema, relation, column]`.
    case column([String])
  }
  /// The name that the client sees.
  public var name: String
  public var origin: Origin
  /// What else its values may come from: of a computed column all that is known of it, of a view's or a partition's
  /// the columns behind it. nil when nothing is known beyond `origin`.
  public var source: ValueSource?

  public init(name: String, origin: Origin, source: ValueSource? = nil) {
    self.name = name
    self.origin = origin
    self.source = source
  }
}

/// What to do with each column of one result; made once per result, so that rows never meet the policy.
public enum MaskPlan: Hashable, Sendable {
  /// Nothing is masked: bytes pass untouched and are not copied.
  case identity
  /// One entry per column, nil where the column passes.
  case columns([Mask?])

  /// True when no value changes.
  public var isIdentity: Bool {
    switch self {
    case .identity: true
    case .columns(let masks): masks.allSatisfy { $0 == nil }
    }
  }
}
