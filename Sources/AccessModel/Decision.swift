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
  public init(rules: [String] = []) { self.rules = rules }
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

/// Who must approve a command, and how long the session waits for them.
///
/// Two approve rules that meet one command must both be met: hence the list.
public struct ApprovalRequirement: Hashable, Sendable {
  public struct Clause: Hashable, Sendable {
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

  public init(clauses: [Clause], wait: Duration, waitIsExplicit: Bool) {
    self.clauses = clauses
    self.wait = wait
    self.waitIsExplicit = waitIsExplicit
  }
}
