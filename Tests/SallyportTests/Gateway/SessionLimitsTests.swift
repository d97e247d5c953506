import AccessModel
import Postgres
import SallyportConfiguration
import Testing

@testable import Gateway

@Suite("Limits of time") struct SessionWatchTests {
  private static let second: Int64 = 1_000_000

  private func watch(
    idle: Int? = nil, inTransaction: Int? = nil, statement: Int? = nil, lifetime: Int? = nil
  ) throws -> SessionWatch {
    func seconds(_ value: Int?) -> Duration? { value.map { .seconds($0) } }
    let limits = SessionLimits(
      idle: seconds(idle), idleInTransaction: seconds(inTransaction), statement: seconds(statement),
      lifetime: seconds(lifetime))
    return try #require(SessionWatch(limits, opened: 0))
  }

  /// What each look finds, one a second.
  private func findings(_ watch: SessionWatch, _ activities: [SessionActivity]) -> [SessionWatch.Finding?] {
    var watch = watch
    return activities.enumerated().map { watch.look($1, now: Int64($0 + 1) * Self.second) }
  }

  @Test("without a limit of time there is nothing to watch")
  func none() {
    #expect(SessionWatch(SessionLimits(sessions: 5, sessionsPerUser: 5), opened: 0) == nil)
  }

  @Test("idle: from the sign-in on, and anew after every command")
  func idle() throws {
    let watch = try watch(idle: 3)
    let nothing = SessionActivity.idle(commands: 0)
    #expect(findings(watch, [nothing, nothing, nothing, nothing]) == [nil, nil, .idle, .idle])
    // A command between two looks shows by its number.
    let busy = (0..<20).map { SessionActivity.idle(commands: UInt64($0)) }
    #expect(findings(watch, busy).allSatisfy { $0 == nil })
    // Working, waiting for people, and standing in a transaction are not idle.
    for other in [SessionActivity.running(replies: 1), .waiting, .idleInTransaction(commands: 1)] {
      #expect(findings(watch, Array(repeating: other, count: 10)).allSatisfy { $0 == nil }, "\(other)")
    }
    #expect(findings(watch, [nothing, nothing, .waiting, nothing, nothing, nothing]).allSatisfy { $0 == nil })
  }

  @Test("idle in transaction")
  func inTransaction() throws {
    let watch = try watch(inTransaction: 2)
    let inside = SessionActivity.idleInTransaction(commands: 4)
    // The first look that sees it is when it begins to count: late, never early.
    #expect(findings(watch, [inside, inside, inside]) == [nil, nil, .idleInTransaction])
    #expect(findings(watch, Array(repeating: .idle(commands: 4), count: 9)).allSatisfy { $0 == nil })
  }

  @Test("a statement is cancelled once, and its session ended when that does not help")
  func statement() throws {
    let watch = try watch(statement: 2)
    let runs = Array(repeating: SessionActivity.running(replies: 7), count: 14)
    #expect(findings(watch, runs) == [nil, nil, .statement] + Array(repeating: nil, count: 9) + [.stuck, .stuck])
    let different = (1...20).map { SessionActivity.running(replies: UInt64($0)) }
    #expect(findings(watch, different).allSatisfy { $0 == nil })
    let pipeline = runs.prefix(2) + [.running(replies: 8), .running(replies: 8), .running(replies: 8)]
    #expect(findings(watch, Array(pipeline)) == [nil, nil, nil, nil, .statement])
  }

  @Test("lifetime: at once when idle, else noted until nothing is under way")
  func lifetime() throws {
    let watch = try watch(idle: 60, lifetime: 3)
    let idle = (0..<4).map { SessionActivity.idle(commands: UInt64($0)) }
    #expect(findings(watch, idle) == [nil, nil, .lifetime(isIdle: true), .lifetime(isIdle: true)])
    for busy in [SessionActivity.running(replies: 1), .waiting, .idleInTransaction(commands: 1)] {
      #expect(findings(watch, [busy, busy, busy]) == [nil, nil, .lifetime(isIdle: false)], "\(busy)")
    }
  }
}

@Suite("Limits of number") struct SessionCountsTests {
  @Test("of a person, of a connection, and of a person on a connection; who ends makes room")
  func limits() {
    let counts = SessionCounts()
    let limits = SessionLimits(sessions: 3, sessionsPerUser: 2)
    func begin(_ user: String, _ connection: String) -> SessionCounts.Excess? {
      counts.begin(user: user, connection: connection, limits, perUser: 4)
    }
    #expect(begin("ana", "shop") == nil && begin("ana", "shop") == nil)
    #expect(begin("ana", "shop") == .ofUserOnConnection(2))
    #expect(begin("bo", "shop") == nil)
    #expect(begin("bo", "shop") == .ofConnection(3))
    #expect(begin("ana", "crm") == nil && begin("ana", "crm") == nil)
    #expect(begin("ana", "third") == .ofUser(4))
    counts.end(user: "ana", connection: "crm")
    #expect(begin("ana", "third") == nil)
    counts.end(user: "bo", connection: "shop")
    #expect(begin("cy", "shop") == nil)
  }

  @Test("a refused session is not counted, and nothing is remembered of those that ended")
  func balance() {
    let counts = SessionCounts()
    let limits = SessionLimits(sessions: 1)
    for _ in 0..<10 { _ = counts.begin(user: "ana", connection: "shop", limits, perUser: nil) }
    counts.end(user: "ana", connection: "shop")
    #expect(counts.tracked == 0)
    #expect(counts.begin(user: "ana", connection: "shop", limits, perUser: nil) == nil)
    // Without a limit there is none.
    for _ in 0..<100 { #expect(counts.begin(user: "bo", connection: "crm", SessionLimits(), perUser: nil) == nil) }
  }
}
