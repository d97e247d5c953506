import Foundation
import Identity
import Testing

@testable import Store

/// A data folder that goes away with the test.
private final class DataFolder {
  let path = FileManager.default.temporaryDirectory.path + "/sallyport-store-\(UUID().uuidString)"
  deinit { try? FileManager.default.removeItem(atPath: path) }
}

private let day: Int64 = 86_400

@Suite struct StoreOpeningTests {
  @Test func secretAndFilesOutliveTheProcess() throws {
    let folder = DataFolder()
    let secret: [UInt8]
    do {
      let store = try SQLiteStore(data: folder.path)
      secret = store.secret
      _ = try store.createToken(user: "ana", name: "laptop", lifetime: day, connections: ["shop"], now: 1_000)
    }
    let store = try SQLiteStore(data: folder.path)
    #expect(store.secret == secret)
    #expect(secret.count == 32)
    #expect(try store.listTokens(user: nil).map(\.connections) == [["shop"]])
    let other = DataFolder()
    #expect(try SQLiteStore(data: other.path).secret != secret)
  }

  @Test func onlyTheOwnerReadsIt() throws {
    let folder = DataFolder()
    let store = try SQLiteStore(data: folder.path)
    _ = try store.createToken(user: "ana", name: "laptop", lifetime: day, connections: [], now: 1_000)
    func mode(_ path: String) throws -> Int? {
      try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
    #expect(try mode(folder.path) == 0o700)
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
      #expect(try mode("\(folder.path)/\(file)") == 0o600, "\(file)")
    }
  }

  @Test func aNewerFormatIsLeftAlone() throws {
    let folder = DataFolder()
    do {
      let store = try SQLiteStore(data: folder.path)
      try store.pool.write { try $0.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('999')") }
    }
    #expect(throws: StoreError.newerFormat(path: "\(folder.path)/state.db")) { try SQLiteStore(data: folder.path) }
  }

  /// A file as the version before wrote it: what was handed out then still works, and the file is not migrated twice.
  @Test func anOlderFormatIsTakenAlong() throws {
    let folder = DataFolder()
    let id: Int64
    do {
      let store = try SQLiteStore(data: folder.path)
      id = try store.insertApproval(
        NewApproval(
          session: "s", command: 1, user: "ana", connection: "shop", rule: "r", maskedText: "select ?", textHMAC: [1],
          terms: ApprovalTerms(clauses: []), createdAt: 1, expiresAt: 1_000))
      try store.pool.write { database in
        try database.execute(
          sql: """
            DROP TABLE approval_codes; UPDATE approvals SET code = x'07';
            DELETE FROM grdb_migrations WHERE identifier = 'codes of several approvers'
            """)
      }
    }
    for _ in 0..<2 {
      let store = try SQLiteStore(data: folder.path)
      #expect(try store.isApprovalCode(id: id, digest: [7]) && store.pendingApprovals().map(\.id) == [id])
    }
    #expect(try SQLiteStore(data: folder.path).useApprovalCode(id: id, digest: [7]))
    #expect(try !SQLiteStore(data: folder.path).isApprovalCode(id: id, digest: [7]), "it came back by a migration")
  }

  @Test func aFileThatIsNoDatabaseIsAnError() throws {
    let folder = DataFolder()
    try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
    try Data(repeating: 65, count: 8192).write(to: URL(fileURLWithPath: "\(folder.path)/state.db"))
    #expect(throws: StoreError.self) { try SQLiteStore(data: folder.path) }
  }
}

@Suite struct TokenStoreTests {
  private let folder = DataFolder()

