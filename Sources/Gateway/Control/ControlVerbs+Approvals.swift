import AccessModel
import AuditTrail
import SallyportConfiguration
import Store

/// A request as the store has it, as opposed to what is shown of it.
typealias StoredApproval = Approval

/// Requests for approval, and what people decide on them.
extension ControlVerbs {
  /// The longest reason that people may give, in characters.
  static let reasonLimit = 1_000

  func listApprovals(_ request: AuthorizedRequest) -> ControlResponse {
    var response = ControlResponse()
    response.approvals = desk.list().filter { maySee($0.row, request) }.map { view(of: $0, for: request.actor) }
    return response
  }

  /// One that waits, or what has become of it.
  func showApproval(_ request: AuthorizedRequest) throws -> ControlResponse {
    let id = try request.number()
    var response = ControlResponse()
    if let pending = try? desk.find(id) {
      guard maySee(pending.row, request) else { throw ApprovalDesk.unknown(id) }
      response.approvals = [view(of: pending, for: request.actor)]
    } else {
      guard let ended = try store.approval(id), maySee(ended.request, request) else { throw ApprovalDesk.unknown(id) }
      response.approvals = [view(of: ended)]
    }
    return response
  }

  func approve(_ request: AuthorizedRequest) throws -> ControlResponse {
    let (id, user, reason) = try decision(request)
    let answer = try desk.approve(id, person: user.name, groups: user.groups, reason: reason)
    return ControlResponse(message: answer.message)
  }

  func deny(_ request: AuthorizedRequest) throws -> ControlResponse {
    let (id, user, reason) = try decision(request)
    try desk.refuse(id, person: user.name, groups: user.groups, reason: reason)
    return ControlResponse(message: "request \(id) is refused")
  }

  private func decision(_ request: AuthorizedRequest) throws -> (id: Int64, user: UserSettings, reason: String) {
    guard case .person(let user) = request.actor else { throw GatewayFailure("this needs a person") }
    let (code, reason) = (try request.code(desk), try request.reason())
    let id = try code?.request ?? request.number()
    // Whoever answers for a service decides on its requests as little as on their own.
    let requester = try desk.find(id).row.user
    guard configuration.users[requester]?.owner != user.name else {
      throw DeskRefusal(
        message: "\(user.name) answers for \(requester), and nobody decides on their own request",
        hint: "Ask another approver.")
    }
    if let code {
      // Only by somebody who may decide, so that nobody else uses it up.
      guard code.person.isEmpty || code.person == user.name else { throw ApprovalDesk.wrongCode }
      try desk.check(id, person: user.name, groups: user.groups)
      try desk.useCode(code)
    }
    return (id, user, reason)
  }

  func maySee(_ row: NewApproval, _ request: AuthorizedRequest) -> Bool {
    if request.seesAll { return true }
    guard case .person(let user) = request.actor else { return false }
    return row.user == user.name
  }

  /// The exact text goes to an approver who is under no mask on that connection; others see it without values
  /// (DECISIONS 15).
  func view(of pending: ApprovalDesk.Pending, for actor: Actor) -> ControlResponse.Approval {
    let mayReadText: Bool =
      switch actor {
      case .account, .stranger, .remote: false
      case .person(let user):
        configuration.subject(user: user.name, connection: pending.row.connection, clientAddress: "")
          .map { !scoped($0).mayMask } ?? false
      }
    var view = ControlResponse.Approval(pending.id, pending.row, status: .requested)
    view.approvedBy = pending.approvals.map(\.person)
    view.isWaitedFor = pending.isWaitedFor
    view.estimatedRows = mayReadText ? pending.estimate : nil
    guard mayReadText, let request = pending.request else { return view }
    view.text = PasswordRedaction.redact(request.text) ?? request.text
    view.values = BindValues.readable(request.parameters)
    view.hiddenValues = view.values == nil ? request.parameters.count : 0
    return view
  }

  func view(of ended: StoredApproval) -> ControlResponse.Approval {
    var view = ControlResponse.Approval(ended.id, ended.request, status: ended.status)
    view.approvedBy = ended.status == .refused ? [] : ended.deciders.map(\.person)
    view.validUntil = ended.validUntil
    return view
  }
}

extension AuthorizedRequest {
  /// The code by which a request is named; nil without one.
  func code(_ desk: ApprovalDesk) throws -> ApprovalCode? {
    guard let code = arguments["code"], !code.isEmpty else { return nil }
    return try desk.code(code)
  }

  /// Why, in the words of whoever asks; empty without.
  func reason() throws -> String {
    let reason = arguments["reason"] ?? ""
    guard reason.count <= ControlVerbs.reasonLimit else {
      throw GatewayFailure("the reason is longer than \(ControlVerbs.reasonLimit) characters")
    }
    return reason
  }
}

extension ControlResponse.Approval {
  /// What everybody may see of it who may see it at all.
  fileprivate init(_ id: Int64, _ row: NewApproval, status: StoredApproval.Status) {
    self.id = id
    kind = row.kind.rawValue
    self.status = status.rawValue
    user = row.user
    connection = row.connection
    rules = row.terms.clauses.map(\.rule)
    needs = row.terms.needs
    approvedBy = []
    text = row.maskedText
    hiddenValues = row.terms.hiddenValues
    effects = row.terms.effects
    footprint = row.terms.footprint
    reason = row.reason
    scope = row.terms.scope
    validFor = row.terms.validFor
    createdAt = row.createdAt
    expiresAt = row.expiresAt
    isWaitedFor = false
  }
}
