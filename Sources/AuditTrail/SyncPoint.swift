import Enforcement
import Glibc

/// How far a lane had gone, and what has to reach the disk for that to outlive the loss of power.
public struct SyncPoint: Sendable {
  /// The last record that is covered.
  public let sequence: UInt64
  let segment: UInt64
  /// Segments that were written to since the last point.
  let files: [String]
  /// The lane's folder, when it has a segment that the disk may not know of.
  let folder: String?

  /// Waits until the disk has it all. Blocks.
  public func synchronize() throws(AuditFailure) {
    for file in files { try Files.synchronize(file) }
    if let folder { try Files.synchronize(folder) }
  }
}

extension AuditLane {
  /// What has to reach the disk now; see `synchronized`.
  public func syncPoint() -> SyncPoint {
    let segment = standing.segment
    let first = max(1, syncedSegment)
    return SyncPoint(
      sequence: sequence, segment: segment, files: first > segment ? [] : (first...segment).map(filePath),
      folder: segment > syncedSegment ? path : nil)
  }

  /// The disk has it.
  public func synchronized(_ point: SyncPoint) { syncedSegment = max(syncedSegment, point.segment) }
}
