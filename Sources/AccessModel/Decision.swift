/// What the policy says of one command: pass, refuse, wait for people.
public enum Decision: Hashable, Sendable {
  case permit(Obligations)
  case deny(Denial)
  case hold(ApprovalRequirement)
}

/// What a permit asks of whoever carries it out, and which rules met the command.
public struct Obligations: Hashable, Sendable {
  /// Names of the rules that met the command, shadow rules included.
  public var rules: [String]
  /// The narrowest limit that the rules set to the rows of its results; nil for none.
  public var limit: RowLimit?

  /// Masked columns are compared with constants, which is to be counted before it happens.
  public var comparisons: [Comparison]

  /// How many constants a statement compares columns with that a rule masks.
  public struct Comparison: Hashable, Sendable {
    public var rule: String
    public var constants: Int
    /// How many one person may compare with in an hour.
    public var perHour: Int
    public init(rule: String, constants: Int, perHour: Int) {
      self.rule = rule
      self.constants = constants
      self.perHour = perHour
    }
  }

  public init(rules: [String] = [], limit: RowLimit? = nil, comparisons: [Comparison] = []) {
    self.rules = rules
    self.limit = limit
    self.comparisons = comparisons
  }
}

/// How many rows of one command's results reach the client (DECISIONS 9). Made once with the policy, and shared.
public final class RowLimit: Sendable {
  /// At least 1.
  public let rows: Int
  /// The rule's name.
  public let rule: String
  /// The rule's own words, a sentence without a full stop; nil where it has none.
  public let reason: String?

  public init(rows: Int, rule: String, reason: String? = nil) {
    self.rows = rows
    self.rule = rule
    self.reason = reason
  }
}

extension RowLimit: Hashable {
  public static func == (a: RowLimit, b: RowLimit) -> Bool {
    a === b || a.rows == b.rows && a.rule == b.rule && a.reason == b.reason
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(rows)
    hasher.combine(rule)
  }
}

/// A refusal as the person reads it: which rule, why, and what to do next.
public struct Denial: Hashable, Sendable {
  /// The rule's name; `access` when no access grant covers the command, `gateway` when the gateway itself refuses.
  public var rule: String
  /// One sentence without a full stop.
  public var reason: String
  /// What to do next, as a sentence.
  public var hint: String?

  public init(rule: String, reason: String, hint: String? = nil) {
    self.rule = rule
    self.reason = reason
    self.hint = hint
  }
}

/// How much one approval covers. Ordered by that: the narrower of two wins.
public enum ApprovalScope: String, Hashable, Sendable, CaseIterable, Comparable {
  /// The one statement that was shown.
  case statement
  /// What the same rules hold in the rest of the transaction, as long as it does nothing else than what was shown.
  case transaction
  /// The same in the rest of the session.
  case session

  private var breadth: Int {
    switch self {
    case .statement: 0
    case .transaction: 1
    case .session: 2
    }
  }
  public static func < (a: ApprovalScope, b: ApprovalScope) -> Bool { a.breadth < b.breadth }
}

/// Who must approve a command, how long the session waits for them, and what their approval is worth.
///
/// Two approve rules that meet one command must both be met: hence the list. Of all else the stricter holds.
public struct ApprovalRequirement: Hashable, Sendable {
  public struct Clause: Hashable, Sendable, Codable {
    public var rule: String
    /// Groups whose members may approve.
    public var by: [String]
    /// How many distinct people, at least 1.
    public var count: Int
    public init(rule: String, by: [String], count: Int) {
      self.rule = rule
      self.by = by
      self.count = count
    }
  }
  public var clauses: [Clause]
  /// The shortest wait of all clauses; `.zero` refuses at once.
  public var wait: Duration
  /// True when a rule states its own wait, so that the 60 s bound inside a transaction does not apply.
  public var waitIsExplicit: Bool
  /// How long the request lives, also with nobody waiting; not shorter than `wait`.
  public var expires: Duration
  /// How long an approval that no session waits for may be used.
  public var validFor: Duration
  public var scope: ApprovalScope
  /// Whether the person has to say why.
  public var needsReason: Bool

  /// How long a request lives that no session waits for, where the rule does not say.
  public static let defaultExpiry = Duration.seconds(1800)
  /// How long an approval may be used where the rule does not say.
  public static let defaultValidity = Duration.seconds(600)

  /// - Parameter expires: nil: as long as the session waits, or `defaultExpiry` where it does not wait.
  public init(
    clauses: [Clause], wait: Duration, waitIsExplicit: Bool, expires: Duration? = nil,
    validFor: Duration = ApprovalRequirement.defaultValidity, scope: ApprovalScope = .statement,
    needsReason: Bool = false
  ) {
    self.clauses = clauses
    self.wait = wait
    self.waitIsExplicit = waitIsExplicit
    self.expires = max(wait, expires ?? (wait == .zero ? ApprovalRequirement.defaultExpiry : wait))
    self.validFor = validFor
    self.scope = scope
    self.needsReason = needsReason
  }

  /// The names of its rules, as messages give them.
  public var rules: String { clauses.map(\.rule).joined(separator: ",") }

  /// Both: all clauses, and of all else the stricter.
  public func joined(with other: ApprovalRequirement) -> ApprovalRequirement {
    var joined = self
    joined.clauses += other.clauses
    joined.expires = min(expires, other.expires)
    joined.wait = min(wait, other.wait, joined.expires)
    joined.waitIsExplicit = waitIsExplicit || other.waitIsExplicit
    joined.validFor = min(validFor, other.validFor)
    joined.scope = min(scope, other.scope)
    joined.needsReason = needsReason || other.needsReason
    return joined
  }
}
