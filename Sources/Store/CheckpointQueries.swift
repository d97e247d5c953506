import Foundation
import GRDB

extension SQLiteStore {
  /// So many checkpoints are kept.
  private static let checkpoints = 1_000

  public func saveCheckpoint(number: Int64, seal: String, now: Int64) throws(StoreError) {
    try write { database in
      try database.execute(
        sql: "INSERT INTO audit_checkpoints (number, seal, created_at) VALUES (?, ?, ?)",
        arguments: [number, seal, now])
      try database.execute(
        sql: "DELETE FROM audit_checkpoints WHERE id <= ?",
        arguments: [database.lastInsertedRowID - Int64(SQLiteStore.checkpoints)])
    }
  }

  public func latestCheckpoint() throws(StoreError) -> String? {
    try read(SQLiteStore.latestCheckpoint)
  }

  /// The same, of a store that a gateway may have open and that is left as it is; nil when there is no store.
  public static func latestCheckpoint(data: String) throws(StoreError) -> String? {
    let path = "\(data)/state.db"
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    do {
      var configuration = Configuration()
      configuration.readonly = true
      configuration.busyMode = .timeout(5)
      return try DatabaseQueue(path: path, configuration: configuration).read { database in
        // Written by a version that kept none.
        guard try database.tableExists("audit_checkpoints") else { return nil }
        return try latestCheckpoint(database)
      }
    } catch { throw SQLiteStore.typed(error) }
  }

  private static func latestCheckpoint(_ database: Database) throws -> String? {
    try String.fetchOne(database, sql: "SELECT seal FROM audit_checkpoints ORDER BY id DESC LIMIT 1")
  }
}
