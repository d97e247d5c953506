import Foundation
import GRDB

extension SQLiteStore {
  public func insertApproval(_ request: NewApproval) throws(StoreError) -> Int64 {
    try write { database in
      try database.execute(
        sql: """
          INSERT INTO approvals
            (session, command, user, connection, rule, masked_text, text_hmac, status, created_at, deciders)
          VALUES (?, ?, ?, ?, ?, ?, ?, 'requested', ?, '[]')
          """,
        arguments: [
          request.session, Int64(bitPattern: request.command), request.user, request.connection, request.rule,
          request.maskedText, Data(request.textHMAC), request.createdAt,
        ])
      return database.lastInsertedRowID
    }
  }

  public func recordApprovalStep(
    id: Int64, decider: Approval.Decider, status: Approval.Status, now: Int64
  ) throws(StoreError) -> Approval {
    switch status {
    case .requested, .approved, .refused: break
    case .expired, .cancelled, .consumed: throw .invalidStatus(status)
    }
    return try write { database in
      guard var approval = try SQLiteStore.approval(id, in: database) else { throw StoreError.noApproval(id) }
      guard approval.status == .requested else { throw StoreError.approvalEnded(id, approval.status) }
      guard decider.person != approval.request.user else { throw StoreError.ownRequest(id) }
      guard !approval.deciders.contains(where: { $0.person == decider.person }) else {
        throw StoreError.decidedBefore(id, person: decider.person)
      }
      approval.deciders.append(decider)
      approval.status = status
      approval.decidedAt = status == .requested ? nil : now
      try database.execute(
        sql: "UPDATE approvals SET status = ?, decided_at = ?, deciders = ? WHERE id = ?",
        arguments: [status.rawValue, approval.decidedAt, try JSONText.encode(approval.deciders), id])
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
    try change(id, from: "status = 'approved'", to: .consumed, now: now)
  }

  public func pendingApprovals() throws(StoreError) -> [Approval] {
    try read { try SQLiteStore.approvals(where: "status = 'requested' ORDER BY id", in: $0) }
  }

  public func approval(_ id: Int64) throws(StoreError) -> Approval? {
    try read { try SQLiteStore.approval(id, in: $0) }
  }

  public func expireOrphans(now: Int64) throws(StoreError) -> [Approval] {
    try write { database in
      let open = "status IN ('requested', 'approved')"
      var orphans = try SQLiteStore.approvals(where: "\(open) ORDER BY id", in: database)
      try database.execute(
        sql: "UPDATE approvals SET status = 'expired', decided_at = ? WHERE \(open)", arguments: [now])
      for index in orphans.indices {
        orphans[index].status = .expired
        orphans[index].decidedAt = now
      }
      return orphans
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

  private static func approvals(where condition: String, in database: Database) throws -> [Approval] {
    try Row.fetchAll(database, sql: "SELECT * FROM approvals WHERE \(condition)").map(approval)
  }

  private static func approval(_ row: Row) throws -> Approval {
    guard let status = Approval.Status(rawValue: row["status"]) else {
      throw StoreError.failed("the status of an approval request is damaged")
    }
    let command: Int64 = row["command"]
    return Approval(
      id: row["id"],
      request: NewApproval(
        session: row["session"], command: UInt64(bitPattern: command), user: row["user"],
        connection: row["connection"], rule: row["rule"], maskedText: row["masked_text"],
        textHMAC: row.bytes("text_hmac"), createdAt: row["created_at"]),
      status: status, decidedAt: row["decided_at"],
      deciders: try JSONText.decode([Approval.Decider].self, row["deciders"]))
  }
}
