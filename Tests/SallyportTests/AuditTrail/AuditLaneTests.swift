import AccessModel
import Enforcement
import Foundation
import Synchronization
import Testing

@testable import AuditTrail

@Suite struct AuditLaneTests {
  private let fixture = TrailFixture()

  @Test func recordsComeBackInOrderAcrossRestarts() throws {
    do {
      let lane = try fixture.lane(in: fixture.directory())
      try lane.append(.gatewayStarted(version: "1", policy: "p"))
      try lane.append(decided("select 1"))
      #expect(lane.head.sequence == 2)
      lane.close()
      #expect(lane.head.sequence == 2)
      #expect(throws: AuditFailure.self) { try lane.append(finished(1)) }
    }
    let lane = try fixture.lane(in: fixture.directory())
    #expect(lane.head.sequence == 2)
    try lane.append(finished(1))
    let records = try fixture.records()
    #expect(records.map(\.sequence) == [1, 2, 3])
    #expect(records.map(\.segment) == [1, 1, 2])
    #expect(records.compactMap(\.entry?.event) == ["gateway_started", "decided", "finished"])
    #expect(records[1].entry?.text == "select 1")
    let report = try fixture.verify()
    #expect(report.isSound)
    #expect(report.lanes.map(\.head) == [lane.head])
    #expect(report.lanes.first?.segments == 2)
  }

  @Test func headIsThatOfTheLastRecordAlsoBehindEmptySegments() throws {
    var head: AuditHead?
    do {
      let lane = try fixture.lane(in: fixture.directory())
      #expect(lane.head == AuditHead(lane: "loop-0", sequence: 0, hash: ""))
      try lane.append(finished(1))
      head = lane.head
    }
    for _ in 0..<3 {
      let lane = try fixture.lane(in: fixture.directory())
      #expect(lane.head == head)
    }
    #expect(try fixture.verify().lanes.map(\.head) == [head])
  }

  @Test func rotatesWithoutLosingARecord() throws {
    let lane = try fixture.lane(in: fixture.directory(), size: 16_384)
    for id in 1...500 as ClosedRange<UInt64> {
      try lane.append(decided("select \(id)", id: id))
      try lane.append(finished(id))
    }
    let records = try fixture.records()
    #expect(records.count == 1_000)
    #expect(records.last.map(\.segment) ?? 0 > 5)
    let report = try fixture.verify()
    #expect(report.isSound, "\(report)")
    #expect(report.lanes.first?.records == 1_000)
    #expect(report.lanes.map(\.head) == [lane.head])
  }

  @Test func preparesTheNextSegmentOnAnotherThread() throws {
    let jobs = Mutex<[@Sendable () -> Void]>([])
    let lane = try AuditLane(
      directory: fixture.directory(), name: "loop-0", segmentSize: 16_384,
      background: { job in jobs.withLock { $0.append(job) } }, now: { 1 })
    #expect(!FileManager.default.fileExists(atPath: fixture.file(2)))
    for job in jobs.withLock({ $0 }) { job() }
    #expect(FileManager.default.fileExists(atPath: fixture.file(2)))
    jobs.withLock { $0 = [] }
    for id in 1...80 as ClosedRange<UInt64> { try lane.append(decided("select 1", id: id, action: .deny)) }
    #expect(jobs.withLock { $0.count } == 1)
    // A job that comes too late gives its segment back.
    lane.close()
    for job in jobs.withLock({ $0 }) { job() }
    #expect(!FileManager.default.fileExists(atPath: fixture.file(3)))
  }

  @Test func timesNeverGoBackwards() throws {
    let lane = try fixture.lane(in: fixture.directory())
    try lane.append(finished(1))
    fixture.time -= 3_600_000_000
    try lane.append(finished(2))
    let times = try fixture.records().map(\.time)
    #expect(times.count == 2 && times[0] == times[1])
  }

