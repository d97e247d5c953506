import Enforcement
import Glibc

/// Reads a trail, also while gateways write to it.
public struct AuditReader: Sendable {
  /// `<data>/audit`.
  public let directory: String

  /// `directory` is the trail's own folder, see `AuditDirectory.path(data:)`.
  public init(directory: String) { self.directory = directory }

  /// Names of the lanes, sorted.
  public func lanes() throws(AuditFailure) -> [String] { try Files.lanes(in: directory) }

  /// The records of one lane from the first.
  public func records(ofLane lane: String) -> LaneCursor {
    LaneCursor(directory: directory, lane: lane, checksUnused: false)
  }

  /// The records of all lanes that there are now, in the order of their times; those of one lane keep their order.
  public func records() throws(AuditFailure) -> MergedCursor {
    MergedCursor(try lanes().map { records(ofLane: $0) })
  }
}

/// A place in one lane from which records are read one after the other, across segments.
///
/// At the end of the lane `next` returns nil; called later it returns what was committed meanwhile.
public struct LaneCursor {
  public let lane: String
  private let path: String
  /// Whether the unused rest of a prepared segment is looked at too; only a check of the whole trail needs that.
  private let checksUnused: Bool
  private var reader: SegmentReader?
  /// Segments begun so far.
  private(set) var segments = 0
  /// The segments that ended since somebody last took them; only a check of the whole trail asks.
  private var closed: [LaneStanding] = []

  init(directory: String, lane: String, checksUnused: Bool) {
    self.lane = lane
    self.checksUnused = checksUnused
    path = "\(directory)/\(lane)"
  }

  /// The next record, checked against the one before; nil when there is none yet. Throws at the first fault.
  public mutating func next() throws(AuditFault) -> AuditRecord? {
    while true {
      if let reader {
        if let record = try reader.next() { return record }
        guard let following = try segment(after: reader) else { return nil }
        // Between the two looks the last records of this segment may have been written.
        if let record = try reader.next() { return record }
        guard try reader.checkEnd() == .clean else {
          throw fault(reader, "a record was not committed, and segments follow")
        }
        guard following.header.previous == reader.link else {
          throw AuditFault(
            lane: lane, segment: following.number, sequence: following.sequence, offset: 32,
            reason: "the segment does not continue the one before it")
        }
        guard following.sequence == reader.sequence, following.header.createdAt >= reader.time else {
          throw fault(following, "the segment's first record or time does not follow the segment before it")
        }
        if checksUnused {
          closed.append(
            LaneStanding(lane: lane, segment: reader.number, sequence: reader.sequence &- 1, hash: reader.link.hex))
        }
        self.reader = following
      } else {
        guard let first = try segment(after: nil) else { return nil }
        guard first.sequence == 1, first.header.previous.allSatisfy({ $0 == 0 }) else {
          throw fault(first, "the first segment continues another")
        }
        reader = first
      }
      segments += 1
    }
  }

  /// Takes the segments that ended since the last time.
  mutating func takeClosed() -> [LaneStanding] {
    defer { closed.removeAll() }
    return closed
  }

  /// How the newest segment ends, once `next` has returned nil.
  func end() throws(AuditFault) -> SegmentReader.End { try reader?.checkEnd() ?? .clean }

  /// The segment behind this one when it is in use; throws when it is missing and later ones are there.
  private func segment(after reader: SegmentReader?) throws(AuditFault) -> SegmentReader? {
    let number = (reader?.number ?? 0) + 1
    let numbers: [UInt64]
    do throws(AuditFailure) {
      numbers = try Files.segments(in: path)
    } catch {
      throw AuditFault(lane: lane, segment: number, reason: error.message)
    }
    guard numbers.contains(number) else {
      if let later = numbers.last, later > number {
        throw AuditFault(lane: lane, segment: number, sequence: reader?.sequence, reason: "the segment is missing")
      }
      return nil
    }
    if let following = try open(number) { return following }
    // Only the newest may be unused.
    if let later = numbers.last, later > number, try open(later) != nil {
      throw AuditFault(lane: lane, segment: number, sequence: reader?.sequence, reason: "the segment has no header")
    }
    return nil
  }

