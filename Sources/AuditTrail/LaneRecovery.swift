import Enforcement
import Glibc

/// Where a lane's chain stands.
struct ChainPosition: Equatable {
  /// The newest segment in use; 0 without one.
  var segment: UInt64 = 0
  /// The last record; 0 without one.
  var sequence: UInt64 = 0
  var time = Int64.min
  /// What the next header continues.
  var link = [UInt8](repeating: 0, count: SegmentFormat.hashSize)
  /// The hash of the last record; empty without one.
  var recordHash: [UInt8] = []
}

/// Finds the end of a lane's chain when the gateway starts.
enum LaneRecovery {
  /// Reads the newest segment in use, takes away segments that were prepared and never used, and cuts off a record that
  /// the process before this one did not finish (it was never acknowledged, and nothing of it was done).
  ///
  /// Throws when the newest segment is damaged: nothing is changed then, and the message names the place.
  static func recover(lane: String, path: String) throws(AuditFailure) -> ChainPosition {
    var numbers = try Files.segments(in: path)
    do throws(AuditFault) {
      while let number = numbers.popLast() {
        let file = "\(path)/\(SegmentFormat.fileName(number))"
        guard
          let reader = try SegmentReader.open(
            lanePath: path, lane: lane, number: number, checksUnused: true, expands: false)
        else {
          unlink(file)
          continue
        }
        var position = try end(of: reader)
        guard truncate(file, reader.offset) == 0 else { throw fault(reader, Files.failure("cut off", file).message) }
        if position.recordHash.isEmpty, position.sequence > 0 {
          position.recordHash = try hashOfLastRecord(in: numbers, lane: lane, path: path)
        }
        return position
      }
    } catch {
      throw AuditFailure(
        "audit trail is damaged at \(error); look at it with \"sallyport audit verify\", then move the folder away "
          + "to start anew")
    }
    return ChainPosition()
  }

  private static func end(of reader: SegmentReader) throws(AuditFault) -> ChainPosition {
    var position = ChainPosition(segment: reader.number)
    while let record = try reader.next() { position.recordHash = record.hash }
    guard try reader.checkEnd() != .grown else { throw fault(reader, "another process writes to it") }
    position.sequence = reader.sequence &- 1
    position.time = reader.time
    position.link = reader.link
    return position
  }

  /// Segments without a record (the gateway was started and ended at once) are passed over.
  private static func hashOfLastRecord(
    in numbers: [UInt64], lane: String, path: String
  ) throws(AuditFault) -> [UInt8] {
    for number in numbers.reversed() {
      guard
        let reader = try SegmentReader.open(
          lanePath: path, lane: lane, number: number, checksUnused: true, expands: false)
      else { continue }
      var hash: [UInt8] = []
      while let record = try reader.next() { hash = record.hash }
      if !hash.isEmpty { return hash }
    }
    return []
  }

  private static func fault(_ reader: SegmentReader, _ reason: String) -> AuditFault {
    AuditFault(lane: reader.lane, segment: reader.number, offset: reader.offset, reason: reason)
  }
}
