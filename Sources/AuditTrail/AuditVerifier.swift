import Enforcement

/// What a check of a trail found.
public struct VerificationReport: Hashable, Sendable, Codable {
  public struct Lane: Hashable, Sendable, Codable {
    public var name: String
    public var segments: Int
    /// Records that are as they were written; those behind a fault are not counted.
    public var records: UInt64
    /// The last of them. To be kept elsewhere, and given to the next check.
    public var head: AuditHead
    /// The process died in the middle of a record. That is no fault: it was never acknowledged.
    public var hasUnfinishedRecord: Bool
    /// The first fault, with its place.
    public var fault: String?
  }
  public var lanes: [Lane]
  /// True when the heads of an earlier check were compared.
  public var comparedHeads: Bool

  /// True when no fault was found; `claim` says what that means.
  public var isSound: Bool { lanes.allSatisfy { $0.fault == nil } }

  /// What the check shows and what it cannot show (DECISIONS 24).
  public var claim: String {
    comparedHeads
      ? "detects every change up to the heads given, if they were kept where the writer of the trail cannot reach; "
        + "records cut off after them cannot be told"
      : "detects changed, removed and inserted records, but not a trail that was cut off at its end or written anew: "
        + "that needs a head kept elsewhere"
  }
}

/// Checks a trail: each byte of each record and header, and that nothing is missing between them.
public enum AuditVerifier {
  /// - Parameters:
  ///   - directory: the trail's own folder, `<data>/audit`. Gateways may be writing to it.
  ///   - expectedHeads: heads of earlier reports; a lane that does not reach them, or has other records there, is at
  ///     fault.
  ///
  /// Throws only when the folder cannot be read; what is wrong with the trail is in the report.
  public static func verify(
    _ directory: String, expectedHeads: [AuditHead]? = nil
  ) throws(AuditFailure) -> VerificationReport {
    let reader = AuditReader(directory: directory)
    let expected = expectedHeads ?? []
    let names = Set(try reader.lanes()).union(expected.map(\.lane)).sorted()
    let lanes = names.map { name in
      verify(
        LaneCursor(directory: directory, lane: name, checksUnused: true),
        expected: expected.filter { $0.lane == name })
    }
    return VerificationReport(lanes: lanes, comparedHeads: expectedHeads != nil)
  }

  private static func verify(_ cursor: LaneCursor, expected: [AuditHead]) -> VerificationReport.Lane {
    var cursor = cursor
    var lane = VerificationReport.Lane(
      name: cursor.lane, segments: 0, records: 0, head: AuditHead(lane: cursor.lane, sequence: 0, hash: ""),
      hasUnfinishedRecord: false)
    var pending = expected.filter { $0.sequence > 0 }
    var last: [UInt8] = []
    do throws(AuditFault) {
      repeat {
        while let record = try cursor.next() {
          lane.records += 1
          lane.head.sequence = record.sequence
          last = record.hash
          try compare(record, with: &pending)
        }
      } while try cursor.end() == .grown
      lane.hasUnfinishedRecord = try cursor.end() == .unfinished
      if let missing = pending.max(by: { $0.sequence < $1.sequence }) {
        throw AuditFault(
          lane: lane.name, segment: 0, sequence: lane.head.sequence &+ 1,
          reason: "the end is cut off: records up to \(missing.sequence) were there before")
      }
    } catch {
      lane.fault = error.description
    }
    lane.head.hash = last.hex
    lane.segments = cursor.segments
    return lane
  }

  private static func compare(_ record: AuditRecord, with pending: inout [AuditHead]) throws(AuditFault) {
    if pending.isEmpty { return }
    for head in pending where head.sequence == record.sequence && head.hash != record.hash.hex {
      throw AuditFault(
        lane: record.lane, segment: record.segment, sequence: record.sequence, offset: record.offset,
        reason: "the record is not the one whose hash was kept: the trail was written anew")
    }
    pending.removeAll { $0.sequence == record.sequence }
  }
}
