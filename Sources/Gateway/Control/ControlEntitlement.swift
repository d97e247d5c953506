import Enforcement
import Identity
import SallyportConfiguration

/// Who may ask for a control verb. Each verb says so in `ControlVerb.entitlement`, without a default, and nothing else
/// decides it.
enum Entitlement: Hashable, Sendable {
  /// Whoever reaches the socket.
  case anyone
  /// Any person or service that shows a token; the verb itself answers only for what is theirs.
  case own
  /// Those with one of these roles; whoever has none of them sees only what is their own.
  case ownUnless([GatewayRole])
  /// Those with one of these roles; and the gateway's own account, which operates it.
  case operating([GatewayRole])
  /// People with one of these roles, by their own token: never the gateway's account, never a service.
  case people([GatewayRole])
}

extension ControlVerb {
  /// Who may ask for it.
  var entitlement: Entitlement {
    switch self {
    case .status: .anyone
    case .reload, .tokenCreate, .tokenList, .tokenRevoke: .operating([.admin])
    case .policyExplain: .operating([.admin, .auditor])
    case .approvalsList, .approvalsShow: .ownUnless([.approver, .auditor, .admin])
    case .approvalsApprove, .approvalsDeny: .people([.approver])
    case .maskReveal: .people([.revealer])
    case .auditSeal: .operating([.auditor, .admin])
    case .sessionsList, .sessionsShow, .sessionsReplay, .sessionsExport: .operating([.auditor, .admin])
    case .sessionsKill: .operating([.admin])
    case .accessRequest: .own
    case .accessList: .ownUnless([.approver, .auditor, .admin])
    case .accessRevoke: .ownUnless([.approver, .admin])
    }
  }

  /// Whether asking is an audit record, before it is done. All are but those that tell nothing of anybody.
  var isRecorded: Bool {
    switch self {
    case .status: false
    case .reload, .policyExplain, .tokenCreate, .tokenList, .tokenRevoke, .approvalsList, .approvalsShow,
      .approvalsApprove, .approvalsDeny, .auditSeal, .maskReveal,
      .sessionsList, .sessionsShow, .sessionsReplay, .sessionsExport,
      .sessionsKill, .accessRequest, .accessList, .accessRevoke:
      true
    }
  }
}

/// Who asks: a person or service by token, or nobody in particular but an account of this machine.
enum Actor: Sendable {
  /// The account that runs the gateway, or root.
  case account(uid: UInt32)
  /// Another account of this machine.
  case stranger(uid: UInt32)
  /// Somebody over the network who did not show who they are.
  case remote(address: String)
  case person(UserSettings)

  /// As the audit trail names them.
  var name: String {
    switch self {
    case .account(let uid), .stranger(let uid): "uid \(uid)"
    case .remote(let address): address
    case .person(let user): user.name
    }
  }
}

/// A request whose right was checked. Only `ControlVerbs.authorize` makes one, and verbs are carried out for nothing else.
struct AuthorizedRequest: Sendable {
  let verb: ControlVerb
  let arguments: [String: String]
  let actor: Actor
  /// Whether the actor may see what others asked for; false only where the verb answers for their own as well.
  let seesAll: Bool

  fileprivate init(_ request: ControlRequest, _ actor: Actor, seesAll: Bool) {
    verb = request.verb
    arguments = request.arguments
    self.actor = actor
    self.seesAll = seesAll
  }
}

/// Why somebody may not do what they asked for, with who it was as far as that is known: for the audit trail.
struct ControlDenial: Error, Sendable {
  var actor: Actor
  var failure: GatewayFailure
  /// Nobody knows who it is: the token is missing or not valid.
  var isUnknown = false
}

/// Where a request comes from, as far as that cannot be made up by whoever asks.
enum ControlCaller: Sendable {
  /// A process of this machine, by a socket that the kernel vouches for. `isOperator`: of the gateway's own account, or
  /// root.
  case process(uid: UInt32, isOperator: Bool)
  /// Somebody over the network, who has to show a token.
  case network(address: String)
  /// Somebody over the network who follows the link to a request: a link for one person is that person's proof, for a
  /// decision on that request; with any other a token has to be shown.
  case link(address: String)

  /// What the audit trail says of it, beside who asked; empty where that says it all.
  var note: String {
    switch self {
    case .process: ""
    case .network(let address): "from=\(address)"
    case .link(let address): "from=\(address) by=link"
    }
  }

  /// Where somebody guesses tokens or links from; nil on this machine.
  var address: String? {
    switch self {
    case .process: nil
    case .network(let address), .link(let address): address
    }
  }
}

