import AccessModel
import Enforcement
import Foundation
import Testing

@testable import AuditTrail

@Suite struct AuditReadingTests {
  private let fixture = TrailFixture()

  @Test func lanesAreMergedByTime() throws {
    let directory = try fixture.directory()
    let lanes = [try fixture.lane("loop-0", in: directory), try fixture.lane("loop-1", in: directory)]
    for id in 1...20 as ClosedRange<UInt64> { try lanes[id % 3 == 0 ? 1 : 0].append(finished(id)) }
    let records = try fixture.records()
    #expect(records.compactMap(\.entry?.command) == Array(1...20))
    #expect(Set(records.map(\.lane)) == ["loop-0", "loop-1"])
    #expect(try fixture.verify().lanes.map(\.records) == [14, 6])
  }

  @Test func tailReturnsWhatIsNewAcrossSegmentsAndLanes() throws {
    var tail = AuditTail(directory: fixture.trail)
    #expect(try tail.poll().isEmpty)
    let directory = try fixture.directory()
    let first = try fixture.lane("loop-0", in: directory, size: 8_192)
    try first.append(finished(1))
    #expect(try tail.poll().compactMap(\.entry?.command) == [1])
    #expect(try tail.poll().isEmpty)
    let second = try fixture.lane("loop-1", in: directory)
    for id in 2...200 as ClosedRange<UInt64> { try (id.isMultiple(of: 2) ? first : second).append(finished(id)) }
    var polled: [AuditRecord] = []
    while true {
      let batch = try tail.poll(limit: 7)
      #expect(batch.count <= 7)
      if batch.isEmpty { break }
      polled += batch
    }
    #expect(polled.compactMap(\.entry?.command) == Array(2...200))
    #expect(Set(polled.map(\.segment)).count > 1)

    var late = AuditTail(directory: fixture.trail)
    var passed = 0
    try late.skipToEnd { _ in passed += 1 }
    #expect(passed == 200)
    try first.append(finished(201))
    #expect(try late.poll().compactMap(\.entry?.command) == [201])
  }

  @Test func aLineSaysWhoDidWhatWhere() throws {
    let lane = try fixture.lane(in: fixture.directory())
    let facts = SessionFacts(
      session: "0123456789abc", gateway: "gw", region: "eu",
      subject: Subject(user: "ana", groups: [], connection: "shop", clientAddress: "10.0.0.9"),
      backendAddress: "10.1.0.5:5432", backendUser: "app", database: "shop", application: "psql")
    try lane.append(.sessionOpened(facts))
    try lane.append(
      .decided(
        DecisionRecord(
          session: "0123456789abc", id: CommandID(3),
          command: Command(
            effects: [.write], footprint: .everything,
            text: "delete\n  from t \u{1B}[2J\u{202E}" + String(repeating: "x", count: 300),
            detail: .sql(SQLDetail(statements: []))),
          action: .deny, rule: "no-delete", reason: "not here", policy: "p")))
    try lane.append(finished(3))
    try lane.append(.sessionClosed(session: "0123456789abc", reason: "client left"))
    try lane.append(finished(4))
    var formatter = AuditFormatter(textLength: 40)
    let lines = try fixture.records().map { formatter.line(for: $0) }
    let start = AuditFormatter.time(1_790_000_000_000_000).prefix(17)
    #expect(lines.allSatisfy { $0.hasPrefix(start) && !$0.contains("\n") && !$0.contains("\u{1B}") })
    #expect(lines[0].contains("Z 0123456789abc ana@shop opened client=10.0.0.9 backend=10.1.0.5:5432 as=app "))
    #expect(lines[0].hasSuffix("database=shop application=psql"))
    let bad = "\u{FFFD}"
    #expect(
      lines[1].hasSuffix(
        "ana@shop DENY #3 write rule=no-delete reason=\"not here\" "
          + "delete from t \(bad)[2J\(bad)xxxxxxxxxxxxxxxxxxxxx…"))
    #expect(lines[2].contains("ana@shop completed #3 tag=\"SELECT 1\" rows=1 us=42"))
    #expect(lines[3].contains("ana@shop session_closed reason=\"client left\""))
    #expect(lines[4].contains("?@? completed #4"))
  }

  @Test func aJSONLineIsTheRecordWithItsPlace() throws {
    let lane = try fixture.lane(in: fixture.directory())
    try lane.append(decided("select 'é\n'"))
    let record = try #require(try fixture.records().first)
    let line = AuditFormatter.jsonLine(for: record)
    #expect(!line.contains("\n"))
    let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    #expect(object["lane"] as? String == "loop-0")
    #expect(object["sequence"] as? Int == 1)
    #expect(object["hash"] as? String == lane.head.hash)
    #expect(object["text"] as? String == "select 'é\n'")
    #expect(object["time"] as? String == AuditFormatter.time(record.time))
  }

  @Test(
    arguments: [
      (0, "1970-01-01T00:00:00.000000Z"), (951_782_400_000_001, "2000-02-29T00:00:00.000001Z"),
      (1_795_219_384_123_456, "2026-11-21T00:03:04.123456Z"), (-1, "1969-12-31T23:59:59.999999Z"),
      (Int64.max, "9999-12-31T23:59:59.999999Z"), (Int64.min, "0001-01-01T00:00:00.000000Z"),
      (4_107_542_399_000_000, "2100-02-28T23:59:59.000000Z"), (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
    ] as [(Int64, String)])
  func times(_ microseconds: Int64, _ text: String) {
    #expect(AuditFormatter.time(microseconds) == text)
  }
}
