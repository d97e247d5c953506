import AccessModel
import Enforcement
import NIOCore
import PolicyEngine
import SSH
import SallyportConfiguration

/// What an account on an SSH backend signs in with; it exists here and in libssh, nowhere else.
struct SSHSecret: Sendable {
  enum Kind: Sendable {
    case password(String)
    case key(String)
  }
  var kind: Kind

  /// Blocks on files: off the event loop.
  static func resolve(_ credential: BackendCredential, in configuration: GatewayConfiguration) throws -> SSHSecret {
    if let key = credential.key { return SSHSecret(kind: .key(try key.resolve(relativeTo: configuration.directory))) }
    guard let password = credential.password else { throw SSHFailure(message: "the account has no credential") }
    return SSHSecret(kind: .password(try password.resolve(relativeTo: configuration.directory)))
  }
}

/// From a person to a session that commands can be decided in.
extension SSHConnection {
  /// What the client wants to reach: the name it gave, or behind `-J` the destination with its name as the login.
  var wanted: TargetName? {
    guard let outer else { return TargetName(target) }
    return TargetName(login: target.isEmpty ? nil : target, connection: outer.connection)
  }

  /// Opens the session for the first command; `channels` hear of it when that is done.
  func openSession() {
    guard session == nil, !isOpening, phase == .open, let person else { return }
    let current = context.current
    guard let wanted, let subject = subject(of: person, on: wanted.connection),
      let settings = current.configuration.connections[wanted.connection],
      current.policy.scoped(to: subject).hasAccess
    else {
      // One answer for what does not exist and for what is not allowed: names of connections are not told.
      return failOpening("no access to connection \"\(wanted?.connection ?? target)\"", hint: SSHConnection.nameHint)
    }
    guard let account = settings.account(login: wanted.login, groups: subject.groups) else {
      return failOpening(
        "connection \"\(settings.name)\" has no account\(wanted.login.map { " \"\($0)\"" } ?? "") for you",
        hint: "Ask whoever manages the gateway, or leave the login out.")
    }
    guard count(subject, on: settings) else { return }
    isOpening = true
    let bound = bound
    let configuration = current.configuration
    context.pool.runIfActive(eventLoop: state.loop) {
      try SSHSecret.resolve(account.credential, in: configuration)
    }.and(context.dialler.addresses(of: settings.address, region: settings.region, on: state.loop))
      .whenComplete { result in
        let connection = bound.value
        guard connection.phase == .open else { return }
        connection.isOpening = false
        switch result {
        case .success(let (secret, addresses)):
          connection.begin(settings, subject, account, secret, addresses)
        case .failure(let error):
          connection.noteUnavailable(settings.name, "\(error)")
          connection.failOpening(
            "the backend of connection \"\(settings.name)\" is not available", hint: "The gateway's log says why.")
        }
        connection.moveSoon()
      }
  }

  private static let nameHint = "Ask whoever manages the gateway for access, or check the name: ssh CONNECTION@gateway."

  private func begin(
    _ settings: ConnectionSettings, _ subject: Subject, _ account: (login: String, credential: BackendCredential),
    _ secret: SSHSecret, _ addresses: [SocketAddress]
  ) {
    let policy = context.policy.scoped(to: subject)
    guard policy.hasAccess else {
      return failOpening("no access to connection \"\(settings.name)\"", hint: SSHConnection.nameHint)
    }
    let facts = SessionFacts(
      session: name, gateway: context.configuration.gateway.name, region: context.region(of: settings),
      subject: subject,
      backendAddress: addresses.prefix(4).map { "\($0.ipAddress ?? "local"):\($0.port ?? 0)" }.joined(separator: ","),
      backendUser: account.login, database: "", application: "")
    let enforcer = Enforcer(session: name, policy: policy, audit: state.lane)
    guard enforcer.note(.sessionOpened(facts)) else {
      return failOpening("the gateway cannot record sessions and so refuses them", hint: "Ask whoever operates it.")
    }
    // No further than what the record names.
    session = Session(
      settings: settings, login: account.login, credential: account.credential, subject: subject, enforcer: enforcer,
      addresses: Array(addresses.prefix(4)), secret: secret)
    state.counters.sessions &+= 1
    let bound = bound
    context.live.add(
      LiveSessions.Entry(facts: facts, openedAt: Clock.now()) { actor, reason in
        try bound.eventLoop.submit { bound.value.kill(by: actor, reason: reason) }.wait()
      })
    for channel in channels { channel.sessionOpened() }
    for forward in forwards { forward.sessionOpened() }
  }

  /// Everybody who waits is told why there is nothing to reach.
  private func failOpening(_ reason: String, hint: String?) {
    for channel in channels { channel.sessionFailed(Denial(rule: "gateway", reason: reason, hint: hint)) }
    for forward in forwards { forward.sessionFailed() }
  }

  func noteUnavailable(_ connection: String, _ reason: String) {
    state.counters.failedBackends &+= 1
    context.logger.warning("backend not available", metadata: ["connection": "\(connection)", "reason": "\(reason)"])
  }

  private func count(_ subject: Subject, on settings: ConnectionSettings) -> Bool {
    guard isCounted == nil else { return true }
    let configuration = context.configuration
    let excess = context.sessions.begin(
      user: subject.user, connection: settings.name, configuration.limits(on: settings),
      perUser: configuration.sessionsPerUser)
    guard excess == nil else {
      failOpening(
        "too many sessions are open", hint: "Close one that is not in use, or ask whoever manages the gateway.")
      return false
    }
    isCounted = (subject.user, settings.name)
    return true
  }

  // MARK: Rule from outside

  /// Another configuration is in force. Returns false when that ended the session.
  func govern(by governing: Governing) -> Bool {
    guard phase == .open, let person else { return true }
    guard governing.configuration.users[person.user] != nil,
      person.key.map({ governing.keyOwners[$0] == person.user }) ?? true
    else {
      end("access to the gateway was withdrawn")
      return false
    }
    guard let session else { return true }
    let settings = governing.configuration.connections[session.settings.name]
    guard let settings, let subject = subject(of: person, on: settings.name),
      settings.address == session.settings.address, settings.hostKeys == session.settings.hostKeys,
      mayStay(session, settings, subject)
    else {
      end("access to \"\(session.settings.name)\" was withdrawn")
      return false
    }
    session.subject = subject
    session.enforcer.replacePolicy(governing.policy.scoped(to: subject))
    for channel in channels { channel.policyChanged() }
    return true
  }

  /// Whether the person may still be here as this account.
  private func mayStay(_ session: Session, _ settings: ConnectionSettings, _ subject: Subject) -> Bool {
    let groups = subject.groups
    let isDefault = settings.account(login: nil, groups: groups)?.login == session.login
    return (isDefault || settings.account(login: session.login, groups: groups) != nil)
      && context.policy.scoped(to: subject).hasAccess
  }

  func kill(by actor: String, reason: String) -> Bool {
    guard phase != .closed else { return false }
    end(reason.isEmpty ? "ended by \(actor)" : "ended by \(actor): \(reason)")
    return true
  }

  /// The gateway is going down, and waits for what is under way.
  func drain() {
    guard phase == .open else { return close(reason: "the gateway is shutting down") }
    for channel in channels { channel.giveUpHold() }
    endsWhenQuiet = true
    move()
  }

  func shutDown() { end("the gateway is shutting down") }

  /// Tells the person why on every channel, and closes.
  func end(_ reason: String) {
    guard phase != .closed else { return }
    for channel in channels { channel.say("sallyport: the session was ended: \(reason)\n") }
    close(reason: reason)
  }

  func checkLimits(now: Int64) {
    guard phase == .open, let session else { return }
    let limits = context.configuration.limits(on: session.settings)
    func isOver(_ limit: Duration?, since start: Int64) -> Bool {
      limit.map { now - start >= $0.components.seconds * 1_000_000 } ?? false
    }
    for channel in channels where isOver(limits.statement, since: channel.startedAt ?? .max / 2) {
      channel.stop("the gateway's time limit of \(limits.statement?.shortDescription ?? "") was reached")
    }
    if isOver(limits.lifetime, since: session.openedAt) { endsWhenQuiet = true }
    if isQuiet, isOver(limits.idle, since: lastActivity) || endsWhenQuiet {
      close(reason: "the session was idle, or has reached its lifetime")
    }
  }
}