  @Test func aTokenSignsInUntilItEndsAndIsNotStored() throws {
    let store = try SQLiteStore(data: folder.path)
    let (token, record) = try store.createToken(user: "ana", name: "laptop", lifetime: day, connections: [], now: 1_000)
    let live = try store.liveVerifiers(user: "ana", now: 1_000)
    #expect(live.records == [record])
    #expect(live.records.first?.matches(Array(token.text.utf8)) == true)
    #expect(try store.liveVerifiers(user: "ana", now: 1_000 + day - 1).records.count == 1)
    #expect(try store.liveVerifiers(user: "ana", now: 1_000 + day).records.isEmpty)
    try store.pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
    let file = try Data(contentsOf: URL(fileURLWithPath: store.path))
    #expect(file.range(of: Data(token.digest)) != nil)
    #expect(file.range(of: Data(token.text.utf8)) == nil)
  }

  @Test func aProofOfAnyLiveTokenIsFoundThroughTheStore() throws {
    let store = try SQLiteStore(data: folder.path)
    _ = try store.createToken(user: "ana", name: "a", lifetime: day, connections: [], now: 1_000)
    let (token, record) = try store.createToken(user: "ana", name: "b", lifetime: day, connections: [], now: 1_000)
    _ = try store.createToken(user: "ana", name: "c", lifetime: day, connections: [], now: 1_000)
    let live = try store.liveVerifiers(user: "ana", now: 1_000)
    var client = SCRAMClient(password: token.text)
    var server = SCRAMServer()
    _ = try server.receiveClientFirst(client.clientFirst())
    let final = try client.receiveServerFirst(server.serverFirst(salt: live.salt, iterations: live.iterations))
    let answer = try server.receiveClientFinal(final, verifiers: live.records.map(\.verifier))
    try client.receiveServerFinal(answer.serverFinal)
    #expect(live.records[answer.index] == record)
  }

  @Test func theSeventeenthLiveTokenIsRefused() throws {
    let store = try SQLiteStore(data: folder.path)
    var ids: [Int64] = []
    for index in 0..<16 {
      ids.append(
        try store.createToken(user: "ana", name: "t\(index)", lifetime: day, connections: [], now: 1_000).record.id)
    }
    #expect(throws: StoreError.tooManyTokens(user: "ana", limit: 16)) {
      try store.createToken(user: "ana", name: "one more", lifetime: day, connections: [], now: 1_000)
    }
    _ = try store.createToken(user: "ben", name: "t", lifetime: day, connections: [], now: 1_000)
    try store.revokeToken(id: ids[3], now: 1_001)
    _ = try store.createToken(user: "ana", name: "one more", lifetime: day, connections: [], now: 1_002)
    #expect(try store.liveVerifiers(user: "ana", now: 1_002).records.count == 16)
    // Expired ones do not count.
    _ = try store.createToken(user: "ana", name: "later", lifetime: day, connections: [], now: 1_000 + day)
  }

  @Test func revokedTokensStayListedAndTheirNameIsFree() throws {
    let store = try SQLiteStore(data: folder.path)
    let id = try store.createToken(user: "ana", name: "a", lifetime: day, connections: [], now: 1_000).record.id
    #expect(throws: StoreError.tokenNameTaken(user: "ana", name: "a")) {
      try store.createToken(user: "ana", name: "a", lifetime: day, connections: [], now: 1_000)
    }
    try store.revokeToken(id: id, now: 1_001)
    try store.revokeToken(id: id, now: 1_002)
    #expect(try store.liveVerifiers(user: "ana", now: 1_001).records.isEmpty)
    #expect(try store.listTokens(user: "ana").map(\.revokedAt) == [1_001])
    #expect(try store.listTokens(user: "ben").isEmpty)
    _ = try store.createToken(user: "ana", name: "a", lifetime: day, connections: [], now: 1_003)
    #expect(throws: StoreError.noToken(99)) { try store.revokeToken(id: 99, now: 1) }
  }

  @Test func unknownUsersGetASteadyDecoy() throws {
    let store = try SQLiteStore(data: folder.path)
    let first = try store.liveVerifiers(user: "nobody", now: 1)
    let second = try store.liveVerifiers(user: "nobody", now: 2)
    #expect(first.salt == second.salt)
    #expect(first.iterations == UserSalt.defaultIterations)
    #expect(first.records.isEmpty)
  }

  @Test func limitsOfInput() throws {
    let store = try SQLiteStore(data: folder.path)
    for lifetime in [Int64.min, -1, 0, 366 * day + 1, .max] {
      #expect(throws: StoreError.lifetimeOutOfRange) {
        try store.createToken(user: "ana", name: "a", lifetime: lifetime, connections: [], now: 1_000)
      }
    }
    #expect(throws: StoreError.invalidName("user")) {
      try store.createToken(user: "", name: "a", lifetime: day, connections: [], now: 1)
    }
    #expect(throws: StoreError.invalidName("name of a token")) {
      try store.createToken(user: "ana", name: "a\nb", lifetime: day, connections: [], now: 1)
    }
    #expect(throws: StoreError.invalidName("connection")) {
      try store.createToken(user: "ana", name: "a", lifetime: day, connections: [""], now: 1)
    }
  }
}

