import AccessModel
import Enforcement
import Foundation
import Testing

@testable import AuditTrail

/// What every statement records takes few bytes and says the same.
@Suite struct BriefRecordTests {
  private let fixture = TrailFixture()

  /// Compares what a lane says of these with the JSON of each event by itself.
  private func compare(_ events: [AuditEvent], _ say: (AuditLane) throws -> Void) throws {
    let lane = try fixture.lane(in: fixture.directory(), size: 4 << 20)
    try say(lane)
    for event in events { try lane.append(event) }
    var expansion = PayloadExpansion()
    let expected = try events.map { event in
      var writer = JSONWriter()
      writer.event(event)
      if case .decided(let it) = event {
        let isSecret = PasswordRedaction.redact(it.command.text) != nil
        writer.values(it.command.parameters, it.values, isSecret: isSecret)
      }
      let expanded = expansion.expand(writer.bytes, of: 1, at: 0)
      let whole = try #require(expanded)
      return try JSONDecoder().decode(AuditEntry.self, from: Data(whole))
    }
    let read = try fixture.records().compactMap(\.entry)
    #expect(read.count == expected.count * 2)
    #expect(Array(read.prefix(expected.count)) == expected && Array(read.suffix(expected.count)) == expected)
    #expect(try fixture.verify().isSound)
  }

  private static let texts = [
    "select 1", "select 'é\"\\\t\u{1}\u{1F600}'", "", "alter role a password 'hunter2'",
    "select '" + String(repeating: "x", count: 70_000) + "'",
  ]
  private static let parameters: [Parameters] = [
    .none, Parameters(count: 1, encoded: [0, 0, 0, 1, 0, 0, 0, 1, 0x37]),
    Parameters(count: 65_535, front: [1], byteCount: .max, isObtainable: false),
    Parameters(count: 0, front: [], byteCount: 300_000, isObtainable: false),
  ]

  @Test func aPermitSaysTheSameAsItsEvent() throws {
    let shape = CommandShape(
      effects: .read, footprint: Footprint([ResourceAccess(.relation(schema: "s", "t"), .read)]),
      detail: .sql(SQLDetail(statements: [SQLStatement(kind: .select, effects: .read, footprint: .nothing)])))
    let facts = Self.texts.map { CommandFacts(text: $0, shape: shape) }
    let names = ["0123456789abc", "", String(repeating: "n", count: 127), String(repeating: "é", count: 200)]
    let ids: [UInt64] = [1, 127, 128, 1 << 32, .max]
    let decisions = (0..<60).map { round in
      DecisionRecord(
        session: names[round % names.count], id: CommandID(ids[round % ids.count]),
        command: Command(
          stage: round % 7 == 0 ? .prepare : .execute, facts: facts[round % facts.count],
          parameters: Self.parameters[round % Self.parameters.count]), action: .permit, policy: "p",
        values: [.kept, .omitted, .masked][round % 3])
    }
    try compare(decisions.map { .decided($0) }) { lane in
      for it in decisions {
        try lane.permitted(it.id, it.command, in: AuditedSession(it.session), policy: it.policy, values: it.values)
      }
    }
  }

  @Test func anOutcomeSaysTheSameAsItsEvent() throws {
    let outcomes = [
      Outcome(ending: .completed, tag: "SELECT 1", rows: 1, bytes: 80), Outcome(ending: .suspended, rows: .max),
      Outcome(ending: .failed, tag: "INSERT 0 3", errorCode: "42501"), Outcome(ending: .skipped),
      Outcome(ending: .lost, bytes: .max), Outcome(ending: .completed, tag: String(repeating: "t", count: 300)),
      Outcome(ending: .completed, tag: "é\"", errorCode: "much too long for a SQLSTATE"),
      Outcome(ending: .completed, rows: -1, bytes: -1), Outcome(ending: .completed, masked: ["ssn", "email"]),
    ]
    let durations = [0, 42, -1, .max] as [Int64]
    let name = "0123456789abc"
    let events = outcomes.flatMap { outcome in
      durations.map { AuditEvent.finished(session: name, command: CommandID(7), outcome: outcome, duration: $0) }
    }
    try compare(events) { lane in
      for outcome in outcomes {
        for duration in durations {
          try lane.finished(CommandID(7), outcome, duration: duration, in: AuditedSession(name))
        }
      }
    }
  }

  /// One block of BLAKE2b holds 128 bytes: the link, number and time, and what is said.
  @Test func aStatementTakesOneBlockForEachRecord() {
    let facts = CommandFacts(text: "select b from t where a = $1", shape: RecordContentTests.nothing)
    let command = Command(facts: facts, parameters: Parameters(count: 9, encoded: Array(repeating: 0, count: 9_999)))
    var permit = JSONWriter()
    _ = permit.permitted(
      CommandID(1 << 40), command, session: "0123456789abc", policy: "p", .masked, .same(1, isSecret: false), 1 << 20)
    var outcome = JSONWriter()
    let isBrief = outcome.briefly(
      finished: CommandID(1 << 40),
      Outcome(ending: .completed, tag: "INSERT 0 100000", rows: 1 << 20, bytes: 1 << 30), duration: 1 << 40,
      session: "0123456789abc")
    #expect(isBrief && permit.count <= 128 - 48 && outcome.count <= 128 - 48)
  }

  /// RFC 7693 with 32 bytes of output, as Python's hashlib and `b2sum -l 256` have it.
  @Test(
    arguments: [
      ([], "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"),
      (Array("abc".utf8), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"),
      (Array(0...127), "c3582f71ebb2be66fa5dd750f80baae97554f3b015663c8be377cfcb2488c1d1"),
      (Array(0...255), "39a7eb9fedc19aabc83425c6755dd90e6f9d0c804964a1f4aaeea3b9fb599835"),
    ] as [([UInt8], String)])
  func linksAreBLAKE2b(_ bytes: [UInt8], _ hash: String) {
    #expect(ChainHash.of(bytes, version: 4).hex == hash)
  }

  @Test func linksOfOldSegmentsAreSHA256() {
    // FIPS 180-2, B.1.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    #expect([1, 2, 3].map { ChainHash.of(Array("abc".utf8), version: $0).hex } == [abc, abc, abc])
  }
}