extension ControlVerbs {
  /// The one place that decides who may do what on the gateway. Blocks on the store. Throws `ControlDenial`.
  ///
  func authorize(
    _ request: ControlRequest, from caller: ControlCaller
  ) throws(ControlDenial) -> AuthorizedRequest {
    let actor = try actor(of: request, from: caller)
    func allowed(seesAll: Bool = true) -> AuthorizedRequest { AuthorizedRequest(request, actor, seesAll: seesAll) }
    switch (request.verb.entitlement, actor) {
    case (.anyone, .account), (.anyone, .stranger), (.anyone, .person): return allowed()
    case (.own, .person), (.ownUnless, .account): return allowed()
    case (.ownUnless(let roles), .person(let user)): return allowed(seesAll: has(user, anyOf: roles))
    case (.operating, .account): return allowed()
    case (.operating(let roles), .person(let user)):
      guard has(user, anyOf: roles) else { throw lacking(roles, actor) }
      return allowed()
    case (.people(let roles), .person(let user)):
      guard user.kind == .person else {
        throw ControlDenial(
          actor: actor, failure: GatewayFailure("\(user.name) is a service, and this needs a person"))
      }
      guard has(user, anyOf: roles) else { throw lacking(roles, actor) }
      return allowed()
    case (.own, .account), (.people, .account), (_, .stranger), (_, .remote):
      throw ControlDenial(
        actor: actor,
        failure: GatewayFailure(
          "this needs a person",
          hint: "Put your own token into the environment variable SALLYPORT_TOKEN, or have account: set for you."))
    }
  }

  private func has(_ user: UserSettings, anyOf roles: [GatewayRole]) -> Bool {
    roles.contains { configuration.user(user.name, has: $0) }
  }

  private func lacking(_ roles: [GatewayRole], _ actor: Actor) -> ControlDenial {
    let names = roles.map(\.rawValue).joined(separator: " or ")
    return ControlDenial(
      actor: actor,
      failure: GatewayFailure(
        "\(actor.name) does not have the role \(names)", hint: "Groups have roles, under roles: in the configuration."))
  }

  /// Another account may be somebody's, as the configuration says; over the network there is nothing to go by.
  private func actorWithoutToken(_ account: Actor) throws(ControlDenial) -> Actor {
    switch account {
    case .account, .person: return account
    case .stranger(let uid):
      let names = [String(uid), PeerAccount.name(of: uid)]
      let people = configuration.users.values.filter { $0.account != nil && names.contains($0.account) }
      // Known by number to one and by name to another: nobody.
      return people.count == 1 ? people.first.map { .person($0) } ?? account : account
    case .remote:
      throw ControlDenial(
        actor: account,
        failure: GatewayFailure(
          "this needs a token", hint: "Put your own into the environment variable SALLYPORT_TOKEN."), isUnknown: true)
    }
  }

  /// Whom the link was made for by which somebody decides; nil for a link that many have. Whether it was used before the
  /// verb itself finds out.
  private func recipient(of request: ControlRequest) -> UserSettings? {
    switch request.verb {
    case .approvalsApprove, .approvalsDeny:
      request.arguments["code"].flatMap { try? desk.code($0) }.flatMap { configuration.users[$0.person] }
    case .status, .reload, .policyExplain, .tokenCreate, .tokenList, .tokenRevoke, .approvalsList, .approvalsShow,
      .auditSeal, .maskReveal, .sessionsList, .sessionsShow, .sessionsReplay, .sessionsExport, .sessionsKill,
      .accessRequest, .accessList, .accessRevoke:
      nil
    }
  }

  /// Finds out who asks. A wrong token is refused even where none is needed. What is unknown, expired, revoked or of
  /// somebody who is gone from the configuration costs the same look-up and gets the same answer.
  private func actor(
    of request: ControlRequest, from caller: ControlCaller
  ) throws(ControlDenial) -> Actor {
    let account: Actor =
      switch caller {
      case .process(let uid, true): .account(uid: uid)
      case .process(let uid, false): .stranger(uid: uid)
      case .network(let address), .link(let address): .remote(address: address)
      }
    if case .link = caller, let user = recipient(of: request) { return .person(user) }
    guard let token = request.token, !token.isEmpty else { return try actorWithoutToken(account) }
    let match: TokenRecord?
    do {
      match = try store.liveToken(presented: Array(token.utf8), now: Clock.seconds())
    } catch {
      throw ControlDenial(actor: account, failure: GatewayFailure(error.message, hint: error.hint))
    }
    guard let match, let user = configuration.users[match.user] else {
      throw ControlDenial(
        actor: account,
        failure: GatewayFailure("the token is not valid", hint: "Ask for a new one: sallyport token create."),
        isUnknown: true)
    }
    // A token for one connection, as a build job has it, manages nothing.
    guard match.connections.isEmpty else {
      throw ControlDenial(
        actor: .person(user),
        failure: GatewayFailure(
          "this token is only for \(match.connections.joined(separator: ", "))",
          hint: "Use a token that was made without --connection."))
    }
    return .person(user)
  }
}
