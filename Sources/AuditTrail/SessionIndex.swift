/// Which sessions the closed segments of a trail tell of: made from them, and made again whenever it is missing. What it
/// says is found sooner, and believed as little as what skimming finds.
public protocol SessionIndex: Sendable {
  /// The newest segment of a lane that is in it, with the hash of that segment's header; nil when none is.
  func newest(ofLane lane: String) throws -> (segment: UInt64, header: [UInt8])?
  /// Takes up the segment behind the newest one, whole or not at all.
  func add(_ segment: SegmentSessions) throws
  /// Forgets all that it has of a lane.
  func forget(lane: String) throws
  /// Sessions that the filter admits, the newest first; `limit` of them.
  func sessions(_ filter: SessionHistory.Filter, limit: Int) throws -> [SessionHistory.Summary]
  /// Where a session was opened; nil when it is in none of the segments.
  func find(_ session: String) throws -> (lane: String, segment: UInt64, summary: SessionHistory.Summary)?
}

/// What one segment tells of sessions.
public struct SegmentSessions: Sendable {
  /// How a session ended that was opened in this segment or an earlier one.
  public struct End: Hashable, Sendable {
    public var session: String
    /// µs since 1970.
    public var time: Int64
    public var reason: String
  }
  public var lane: String
  public var segment: UInt64
  /// Hash of the segment's header, by which it is told from another of that number.
  public var header: [UInt8]
  public var opened: [SessionHistory.Summary] = []
  public var ended: [End] = []
}

extension SessionHistory {
  /// Puts closed segments that are not in the index into it, the oldest first.
  ///
  /// A lane whose newest indexed segment is not there as it was, as in a folder that was put back from a copy, is begun
  /// anew. Ends early, between two segments, when `isOver` says so; the next call goes on there.
  ///
  /// - Returns: how many segments it took up.
  @discardableResult
  public func bringUpToDate(_ index: any SessionIndex) throws -> Int {
    var count = 0
    for lane in try lanes() {
      let numbers = try numbers(lane)
      var from = try index.newest(ofLane: lane)
      if let known = from, try !holds(lane, known) {
        try index.forget(lane: lane)
        from = nil
      }
      for (number, following) in zip(numbers, numbers.dropFirst()) where number > from?.segment ?? 0 {
        if isOver() { return count }
        // The one behind it is in use: this one will not grow any more.
        guard try isInUse(lane, following), let sessions = try sessions(of: lane, number) else { break }
        try index.add(sessions)
        count += 1
      }
    }
    return count
  }

  /// Whether a lane's segment of that number is still the one that was indexed.
  func holds(_ lane: String, _ known: (segment: UInt64, header: [UInt8])) throws(Failure) -> Bool {
    guard try numbers(lane).contains(known.segment) else { return false }
    do throws(AuditFault) {
      return try open(lane, known.segment)?.link == known.header
    } catch { return false }
  }

  private func isInUse(_ lane: String, _ number: UInt64) throws(Failure) -> Bool {
    do throws(AuditFault) {
      return try open(lane, number) != nil
    } catch { throw Failure(reason: error.description) }
  }

  private func sessions(of lane: String, _ number: UInt64) throws(Failure) -> SegmentSessions? {
    do throws(AuditFault) {
      guard let reader = try open(lane, number) else { return nil }
      var found = SegmentSessions(lane: lane, segment: number, header: reader.link)
      try reader.skim { time, payload in
        found.note(payload, time)
        return true
      }
      return found
    } catch { throw Failure(reason: error.description) }
  }
}

extension SegmentSessions {
  /// Takes note of a record, if it is about the beginning or the end of a session.
  mutating func note(_ payload: RecordFront, _ time: Int64) {
    if payload.hasPrefix(SessionHistory.opened) {
      if let session = SessionHistory.summary(payload, time) { opened.append(session) }
    } else if payload.hasPrefix(SessionHistory.closed), let entry = payload.entry, let session = entry.session {
      ended.append(End(session: session, time: time, reason: entry.reason ?? ""))
    }
  }
}
