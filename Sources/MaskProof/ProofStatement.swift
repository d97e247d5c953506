/// Whether a value comes from a masked column, as whoever wrote the statement knows.
public enum Taint: Int, Sendable, Comparable {
  /// It does not, and must come back as it is.
  case clean
  /// It does not, but that is too much to ask to be seen.
  case either
  /// It does, and must not come back.
  case masked

  public static func < (a: Taint, b: Taint) -> Bool { a.rawValue < b.rawValue }
}

/// One try: statements that run one after the other in one session.
public struct ProofStatement: Sendable {
  /// How they are sent.
  public enum Mode: String, Sendable, CaseIterable {
    /// As one Query each.
    case simple
    /// By Parse, Bind and Execute, described once and executed twice.
    case text
    case binary
    /// By portals that are fetched from twice.
    case portal
    /// As one Query with a harmless statement behind it.
    case joined
  }
  public struct Step: Sendable {
    public var sql: String
    /// The columns of its result, one after the other; nil where nothing is said of them.
    public var columns: [Taint]?
    /// Whether all of its result is, however many columns it has.
    public var isClean = false

    init(sql: String, columns: [Taint]?, isClean: Bool = false) {
      self.sql = sql
      self.columns = columns
      self.isClean = isClean
    }

    /// What is to become of a column of its result; nil where nothing is said.
    public func taint(_ column: Int) -> Taint? {
      if isClean { return .clean }
      return columns.flatMap { column < $0.count ? $0[column] : nil }
    }
  }
  public var steps: [Step]
  public var mode: Mode
  /// Whether it tells something of a masked value without showing it, or may. What does not is masked, and never refused.
  public var mayBeRefused: Bool
  /// Whether it runs inside a transaction that is rolled back.
  public var isRolledBack: Bool
  /// Whether it leaves something in the session, which ends with it.
  public var endsSession: Bool
  /// What made it.
  public var choices: [UInt32]

  public var text: String { steps.map(\.sql).joined(separator: "; ") }
}
