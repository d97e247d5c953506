import Enforcement

/// Finds sessions in a trail, and the records of one.
///
/// A session lies in one lane. To find it, segments that are not in the index are skimmed: only the first bytes of each
/// record are looked at and no hash is checked. The records of one session are read and checked as always.
public struct SessionHistory: Sendable {
  /// What the trail says of one session.
  public struct Summary: Hashable, Sendable, Codable {
    public var session: String
    public var user: String
    public var connection: String
    public var client: String
    public var application: String?
    public var database: String?
    public var backend: String?
    /// µs since 1970.
    public var openedAt: Int64
    /// nil while it is open, and when the gateway ended before it did.
    public var closedAt: Int64?
    public var reason: String?
    public var isLive = false

    public init(
      session: String, user: String, connection: String, client: String, application: String?, database: String?,
      backend: String?, openedAt: Int64
    ) {
      self.session = session
      self.user = user
      self.connection = connection
      self.client = client
      self.application = application
      self.database = database
      self.backend = backend
      self.openedAt = openedAt
    }
  }
  /// Which sessions are asked for; nil for all.
  public struct Filter: Hashable, Sendable {
    public var user: String?
    public var connection: String?
    /// µs since 1970, of when they were opened.
    public var since: Int64
    public var until: Int64

    public init(user: String? = nil, connection: String? = nil, since: Int64 = .min, until: Int64 = .max) {
      self.user = user
      self.connection = connection
      self.since = since
      self.until = until
    }

    public func admits(_ session: Summary) -> Bool {
      (user ?? session.user) == session.user && (connection ?? session.connection) == session.connection
        && (since...max(since, until)).contains(session.openedAt)
    }
  }
  /// A place in the records of one session, from which they go on.
  public struct Place: Hashable, Sendable {
    var lane: String
    var segment: UInt64
    var sequence: UInt64
  }
  /// Why sessions cannot be looked for. Lower case, without a full stop.
  public struct Failure: Error, Hashable, Sendable { public var reason: String }

  /// Sessions that one look gathers.
  static let limit = 200_000

  private let directory: String
  private let index: (any SessionIndex)?
  /// Whether whoever asks no longer waits.
  let isOver: @Sendable () -> Bool

  /// - Parameters:
  ///   - directory: the trail's own folder, see `AuditDirectory.path(data:)`.
  ///   - index: of its sessions; without one all segments are skimmed.
  ///   - isOver: asked now and then; true ends the search with a failure.
  public init(
    directory: String, index: (any SessionIndex)? = nil, isOver: @escaping @Sendable () -> Bool = { false }
  ) {
    self.directory = directory
    self.index = index
    self.isOver = isOver
  }

  /// Sessions that the filter admits, the newest first; `limit` of them.
  public func list(_ filter: Filter, limit: Int) throws(Failure) -> [Summary] {
    let indexed = try indexedSegments()
    var found: [Summary] = []
    // Ends of sessions whose beginning is in the index.
    var ends: [String: SegmentSessions.End] = [:]
    for lane in try lanes() {
      var open: [String: Int] = [:]
      for number in try segments(lane, behind: indexed?[lane] ?? 0, since: filter.since) {
        var segment = SegmentSessions(lane: lane, segment: number, header: [])
        try skim(lane, number) { time, payload in
          segment.note(payload, time)
          return true
        }
        for session in segment.opened where filter.admits(session) {
          open[session.session] = found.count
          found.append(session)
        }
        for end in segment.ended {
          if let index = open.removeValue(forKey: end.session) {
            found[index].end(end)
          } else {
            ends[end.session] = end
          }
        }
        guard found.count <= SessionHistory.limit else { throw Failure(reason: "there are too many sessions to list") }
      }
    }
    if indexed != nil, let index {
      do {
        found += try index.sessions(filter, limit: limit).map { session in
          var session = session
          if let end = ends[session.session] { session.end(end) }
          return session
        }
      } catch { throw Failure(reason: "the index of sessions cannot be read") }
    }
    return SessionHistory.newest(found, limit)
  }

  /// Up to which segment each lane is in the index; nil without one that fits the trail.
  private func indexedSegments() throws(Failure) -> [String: UInt64]? {
    guard let index else { return nil }
    var indexed: [String: UInt64] = [:]
    for lane in try lanes() {
      guard let known = try? index.newest(ofLane: lane) else { continue }
      guard try holds(lane, known) else { return nil }
      indexed[lane] = known.segment
    }
    return indexed
  }

