import Foundation
import GRDB
import Glibc

/// Which sessions the audit trail tells of, in a file of its own: `<data>/sessions.db`. It holds nothing that the trail does
/// not, and may be deleted at any time; then it is made again.
public final class SessionIndexFile: Sendable {
  /// One session, as the trail has it. Times are µs since 1970.
  public struct Row: Hashable, Sendable {
    public var session: String
    public var lane: String
    /// Where it was opened.
    public var segment: Int64
    public var user: String
    public var connection: String
    public var client: String
    public var application: String?
    public var database: String?
    public var backend: String?
    public var openedAt: Int64
    public var closedAt: Int64?
    public var reason: String?

    public init(
      session: String, lane: String, segment: Int64, user: String, connection: String, client: String,
      application: String?, database: String?, backend: String?, openedAt: Int64, closedAt: Int64? = nil,
      reason: String? = nil
    ) {
      self.session = session
      self.lane = lane
      self.segment = segment
      self.user = user
      self.connection = connection
      self.client = client
      self.application = application
      self.database = database
      self.backend = backend
      self.openedAt = openedAt
      self.closedAt = closedAt
      self.reason = reason
    }
  }

  private let pool: DatabasePool
  /// What the tables are like; a file of another version is made again.
  private static let version = 1

  /// Opens the file, mode 0600, or makes it; one that is damaged or of another version is thrown away.
  public init(data: String) throws(StoreError) {
    let path = "\(data)/sessions.db"
    do {
      pool = try SessionIndexFile.open(path)
    } catch {
      for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
      do { pool = try SessionIndexFile.open(path) } catch { throw SQLiteStore.typed(error) }
    }
  }

  private static func open(_ path: String) throws -> DatabasePool {
    let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw StoreError.failed("could not open \"\(path)\"") }
    close(descriptor)
    var configuration = Configuration()
    configuration.busyMode = .timeout(5)
    configuration.maximumReaderCount = 2
    // What is lost with the power is taken from the trail again.
    configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = NORMAL") }
    let pool = try DatabasePool(path: path, configuration: configuration)
    try pool.write { database in
      let found = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
      if found == version { return }
      guard found == 0 else { throw StoreError.newerFormat(path: path) }
      try database.execute(
        sql: """
          CREATE TABLE segments (
            lane TEXT PRIMARY KEY, segment INTEGER NOT NULL, header BLOB NOT NULL
          ) STRICT, WITHOUT ROWID;
          CREATE TABLE sessions (
            session TEXT NOT NULL,
            lane TEXT NOT NULL,
            segment INTEGER NOT NULL,
            user TEXT NOT NULL,
            connection TEXT NOT NULL,
            client TEXT NOT NULL,
            application TEXT,
            database TEXT,
            backend TEXT,
            opened_at INTEGER NOT NULL,
            closed_at INTEGER,
            reason TEXT,
            PRIMARY KEY (session, lane)
          ) STRICT, WITHOUT ROWID;
          CREATE INDEX sessions_by_time ON sessions (opened_at);
          CREATE INDEX sessions_by_user ON sessions (user, opened_at);
          CREATE INDEX sessions_by_connection ON sessions (connection, opened_at);
          PRAGMA user_version = \(version);
          """)
    }
    return pool
  }

  // MARK: Segments

  /// The newest segment of a lane that was taken up; nil when none was.
  public func newest(ofLane lane: String) throws(StoreError) -> (segment: Int64, header: [UInt8])? {
    try read { database in
      try SessionIndexFile.fetch(database, "SELECT segment, header FROM segments WHERE lane = ?", [lane]).map {
        ($0["segment"], $0.bytes("header"))
      }
    }
  }

  /// Takes up what one segment tells, in one transaction.
  ///
  /// - Parameter ended: sessions that ended in it, with when and why; those that are not known are passed over.
  public func add(
    lane: String, segment: Int64, header: [UInt8], opened: [Row],
    ended: [(session: String, time: Int64, reason: String)]
  ) throws(StoreError) {
    try write { database in
      let insert = try database.makeStatement(
        sql: """
          INSERT OR REPLACE INTO sessions (session, lane, segment, user, connection, client, application, database, backend,
            opened_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """)
      for row in opened {
        try insert.execute(arguments: [
          row.session, lane, segment, row.user, row.connection, row.client, row.application, row.database, row.backend,
          row.openedAt,
        ])
      }
      let end = try database.makeStatement(
        sql: "UPDATE sessions SET closed_at = ?, reason = ? WHERE session = ? AND lane = ?")
      for session in ended { try end.execute(arguments: [session.time, session.reason, session.session, lane]) }
      try database.execute(
        sql: "INSERT OR REPLACE INTO segments (lane, segment, header) VALUES (?, ?, ?)",
        arguments: [lane, segment, Data(header)])
    }
  }

  public func forget(lane: String) throws(StoreError) {
    try write { database in
      try database.execute(sql: "DELETE FROM sessions WHERE lane = ?", arguments: [lane])
      try database.execute(sql: "DELETE FROM segments WHERE lane = ?", arguments: [lane])
    }
  }

  // MARK: Sessions

  /// Sessions that were opened from `since` to `until`, the newest first; of everybody and everywhere where nil.
  public func sessions(
    user: String?, connection: String?, since: Int64, until: Int64, limit: Int
  ) throws(StoreError) -> [Row] {
    try read { database in
      var condition = "opened_at BETWEEN ? AND ?"
      var arguments: StatementArguments = [since, until]
      for (column, value) in [("user", user), ("connection", connection)] {
        guard let value else { continue }
        condition += " AND \(column) = ?"
        arguments += [value]
      }
      arguments += [limit]
      return try GRDB.Row.fetchAll(
        database, sql: "SELECT * FROM sessions WHERE \(condition) ORDER BY opened_at DESC LIMIT ?",
        arguments: arguments
      ).map(Row.init)
    }
  }

  public func session(_ name: String) throws(StoreError) -> Row? {
    try read {
      try SessionIndexFile.fetch($0, "SELECT * FROM sessions WHERE session = ? LIMIT 1", [name]).map(Row.init)
    }
  }

  private static func fetch(
    _ database: Database, _ sql: String, _ arguments: StatementArguments
  ) throws -> GRDB.Row? { try GRDB.Row.fetchOne(database, sql: sql, arguments: arguments) }

  private func read<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
    do { return try pool.read(body) } catch { throw SQLiteStore.typed(error) }
  }

  private func write(_ body: (Database) throws -> Void) throws(StoreError) {
    do { try pool.write(body) } catch { throw SQLiteStore.typed(error) }
  }
}

extension SessionIndexFile.Row {
  fileprivate init(_ row: GRDB.Row) {
    self.init(
      session: row["session"], lane: row["lane"], segment: row["segment"], user: row["user"],
      connection: row["connection"], client: row["client"], application: row["application"], database: row["database"],
      backend: row["backend"], openedAt: row["opened_at"], closedAt: row["closed_at"], reason: row["reason"])
  }
}
