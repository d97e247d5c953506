import AccessModel
import Enforcement
import Foundation

@testable import AuditTrail

/// A data folder with a trail, which goes away with the test; time moves by one millisecond with each look at it.
final class TrailFixture {
  let data = FileManager.default.temporaryDirectory.path + "/sallyport-audit-\(UUID().uuidString)"
  var time: Int64 = 1_790_000_000_000_000
  var trail: String { AuditDirectory.path(data: data) }

  deinit { try? FileManager.default.removeItem(atPath: data) }

  func directory() throws -> AuditDirectory { try AuditDirectory(data: data) }

  func lane(
    _ name: String = "loop-0", in directory: AuditDirectory, size: Int = 1 << 16, allocator: SegmentAllocator = .disk
  ) throws -> AuditLane {
    try AuditLane(directory: directory, name: name, segmentSize: size, allocator: allocator) { [unowned self] in
      time += 1_000
      return time
    }
  }

  func file(_ segment: UInt64, lane: String = "loop-0") -> String {
    "\(trail)/\(lane)/\(SegmentFormat.fileName(segment))"
  }

  func read(_ segment: UInt64, lane: String = "loop-0") throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: file(segment, lane: lane))))
  }

  func write(_ bytes: [UInt8], to segment: UInt64, lane: String = "loop-0") throws {
    try Data(bytes).write(to: URL(fileURLWithPath: file(segment, lane: lane)))
  }

  func verify(_ heads: [AuditHead]? = nil) throws -> VerificationReport {
    var basis = VerificationBasis()
    basis.heads = heads
    return try AuditVerifier.verify(trail, basis)
  }

  /// All records of all lanes.
  func records() throws -> [AuditRecord] {
    var cursor = try AuditReader(directory: trail).records()
    var records: [AuditRecord] = []
    while let record = try cursor.next() { records.append(record) }
    return records
  }

  /// Copies the trail as another process would see it now, which is also what is left after `kill -9`.
  func copy(to other: TrailFixture) throws {
    try FileManager.default.createDirectory(atPath: other.data, withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: trail, toPath: other.trail)
  }
}

/// A decided command with this text.
func decided(
  _ text: String, session: String = "0123456789abc", id: UInt64 = 1, action: DecisionRecord.Action = .permit,
  footprint: Footprint = .nothing, detail: Detail = .sql(SQLDetail(statements: [])), parameters: Parameters = .none
) -> AuditEvent {
  .decided(
    DecisionRecord(
      session: session, id: CommandID(id),
      command: Command(effects: [.read], footprint: footprint, text: text, parameters: parameters, detail: detail),
      action: action, policy: "c0ffee"))
}

extension AuditLane {
  /// A permit whose values may be kept.
  func permitted(_ id: CommandID, _ command: Command, in session: AuditedSession, policy: String) throws(AuditFailure) {
    try permitted(id, command, in: session, policy: policy, values: .kept)
  }
}

func finished(_ id: UInt64, session: String = "0123456789abc") -> AuditEvent {
  .finished(
    session: session, command: CommandID(id), outcome: Outcome(ending: .completed, tag: "SELECT 1", rows: 1, bytes: 11),
    duration: 42)
}
