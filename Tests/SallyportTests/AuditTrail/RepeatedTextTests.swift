import AccessModel
import Enforcement
import Foundation
import Testing

@testable import AuditTrail

/// Records that name an earlier one in place of what it says already.
@Suite struct RepeatedTextTests {
  private let fixture = TrailFixture()
  private let session = AuditedSession("0123456789abc")

  private static let accounts = CommandShape(
    effects: .read, footprint: Footprint([ResourceAccess(.relation(schema: nil, "accounts"), .read)]),
    detail: .sql(SQLDetail(statements: [SQLStatement(kind: .select, effects: .read, footprint: .nothing)])))

  private func facts(_ text: String, _ shape: CommandShape = accounts) -> CommandFacts {
    CommandFacts(text: text, shape: shape)
  }

  private func entries() throws -> [AuditEntry] { try fixture.records().compactMap(\.entry) }

  /// How often a text stands in a segment.
  private func count(_ text: String, in segment: UInt64 = 1) throws -> Int {
    Data(try fixture.read(segment)).occurrences(of: text)
  }

  @Test func whatWasSaidIsNotSaidAgainAndReadersSeeItWhole() throws {
    let lane = try fixture.lane(in: fixture.directory())
    let known = facts("select b from accounts where a = $1")
    let other = facts("select b from accounts where a = 2")
    let values = Parameters(count: 1, encoded: [0, 0, 0, 1, 0, 0, 0, 1, 0x37])
    try lane.permitted(CommandID(1), Command(stage: .prepare, facts: known), in: session, policy: "p")
    try lane.permitted(CommandID(2), Command(facts: known, parameters: values), in: session, policy: "p")
    try lane.permitted(CommandID(3), Command(facts: other), in: session, policy: "p")
    try lane.append(
      .decided(
        DecisionRecord(
          session: session.name, id: CommandID(4), command: Command(facts: other), action: .deny, rule: "no",
          reason: "a \",\"text\":\" b", policy: "p")))
    #expect(try count("a = $1") == 1 && count("a = 2") == 1 && count("accounts\"]") == 1)
    let read = try entries()
    #expect(read.map(\.text) == [known.text, known.text, other.text, other.text])
    #expect(read.map(\.action) == ["permit", "permit", "permit", "deny"])
    #expect(read.map(\.stage) == ["prepare", "execute", "execute", "execute"])
    #expect(read.map(\.parameters) == [nil, 1, nil, nil] && read[1].parameterBytes == 9)
    #expect(read[3].rule == "no" && read[3].reason == "a \",\"text\":\" b")
    for entry in read {
      #expect(entry.effects == ["read"] && entry.statements == ["select"] && entry.policy == "p")
      #expect(entry.footprint == .resources([.init(kind: "relation", path: [nil, "accounts"], effects: ["read"])]))
    }
    #expect(try fixture.verify().isSound)
  }

  @Test func aRepeatedStatementCostsLittleRoom() throws {
    let lane = try fixture.lane(in: fixture.directory())
    let command = Command(facts: facts("select 1"))
    for id in 1...3 as ClosedRange<UInt64> {
      try lane.permitted(CommandID(id), command, in: session, policy: String(repeating: "f", count: 64))
      try lane.finished(
        CommandID(id), Outcome(ending: .completed, tag: "SELECT 1", rows: 1, bytes: 80), duration: 99, in: session)
    }
    let records = try fixture.records()
    #expect(records[3].offset - records[2].offset <= 80 && records[4].offset - records[3].offset <= 96)
  }

  @Test func whatHasADefaultIsReadBack() throws {
    let lane = try fixture.lane(in: fixture.directory())
    try lane.finished(CommandID(1), Outcome(ending: .completed, tag: "a,\"rows\":7"), duration: 5, in: session)
    try lane.append(
      .finished(
        session: "s", command: CommandID(2), outcome: Outcome(ending: .suspended, rows: 3, bytes: 4), duration: 6))
    let read = try entries()
    #expect(read.map(\.ending) == ["completed", "suspended"] && read.map(\.rows) == [0, 3])
    #expect(read.map(\.bytes) == [0, 4] && read.map(\.duration) == [5, 6] && read[0].tag == "a,\"rows\":7")
  }

