import AccessModel
import SallyportConfiguration
import Store

/// Requests for approval, and what people decide on them.
extension ControlVerbs {
  /// The longest reason that people may give, in characters.
  static let reasonLimit = 1_000

  func listApprovals(_ request: AuthorizedRequest) -> ControlResponse {
    var response = ControlResponse()
    response.approvals = desk.list().filter { maySee($0, request) }.map { view(of: $0, for: request.actor) }
    return response
  }

  func showApproval(_ request: AuthorizedRequest) throws -> ControlResponse {
    let id = try request.number()
    let found = try desk.find(id)
    guard maySee(found, request) else { throw ApprovalDesk.unknown(id) }
    var response = ControlResponse()
    response.approvals = [view(of: found, for: request.actor)]
    return response
  }

  func approve(_ request: AuthorizedRequest) throws -> ControlResponse {
    let (id, user, reason) = try decision(request)
    let isComplete = try desk.approve(id, person: user.name, groups: user.groups, reason: reason)
    return ControlResponse(
      message: isComplete ? "request \(id) is approved and goes on" : "request \(id) needs more approvals")
  }

  func deny(_ request: AuthorizedRequest) throws -> ControlResponse {
    let (id, user, reason) = try decision(request)
    try desk.refuse(id, person: user.name, groups: user.groups, reason: reason)
    return ControlResponse(message: "request \(id) is refused")
  }

  private func decision(_ request: AuthorizedRequest) throws -> (id: Int64, user: UserSettings, reason: String) {
    guard case .person(let user) = request.actor else { throw GatewayFailure("this needs a person") }
    let reason = request.arguments["reason"] ?? ""
    guard reason.count <= ControlVerbs.reasonLimit else {
      throw GatewayFailure("the reason is longer than \(ControlVerbs.reasonLimit) characters")
    }
    return (try request.number(), user, reason)
  }

  private func maySee(_ pending: ApprovalDesk.Pending, _ request: AuthorizedRequest) -> Bool {
    if request.seesAll { return true }
    guard case .person(let user) = request.actor else { return false }
    return pending.request.subject.user == user.name
  }

  /// The exact text goes to an approver who is under no mask on that connection; others see it without values
  /// (DECISIONS 15).
  private func view(of pending: ApprovalDesk.Pending, for actor: Actor) -> ControlResponse.Approval {
    let request = pending.request
    let mayReadText: Bool =
      switch actor {
      case .account, .stranger: false
      case .person(let user):
        configuration.subject(user: user.name, connection: request.subject.connection, clientAddress: "")
          .map { !scoping($0) } ?? false
      }
    return ControlResponse.Approval(
      id: pending.id, user: request.subject.user, connection: request.subject.connection,
      rules: request.requirement.clauses.map(\.rule),
      needs: request.requirement.clauses.map { "\($0.count) of \($0.by.joined(separator: " or "))" },
      approvedBy: pending.approvals.map(\.person),
      text: mayReadText ? request.text : LiteralMask.masked(request.text), effects: request.effects.description,
      footprint: request.footprint.description, createdAt: pending.createdAt)
  }
}