  @Test func twoGatewaysOrTwoWritersAreRefused() throws {
    let directory = try fixture.directory()
    #expect(throws: AuditFailure("audit trail \"\(fixture.trail)\" is in use by another gateway")) {
      try AuditDirectory(data: fixture.data)
    }
    let lane = try fixture.lane(in: directory)
    #expect(throws: AuditFailure("audit lane \"loop-0\" is open already")) { try fixture.lane(in: directory) }
    try lane.append(finished(1))
    for name in ["", "../x", "A", String(repeating: "a", count: 65)] {
      #expect(throws: AuditFailure.self) { try fixture.lane(name, in: directory) }
    }
  }

  @Test func onlyTheOwnerReadsIt() throws {
    let lane = try fixture.lane(in: fixture.directory())
    try lane.append(finished(1))
    for (path, mode) in [(fixture.trail, 0o700), ("\(fixture.trail)/loop-0", 0o700), (fixture.file(1), 0o600)] {
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      #expect(attributes[.posixPermissions] as? Int == mode)
    }
  }

  @Test func unusedRoomIsGivenBack() throws {
    let lane = try fixture.lane(in: fixture.directory())
    #expect(try fixture.read(1).count == 1 << 16)
    #expect(try fixture.read(2).count == 1 << 16)
    try lane.append(finished(1))
    lane.close()
    #expect(try fixture.read(1).count < 1_000)
    #expect(!FileManager.default.fileExists(atPath: fixture.file(2)))
  }
}

/// What happens when the disk is full (DECISIONS 23).
@Suite struct FullDiskTests {
  private let fixture = TrailFixture()

  /// How many more segments the disk has room for.
  private final class Room: Sendable {
    let left: Mutex<Int>
    init(_ count: Int) { left = Mutex(count) }

    var allocator: SegmentAllocator {
      SegmentAllocator { (path, size) throws(AuditFailure) in
        let fits = self.left.withLock { left in
          if left > 0 {
            left -= 1
            return true
          }
          return false
        }
        guard fits else { throw AuditFailure("no space left") }
        return try SegmentAllocator.disk.allocate(path, size)
      }
    }
  }

  @Test func noRoomAtStartIsAFailureThatLeavesTheLaneUsable() throws {
    let directory = try fixture.directory()
    #expect(throws: AuditFailure("no space left")) { try fixture.lane(in: directory, allocator: Room(0).allocator) }
    let lane = try fixture.lane(in: directory)
    try lane.append(finished(1))
  }

  @Test(arguments: [1, 2, 3])
  func whatWasPermittedCanStillEnd(_ segments: Int) throws {
    let room = Room(segments)
    let lane = try fixture.lane(in: fixture.directory(), size: 65_536, allocator: room.allocator)
    var permitted: [UInt64] = []
    var failure: AuditFailure?
    for id in 1...10_000 as ClosedRange<UInt64> {
      do {
        try lane.append(decided(String(repeating: "x", count: 300), id: id))
        permitted.append(id)
      } catch {
        failure = error
        break
      }
      // Most end at once; some stay open until the disk is full.
      if !id.isMultiple(of: 50) || permitted.count > 400 {
        try lane.append(finished(id))
        permitted.removeLast()
      }
    }
    #expect(failure != nil)
    #expect(!permitted.isEmpty)
    let before = lane.head
    #expect(throws: AuditFailure.self) { try lane.append(decided(String(repeating: "x", count: 300), id: 99_999)) }
    #expect(lane.head == before)
    let masked = (0..<100).map { "column_\($0)" }
    for id in permitted {
      try lane.append(
        .finished(
          session: "0123456789abc", command: CommandID(id),
          outcome: Outcome(ending: .completed, tag: "SELECT 1", masked: masked), duration: 1))
    }
    try lane.append(.sessionClosed(session: "0123456789abc", reason: "the audit trail is full"))
    try lane.append(.gatewayStopped(reason: "the audit trail is full"))
    let report = try fixture.verify()
    #expect(report.isSound)
    #expect(report.lanes.map(\.head) == [lane.head])
  }

  @Test func workGoesOnWhenThereIsRoomAgain() throws {
    let room = Room(1)
    let lane = try fixture.lane(in: fixture.directory(), size: 8_192, allocator: room.allocator)
    #expect(throws: AuditFailure.self) {
      for id in 1...100 as ClosedRange<UInt64> { try lane.append(decided("select 1", id: id, action: .deny)) }
    }
    room.left.withLock { $0 = 2 }
    // An attempt is made once a second, not with each command.
    fixture.time += 2_000_000
    try lane.append(decided("select 2", action: .deny))
    #expect(try fixture.verify().isSound)
  }

  @Test func aRecordThatFitsNoSegmentIsRefused() throws {
    let lane = try fixture.lane(in: fixture.directory(), size: 8_192)
    #expect(throws: AuditFailure.self) { try lane.append(decided(String(repeating: "x", count: 9_000))) }
    try lane.append(decided("select 1"))
    #expect(try fixture.records().count == 1)
  }
}
