import Foundation

/// What can be asked of a running gateway over its control socket.
public enum ControlVerb: String, Codable, Sendable, CaseIterable {
  case status
  case tokenCreate = "token.create"
  case tokenList = "token.list"
  case tokenRevoke = "token.revoke"
  case approvalsList = "approvals.list"
  case approvalsShow = "approvals.show"
  case approvalsApprove = "approvals.approve"
  case approvalsDeny = "approvals.deny"
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
  /// A request for approval as an approver sees it.
  public struct Approval: Codable, Sendable {
    public var id: Int64
    public var user: String
    public var connection: String
    public var rules: [String]
    /// Groups whose members may approve, and how many people it takes, for each rule.
    public var needs: [String]
    public var approvedBy: [String]
    public var text: String
    public var effects: String
    public var footprint: String
    /// Seconds since 1970.
    public var createdAt: Int64
  }
  public var error: String?
  public var hint: String?
  /// A token's text, once.
  public var secret: String?
  public var message: String?
  public var tokens: [Token]?
  public var approvals: [Approval]?

  public init(message: String? = nil) { self.message = message }

  static func failure(_ error: String, hint: String? = nil) -> ControlResponse {
    var response = ControlResponse()
    response.error = error
    response.hint = hint
    return response
  }
}
