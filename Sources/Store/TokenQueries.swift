import Foundation
import GRDB
import Identity

extension SQLiteStore {
  public func createToken(
    user: String, name: String, lifetime: Int64, connections: [String], now: Int64
  ) throws(StoreError) -> (token: AccessToken, record: TokenRecord) {
    try SQLiteStore.check(name: user, "user")
    try SQLiteStore.check(name: name, "name of a token")
    for connection in connections { try SQLiteStore.check(name: connection, "connection") }
    let (expiresAt, overflow) = now.addingReportingOverflow(lifetime)
    guard lifetime >= 1, lifetime <= TokenRecord.maximumLifetime, !overflow else { throw .lifetimeOutOfRange }

    let salt = try write { try SQLiteStore.salt(of: user, in: $0) }
    let token = AccessToken.generate()
    // Costs some milliseconds, so it is done between two transactions; a salt never changes.
    let verifier = SCRAMVerifier(password: token.text, salt: salt.salt, iterations: salt.iterations)
    var record = TokenRecord(
      id: 0, user: user, name: name, digest: token.digest, verifier: verifier, createdAt: now, expiresAt: expiresAt,
      connections: connections)
    let complete = record
    record.id = try write { database in
      let live = try SQLiteStore.live(user: user, now: now, in: database)
      guard live.count < SCRAMLimits.verifiers else {
        throw StoreError.tooManyTokens(user: user, limit: SCRAMLimits.verifiers)
      }
      guard !live.contains(where: { $0.name == name }) else { throw StoreError.tokenNameTaken(user: user, name: name) }
      return try SQLiteStore.insert(complete, in: database)
    }
    return (token, record)
  }

  public func liveVerifiers(
    user: String, now: Int64
  ) throws(StoreError) -> (salt: [UInt8], iterations: Int, records: [TokenRecord]) {
    let (known, records) = try read { database in
      (
        try SQLiteStore.knownSalt(of: user, in: database),
        Array(try SQLiteStore.live(user: user, now: now, in: database).prefix(SCRAMLimits.verifiers))
      )
    }
    // Made in either case, so that time does not tell.
    let decoy = DecoySalt(secret: secret).salt(for: user)
    let salt = known ?? decoy
    return (salt.salt, salt.iterations, records)
  }

  public func liveToken(presented: [UInt8], now: Int64) throws(StoreError) -> TokenRecord? {
    let digest = AccessToken.digest(of: presented)
    let found = try read { database in
      try SQLiteStore.tokens(
        where: "tokens.digest = ? AND revoked_at IS NULL AND expires_at > ?", [Data(digest), now], in: database)
    }
    return found.first { $0.isLive(at: now) && $0.matches(presented) }
  }

  public func listTokens(user: String?) throws(StoreError) -> [TokenRecord] {
    try read { database in
      try SQLiteStore.tokens(
        where: "?1 IS NULL OR tokens.user = ?1 ORDER BY tokens.id DESC", [user], in: database)
    }
  }

  public func revokeToken(id: Int64, now: Int64) throws(StoreError) {
    try write { database in
      try database.execute(
        sql: "UPDATE tokens SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", arguments: [now, id])
      guard database.changesCount == 1 else { throw StoreError.noToken(id) }
    }
  }

  // MARK: Rows

  /// The user's salt, made when the user has none.
  private static func salt(of user: String, in database: Database) throws -> UserSalt {
    if let known = try knownSalt(of: user, in: database) { return known }
    let salt = UserSalt.generate()
    try database.execute(
      sql: "INSERT INTO user_salts (user, salt, iterations) VALUES (?, ?, ?)",
      arguments: [user, Data(salt.salt), salt.iterations])
    return salt
  }

  private static func knownSalt(of user: String, in database: Database) throws -> UserSalt? {
    try Row.fetchOne(database, sql: "SELECT salt, iterations FROM user_salts WHERE user = ?", arguments: [user])
      .map { UserSalt(salt: $0.bytes("salt"), iterations: $0["iterations"]) }
  }

  /// Live tokens, the newest first.
  private static func live(user: String, now: Int64, in database: Database) throws -> [TokenRecord] {
    try tokens(
      where: "tokens.user = ? AND revoked_at IS NULL AND expires_at > ? ORDER BY tokens.id DESC", [user, now],
      in: database
    ).filter { $0.isLive(at: now) }
  }

  private static func tokens(
    where condition: String, _ arguments: StatementArguments, in database: Database
  ) throws -> [TokenRecord] {
    try Row.fetchAll(
      database, sql: "SELECT tokens.*, salt, iterations FROM tokens JOIN user_salts USING (user) WHERE \(condition)",
      arguments: arguments
    ).map(token)
  }

  private static func token(_ row: Row) throws -> TokenRecord {
    TokenRecord(
      id: row["id"], user: row["user"], name: row["name"], digest: row.bytes("digest"),
      verifier: SCRAMVerifier(
        salt: row.bytes("salt"), iterations: row["iterations"], storedKey: row.bytes("stored_key"),
        serverKey: row.bytes("server_key")),
      createdAt: row["created_at"], expiresAt: row["expires_at"], revokedAt: row["revoked_at"],
      // What cannot be read must not become "all connections".
      connections: try JSONText.decode([String].self, row["connections"]))
  }

  private static func insert(_ record: TokenRecord, in database: Database) throws -> Int64 {
    try database.execute(
      sql: """
        INSERT INTO tokens (user, name, digest, stored_key, server_key, created_at, expires_at, connections)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        record.user, record.name, Data(record.digest), Data(record.verifier.storedKey),
        Data(record.verifier.serverKey), record.createdAt, record.expiresAt, try JSONText.encode(record.connections),
      ])
    return database.lastInsertedRowID
  }
}

/// Lists in a column: JSON as text.
enum JSONText {
  static func encode(_ value: some Encodable) throws -> String {
    String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
  }

  static func decode<Value: Decodable>(_: Value.Type, _ text: String) throws -> Value {
    do {
      return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
    } catch {
      throw StoreError.failed("a list in the store is damaged")
    }
  }
}

extension Row {
  /// A column of bytes; the tables are STRICT, so it is nothing else.
  func bytes(_ column: String) -> [UInt8] {
    let data: Data? = self[column]
    return data.map(Array.init) ?? []
  }
}
