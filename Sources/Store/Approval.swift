import AccessModel

/// A request for approval that is about to be stored.
public struct NewApproval: Hashable, Sendable {
  public var kind: Approval.Kind
  /// Empty for a grant of access.
  public var session: String
  public var command: UInt64
  /// Who asks.
  public var user: String
  public var connection: String
  public var rule: String
  /// The text as it may be stored: values masked.
  public var maskedText: String
  /// Keyed hash of the exact text, values and all else that the approval is bound to (DECISIONS 15).
  public var textHMAC: [UInt8]
  public var terms: ApprovalTerms
  /// Why, in the requester's words; empty without.
  public var reason: String
  public var createdAt: Int64
  /// When nobody can approve it any more.
  public var expiresAt: Int64

  public init(
    kind: Approval.Kind = .statement, session: String, command: UInt64, user: String, connection: String, rule: String,
    maskedText: String, textHMAC: [UInt8], terms: ApprovalTerms, reason: String = "", createdAt: Int64,
    expiresAt: Int64
  ) {
    self.kind = kind
    self.session = session
    self.command = command
    self.user = user
    self.connection = connection
    self.rule = rule
    self.maskedText = maskedText
    self.textHMAC = textHMAC
    self.terms = terms
    self.reason = reason
    self.createdAt = createdAt
    self.expiresAt = expiresAt
  }
}

/// What is asked for and what it takes: what an approver agrees to, and what must still be so when it is used.
public struct ApprovalTerms: Hashable, Sendable, Codable {
  public var clauses: [ApprovalRequirement.Clause]
  /// Raw value of an `ApprovalScope`.
  public var scope: String
  /// Seconds for which an approval may be used; of a grant, for which it lasts.
  public var validFor: Int64
  /// As descriptions.
  public var effects: String
  public var footprint: String
  /// How many values the stored text hides.
  public var hiddenValues: Int
  /// Which catalogue it was worked out by; empty where nothing that is asked for runs code that users can change.
  public var catalogue: String
  /// Whether a later command can be told to be the same.
  public var isTransferable: Bool
  /// Of a grant: the effects that it covers, as raw value.
  public var granted: UInt16

  public init(
    clauses: [ApprovalRequirement.Clause], scope: String = "statement", validFor: Int64 = 0, effects: String = "",
    footprint: String = "", hiddenValues: Int = 0, catalogue: String = "", isTransferable: Bool = false,
    granted: UInt16 = 0
  ) {
    self.clauses = clauses
    self.scope = scope
    self.validFor = validFor
    self.effects = effects
    self.footprint = footprint
    self.hiddenValues = hiddenValues
    self.catalogue = catalogue
    self.isTransferable = isTransferable
    self.granted = granted
  }
}

/// A stored request for approval with what people decided on it.
public struct Approval: Hashable, Sendable {
  /// What is asked for.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// That one statement runs.
    case statement
    /// That statements are not held for a while.
    case access
  }
  /// Where a request stands.
  public enum Status: String, Hashable, Sendable, CaseIterable {
    case requested, approved, refused, expired, cancelled, consumed
  }
  /// One person's decision.
  public struct Decider: Hashable, Sendable, Codable {
    public var person: String
    /// The groups that the person was in then.
    public var groups: [String]?
    public var reason: String
    public init(person: String, groups: [String]? = nil, reason: String) {
      self.person = person
      self.groups = groups
      self.reason = reason
    }
  }
  public var id: Int64
  public var request: NewApproval
  public var status: Status
  /// When the status last changed; nil while it is requested.
  public var decidedAt: Int64?
  /// When an approval cannot be used any more; nil before it is approved.
  public var validUntil: Int64?
  public var deciders: [Decider]
}
