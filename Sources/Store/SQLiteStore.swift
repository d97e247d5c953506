import Foundation
import GRDB
import Glibc
import Identity

/// The store of a single gateway: SQLite in `<data>/state.db`.
public final class SQLiteStore: Store {
  public let path: String
  public let secret: [UInt8]
  let pool: DatabasePool

  /// Opens the store, and makes it when it is missing: the folder with mode 0700, the file with mode 0600.
  ///
  /// Throws `.newerFormat` for the file of a newer version, which is left as it is.
  public init(data: String) throws(StoreError) {
    let path = "\(data)/state.db"
    self.path = path
    try SQLiteStore.protect(folder: data, file: path)
    do {
      var configuration = Configuration()
      configuration.busyMode = .timeout(5)
      configuration.maximumReaderCount = 4
      // To have its side files, GRDB makes a table and drops it. Nothing hangs on that, so it is not waited for; and
      // nothing is carried over into the main file before the rules below hold.
      configuration.prepareDatabase { database in
        try database.execute(sql: "PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0")
      }
      let pool = try DatabasePool(path: path, configuration: configuration)
      self.pool = pool
      try pool.writeWithoutTransaction { database in
        // An approval that was consumed must stay so, also through a loss of power.
        try database.execute(sql: "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000")
      }
      let migrator = Schema.migrator
      if try pool.read(migrator.hasBeenSuperseded) { throw StoreError.newerFormat(path: path) }
      try migrator.migrate(pool)
      secret = try pool.write(SQLiteStore.loadSecret)
    } catch {
      throw SQLiteStore.typed(error)
    }
  }

  /// SQLite gives its side files the mode of the main file, so it is made first.
  private static func protect(folder: String, file: String) throws(StoreError) {
    func failure(_ action: String, _ path: String) -> StoreError {
      .failed("could not \(action) \"\(path)\": \(String(cString: strerror(errno)))")
    }
    guard mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw failure("create folder", folder) }
    guard chmod(folder, 0o700) == 0 else { throw failure("protect folder", folder) }
    let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else { throw failure("open", file) }
    defer { close(descriptor) }
    guard fchmod(descriptor, 0o600) == 0 else { throw failure("protect", file) }
  }

  private static func loadSecret(_ database: Database) throws -> [UInt8] {
    if let row = try Row.fetchOne(database, sql: "SELECT value FROM meta WHERE key = 'secret'") {
      let secret = row.bytes("value")
      guard secret.count == 32 else { throw StoreError.failed("the secret in the store is damaged") }
      return secret
    }
    var source = SystemRandomNumberGenerator()
    let secret = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &source) }
    try database.execute(sql: "INSERT INTO meta (key, value) VALUES ('secret', ?)", arguments: [Data(secret)])
    return secret
  }

  // MARK: Errors

  func read<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
    do { return try pool.read(body) } catch { throw SQLiteStore.typed(error) }
  }

  /// One transaction that is on the disk when this returns.
  func write<Value>(_ body: (Database) throws -> Value) throws(StoreError) -> Value {
    do { return try pool.write(body) } catch { throw SQLiteStore.typed(error) }
  }

  static func typed(_ error: any Error) -> StoreError {
    if let error = error as? StoreError { return error }
    // The description of a database error holds the arguments of the statement; its message does not.
    if let error = error as? DatabaseError { return .failed(error.message ?? "SQLite error \(error.resultCode)") }
    return .failed("\(type(of: error))")
  }

  /// Names of people, tokens and connections.
  static func check(name: String, _ what: String) throws(StoreError) {
    let printable = name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
    guard !name.isEmpty, name.utf8.count <= 63, printable else { throw .invalidName(what) }
  }
}

/// The tables, made and changed step by step; a step that was released is never edited.
enum Schema {
  static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1") { database in
      try database.execute(
        sql: """
          CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
          CREATE TABLE user_salts (
            user TEXT PRIMARY KEY, salt BLOB NOT NULL, iterations INTEGER NOT NULL
          ) STRICT;
          CREATE TABLE tokens (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            user TEXT NOT NULL REFERENCES user_salts (user),
            name TEXT NOT NULL,
            digest BLOB NOT NULL UNIQUE,
            stored_key BLOB NOT NULL,
            server_key BLOB NOT NULL,
            created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL,
            revoked_at INTEGER,
            connections TEXT NOT NULL
          ) STRICT;
          CREATE INDEX tokens_by_user ON tokens (user, expires_at);
          CREATE TABLE approvals (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            session TEXT NOT NULL,
            command INTEGER NOT NULL,
            user TEXT NOT NULL,
            connection TEXT NOT NULL,
            rule TEXT NOT NULL,
            masked_text TEXT NOT NULL,
            text_hmac BLOB NOT NULL,
            status TEXT NOT NULL
              CHECK (status IN ('requested', 'approved', 'refused', 'expired', 'cancelled', 'consumed')),
            created_at INTEGER NOT NULL,
            decided_at INTEGER,
            deciders TEXT NOT NULL
          ) STRICT;
          CREATE INDEX approvals_by_status ON approvals (status, id);
          """)
    }
    migrator.registerMigration("2 approvals outlive sessions") { database in
      try database.execute(
        sql: """
          ALTER TABLE approvals ADD COLUMN kind TEXT NOT NULL DEFAULT 'statement' CHECK (kind IN ('statement', 'access'));
          ALTER TABLE approvals ADD COLUMN terms TEXT NOT NULL DEFAULT '{}';
          ALTER TABLE approvals ADD COLUMN reason TEXT NOT NULL DEFAULT '';
          ALTER TABLE approvals ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;
          ALTER TABLE approvals ADD COLUMN valid_until INTEGER;
          ALTER TABLE approvals ADD COLUMN code BLOB;
          UPDATE approvals SET status = 'expired' WHERE status IN ('requested', 'approved');
          CREATE INDEX approvals_by_user ON approvals (user, connection, status);
          """)
    }
    migrator.registerMigration("audit-checkpoints") { database in
      try database.execute(
        sql: """
          CREATE TABLE audit_checkpoints (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            number INTEGER NOT NULL,
            seal TEXT NOT NULL,
            created_at INTEGER NOT NULL
          ) STRICT;
          """)
    }
    migrator.registerMigration("masked columns by number") { database in
      try database.execute(
        sql: """
          CREATE TABLE column_bindings (
            connection TEXT NOT NULL,
            database TEXT NOT NULL,
            relation INTEGER NOT NULL,
            attribute INTEGER NOT NULL,
            schema TEXT NOT NULL,
            table_name TEXT NOT NULL,
            column_name TEXT NOT NULL,
            PRIMARY KEY (connection, database, relation, attribute, schema, table_name, column_name)
          ) STRICT;
          """)
    }
    migrator.registerMigration("codes of several approvers") { database in
      try database.execute(
        sql: """
          CREATE TABLE approval_codes (
            approval INTEGER NOT NULL,
            person TEXT NOT NULL,
            digest BLOB NOT NULL,
            PRIMARY KEY (approval, person)
          ) STRICT, WITHOUT ROWID;
          INSERT INTO approval_codes (approval, person, digest)
            SELECT id, '', code FROM approvals WHERE code IS NOT NULL AND status = 'requested';
          UPDATE approvals SET code = NULL;
          """)
    }
    return migrator
  }
}
