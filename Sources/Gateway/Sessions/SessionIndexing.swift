import AuditTrail
import Logging
import NIOCore
import Store
import Synchronization

/// Keeps the index of sessions up to date while the trail grows. Safe from any thread.
///
/// Without it sessions are found all the same, only later: what fails here is said in the log and stops nothing.
final class SessionIndexing: Sendable {
  /// Between two looks for segments that were closed.
  static let pause = TimeAmount.seconds(10)

  let index: SessionIndexFile
  private let history: SessionHistory
  private let logger: Logger
  private let isStopped: Flag
  private let isAtWork = Atomic(false)

  private final class Flag: Sendable {
    let isSet = Atomic(false)
  }

  /// nil where no file can be made.
  init?(data: String, logger: Logger) {
    do throws(StoreError) {
      index = try SessionIndexFile(data: data)
    } catch {
      logger.warning("no index of sessions", metadata: ["reason": "\(error.message)"])
      return nil
    }
    let flag = Flag()
    isStopped = flag
    self.logger = logger
    history = SessionHistory(directory: AuditDirectory.path(data: data)) { flag.isSet.load(ordering: .relaxed) }
  }

  /// Blocks on files; one call at a time does the work, others return at once.
  func bringUpToDate() {
    guard isAtWork.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else { return }
    defer { isAtWork.store(false, ordering: .releasing) }
    do {
      try history.bringUpToDate(index)
    } catch { logger.warning("sessions not indexed", metadata: ["reason": "\(error)"]) }
  }

  /// What is under way ends behind the segment that it is at.
  func stop() { isStopped.isSet.store(true, ordering: .relaxed) }
}

extension SessionIndexFile: SessionIndex {
  public func newest(ofLane lane: String) throws -> (segment: UInt64, header: [UInt8])? {
    let found: (segment: Int64, header: [UInt8])? = try newest(ofLane: lane)
    return found.map { (UInt64(bitPattern: $0.segment), $0.header) }
  }

  public func add(_ segment: SegmentSessions) throws {
    let number = Int64(bitPattern: segment.segment)
    try add(
      lane: segment.lane, segment: number, header: segment.header,
      opened: segment.opened.map { session in
        Row(
          session: session.session, lane: segment.lane, segment: number, user: session.user,
          connection: session.connection, client: session.client, application: session.application,
          database: session.database, backend: session.backend, openedAt: session.openedAt)
      },
      ended: segment.ended.map { ($0.session, $0.time, $0.reason) })
  }

  public func sessions(_ filter: SessionHistory.Filter, limit: Int) throws -> [SessionHistory.Summary] {
    try sessions(
      user: filter.user, connection: filter.connection, since: filter.since, until: filter.until, limit: limit
    ).map(SessionHistory.Summary.init)
  }

  public func find(_ session: String) throws -> (lane: String, segment: UInt64, summary: SessionHistory.Summary)? {
    try self.session(session).map { ($0.lane, UInt64(bitPattern: $0.segment), SessionHistory.Summary($0)) }
  }
}

extension SessionHistory.Summary {
  init(_ row: SessionIndexFile.Row) {
    self.init(
      session: row.session, user: row.user, connection: row.connection, client: row.client,
      application: row.application, database: row.database, backend: row.backend, openedAt: row.openedAt)
    closedAt = row.closedAt
    reason = row.reason
  }
}