  private static func newest(_ sessions: [Summary], _ limit: Int) -> [Summary] {
    Array(sessions.sorted { $0.openedAt > $1.openedAt }.prefix(limit))
  }

  /// Where the records of a session begin, and what was said when it was opened; nil when the trail does not know it.
  public func find(_ session: String) throws(Failure) -> (place: Place, summary: Summary)? {
    guard session.utf8.allSatisfy(RecordingFile.isNameByte), !session.isEmpty else { return nil }
    let indexed = try indexedSegments()
    if indexed != nil, let index, let found = try? index.find(session) {
      return (Place(lane: found.lane, segment: found.segment, sequence: 0), found.summary)
    }
    for lane in try lanes() {
      for number in try numbers(lane).reversed() where number > indexed?[lane] ?? 0 {
        var found: (Place, Summary)?
        try skim(lane, number) { time, payload in
          guard payload.hasPrefix(SessionHistory.opened), let summary = SessionHistory.summary(payload, time),
            summary.session == session
          else { return true }
          found = (Place(lane: lane, segment: number, sequence: 0), summary)
          return false
        }
        if let found { return found }
      }
    }
    return nil
  }

  /// Records of a session from a place on, as long as `visit` returns true; where they go on, nil behind the last one.
  public func read(
    _ session: String, from place: Place, _ visit: (AuditRecord) -> Bool
  ) throws(Failure) -> Place? {
    let marks = ["\"session\":\"\(session)\"", SessionHistory.closed].map { Array($0.utf8) }
    for number in try numbers(place.lane) where number >= place.segment {
      do throws(AuditFault) {
        guard let reader = try open(place.lane, number) else { continue }
        while let record = try reader.next() {
          if isOver() { break }
          // The session stands in front, before anything that a client chooses.
          guard record.sequence >= place.sequence, record.payload.prefix(128).contains(marks[0]) else { continue }
          guard visit(record) else {
            return Place(lane: place.lane, segment: number, sequence: record.sequence)
          }
          if record.payload.starts(with: marks[1]) { return nil }
        }
      } catch { throw Failure(reason: error.description) }
      try checkTime()
    }
    return nil
  }

  // MARK: Segments

  static let opened = "{\"event\":\"session_opened\""
  static let closed = "{\"event\":\"session_closed\""

  func lanes() throws(Failure) -> [String] {
    do { return try Files.lanes(in: directory) } catch { throw Failure(reason: error.message) }
  }

  func numbers(_ lane: String) throws(Failure) -> [UInt64] {
    do { return try Files.segments(in: "\(directory)/\(lane)") } catch { throw Failure(reason: error.message) }
  }

  func open(_ lane: String, _ number: UInt64) throws(AuditFault) -> SegmentReader? {
    try SegmentReader.open(lanePath: "\(directory)/\(lane)", lane: lane, number: number, checksUnused: false)
  }

  /// Segments behind that one that have records from that time on, ascending.
  private func segments(_ lane: String, behind last: UInt64, since: Int64) throws(Failure) -> [UInt64] {
    let all = try numbers(lane).filter { $0 > last }
    var first = all.endIndex
    do throws(AuditFault) {
      while first > all.startIndex {
        first -= 1
        guard let reader = try open(lane, all[first]) else { continue }
        if reader.header.createdAt <= since { break }
      }
    } catch { throw Failure(reason: error.description) }
    return Array(all[first...])
  }

  private func skim(
    _ lane: String, _ number: UInt64, _ visit: (Int64, RecordFront) -> Bool
  ) throws(Failure) {
    do throws(AuditFault) {
      try open(lane, number)?.skim(visit)
    } catch { throw Failure(reason: error.description) }
    try checkTime()
  }

  private func checkTime() throws(Failure) {
    if isOver() { throw Failure(reason: "the trail is too long to be searched in time") }
  }

  static func summary(_ payload: RecordFront, _ time: Int64) -> Summary? {
    guard let entry = payload.entry, let session = entry.session, let user = entry.user,
      let connection = entry.connection
    else { return nil }
    return Summary(
      session: session, user: user, connection: connection, client: entry.client ?? "",
      application: entry.application, database: entry.database, backend: entry.backend, openedAt: time)
  }

}

extension SessionHistory.Summary {
  fileprivate mutating func end(_ end: SegmentSessions.End) {
    closedAt = end.time
    reason = end.reason
  }
}

/// The payload of a record as it is stored, unchecked: whole for records that leave nothing out.
struct RecordFront {
  let bytes: ArraySlice<UInt8>

  func hasPrefix(_ text: String) -> Bool { bytes.starts(with: text.utf8) }
}
