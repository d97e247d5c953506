import AccessModel
import Enforcement
import NIOCore
import Postgres
import SallyportConfiguration

extension LoopState {
  /// Looks at every session that has limits of time; the loop's one timer calls it.
  func sweep() {
    lane.sweepFloods()
    guard !watched.isEmpty || !ssh.isEmpty else { return }
    let now = Clock.monotonic()
    for connection in Array(ssh.values) { connection.checkLimits(now: now) }
    for connection in Array(watched.values) { connection.checkLimits(now: now) }
  }
}

/// Limits of sessions: how many, how long, and how long without doing anything.
extension PostgresConnection {
  /// Counts the session, or refuses it.
  func beginSession(of subject: Subject, on settings: ConnectionSettings) -> Bool {
    let excess = context.sessions.begin(
      user: subject.user, connection: settings.name, context.configuration.limits(on: settings),
      perUser: context.configuration.sessionsPerUser)
    guard let excess else {
      counted = (subject.user, settings.name)
      return true
    }
    let (whose, limit) =
      switch excess {
      case .ofUser(let limit): ("of user \"\(subject.user)\"", limit)
      case .ofConnection(let limit): ("on connection \"\(settings.name)\"", limit)
      case .ofUserOnConnection(let limit): ("of user \"\(subject.user)\" on connection \"\(settings.name)\"", limit)
      }
    refuseClient(
      code: "53300", "too many sessions \(whose)",
      hint: "The gateway allows \(limit) at a time. Close one that is not in use, or ask whoever manages the gateway.")
    return false
  }

  func endSession() {
    state.watched[ObjectIdentifier(self)] = nil
    guard let counted else { return }
    self.counted = nil
    context.sessions.end(user: counted.user, connection: counted.connection)
  }

  /// Has the session looked at from now on, if it has limits of time.
  func startWatch(_ relay: Relay) {
    relay.watch = SessionWatch(limits(of: relay), opened: relay.openedAt)
    state.watched[ObjectIdentifier(self)] = relay.watch == nil ? nil : self
  }

  /// As they are in force.
  private func limits(of relay: Relay) -> SessionLimits {
    let configuration = context.configuration
    return configuration.limits(on: configuration.connections[relay.target.settings.name] ?? relay.target.settings)
  }

  func checkLimits(now: Int64) {
    guard phase == .relaying, let relay, let finding = relay.watch?.look(relay.session.activity, now: now) else {
      return
    }
    let limits = limits(of: relay)
    switch finding {
    case .idle:
      endSession(
        relay, code: "57P05", "terminating connection due to idle-session timeout",
        detail: "The gateway ends sessions that have done nothing for \(spoken(limits.idle)).")
    case .idleInTransaction:
      endSession(
        relay, code: "25P03", "terminating connection due to idle-in-transaction timeout",
        detail: "The gateway ends transactions in which nothing is done for \(spoken(limits.idleInTransaction)).")
    case .statement: stopStatement(relay, spoken(limits.statement))
    case .stuck:
      endSession(
        relay, code: "57014", "terminating connection: its statement did not end when it was cancelled",
        detail: "The gateway's time limit for a statement is \(spoken(limits.statement)).")
    case .lifetime(isIdle: true): endQuietly(relay, .lifetime)
    // From here on every answer is looked at: the session ends behind the one after which nothing is under way.
    case .lifetime(isIdle: false): relay.quietEnd = .lifetime
    }
  }

  /// The end of a session at a moment when nothing is under way.
  func endQuietly(_ relay: Relay, _ end: QuietEnd) {
    switch end {
    case .lifetime:
      let lifetime = limits(of: relay).lifetime
      endSession(
        relay, code: "57P01", "terminating connection because it has reached its lifetime",
        detail: "The gateway ends sessions after \(spoken(lifetime)), when nothing is under way.",
        hint: "Connect again.")
    case .shutdown:
      endSession(
        relay, code: "57P01", "terminating connection due to administrator command",
        detail: "The gateway is going down.", hint: "Connect again.")
    }
  }

  /// The gateway is going down, and waits for what is under way: what is not is told to go.
  func drain() {
    guard phase == .relaying, let relay else { return close(reason: "the gateway is shutting down") }
    if relay.held != nil { endHoldForShutdown() }
    guard phase == .relaying else { return }
    if relay.session.isQuiet { endQuietly(relay, .shutdown) } else { relay.quietEnd = .shutdown }
  }

  private func stopStatement(_ relay: Relay, _ limit: String) {
    relay.session.explainCancel(
      with: ErrorFields(
        severity: "ERROR", code: "57014", message: "canceling statement due to the gateway's time limit of \(limit)",
        hint: "Whoever manages the gateway sets it, as limits.statement."))
    cancelStatement(relay)
  }

  func endSession(_ relay: Relay, code: String, _ message: String, detail: String, hint: String? = nil) {
    relay.session.end(
      with: ErrorFields(severity: "FATAL", code: code, message: message, detail: detail, hint: hint))
    while let output = relay.session.takeOutput(for: .client) { writeToClient(output) }
    close(reason: message)
  }

  private func spoken(_ limit: Duration?) -> String { (limit ?? .zero).shortDescription }
}
