import AccessModel
import Identity
import SallyportConfiguration
import Store

/// Carries out control verbs. Blocks on the store: runs on a thread of the pool.
struct ControlVerbs: Sendable {
  /// The longest line that a client of the socket may send, in bytes.
  static let lineLimit = 64 << 10
  /// The longest reason that people may give, in characters.
  private static let reasonLimit = 1_000
  private static let day: Int64 = 86_400

  let configuration: GatewayConfiguration
  let scoping: @Sendable (Subject) -> Bool
  let store: any Store
  let desk: ApprovalDesk

  /// Who asks: a person by token, or nobody in particular but the owner of the process.
  enum Actor: Sendable {
    case owner(uid: UInt32)
    case person(UserSettings)

    var name: String {
      switch self {
      case .owner(let uid): "uid \(uid)"
      case .person(let user): user.name
      }
    }
  }

  /// Finds out who asks. A wrong token is refused even where none is needed.
  func actor(of request: ControlRequest, uid: UInt32) throws -> Actor {
    guard let token = request.token, !token.isEmpty else {
      guard !request.verb.needsPerson else {
        throw GatewayFailure(
          "this needs a person", hint: "Put your own token into the environment variable SALLYPORT_TOKEN.")
      }
      return .owner(uid: uid)
    }
    let now = Clock.seconds()
    let presented = Array(token.utf8)
    let match = try store.listTokens(user: nil).first { $0.isLive(at: now) && $0.matches(presented) }
    guard let match, let user = configuration.users[match.user] else {
      throw GatewayFailure("the token is not valid", hint: "Ask for a new one: sallyport token create.")
    }
    return .person(user)
  }

  func perform(_ request: ControlRequest, by actor: Actor) throws -> ControlResponse {
    switch request.verb {
    case .status: return ControlResponse(message: "running")
    case .tokenCreate: return try createToken(request.arguments, by: actor)
    case .tokenList: return try listTokens(request.arguments, by: actor)
    case .tokenRevoke: return try revokeToken(request.arguments, by: actor)
    case .approvalsList:
      var response = ControlResponse()
      response.approvals = desk.list().map { view(of: $0, for: actor) }
      return response
    case .approvalsShow:
      var response = ControlResponse()
      response.approvals = [view(of: try desk.find(try number(request.arguments)), for: actor)]
      return response
    case .approvalsApprove:
      let (id, user, reason) = try decision(request.arguments, actor)
      let isComplete = try desk.approve(id, person: user.name, groups: user.groups, reason: reason)
      return ControlResponse(
        message: isComplete ? "request \(id) is approved and goes on" : "request \(id) needs more approvals")
    case .approvalsDeny:
      let (id, user, reason) = try decision(request.arguments, actor)
      try desk.refuse(id, person: user.name, groups: user.groups, reason: reason)
      return ControlResponse(message: "request \(id) is refused")
    }
  }

  // MARK: Tokens

  /// Tokens are managed by the owner of the process and by admins.
  private func requireAdmin(_ actor: Actor) throws {
    switch actor {
    case .owner: return
    case .person(let user):
      guard configuration.user(user.name, has: .admin) else {
        throw GatewayFailure("\(user.name) is not an admin of this gateway", hint: "Ask somebody who is.")
      }
    }
  }

  private func createToken(_ arguments: [String: String], by actor: Actor) throws -> ControlResponse {
    try requireAdmin(actor)
    let user = try argument("user", arguments)
    guard configuration.users[user] != nil else {
      throw GatewayFailure("there is no user \"\(user)\"", hint: "Users are those of the configuration.")
    }
    let connections = (arguments["connections"] ?? "").split(separator: ",").map(String.init)
    for connection in connections where configuration.connections[connection] == nil {
      throw GatewayFailure("there is no connection \"\(connection)\"")
    }
    guard let lifetime = Int64(arguments["lifetime"] ?? "\(30 * ControlVerbs.day)") else {
      throw GatewayFailure("the lifetime is no number of seconds")
    }
    let (token, record) = try store.createToken(
      user: user, name: try argument("name", arguments), lifetime: lifetime, connections: connections,
      now: Clock.seconds())
    var response = ControlResponse(message: "token \(record.id) for \(user)")
    response.secret = token.text
    response.tokens = [view(of: record)]
    return response
  }

  private func listTokens(_ arguments: [String: String], by actor: Actor) throws -> ControlResponse {
    try requireAdmin(actor)
    var response = ControlResponse()
    response.tokens = try store.listTokens(user: arguments["user"]).map(view)
    return response
  }

  private func revokeToken(_ arguments: [String: String], by actor: Actor) throws -> ControlResponse {
    try requireAdmin(actor)
    let id = try number(arguments)
    try store.revokeToken(id: id, now: Clock.seconds())
    return ControlResponse(message: "token \(id) is revoked")
  }

  private func view(of record: TokenRecord) -> ControlResponse.Token {
    ControlResponse.Token(
      id: record.id, user: record.user, name: record.name, createdAt: record.createdAt, expiresAt: record.expiresAt,
      revokedAt: record.revokedAt, connections: record.connections)
  }

  // MARK: Approvals

  private func decision(
    _ arguments: [String: String], _ actor: Actor
  ) throws -> (id: Int64, user: UserSettings, reason: String) {
    guard case .person(let user) = actor else { throw GatewayFailure("this needs a person") }
    let reason = arguments["reason"] ?? ""
    guard reason.count <= ControlVerbs.reasonLimit else {
      throw GatewayFailure("the reason is longer than \(ControlVerbs.reasonLimit) characters")
    }
    return (try number(arguments), user, reason)
  }

  /// The exact text goes to an approver who is under no mask on that connection; others see it without values
  /// (DECISIONS 15).
  private func view(of pending: ApprovalDesk.Pending, for actor: Actor) -> ControlResponse.Approval {
    let request = pending.request
    let mayReadText: Bool =
      switch actor {
      case .owner: false
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

  private func argument(_ name: String, _ arguments: [String: String]) throws -> String {
    guard let value = arguments[name], !value.isEmpty else { throw GatewayFailure("\(name) is missing") }
    return value
  }

  private func number(_ arguments: [String: String]) throws -> Int64 {
    guard let id = Int64(try argument("id", arguments)) else { throw GatewayFailure("the id is no number") }
    return id
  }
}
