/// How a sensitive value is replaced. Ordered by how much it reveals: the less revealing of two masks wins.
public enum Mask: Hashable, Sendable {
  case null
  case redact
  case fixed(String)
  /// Keeps characters at the ends and replaces each one between them by `*`.
  case partial(keepFirst: Int, keepLast: Int)

  /// 0 reveals least. The order of DESIGN §2: null, redact, fixed, hash, tokenize, bucket, partial.
  public var revelation: Int {
    switch self {
    case .null: 0
    case .redact: 1
    case .fixed: 2
    case .partial: 6
    }
  }

  /// The less revealing of two; of two `partial`, the one that keeps less at each end.
  public func merged(with other: Mask) -> Mask {
    if case .partial(let first, let last) = self, case .partial(let otherFirst, let otherLast) = other {
      return .partial(keepFirst: min(first, otherFirst), keepLast: min(last, otherLast))
    }
    return revelation <= other.revelation ? self : other
  }

  public var name: String {
    switch self {
    case .null: "null"
    case .redact: "redact"
    case .fixed: "fixed"
    case .partial: "partial"
    }
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

  public init(name: String, origin: Origin) {
    self.name = name
    self.origin = origin
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
