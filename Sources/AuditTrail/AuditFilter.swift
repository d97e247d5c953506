/// Which records somebody wants to see; empty: all.
public struct AuditFilter: Sendable {
  /// µs since 1970, the first included and the last not.
  public var since: Int64?
  public var until: Int64?
  public var session: String?
  /// The person who signed in, asked, decided or gave the order.
  public var user: String?

  public init(since: Int64? = nil, until: Int64? = nil, session: String? = nil, user: String? = nil) {
    self.since = since
    self.until = until
    self.session = session
    self.user = user
  }

  var isEmpty: Bool { since == nil && until == nil && session == nil && user == nil }

  /// `owner` is the person of the record's session, when that is known.
  func matches(_ record: AuditRecord, _ entry: AuditEntry, owner: String?) -> Bool {
    if let since, record.time < since { return false }
    if let until, record.time >= until { return false }
    if let session, entry.session != session { return false }
    guard let user else { return true }
    return [owner, entry.user, entry.person, entry.actor].contains(user) || entry.users?.contains(user) == true
  }
}

/// A filter that is given all records of a trail in order, and so knows whose session each belongs to.
public struct AuditSelection {
  private let filter: AuditFilter
  private var sessions = SessionBook()

  public init(_ filter: AuditFilter) { self.filter = filter }

  public mutating func includes(_ record: AuditRecord) -> Bool {
    if filter.isEmpty { return true }
    guard let entry = record.entry else { return false }
    sessions.open(record, entry)
    defer { sessions.close(entry) }
    return filter.matches(record, entry, owner: sessions.find(entry.session)?.entry.user)
  }
}

/// What holds for each open session, so that its records can be understood by themselves.
///
/// Bounded: a session that was opened before many others is forgotten, as one whose beginning was never seen.
struct SessionBook {
  struct Facts {
    var entry: AuditEntry
    /// µs since 1970.
    var openedAt: Int64
    /// The members of the `session_opened` record from the gateway on, as they stand in the JSON, with the first comma.
    var members: [UInt8]
  }
  private var sessions: [String: Facts] = [:]
  private var order: [String] = []
  private let limit: Int

  init(limit: Int = 65_536) { self.limit = max(1, limit) }

  func find(_ session: String?) -> Facts? { session.flatMap { sessions[$0] } }

  /// To be called with each record, before it is looked at.
  mutating func open(_ record: AuditRecord, _ entry: AuditEntry) {
    guard entry.event == "session_opened", let session = entry.session else { return }
    if sessions[session] == nil { order.append(session) }
    let start = record.payload.range(of: Array(",\"gateway\":".utf8)) ?? record.payload.count
    sessions[session] = Facts(
      entry: entry, openedAt: record.time, members: Array(record.payload[start...].dropLast()))
    while sessions.count > limit, let oldest = order.first {
      order.removeFirst()
      sessions[oldest] = nil
    }
    if order.count > 2 * limit { order.removeAll { sessions[$0] == nil } }
  }

  /// To be called with each record, after it was looked at.
  mutating func close(_ entry: AuditEntry) {
    guard entry.event == "session_closed", let session = entry.session else { return }
    sessions[session] = nil
  }
}

extension [UInt8] {
  /// Where a run of bytes begins; nil when it is not there.
  fileprivate func range(of needle: [UInt8]) -> Int? {
    guard let first = needle.first else { return nil }
    var start = startIndex
    while let place = self[start...].firstIndex(of: first) {
      if self[place...].starts(with: needle) { return place }
      start = place + 1
    }
    return nil
  }
}
