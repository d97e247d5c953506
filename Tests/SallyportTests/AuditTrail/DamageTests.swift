import AccessModel
import Enforcement
import Foundation
import Synchronization
import Testing

@testable import AuditTrail

/// What a check finds, and what a start after a crash makes of it.
@Suite struct DamageTests {
  private let fixture = TrailFixture()

  /// A closed lane of two segments: three records, then two.
  private func twoSegments() throws -> [AuditHead] {
    for texts in [["select 1", "select 22", "select 333"], ["select 4444", "select 5"]] {
      let lane = try fixture.lane(in: fixture.directory())
      for text in texts { try lane.append(decided(text)) }
      lane.close()
    }
    return try fixture.verify().lanes.map(\.head)
  }

  private func fault(_ heads: [AuditHead]? = nil) throws -> String? { try fixture.verify(heads).lanes.first?.fault }

  /// Looks whether the check finds each of these changes of one byte of a segment; returns those that it does not.
  private func unnoticed(in segment: UInt64, _ changes: (_ offset: Int, UInt8) -> [UInt8]) throws -> [Int] {
    let original = try fixture.read(segment)
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: fixture.file(segment)))
    func put(_ byte: UInt8, at offset: Int) throws {
      try file.seek(toOffset: UInt64(offset))
      try file.write(contentsOf: [byte])
    }
    var unnoticed: [Int] = []
    for (offset, byte) in original.enumerated() {
      for change in changes(offset, byte) {
        try put(change, at: offset)
        if try fixture.verify().isSound { unnoticed.append(offset) }
      }
      try put(byte, at: offset)
    }
    #expect(try fixture.verify().isSound)
    return unnoticed
  }

  /// Every byte of header and records of both segments, one of its bits.
  @Test func everyChangeOfOneBitIsFound() throws {
    _ = try twoSegments()
    for segment in [1, 2] as [UInt64] {
      #expect(try unnoticed(in: segment) { offset, byte in [byte ^ 1 << UInt8(offset % 8)] } == [])
    }
  }

  /// Every byte of a header and one record, zero and fifteen other values.
  @Test func everyChangeOfOneByteIsFound() throws {
    do {
      let lane = try fixture.lane(in: fixture.directory())
      let outcome = Outcome(ending: .completed, tag: "SELECT 1", rows: 1, bytes: 11)
      try lane.finished(CommandID(1), outcome, duration: 42, in: AuditedSession("0123456789abc"))
    }
    let found = try unnoticed(in: 1) { _, byte in
      stride(from: 0, through: 255, by: 17).map(UInt8.init).filter { $0 != byte }
    }
    #expect(found == [])
  }

  @Test func theFirstFaultIsNamedWithItsPlace() throws {
    _ = try twoSegments()
    var bytes = try fixture.read(1)
    let second = try #require(try fixture.records().first { $0.sequence == 2 })
    bytes[second.offset + 30] ^= 1
    try fixture.write(bytes, to: 1)
    let place = "lane loop-0, segment 1, record 2, offset \(second.offset)"
    #expect(try fault() == "\(place): the hash does not fit the record and those before it")
    #expect(try fixture.verify().lanes.first?.records == 1)
  }

  @Test func aTailCutOffIsFoundWithAHeadKeptElsewhere() throws {
    let heads = try twoSegments()
    #expect(try fixture.verify(heads).isSound)
    let last = try #require(try fixture.records().last)
    try fixture.write(Array(try fixture.read(2).prefix(last.offset)), to: 2)
    // Without the head nothing is to be seen, and the report claims no more.
    let report = try fixture.verify()
    #expect(report.isSound)
    #expect(report.claim.contains("cut off at its end"))
    #expect(
      try fault(heads)
        == "lane loop-0, record 5: the end is cut off: records up to 5 were there before")
    try FileManager.default.removeItem(atPath: "\(fixture.trail)/loop-0")
    #expect(try fault(heads) == "lane loop-0, record 1: the end is cut off: records up to 5 were there before")
  }

  @Test func everyTruncationIsFoundWithAHead() throws {
    let heads = try twoSegments()
    let original = try fixture.read(2)
    for end in original.indices {
      try fixture.write(Array(original.prefix(end)), to: 2)
      #expect(try !fixture.verify(heads).isSound, "\(end)")
    }
    try fixture.write(original, to: 2)
    let first = try fixture.read(1)
    for end in stride(from: 0, to: first.count, by: 7) {
      try fixture.write(Array(first.prefix(end)), to: 1)
      #expect(try !fixture.verify().isSound, "\(end)")
    }
  }

  @Test func aTrailWrittenAnewIsFoundWithAHead() throws {
    let heads = try twoSegments()
    try FileManager.default.removeItem(atPath: fixture.trail)
    _ = try twoSegments()
    #expect(try fixture.verify().isSound)
    #expect(try fault(heads)?.hasSuffix("the trail was written anew") == true)
  }

  @Test func missingAndExchangedSegmentsAreFound() throws {
    for _ in 0..<3 {
      let lane = try fixture.lane(in: fixture.directory())
      try lane.append(finished(1))
      lane.close()
    }
    let second = try fixture.read(2)
    try FileManager.default.removeItem(atPath: fixture.file(2))
    #expect(try fault() == "lane loop-0, segment 2, record 2: the segment is missing")
    try fixture.write(try fixture.read(1), to: 2)
    #expect(try fault() == "lane loop-0, segment 2, offset 0: the header names another segment")
    try fixture.write(second, to: 2)
    #expect(try fixture.verify().isSound)
    try FileManager.default.removeItem(atPath: fixture.file(1))
    #expect(try fault() == "lane loop-0, segment 1: the segment is missing")
  }

  @Test func recordsBehindAnUncommittedOneAreAFault() throws {
    _ = try twoSegments()
    var bytes = try fixture.read(2)
    let first = try #require(try fixture.records().first { $0.segment == 2 })
    for index in 4..<8 { bytes[first.offset + index] = 0 }
    try fixture.write(bytes, to: 2)
    #expect(try fault()?.hasSuffix("bytes follow a record that was not committed") == true)
    // The gateway does not start on it and does not touch it.
    #expect(throws: AuditFailure.self) { try fixture.lane(in: fixture.directory()) }
    #expect(try fixture.read(2) == bytes)
  }

  @Test func aHeaderTakenAwayIsAFault() throws {
    _ = try twoSegments()
    var bytes = try fixture.read(2)
    for index in 0..<8 { bytes[index] = 0 }
    try fixture.write(bytes, to: 2)
    #expect(try fault() == "lane loop-0, segment 2, offset 0: the segment has content and no header")
    #expect(throws: AuditFailure.self) { try fixture.lane(in: fixture.directory()) }
  }

  /// The process dies after each byte of its last record.
  @Test func aTornTailIsNoFaultAndTheNextStartGoesOn() throws {
    let whole: [UInt8]
    let last: AuditRecord
    do {
      let lane = try fixture.lane(in: fixture.directory())
      try lane.append(decided("select 1"))
      try lane.append(decided("select 2"))
      whole = try fixture.read(1)
      last = try #require(try fixture.records().last)
    }
    // In the order in which the writer stores: length, content and hash, commit word.
    let size = SegmentFormat.recordSize(payload: last.payload.count)
    let order = Array(0..<4) + Array(8..<size)
    for written in stride(from: 4, through: order.count, by: 3) {
      var torn = whole
      for index in 0..<size { torn[last.offset + index] = 0 }
      for index in order.prefix(written) { torn[last.offset + index] = whole[last.offset + index] }
      try fixture.write(torn, to: 1)
      let report = try fixture.verify()
      #expect(report.isSound && report.lanes.first?.hasUnfinishedRecord == true && report.lanes.first?.records == 1)
    }
    let lane = try fixture.lane(in: fixture.directory())
    #expect(lane.head.sequence == 1)
    try lane.append(finished(1))
    let report = try fixture.verify()
    #expect(report.isSound && report.lanes.first?.hasUnfinishedRecord == false)
    #expect(try fixture.records().compactMap(\.entry?.event) == ["decided", "finished"])
  }

  /// What is in the file at any moment is what `kill -9` leaves behind.
  @Test func aCopyAtAnyMomentHoldsEveryAcknowledgedRecord() throws {
    let lane = try fixture.lane(in: fixture.directory(), size: 16_384)
    for id in 1...120 as ClosedRange<UInt64> {
      try lane.append(decided("select \(id)", id: id))
      guard id.isMultiple(of: 6) else { continue }
      let crashed = TrailFixture()
      try fixture.copy(to: crashed)
      #expect(try crashed.records().map(\.sequence) == Array(1...id))
      let next = try crashed.lane(in: crashed.directory(), size: 16_384)
      #expect(next.head == lane.head)
      try next.append(finished(id))
      #expect(try crashed.verify([lane.head]).isSound)
    }
  }

  @Test func checkingWhileAnotherThreadWritesFindsNoFault() async throws {
    let directory = try fixture.directory()
    let trail = fixture.trail
    let written = Flag()
    let count: UInt64 = 5_000
    let checks = Task.detached {
      repeat {
        if let fault = try AuditVerifier.verify(trail).lanes.compactMap(\.fault).first { return fault }
      } while !written.isRaised
      return "none"
    }
    do {
      defer { written.raise() }
      let lane = try fixture.lane(in: directory, size: 1 << 18)
      for id in 1...count { try lane.append(decided("select \(id)", id: id, action: .deny)) }
    }
    #expect(try await checks.value == "none")
    #expect(try fixture.verify().lanes.map(\.records) == [count])
  }
}

/// Tells another thread that something has happened.
private final class Flag: Sendable {
  private let state = Mutex(false)
  var isRaised: Bool { state.withLock { $0 } }
  func raise() { state.withLock { $0 = true } }
}
