import Foundation
import GRDB

extension SQLiteStore {
  public func insertApproval(_ request: NewApproval) throws(StoreError) -> Int64 {
    try write { database in
      try database.execute(
        sql: """
          INSERT INTO approvals
            (kind, session, command, user, connection, rule, masked_text, text_hmac, terms, reason, status, created_at,
             expires_at, deciders)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'requested', ?, ?, '[]')
          """,
        arguments: [
          request.kind.rawValue, request.session, Int64(bitPattern: request.command), request.user, request.connection,
          request.rule, request.maskedText, Data(request.textHMAC), try JSONText.encode(request.terms), request.reason,
          request.createdAt, request.expiresAt,
        ])
      return database.lastInsertedRowID
    }
  }

  public func recordApprovalStep(
    id: Int64, decider: Approval.Decider, status: Approval.Status, validUntil: Int64?, now: Int64
  ) throws(StoreError) -> Approval {
    switch status {
    case .requested, .approved, .refused: break
    case .expired, .cancelled, .consumed: throw .invalidStatus(status)
    }
    return try write { database in
      guard var approval = try SQLiteStore.approval(id, in: database) else { throw StoreError.noApproval(id) }
      guard approval.status == .requested else { throw StoreError.approvalEnded(id, approval.status) }
      guard now < approval.request.expiresAt else { throw StoreError.approvalEnded(id, .expired) }
      guard decider.person != approval.request.user else { throw StoreError.ownRequest(id) }
      guard !approval.deciders.contains(where: { $0.person == decider.person }) else {
        throw StoreError.decidedBefore(id, person: decider.person)
      }
      approval.deciders.append(decider)
      approval.status = status
      approval.decidedAt = status == .requested ? nil : now
      approval.validUntil = status == .approved ? validUntil : nil
      try database.execute(
        sql: "UPDATE approvals SET status = ?, decided_at = ?, valid_until = ?, deciders = ? WHERE id = ?",
        arguments: [
          status.rawValue, approval.decidedAt, approval.validUntil, try JSONText.encode(approval.deciders), id,
        ])
      return approval
    }
  }

  public func endApproval(id: Int64, status: Approval.Status, now: Int64) throws(StoreError) -> Bool {
    switch status {
    case .expired, .cancelled: break
    case .requested, .approved, .refused, .consumed: throw .invalidStatus(status)
    }
    return try change(id, from: "status IN ('requested', 'approved')", to: status, now: now)
  }

  public func consumeApproval(id: Int64, now: Int64) throws(StoreError) -> Bool {
    // A clock that stands before the approval has been set back: how long it has been valid cannot be told then.
    try change(
      id, from: "status = 'approved' AND kind = 'statement' AND \(SQLiteStore.isValid(at: now))", to: .consumed,
      now: now)
  }

  /// A condition on an approved request. The number is one, so it needs no quoting.
  private static func isValid(at now: Int64) -> String {
    "decided_at <= \(now) AND (valid_until IS NULL OR valid_until > \(now))"
  }

  public func setApprovalCode(id: Int64, person: String, digest: [UInt8]) throws(StoreError) {
    try write { database in
      // Of requests that ended no code is worth anything.
      try database.execute(
        sql: """
          DELETE FROM approval_codes WHERE approval IN (SELECT id FROM approvals WHERE status != 'requested')
          """)
      try database.execute(
        sql: "INSERT OR REPLACE INTO approval_codes (approval, person, digest) VALUES (?, ?, ?)",
        arguments: [id, person, Data(digest)])
    }
  }

  public func isApprovalCode(id: Int64, digest: [UInt8]) throws(StoreError) -> Bool {
    try read { database in
      try Int.fetchOne(
        database, sql: "SELECT 1 FROM approval_codes WHERE approval = ? AND digest = ?", arguments: [id, Data(digest)])
        != nil
    }
  }

