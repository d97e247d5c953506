import Postgres
import SallyportConfiguration

/// Measures one session against its limits of time, by a look once in a while: a statement costs nothing for it.
///
/// What is seen to be the same at two looks is taken to have lasted between them, and no longer: a limit is met late by
/// up to the time between two looks, and never early. Times are µs on the monotonic clock.
struct SessionWatch {
  enum Finding: Hashable {
    case idle, idleInTransaction
    /// A statement is over its time.
    case statement
    /// It is still there after it was cancelled.
    case stuck
    /// The session is old enough; `isIdle` when nothing is under way.
    case lifetime(isIdle: Bool)
  }
  /// How long a statement may take to end after it was cancelled.
  static let grace: Int64 = 10_000_000

  private let idle: Int64?
  private let idleInTransaction: Int64?
  private let statement: Int64?
  private let lifetime: Int64?
  private let opened: Int64
  private var seen = SessionActivity.idle(commands: 0)
  private var since: Int64
  private var cancelledAt: Int64?

  /// nil when the limits have nothing to do with time.
  init?(_ limits: SessionLimits, opened: Int64) {
    func micros(_ limit: Duration?) -> Int64? {
      limit.map { $0.components.seconds * 1_000_000 + $0.components.attoseconds / 1_000_000_000_000 }
    }
    idle = micros(limits.idle)
    idleInTransaction = micros(limits.idleInTransaction)
    statement = micros(limits.statement)
    lifetime = micros(limits.lifetime)
    self.opened = opened
    since = opened
    if idle == nil, idleInTransaction == nil, statement == nil, lifetime == nil { return nil }
  }

  /// What of the limits is reached. A finding about a statement comes once; the others come until the session ends.
  mutating func look(_ activity: SessionActivity, now: Int64) -> Finding? {
    if activity != seen {
      seen = activity
      since = now
      cancelledAt = nil
    }
    let lasted = now - since
    switch activity {
    case .idle:
      if isOver(lifetime, now - opened) { return .lifetime(isIdle: true) }
      return isOver(idle, lasted) ? .idle : nil
    case .idleInTransaction: if isOver(idleInTransaction, lasted) { return .idleInTransaction }
    case .running: if let finding = overdue(lasted, now) { return finding }
    case .waiting: break
    }
    return isOver(lifetime, now - opened) ? .lifetime(isIdle: false) : nil
  }

  private mutating func overdue(_ lasted: Int64, _ now: Int64) -> Finding? {
    if let cancelledAt { return now - cancelledAt >= SessionWatch.grace ? .stuck : nil }
    guard isOver(statement, lasted) else { return nil }
    cancelledAt = now
    return .statement
  }

  private func isOver(_ limit: Int64?, _ lasted: Int64) -> Bool { limit.map { lasted >= $0 } ?? false }
}