@Suite struct ApprovalStoreTests {
  private let folder = DataFolder()

  private func request(user: String = "ana") -> NewApproval {
    NewApproval(
      session: "0123456789abc", command: .max, user: user, connection: "shop", rule: "review", maskedText: "drop ***",
      textHMAC: [1, 2, 3], terms: ApprovalTerms(clauses: [.init(rule: "review", by: ["dba"], count: 2)], validFor: 60),
      createdAt: 1_000, expiresAt: 2_000)
  }

  @Test func twoPeopleApproveAndItIsUsedOnce() throws {
    let store = try SQLiteStore(data: folder.path)
    let id = try store.insertApproval(request())
    #expect(try store.pendingApprovals().map(\.id) == [id])
    #expect(try store.consumeApproval(id: id, now: 1_001) == false)
    let ben = Approval.Decider(person: "ben", reason: "looks right")
    let first = try store.recordApprovalStep(id: id, decider: ben, status: .requested, validUntil: nil, now: 1_002)
    #expect(first.status == .requested && first.deciders == [ben])
    #expect(throws: StoreError.decidedBefore(id, person: "ben")) {
      try store.recordApprovalStep(id: id, decider: ben, status: .approved, validUntil: 1_100, now: 1_003)
    }
    let eva = Approval.Decider(person: "eva", reason: "")
    #expect(
      try store.recordApprovalStep(id: id, decider: eva, status: .approved, validUntil: 1_100, now: 1_004).deciders == [
        ben, eva,
      ])
    #expect(try store.pendingApprovals().isEmpty)
    #expect(try store.consumeApproval(id: id, now: 1_005))
    #expect(try store.consumeApproval(id: id, now: 1_006) == false)
    let ended = try #require(try store.approval(id))
    #expect(ended.status == .consumed && ended.decidedAt == 1_005)
    #expect(ended.request == request())
  }

  @Test func nobodyDecidesOnTheirOwnRequest() throws {
    let store = try SQLiteStore(data: folder.path)
    let id = try store.insertApproval(request())
    #expect(throws: StoreError.ownRequest(id)) {
      try store.recordApprovalStep(
        id: id, decider: .init(person: "ana", reason: ""), status: .approved, validUntil: nil, now: 1)
    }
    #expect(try store.approval(id)?.status == .requested)
  }

  @Test func whatEndedStaysEnded() throws {
    let store = try SQLiteStore(data: folder.path)
    let ben = Approval.Decider(person: "ben", reason: "no")
    for status in [Approval.Status.refused, .expired, .cancelled] {
      let id = try store.insertApproval(request())
      if status == .refused {
        _ = try store.recordApprovalStep(id: id, decider: ben, status: status, validUntil: nil, now: 2)
      } else {
        #expect(try store.endApproval(id: id, status: status, now: 2))
      }
      #expect(try store.consumeApproval(id: id, now: 3) == false)
      #expect(try store.endApproval(id: id, status: .cancelled, now: 3) == false)
      #expect(throws: StoreError.approvalEnded(id, status)) {
        try store.recordApprovalStep(id: id, decider: ben, status: .approved, validUntil: nil, now: 3)
      }
    }
    let open = try store.insertApproval(request())
    #expect(throws: StoreError.invalidStatus(.consumed)) {
      try store.recordApprovalStep(id: open, decider: ben, status: .consumed, validUntil: nil, now: 3)
    }
    #expect(throws: StoreError.invalidStatus(.approved)) { try store.endApproval(id: open, status: .approved, now: 3) }
    #expect(throws: StoreError.noApproval(99)) {
      try store.recordApprovalStep(id: 99, decider: ben, status: .approved, validUntil: nil, now: 3)
    }
    #expect(try store.approval(99) == nil)
  }

  @Test("What is requested or approved outlives the process, but not its time")
  func outOfTime() throws {
    let ids: [Int64]
    do {
      let store = try SQLiteStore(data: folder.path)
      ids = [try store.insertApproval(request()), try store.insertApproval(request())]
      _ = try store.recordApprovalStep(
        id: ids[1], decider: .init(person: "ben", reason: ""), status: .approved, validUntil: 1_500, now: 1_400)
    }
    let store = try SQLiteStore(data: folder.path)
    #expect(try store.expireApprovals(now: 1_499).isEmpty)
    #expect(try store.approved(.statement, user: "ana", connection: "shop", now: 1_499).map(\.id) == [ids[1]])
    // A clock that went back before the approval, or beyond its end.
    for now: Int64 in [1_399, 1_500] {
      #expect(try store.approved(.statement, user: "ana", connection: "shop", now: now).isEmpty)
      #expect(try store.consumeApproval(id: ids[1], now: now) == false)
    }
    #expect(try store.approved(.statement, user: "bo", connection: "shop", now: 1_450).isEmpty)
    #expect(try store.approved(.access, user: "ana", connection: "shop", now: 1_450).isEmpty)
    #expect(try store.expireApprovals(now: 1_500).map(\.id) == [ids[1]])
    #expect(throws: StoreError.approvalEnded(ids[0], .expired)) {
      try store.recordApprovalStep(
        id: ids[0], decider: .init(person: "ben", reason: ""), status: .approved, validUntil: nil, now: 2_000)
    }
    #expect(try store.expireApprovals(now: 2_000).map(\.id) == [ids[0]])
    #expect(try store.expireApprovals(now: 3_000).isEmpty)
    #expect(try store.approval(ids[1])?.status == .expired)
  }

  @Test func aCodeWorksOnce() throws {
    let store = try SQLiteStore(data: folder.path)
    let id = try store.insertApproval(request())
    try store.setApprovalCode(id: id, person: "", digest: [6])
    try store.setApprovalCode(id: id, person: "", digest: [7])
    try store.setApprovalCode(id: id, person: "dora", digest: [9])
    #expect(try !store.isApprovalCode(id: id, digest: [6]), "the one before still works")
    #expect(try store.isApprovalCode(id: id, digest: [7]) && store.isApprovalCode(id: id, digest: [9]))
    #expect(try !store.isApprovalCode(id: id + 1, digest: [7]))
    #expect(try !store.useApprovalCode(id: id, digest: [8]))
    #expect(try store.useApprovalCode(id: id, digest: [7]))
    #expect(try !store.useApprovalCode(id: id, digest: [7]))
    #expect(try !store.isApprovalCode(id: id, digest: [7]) && store.useApprovalCode(id: id, digest: [9]))
  }

  @Test func consumedExactlyOnceByManyAtATime() async throws {
    let store = try SQLiteStore(data: folder.path)
    let id = try store.insertApproval(request())
    _ = try store.recordApprovalStep(
      id: id, decider: .init(person: "ben", reason: ""), status: .approved, validUntil: nil, now: 2)
    // A second connection to the same file stands for a second process.
    let other = try SQLiteStore(data: folder.path)
    let winners = try await withThrowingTaskGroup(of: Bool.self) { group in
      for index in 0..<16 {
        group.addTask { try (index.isMultiple(of: 2) ? store : other).consumeApproval(id: id, now: 3) }
      }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(winners == 1)
  }
}
