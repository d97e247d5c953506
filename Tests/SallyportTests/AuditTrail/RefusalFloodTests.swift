import AccessModel
import Crypto
import Enforcement
import Foundation
import Synchronization
import Testing

@testable import AuditTrail

/// Floods of refusals, by a clock that the test sets.
@Suite struct RefusalFloodTests {
  private static let second: Int64 = 1_000_000
  private let fixture = TrailFixture()

  private func denial(_ id: UInt64, rule: String = "no", session: String = "s1", text: String? = nil) -> DecisionRecord
  {
    guard case .decided(var record) = decided(text ?? "select \(id)", session: session, id: id, action: .deny) else {
      fatalError("a decision is a decision")
    }
    record.rule = rule
    record.reason = "not here"
    return record
  }

  @Test func theFirstOnesAreWholeThenOnePerSecondAndTheOthersAreCounted() throws {
    var floods = RefusalFloods()
    var whole: [UInt64] = []
    // A thousand in one second, then one each ms for two seconds.
    for id in 1...1_000 as ClosedRange<UInt64> where floods.isRecorded(denial(id), now: Self.second) {
      whole.append(id)
    }
    #expect(whole == Array(1...100))
    for id in 1_001...3_000 as ClosedRange<UInt64> {
      if floods.isRecorded(denial(id), now: Self.second + Int64(id - 1_000) * 1_000) { whole.append(id) }
    }
    #expect(whole.count == 102 && whole.suffix(2) == [2_000, 3_000])
    let early = floods.due(3 * Self.second)
    #expect(early.isEmpty, "it is not time yet")
    let due = floods.due(11 * Self.second)
    let counted = try #require(due.first?.refusals)
    #expect(due.count == 1 && counted.count == 2_898 && counted.reason == "not here")
    #expect(counted.since == Self.second && counted.until == Self.second + 1_999_000)
    #expect(
      counted.kind
        == .commands(
          session: "s1", rule: "no", policy: "c0ffee", first: CommandID(101), last: CommandID(2_999), inPlace: 0))
    // Until its record is written it is counted on.
    let again = floods.due(11 * Self.second)
    #expect(again.first?.refusals == counted)
    floods.recorded(due[0].key)
    let nothing = floods.due(12 * Self.second)
    #expect(nothing.isEmpty && !floods.isEmpty)
    // Quiet for long enough: forgotten, and a burst is whole again.
    let late = floods.due(500 * Self.second)
    #expect(late.isEmpty && floods.isEmpty)
  }

  @Test func whatIsRefusedNowAndThenIsAlwaysWhole() {
    var floods = RefusalFloods()
    let isWhole = (1...5_000 as ClosedRange<UInt64>).map { floods.isRecorded(denial($0), now: Int64($0) * Self.second) }
    #expect(!isWhole.contains(false))
  }

  @Test func theHashIsOverWhatWasRefusedAndOverNoSecret() throws {
    var floods = RefusalFloods()
    let texts = (1...103).map { "alter role r password 'guess-\($0)'" }
    for (index, text) in texts.enumerated() {
      _ = floods.isRecorded(denial(UInt64(index + 1), text: text), now: Self.second)
    }
    var expected = SHA256()
    for index in 100..<103 {
      let text = try #require(PasswordRedaction.redact(texts[index]))
      #expect(!text.contains("guess"))
      var front: [UInt8] = []
      front.appendInteger(UInt64(index + 1))
      front.appendInteger(UInt64(text.utf8.count))
      expected.update(data: front + Array(text.utf8))
    }
    #expect(floods.all().first?.refusals.hash == Array(expected.finalize()).hex)
  }

  @Test func rulesSessionsAndAddressesAreCountedApartAndTheirNumberIsBounded() {
    var floods = RefusalFloods()
    for id in 1...101 as ClosedRange<UInt64> {
      for (rule, session) in [("no", "s1"), ("other", "s1"), ("no", "s2")] {
        _ = floods.isRecorded(denial(id, rule: rule, session: session), now: 0)
      }
      _ = floods.isRecorded(
        Authentication(
          user: "u\(id % 40)", clientAddress: "10.0.0.9", method: "scram", succeeded: false, reason: "wrong"), now: 0)
    }
    #expect(floods.all().map(\.refusals.count) == [1, 1, 1, 1])
    #expect(floods.left(of: "s1").count == 2)
    floods.forget(session: "s1")
    #expect(floods.all().count == 2)
    for session in 0..<RefusalFloods.limit { _ = floods.isRecorded(denial(1, session: "x\(session)"), now: 0) }
    // Those beyond have whole records, however many: nothing is counted that is not kept.
    let isWhole = (0..<500).map { _ in floods.isRecorded(denial(1, session: "beyond"), now: 0) }
    #expect(!isWhole.contains(false))
  }

  @Test func whatIsSentInPlaceOfACountedRefusalIsCountedWithIt() {
    var floods = RefusalFloods()
    for id in 1...102 as ClosedRange<UInt64> {
      let isWhole = floods.isRecorded(denial(id), now: 0)
      let isWholeInPlace = floods.isRecordedInPlace(session: "s1")
      #expect(isWholeInPlace == isWhole && isWhole == (id <= 100))
    }
    let another = floods.isRecordedInPlace(session: "s1")
    #expect(another, "only one for each refusal")
    guard case .commands(_, _, _, _, _, let inPlace)? = floods.all().first?.refusals.kind else {
      Issue.record("nothing was counted")
      return
    }
    #expect(inPlace == 2)
  }

  @Test func aLaneRecordsWhatItCountedBeforeTheSessionAndTheGatewayEnd() throws {
    let lane = try fixture.lane(in: fixture.directory())
    for id in 1...150 as ClosedRange<UInt64> {
      try lane.denied(denial(id))
      try lane.append(.control(session: "s1", purpose: .failingStatement))
      // What is permitted is never counted, whatever comes beside it.
      try lane.append(decided("select 1", session: "s1", id: 1_000 + id))
      try lane.append(
        .authenticated(
          Authentication(user: "eve", clientAddress: "10.0.0.9", method: "scram", succeeded: false, reason: "wrong")))
    }
    try lane.append(.sessionClosed(session: "s1", reason: "left"))
    try lane.append(.gatewayStopped(reason: "test"))
    lane.close()
    let entries = try fixture.records().compactMap(\.entry)
    func count(_ event: String, _ action: String? = nil) -> Int {
      entries.count { $0.event == event && (action == nil || $0.action == action) }
    }
    #expect(count("decided", "permit") == 150)
    // The fixture's clock moves by some ms with each record.
    let whole = count("decided", "deny")
    #expect((100...104).contains(whole) && count("control") == whole)
    let denied = try #require(entries.first { $0.event == "denied_repeatedly" })
    #expect(denied.count == UInt64(150 - whole) && denied.inPlace == denied.count && denied.lastCommand == 150)
    #expect(denied.rule == "no" && denied.policy == "c0ffee" && denied.sha256?.count == 64)
    let closed = try #require(entries.firstIndex { $0.event == "session_closed" })
    #expect(try #require(entries.firstIndex { $0.event == "denied_repeatedly" }) < closed)
    let signIns = try #require(entries.first { $0.event == "authenticated_repeatedly" })
    #expect(signIns.count.map(Int.init) == 150 - count("authenticated") && signIns.users == ["eve"])
    #expect(try fixture.verify().isSound)

    // Those who read the trail know it.
    var formatter = AuditFormatter()
    let lines = try fixture.records().map { formatter.line(for: $0) }
    #expect(lines.contains { $0.contains("DENY ×\(150 - whole) #101–#150 rule=no") }, "\(lines.suffix(5))")
    #expect(lines.contains { $0.contains("sign-in-failed ×") && $0.contains("client=10.0.0.9 users=eve") })
    var exporter = AuditExporter(.ocsf, filter: AuditFilter(user: "eve"), version: "1")
    let events = try fixture.records().flatMap { exporter.lines(for: $0) }
    #expect(events.contains { $0.contains("\"count\":\(signIns.count ?? 0),") && $0.contains("\"class_uid\":3002") })
    var whole6005 = AuditExporter(.ocsf, filter: AuditFilter(session: "s1"), version: "1")
    let refused = try fixture.records().flatMap { whole6005.lines(for: $0) }.filter { $0.contains("\"count\":") }
    #expect(refused.count == 1 && refused[0].contains("\"type_uid\":600599") && refused[0].contains("\"action_id\":2"))
    #expect(try ocsfFaults(events + refused) == "")
  }

  @Test func aFullDiskLosesNoCount() throws {
    let hasRoom = Room()
    let allocator = SegmentAllocator { (path, size) throws(AuditFailure) in
      guard hasRoom.flag.load(ordering: .relaxed) else { throw AuditFailure("no space left") }
      return try SegmentAllocator.disk.allocate(path, size)
    }
    let lane = try fixture.lane(in: fixture.directory(), size: 16_384, allocator: allocator)
    for id in 1...200 as ClosedRange<UInt64> { try lane.denied(denial(id, text: "x")) }
    hasRoom.flag.store(false, ordering: .relaxed)
    while (try? lane.append(.administration(actor: "a", verb: "v", subject: ""))) != nil {}
    for id in 201...300 as ClosedRange<UInt64> { try? lane.denied(denial(id, text: "x")) }
    fixture.time += RefusalFloods.interval
    lane.sweepFloods()
    #expect(try fixture.records().allSatisfy { $0.entry?.event != "denied_repeatedly" })
    hasRoom.flag.store(true, ordering: .relaxed)
    fixture.time += RefusalFloods.interval
    lane.sweepFloods()
    let counted = try fixture.records().compactMap(\.entry).first { $0.event == "denied_repeatedly" }
    #expect(counted?.lastCommand == 300 && (counted?.count).map { $0 > 150 } == true, "\(String(describing: counted))")
  }

  private final class Room: Sendable {
    let flag = Atomic(true)
  }
}
