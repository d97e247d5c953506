import AccessModel

/// How long sessions may last and how many there may be at a time. nil: not said here; zero: no limit.
public struct SessionLimits: Sendable, Hashable {
  /// Doing nothing outside a transaction.
  public var idle: Duration?
  /// Doing nothing inside a transaction, which may hold locks.
  public var idleInTransaction: Duration?
  /// One statement, from when the backend begins with it.
  public var statement: Duration?
  /// A session, from its sign-in; it ends when nothing is under way.
  public var lifetime: Duration?
  /// Sessions of one connection.
  public var sessions: Int?
  /// Sessions of one person: of the gateway's own limits on all connections together, of a connection's on that one.
  public var sessionsPerUser: Int?

  public init(
    idle: Duration? = nil, idleInTransaction: Duration? = nil, statement: Duration? = nil, lifetime: Duration? = nil,
    sessions: Int? = nil, sessionsPerUser: Int? = nil
  ) {
    self.idle = idle
    self.idleInTransaction = idleInTransaction
    self.statement = statement
    self.lifetime = lifetime
    self.sessions = sessions
    self.sessionsPerUser = sessionsPerUser
  }

  /// Where a configuration says nothing: no limit of time, as PostgreSQL has it, and so many sessions that only a fault
  /// makes more.
  public static let defaults = SessionLimits(
    idle: .zero, idleInTransaction: .zero, statement: .zero, lifetime: .zero, sessions: 10_000, sessionsPerUser: 10_000)
}

extension GatewayConfiguration {
  /// What holds on a connection: its own limits, then the gateway's, then the defaults. nil: no limit.
  ///
  /// `sessionsPerUser` is the connection's own; `sessionsPerUser` of this configuration holds beside it.
  public func limits(on connection: ConnectionSettings) -> SessionLimits {
    let (own, shared, last) = (connection.limits, gateway.limits, SessionLimits.defaults)
    func time(_ key: KeyPath<SessionLimits, Duration?>) -> Duration? {
      let said = own[keyPath: key] ?? shared[keyPath: key] ?? last[keyPath: key]
      return said == .zero ? nil : said
    }
    let sessions = own.sessions ?? shared.sessions ?? last.sessions
    return SessionLimits(
      idle: time(\.idle), idleInTransaction: time(\.idleInTransaction), statement: time(\.statement),
      lifetime: time(\.lifetime), sessions: sessions == 0 ? nil : sessions,
      sessionsPerUser: own.sessionsPerUser == 0 ? nil : own.sessionsPerUser)
  }

  /// Sessions of one person on all connections together; nil: no limit.
  public var sessionsPerUser: Int? {
    let said = gateway.limits.sessionsPerUser ?? SessionLimits.defaults.sessionsPerUser
    return said == 0 ? nil : said
  }
}

extension ConfigurationReader {
  /// `limits:` of the gateway, where the number of sessions is that of each connection, or of one connection.
  func sessionLimits(_ value: YAMLValue, _ shape: MappingShape, sessionsKey: String) -> SessionLimits? {
    guard var keys = MappingReader(value, "limits", mistakes, shape) else { return nil }
    func time(_ key: String) -> Duration? { keys.take(key).flatMap { duration($0, key) } }
    func count(_ key: String) -> Int? { keys.take(key).flatMap { integer($0, key) } }
    let limits = SessionLimits(
      idle: time("idle"), idleInTransaction: time("idle_in_transaction"), statement: time("statement"),
      lifetime: time("lifetime"), sessions: count(sessionsKey), sessionsPerUser: count("sessions_per_user"))
    keys.finish()
    return limits
  }
}

extension MappingShape {
  static let gatewayLimits = limits(
    "gateway_limits", [Key("sessions_per_connection", .integer(0...1_000_000), "0: any number.")])
  static let connectionLimits = limits("limits", [Key("sessions", .integer(0...1_000_000), "0: any number.")])

  private static func limits(_ name: String, _ sessions: [Key]) -> MappingShape {
    MappingShape(
      name,
      [
        Key("idle", .duration, "Doing nothing outside a transaction; 0: for ever."),
        Key("idle_in_transaction", .duration, "Doing nothing inside a transaction; 0: for ever."),
        Key("statement", .duration, "One statement; 0: for ever."),
        Key("lifetime", .duration, "A session from its sign-in; 0: for ever."),
      ] + sessions + [Key("sessions_per_user", .integer(0...1_000_000), "0: any number.")])
  }
}
