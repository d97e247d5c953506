/// What the seals say of one lane, in the order of its records, while the lane is read.
///
/// It reads the seals beside the records, so that neither is ever in memory as a whole.
struct SealExpectations {
  private let lane: String
  private var heads: Track
  private var segments: Track
  /// The last record that a seal covers, and that was as it says.
  private(set) var covered: UInt64 = 0

  /// `limit` is the number of the last seal that can be relied on.
  init(trail: String, lane: String, limit: UInt64) throws(SealFault) {
    self.lane = lane
    heads = Track(reader: try SealReader(trail: trail), limit: limit, kind: .heads, lane: lane)
    segments = Track(reader: try SealReader(trail: trail), limit: limit, kind: .segments, lane: lane)
  }

  /// Compares a record with the head of a seal, when one was made right behind it.
  mutating func compare(_ record: AuditRecord) throws(AuditFault) {
    while let (standing, seal) = heads.next(), standing.sequence <= record.sequence {
      if standing.sequence == record.sequence {
        guard standing.hash == record.hash.hex else {
          throw AuditFault(
            lane: lane, segment: record.segment, sequence: record.sequence, offset: record.offset,
            reason: "the record is not the one that seal \(seal.number) of \(seal.time) has")
        }
        covered = standing.sequence
      }
      heads.drop()
    }
  }

  /// Compares the end of a closed segment with its seal.
  mutating func compare(_ closed: LaneStanding) throws(AuditFault) {
    while let (standing, seal) = segments.next(), standing.segment <= closed.segment {
      guard standing.segment < closed.segment || standing == closed else {
        throw AuditFault(
          lane: lane, segment: closed.segment, sequence: closed.sequence,
          reason: "the segment does not end as seal \(seal.number) of \(seal.time) says")
      }
      segments.drop()
    }
  }

  /// The first seal that has more than the lane, whose last record this is; nil when nothing is missing.
  mutating func missing(behind sequence: UInt64) -> (standing: LaneStanding, seal: Seal)? {
    while let next = heads.next() {
      if next.standing.sequence > sequence { return next }
      heads.drop()
    }
    while let next = segments.next() {
      if next.standing.sequence > sequence { return next }
      segments.drop()
    }
    return nil
  }
}

/// The seals of one kind for one lane, one after the other.
private struct Track {
  enum Kind { case heads, segments }
  var reader: SealReader
  let limit: UInt64
  let kind: Kind
  let lane: String
  private var pending: (standing: LaneStanding, seal: Seal)?
  private var isAtEnd = false

  init(reader: SealReader, limit: UInt64, kind: Kind, lane: String) {
    self.reader = reader
    self.limit = limit
    self.kind = kind
    self.lane = lane
  }

  /// The one at hand; nil when there is none left. What is wrong with the seals themselves was found before.
  mutating func next() -> (standing: LaneStanding, seal: Seal)? {
    while pending == nil, !isAtEnd {
      guard let seal = try? reader.next(), seal.number <= limit else {
        isAtEnd = true
        break
      }
      switch (kind, seal.content) {
      case (.heads, .heads(let standings)):
        pending = standings.first { $0.lane == lane && $0.sequence > 0 }.map { ($0, seal) }
      case (.segments, .segment(let standing)) where standing.lane == lane: pending = (standing, seal)
      case _: break
      }
    }
    return pending
  }

  mutating func drop() { pending = nil }
}