  public func useApprovalCode(id: Int64, digest: [UInt8]) throws(StoreError) -> Bool {
    try write { database in
      try database.execute(
        sql: "DELETE FROM approval_codes WHERE approval = ? AND digest = ?", arguments: [id, Data(digest)])
      return database.changesCount == 1
    }
  }

  public func pendingApprovals() throws(StoreError) -> [Approval] {
    try read { try SQLiteStore.approvals(where: "status = 'requested' ORDER BY id", in: $0) }
  }

  public func approved(
    _ kind: Approval.Kind, user: String, connection: String, now: Int64
  ) throws(StoreError) -> [Approval] {
    try read { database in
      try SQLiteStore.approvals(
        where: """
          user = ? AND connection = ? AND status = 'approved' AND kind = ? AND \(SQLiteStore.isValid(at: now)) ORDER BY id
          """, [user, connection, kind.rawValue], in: database)
    }
  }

  public func accessGrants(now: Int64) throws(StoreError) -> [Approval] {
    try read { database in
      try SQLiteStore.approvals(
        where: """
          kind = 'access' AND (status = 'requested' AND expires_at > ?
          OR status = 'approved' AND \(SQLiteStore.isValid(at: now))) ORDER BY id
          """, [now], in: database)
    }
  }

  public func approval(_ id: Int64) throws(StoreError) -> Approval? {
    try read { try SQLiteStore.approval(id, in: $0) }
  }

  public func expireApprovals(now: Int64) throws(StoreError) -> [Approval] {
    try write { database in
      let due = "status = 'requested' AND expires_at <= \(now) OR status = 'approved' AND valid_until <= \(now)"
      var ended = try SQLiteStore.approvals(where: "\(due) ORDER BY id", in: database)
      guard !ended.isEmpty else { return [] }
      try database.execute(
        sql: "UPDATE approvals SET status = 'expired', decided_at = ? WHERE \(due)", arguments: [now])
      for index in ended.indices {
        ended[index].status = .expired
        ended[index].decidedAt = now
      }
      return ended
    }
  }

  /// Changes the status in one statement, so that of several at the same time only one succeeds.
  private func change(
    _ id: Int64, from condition: String, to status: Approval.Status, now: Int64
  ) throws(StoreError) -> Bool {
    try write { database in
      try database.execute(
        sql: "UPDATE approvals SET status = ?, decided_at = ? WHERE id = ? AND \(condition)",
        arguments: [status.rawValue, now, id])
      return database.changesCount == 1
    }
  }

  // MARK: Rows

  private static func approval(_ id: Int64, in database: Database) throws -> Approval? {
    try Row.fetchOne(database, sql: "SELECT * FROM approvals WHERE id = ?", arguments: [id]).map(approval)
  }

  private static func approvals(
    where condition: String, _ arguments: StatementArguments = [], in database: Database
  ) throws -> [Approval] {
    try Row.fetchAll(database, sql: "SELECT * FROM approvals WHERE \(condition)", arguments: arguments).map(approval)
  }

  private static func approval(_ row: Row) throws -> Approval {
    guard let status = Approval.Status(rawValue: row["status"]), let kind = Approval.Kind(rawValue: row["kind"]) else {
      throw StoreError.failed("the status of an approval request is damaged")
    }
    let command: Int64 = row["command"]
    let terms: String = row["terms"]
    return Approval(
      id: row["id"],
      request: NewApproval(
        kind: kind, session: row["session"], command: UInt64(bitPattern: command), user: row["user"],
        connection: row["connection"], rule: row["rule"], maskedText: row["masked_text"],
        textHMAC: row.bytes("text_hmac"),
        // What was asked for by a version that kept no terms has ended since.
        terms: terms == "{}" ? ApprovalTerms(clauses: []) : try JSONText.decode(ApprovalTerms.self, terms),
        reason: row["reason"], createdAt: row["created_at"], expiresAt: row["expires_at"]),
      status: status, decidedAt: row["decided_at"], validUntil: row["valid_until"],
      deciders: try JSONText.decode([Approval.Decider].self, row["deciders"]))
  }
}
