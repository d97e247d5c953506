// PolicyEngine: decides commands and masks columns from a policy document, at once and without side effects.

import AccessModel
import Detection

/// What a policy says, as typed values: who has access to what, and the rules on top of it.
///
/// Nothing in here knows how it was written down. Access grants; rules only restrict what was granted (DESIGN §2).
public struct PolicyDocument: Sendable, Hashable {
  public var grants: [AccessGrant]
  /// In the order of the document, which matters only for which of two refusing rules gives its name to the message.
  public var rules: [Rule]

  public init(grants: [AccessGrant] = [], rules: [Rule] = []) {
    self.grants = grants
    self.rules = rules
  }

  /// Groups whose members some rule asks to approve.
  public var approvers: Set<String> {
    rules.reduce(into: []) { groups, rule in
      if case .approve(let approval) = rule.action { groups.formUnion(approval.by) }
    }
  }
}

/// What some people may do on some connections; the only part of a policy that permits anything.
public struct AccessGrant: Sendable, Hashable {
  /// Names of people and services; nil when the grant does not name any.
  public var users: [String]?
  /// nil when the grant names no group. With both, a person must meet both: lists are OR, keys AND.
  public var groups: [String]?
  public var connections: ConnectionSelector
  /// What may be done, by protocol name (`postgres`). `.unknown` stands for every effect, also the unknown one.
  public var allow: [String: Effects]
  /// Whether replication was named: the effect alone may be there as a part of every effect.
  public var replicates: Bool

  public init(
    users: [String]? = nil, groups: [String]? = nil, connections: ConnectionSelector, allow: [String: Effects],
    replicates: Bool = false
  ) {
    self.users = users
    self.groups = groups
    self.connections = connections
    self.allow = allow
    self.replicates = replicates
  }
}

/// Which connections a grant is about: by name, or by label.
public enum ConnectionSelector: Sendable, Hashable {
  case names([NameGlob])
  /// Every key must be there with one of its values.
  case labels([String: [String]])
}

/// A restriction that meets some commands, and what it does to them.
public struct Rule: Sendable, Hashable {
  public enum Mode: String, Sendable, Hashable, CaseIterable {
    case enforce
    /// Decided and recorded, not enforced.
    case shadow
  }
  /// Unique within a policy; people read it in refusals.
  public var name: String
  /// Which commands the rule meets; without keys, all.
  public var when: Matcher
  /// Which of those are exempt from this rule, and from this rule alone.
  public var unless: Matcher?
  public var action: Action
  public var mode: Mode
  /// One sentence for the person who meets the rule, without a full stop; nil when the rule gives none.
  public var reason: String?
  /// Whether a command that meets a deny rule ends the shell that it was seen in; it is recorded in any case.
  public var endsShell = false

  public init(
    name: String, when: Matcher = Matcher(), unless: Matcher? = nil, then action: Action, mode: Mode = .enforce,
    reason: String? = nil
  ) {
    self.name = name
    self.when = when
    self.unless = unless
    self.action = action
    self.mode = mode
    self.reason = reason
  }
}

/// What a rule does to a command that it meets, to its results, or to a column.
public enum Action: Sendable, Hashable {
  case deny
  case approve(Approval)
  case mask(ColumnMask)
  /// As many rows of its results reach the client, at least 1, and then an error (DECISIONS 9).
  case limit(rows: Int)
}

/// Who must agree before a command runs.
public struct Approval: Sendable, Hashable {
  /// Groups whose members may approve.
  public var by: [String]
  /// How many distinct people, at least 1.
  public var count: Int
  /// How long the session waits; nil when the rule does not say, then `Approval.defaultWait`.
  public var wait: Duration?
  /// How long the request lives; nil when the rule does not say, see `ApprovalRequirement`.
  public var expires: Duration?
  /// How long an approval may be used that no session waits for; nil when the rule does not say.
  public var validFor: Duration?
  public var scope: ApprovalScope
  /// Whether the person has to say why.
  public var needsReason: Bool

  /// How long a session waits under a rule that does not say.
  public static let defaultWait = Duration.seconds(60)

  public init(
    by: [String], count: Int = 1, wait: Duration? = nil, expires: Duration? = nil, validFor: Duration? = nil,
    scope: ApprovalScope = .statement, needsReason: Bool = false
  ) {
    self.by = by
    self.count = count
    self.wait = wait
    self.expires = expires
    self.validFor = validFor
    self.scope = scope
    self.needsReason = needsReason
  }

  /// What it asks, as the rule of this name.
  func requirement(of rule: String) -> ApprovalRequirement {
    ApprovalRequirement(
      clauses: [ApprovalRequirement.Clause(rule: rule, by: by, count: max(1, count))],
      wait: wait ?? Approval.defaultWait, waitIsExplicit: wait != nil, expires: expires,
      validFor: validFor ?? ApprovalRequirement.defaultValidity, scope: scope, needsReason: needsReason)
  }
}

/// Which columns a rule masks, and how.
public struct ColumnMask: Sendable, Hashable {
  /// `[schema.]table.column` or `column`, bound from the right (DECISIONS 27).
  public var columns: [NamePattern]
  public var mask: Mask
  public var predicates: Predicates
  /// What of the contents of values is masked, whatever column they stand in; nil when the rule names columns only.
  public var detectors: DetectorSet?

  /// Whether statements may compare, sort or group by the columns: a value that is not shown can be guessed so
  /// (DECISIONS 17).
  public enum Predicates: Sendable, Hashable {
    case deny
    /// WHERE may compare them with constants for equality: with so many in one statement, and so many of one person
    /// within an hour.
    case equality(constants: Int, perHour: Int)
    case allow

    /// In one statement; more is never allowed.
    public static let mostConstants = 10
    /// Within an hour, where the rule does not say.
    public static let defaultPerHour = 60
  }

  public init(columns: [NamePattern], mask: Mask, predicates: Predicates = .deny) {
    self.columns = columns
    self.mask = mask
    self.predicates = predicates
  }
}
