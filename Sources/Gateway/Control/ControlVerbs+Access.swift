import AccessModel
import Enforcement
import PolicyEngine
import SallyportConfiguration
import Store

/// Grants: for a while, commands are not held one by one. They give no access; that is the configuration's alone.
extension ControlVerbs {
  /// The longest that a grant may last, in seconds.
  private static let grantLimit: Int64 = 86_400

  func requestAccess(_ request: AuthorizedRequest) throws -> ControlResponse {
    guard case .person(let user) = request.actor else { throw GatewayFailure("this needs a person") }
    let connection = try request.argument("connection")
    let effects = try request.effects()
    let reason = try request.reason()
    guard !reason.isEmpty else { throw GatewayFailure("say why", hint: "Add --reason.") }
    guard let lifetime = Int64(try request.argument("lifetime")), (1...ControlVerbs.grantLimit).contains(lifetime)
    else {
      throw GatewayFailure("a grant lasts from 1 second to 24 hours")
    }
    let requirement = try requirement(user, connection, effects)
    let now = desk.clock.seconds()
    let expiry = max(requirement.expires, ApprovalRequirement.defaultExpiry).components.seconds
    let length = Duration.seconds(lifetime).shortDescription
    let row = NewApproval(
      kind: .access, session: "", command: 0, user: user.name, connection: connection, rule: requirement.rules,
      maskedText: "\(effects) on \(connection) for \(length)", textHMAC: [],
      terms: ApprovalTerms(
        clauses: requirement.clauses, scope: "access", validFor: lifetime, effects: effects.description,
        granted: effects.rawValue),
      reason: reason, createdAt: now, expiresAt: now + expiry)
    let id = try desk.insert(row, nil, nil)
    return ControlResponse(
      message: "request \(id) for \(row.maskedText): it takes \(row.terms.needs.joined(separator: ", and "))")
  }

  /// What people have to agree to. What the person could not do anyway cannot be granted.
  private func requirement(
    _ user: UserSettings, _ connection: String, _ effects: Effects
  ) throws -> ApprovalRequirement {
    let subject = configuration.subject(user: user.name, connection: connection, clientAddress: "")
    guard let policy = subject.map(scoped), let granted = policy.granted else {
      throw GatewayFailure("no access to connection \"\(connection)\"", hint: "Ask whoever manages the gateway.")
    }
    guard granted.isSuperset(of: effects) else {
      throw GatewayFailure(
        "access to \(connection) does not cover \(effects.subtracting(granted))",
        hint: "A grant spares approvals and gives no access; ask whoever manages the gateway for that.")
    }
    guard let requirement = policy.requirement(forEffects: effects) else {
      throw GatewayFailure("no rule holds \(effects) of yours on \(connection), so nothing has to be granted")
    }
    return requirement
  }

  func listAccess(_ request: AuthorizedRequest) throws -> ControlResponse {
    var response = ControlResponse()
    response.approvals = try store.accessGrants(now: desk.clock.seconds())
      .filter { maySee($0.request, request) }.map { view(of: $0) }
    return response
  }

  /// Ends a grant, or the request for one: by whoever asked for it, approvers and admins.
  func revokeAccess(_ request: AuthorizedRequest) throws -> ControlResponse {
    let id = try request.number()
    guard let grant = try store.approval(id), grant.request.kind == .access, maySee(grant.request, request),
      try store.endApproval(id: id, status: .cancelled, now: desk.clock.seconds())
    else { throw GatewayFailure("there is no grant \(id)", hint: "List them: sallyport access list.") }
    desk.withdraw(id, .cancelled)
    desk.note(id, grant.request, .cancelled, request.actor.name, try request.reason())
    return ControlResponse(message: "grant \(id) has ended")
  }
}

extension AuthorizedRequest {
  /// The effects that are named, separated by commas.
  fileprivate func effects() throws -> Effects {
    var effects: Effects = []
    for name in try argument("effects").split(separator: ",") {
      guard let effect = Effects(name: String(name)), !effect.isUnknown else {
        let known = Effects.named.map(\.name).joined(separator: ", ")
        throw GatewayFailure("there is no effect \"\(name.prefix(40))\" to be granted", hint: "Effects are \(known).")
      }
      effects.formUnion(effect)
    }
    return effects
  }
}