  @Test func anotherPolicyIsSaid() throws {
    let lane = try fixture.lane(in: fixture.directory())
    let command = Command(facts: facts("select 1"))
    for (id, policy) in [(1, "old"), (2, "new"), (3, "new"), (4, "old")] as [(UInt64, String)] {
      try lane.permitted(CommandID(id), command, in: session, policy: policy)
    }
    #expect(try entries().map(\.policy) == ["old", "new", "new", "old"])
  }

  @Test func passwordsAreTakenOutHoweverOftenTheTextComes() throws {
    let lane = try fixture.lane(in: fixture.directory())
    let command = Command(facts: facts("alter role a password 'hunter2'"))
    for id in 1...3 as ClosedRange<UInt64> { try lane.permitted(CommandID(id), command, in: session, policy: "p") }
    #expect(try count("hunter2") == 0)
    #expect(try entries().map(\.text) == Array(repeating: "alter role a password '***'", count: 3))
    #expect(try entries().map(\.redacted) == [true, true, true])
  }

  @Test func eachSegmentCanBeReadByItself() throws {
    let lane = try fixture.lane(in: fixture.directory(), size: 8_192)
    let texts = (0..<3).map { facts("select \($0) from accounts") }
    for id in 1...300 as ClosedRange<UInt64> {
      try lane.permitted(CommandID(id), Command(facts: texts[Int(id) % 3]), in: session, policy: "p")
      try lane.finished(CommandID(id), Outcome(ending: .completed), duration: 1, in: session)
    }
    let segments = Set(try fixture.records().map(\.segment))
    #expect(segments.count > 3)
    for segment in segments {
      let reader = try #require(
        try SegmentReader.open(
          lanePath: "\(fixture.trail)/loop-0", lane: "loop-0", number: segment, checksUnused: true))
      while let entry = try reader.next()?.entry {
        guard entry.event == "decided", let id = entry.command else { continue }
        #expect(entry.text == texts[Int(id) % 3].text && entry.policy == "p")
      }
    }
    #expect(try fixture.verify().isSound)
  }

  @Test func noRecordNamesOneThatIsFarBack() throws {
    let lane = try fixture.lane(in: fixture.directory(), size: 16 << 20)
    let command = Command(facts: facts("select 'often' from accounts"))
    let filling = String(repeating: "x", count: 60_000)
    for id in 1...200 as ClosedRange<UInt64> {
      try lane.permitted(CommandID(id), command, in: session, policy: "p")
      try lane.append(decided(filling, id: id, action: .deny))
    }
    let said = try Set(fixture.records().map(\.segment)).reduce(0) { try $0 + count("'often'", in: $1) }
    #expect(said > 2 && said < 10)
    #expect(try entries().filter { $0.text == command.text }.count == 200)
  }

  @Test func whatIsTooLargeToRememberIsSaidAgain() throws {
    let lane = try fixture.lane(in: fixture.directory(), size: 1 << 18)
    let large = facts("select '" + String(repeating: "x", count: 9_000) + "often'")
    let many = facts(
      "select 'many'",
      CommandShape(
        effects: .read, footprint: .nothing,
        detail: .sql(
          SQLDetail(
            statements: Array(
              repeating: SQLStatement(kind: .select, effects: .read, footprint: .nothing), count: 100)))))
    for facts in [large, many, large, many] {
      try lane.permitted(CommandID(1), Command(facts: facts), in: session, policy: "p")
    }
    #expect(try count("often'") == 2 && count("'many'") == 2)
  }

  // MARK: Written by hand

  private func write(_ payloads: [String], version: UInt32) throws {
    try write(payloads.map { Array($0.utf8) }, version: version)
  }

  /// A lane of one segment with these payloads, each hashed as it should be.
  private func write(_ payloads: [[UInt8]], version: UInt32) throws {
    _ = try fixture.directory()
    try FileManager.default.createDirectory(atPath: "\(fixture.trail)/loop-0", withIntermediateDirectories: true)
    let header = SegmentHeader(
      lane: "loop-0", number: 1, createdAt: 1, previous: Array(repeating: 0, count: 32), firstSequence: 1,
      version: version)
    let writer = try #require(
      SegmentWriter(try SegmentAllocator.disk.allocate(fixture.file(1), 8_192), header: header))
    var link = Array(header.encoded().suffix(32))
    for (index, payload) in payloads.enumerated() {
      var content: [UInt8] = []
      content.appendInteger(UInt64(index + 1))
      content.appendInteger(Int64(2))
      content += payload
      link = SegmentFormat.link(link, sequenceTimeAndPayload: content[...], version: version)
      content.withUnsafeBytes { content in
        link.withUnsafeBytes { writer.write(content: content, payload: payload.count, hash: $0) }
      }
    }
  }

  private static let whole =
    #"{"event":"decided","session":"s","command":1,"text":"x","effects":[],"footprint":[],"statements":[],"policy":"p"}"#

  @Test(arguments: [
    ([#"{"event":"decided","session":"s","command":1,"same":1}"#], 1),
    ([#"{"event":"decided","session":"s","command":1,"text":"x","same":1}"#], 1),
    ([whole, #"{"event":"decided","session":"s","command":2,"same":7}"#], 2),
    ([whole, #"{"event":"decided","session":"s","command":2,"same":18446744073709551616}"#], 2),
    ([whole, #"{"event":"decided","session":"s","command":2,"like":1}"#], 2),
    ([whole, #"{"event":"decided","session":"s","command":2,"text":"y","same":1}"#], 2),
    ([whole, #"{"event":"finished","session":"s","command":1}"#, #"{"event":"decided","command":2,"same":2}"#], 3),
    ([#"{"event":"decided"}"#], 1),
  ])
  func whatNamesNothingIsAFault(_ payloads: [String], _ place: Int) throws {
    try write(payloads, version: 2)
    let fault = try #require(try fixture.verify().lanes.first?.fault)
    #expect(fault.contains("record \(place),"), "\(fault)")
    #expect(fault.hasSuffix("it names a record that does not hold what it leaves out"), "\(fault)")
  }

  @Test(arguments: [
    [], [9], [1], [1, 0], [1, 0, 1], [1, 0, 1, 115], [1, 0, 1, 115, 2], [1, 0, 1, 115, 2, 1, 0], [1, 0, 1, 255, 2, 1],
    [1, 0, 1, 115, 2, 0], [1, 0, 1, 115, 2, 2], [1, 0, 1, 115, 2, 3], [1, 4, 1, 115, 2, 1, 255],
    [1, 4, 1, 115, 2, 1, 1, 255],
    [1, 0, 1, 115, 2, 1, 9], [1, 0, 1, 115, 2, 1, 0, 9],
    [1, 2, 1, 115, 2, 1], [1, 0, 1, 115, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2, 1],
    [2, 0, 1, 115, 2, 1, 0, 0, 0], [2, 5, 1, 115, 2, 1, 0, 0, 0, 0], [2, 0, 1, 115, 2, 1, 0, 0, 0, 0, 0],
    [2, 0, 1, 115, 2, 1, 0, 0, 9, 0],
  ])
  func whatIsNoBriefRecordIsAFault(_ payload: [UInt8]) throws {
    try write([Array(Self.whole.utf8), payload], version: 4)
    let fault = try #require(try fixture.verify().lanes.first?.fault)
    #expect(fault.contains("record 2,") && fault.hasSuffix("does not hold what it leaves out"), "\(fault)")
  }

  @Test func briefRecordsWrittenByHandAreRead() throws {
    try write(
      [
        Array(Self.whole.utf8), [1, 0, 1, 115, 2, 1], [1, 4, 1, 115, 3, 2, 1, 121],
        [1, 0, 1, 115, 4, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0x37],
        [2, 1, 1, 115, 0x80, 1, 1, 0, 0, 0, 0],
      ],
      version: 4)
    #expect(try fixture.verify().isSound)
    let read = try entries()
    #expect(read.map(\.command) == [1, 2, 3, 4, 128] && read.map(\.text) == ["x", "x", "y", "y", nil])
    #expect(read[3].binds?.description == "['7']" && read[4].ending == "suspended" && read[4].duration == 1)
  }

  @Test(arguments: [1, 2, 3] as [UInt32])
  func oldSegmentsAreReadAsTheyStandAndContinued(_ version: UInt32) throws {
    let old =
      version == 1
      ? #"{"event":"decided","session":"s","command":1,"action":"deny","stage":"execute","text":"x","same":9}"#
      : #"{"event":"decided","session":"s","command":1,"action":"deny","stage":"execute","text":"x","effects":[]}"#
    try write([old], version: version)
    let lane = try fixture.lane(in: fixture.directory())
    try lane.append(decided("select 1"))
    let records = try fixture.records()
    #expect(records.map(\.segment) == [1, 2] && (version > 1 || records[0].payload == Array(old.utf8)))
    #expect(records.compactMap(\.entry?.text) == ["x", "select 1"])
    #expect(try fixture.verify().isSound)
  }
}

/// The reserve counts the same for those who hold their session as for those who name it.
@Suite struct CountedSessionTests {
  private let fixture = TrailFixture()

  private enum Path: CaseIterable { case named, held, mixed }

  /// How many commands are permitted before the disk is full, when none of them ends.
  private func permitted(_ path: Path) throws -> Int {
    let fixture = TrailFixture()
    let allocator = SegmentAllocator { (path, size) throws(AuditFailure) in
      guard path.hasSuffix("00000001.seg") else { throw AuditFailure("no space left") }
      return try SegmentAllocator.disk.allocate(path, size)
    }
    let lane = try fixture.lane(in: fixture.directory(), size: 65_536, allocator: allocator)
    let session = AuditedSession("0123456789abc")
    let command = Command(facts: CommandFacts(text: "select 1", shape: RecordContentTests.nothing))
    var count: UInt64 = 0
    func permit(_ isHeld: Bool) throws(AuditFailure) {
      if isHeld {
        try lane.permitted(CommandID(count), command, in: session, policy: "p")
      } else {
        try lane.append(
          .decided(
            DecisionRecord(
              session: session.name, id: CommandID(count), command: command, action: .permit, policy: "p")))
      }
    }
    func end(_ isHeld: Bool) throws(AuditFailure) {
      let outcome = Outcome(ending: .completed)
      if isHeld {
        try lane.finished(CommandID(1), outcome, duration: 0, in: session)
      } else {
        try lane.append(.finished(session: session.name, command: CommandID(1), outcome: outcome, duration: 0))
      }
    }
    do {
      while count < 1_000 {
        // One in two ends at once.
        let isHeld = path == .held || path == .mixed && count % 3 == 0
        try permit(isHeld)
        count += 1
        if count.isMultiple(of: 2) { try end(path == .held || path == .mixed && count % 5 != 0) }
      }
    } catch {}
    // What is left is enough for every outcome to come.
    for _ in 0..<(count - count / 2) { try end(path != .named) }
    try lane.append(.sessionClosed(session: session.name, reason: ""))
    #expect(session.pending == nil)
    return Int(count)
  }

  @Test func allWaysCountAlike() throws {
    let counts = try Path.allCases.map(permitted)
    #expect(Set(counts).count == 1 && counts[0] > 10 && counts[0] < 1_000, "\(counts)")
  }
}

extension Data {
  func occurrences(of text: String) -> Int {
    var count = 0
    var rest = self[...]
    while let range = rest.range(of: Data(text.utf8)) {
      count += 1
      rest = rest[range.upperBound...]
    }
    return count
  }
}
