import AuditTrail
import Foundation

/// What can be asked of a running gateway over its control socket, or by a token over its console.
public enum ControlVerb: String, Codable, Sendable, CaseIterable {
  case status
  case reload
  case policyExplain = "policy.explain"
  case tokenCreate = "token.create"
  case tokenList = "token.list"
  case tokenRevoke = "token.revoke"
  case approvalsList = "approvals.list"
  case approvalsShow = "approvals.show"
  case approvalsApprove = "approvals.approve"
  case approvalsDeny = "approvals.deny"
  case auditSeal = "audit.seal"
  case maskReveal = "mask.reveal"
  case sessionsList = "sessions.list"
  case sessionsShow = "sessions.show"
  case sessionsReplay = "sessions.replay"
  case sessionsExport = "sessions.export"
  case sessionsKill = "sessions.kill"
  case accessRequest = "access.request"
  case accessList = "access.list"
  case accessRevoke = "access.revoke"
}

/// One request on the control socket: a line of JSON.
public struct ControlRequest: Codable, Sendable {
  public var verb: ControlVerb
  public var arguments: [String: String]
  /// The token of the person who asks, for verbs that need one.
  public var token: String?

  public init(_ verb: ControlVerb, _ arguments: [String: String] = [:], token: String? = nil) {
    self.verb = verb
    self.arguments = arguments
    self.token = token
  }
}

/// One answer on the control socket: a line of JSON.
public struct ControlResponse: Codable, Sendable {
  /// A token as stored; nothing in it signs anybody in.
  public struct Token: Codable, Sendable {
    public var id: Int64
    public var user: String
    public var name: String
    /// Seconds since 1970.
    public var createdAt: Int64
    public var expiresAt: Int64
    public var revokedAt: Int64?
    public var connections: [String]
  }
  /// A request for approval as whoever asks may see it.
  public struct Approval: Codable, Sendable {
    public var id: Int64
    /// `statement` or `access`.
    public var kind: String
    /// `requested`, `approved`, `refused`, `expired`, `cancelled` or `consumed`.
    public var status: String
    public var user: String
    public var connection: String
    public var rules: [String]
    /// Groups whose members may approve, and how many people it takes, for each rule.
    public var needs: [String]
    public var approvedBy: [String]
    public var text: String
    /// The values of its parameters; nil where they are not shown.
    public var values: [String]?
    /// How many values `text` and `values` do not show.
    public var hiddenValues: Int
    public var effects: String
    public var footprint: String
    /// Rows that the backend's planner expects it to touch; nil where there is no estimate.
    public var estimatedRows: Int64?
    /// Why, in the requester's words.
    public var reason: String
    /// `statement`, `transaction` or `session`.
    public var scope: String
    /// Seconds for which an approval may be used, or a grant lasts.
    public var validFor: Int64
    /// Seconds since 1970.
    public var createdAt: Int64
    public var expiresAt: Int64
    public var validUntil: Int64?
    /// Whether a session waits for it now.
    public var isWaitedFor: Bool
  }
  public var error: String?
  public var hint: String?
  /// A token's text, once.
  public var secret: String?
  public var message: String?
  public var tokens: [Token]?
  public var approvals: [Approval]?
  /// What does not work, as sentences.
  public var troubles: [String]?
  /// The newest seal of the audit trail: one line of JSON, signed.
  public var seal: String?
  public var sessions: [SessionHistory.Summary]?
  /// Of one session, see `SessionPage`.
  public var lines: [String]?
  /// Where the lines go on; nil when that is all.
  public var next: String?
  public var reload: ReloadReport?
  public var explanation: PolicyExplanation?
  /// What tokens stand for, in their order.
  public var revealed: [String]?

  public init(message: String? = nil) { self.message = message }

  static let notUnderstood = ControlResponse.failure(
    "the request is not understood", hint: "Client and gateway may differ in version.")

  static func failure(_ error: String, hint: String? = nil) -> ControlResponse {
    var response = ControlResponse()
    response.error = error
    response.hint = hint
    return response
  }
}