  private func open(_ number: UInt64) throws(AuditFault) -> SegmentReader? {
    try SegmentReader.open(lanePath: path, lane: lane, number: number, checksUnused: checksUnused)
  }

  private func fault(_ reader: SegmentReader, _ reason: String) -> AuditFault {
    AuditFault(
      lane: lane, segment: reader.number, sequence: reader.sequence, offset: reader.offset, reason: reason)
  }
}

/// The records of several lanes in the order of their times.
public struct MergedCursor {
  private struct Lane {
    var cursor: LaneCursor
    var next: AuditRecord?
    /// It had nothing more when it was last asked.
    var isAtEnd = false
  }
  private var lanes: [Lane]

  init(_ cursors: [LaneCursor]) { lanes = cursors.map { Lane(cursor: $0) } }

  /// The earliest record not yet returned; of equal times the lane that sorts first. nil when no lane has one.
  public mutating func next() throws(AuditFault) -> AuditRecord? {
    if let record = try earliest() { return record }
    lookAgain()
    return try earliest()
  }

  /// Asks the lanes that were at their end once more with the next record.
  ///
  /// Asking a lane at its end looks for new segments, which is too much for each record of the other lanes.
  mutating func lookAgain() {
    for index in lanes.indices { lanes[index].isAtEnd = false }
  }

  private mutating func earliest() throws(AuditFault) -> AuditRecord? {
    var earliest: Int?
    for index in lanes.indices {
      if lanes[index].next == nil, !lanes[index].isAtEnd {
        lanes[index].next = try lanes[index].cursor.next()
        lanes[index].isAtEnd = lanes[index].next == nil
      }
      guard let candidate = lanes[index].next else { continue }
      if let found = earliest, let best = lanes[found].next, best.time <= candidate.time { continue }
      earliest = index
    }
    guard let earliest else { return nil }
    defer { lanes[earliest].next = nil }
    return lanes[earliest].next
  }

  var laneNames: [String] { lanes.map(\.cursor.lane) }

  mutating func add(_ cursor: LaneCursor) { lanes.append(Lane(cursor: cursor)) }
}

/// Follows a trail: each poll returns what was committed since the last one.
public struct AuditTail {
  private let reader: AuditReader
  private var cursor = MergedCursor([])

  /// - Parameter directory: the trail's own folder, `<data>/audit`.
  public init(directory: String) { reader = AuditReader(directory: directory) }

  /// Goes to the end; what was there before is not returned.
  ///
  /// `visit` sees each record passed over, so that a formatter can learn the sessions that are still open.
  public mutating func skipToEnd(_ visit: (AuditRecord) -> Void = { _ in }) throws(AuditFault) {
    guard let first = try next() else { return }
    visit(first)
    while let record = try cursor.next() { visit(record) }
  }

  /// At most `limit` records that were committed since the last poll, in the order of their times.
  ///
  /// A record of one lane can come after a later one of another lane when it was committed after the poll that returned
  /// that one. Lanes that appear are followed from their first record.
  public mutating func poll(limit: Int = 1000) throws(AuditFault) -> [AuditRecord] {
    var records: [AuditRecord] = []
    while records.count < limit, let record = records.isEmpty ? try next() : try cursor.next() {
      records.append(record)
    }
    return records
  }

  private mutating func next() throws(AuditFault) -> AuditRecord? {
    let names: [String]
    do throws(AuditFailure) {
      names = try reader.lanes()
    } catch {
      throw AuditFault(lane: "", segment: 0, reason: error.message)
    }
    let known = cursor.laneNames
    for name in names where !known.contains(name) { cursor.add(reader.records(ofLane: name)) }
    // Each poll asks every lane: else a lane that was at its end would come after all that the others have by now.
    cursor.lookAgain()
    return try cursor.next()
  }
}
