import AccessModel
import Crypto
import Enforcement

/// Keeps a client that is refused thousands of times per second from filling the disk (DECISIONS 23).
///
/// For each session and rule, and for sign-ins of each address: the first `burst` refusals are whole records, and then one
/// per second; those in between are counted together, and the count is a record after `interval` at the latest. What is
/// counted and not yet recorded is lost with the process: none of it was carried out.
///
/// Bounded: where more sessions and rules than `limit` are at it, the rest have whole records.
struct RefusalFloods {
  static let burst: Int64 = 100
  /// µs.
  static let pace: Int64 = 1_000_000
  static let interval: Int64 = 10_000_000
  static let limit = 10_000
  /// Names of users that one record of sign-ins has.
  static let users = 16

  /// What is counted together.
  enum Key: Hashable {
    case commands(session: String, rule: String, policy: String)
    case signIns(client: String)
  }

  /// Refusals that are not recorded yet.
  private struct Tally {
    var count: UInt64 = 0
    var reason = ""
    var since: Int64 = 0
    var until: Int64 = 0
    var first = CommandID(0)
    var last = CommandID(0)
    var inPlace: UInt64 = 0
    var users: [String] = []
    var hash = SHA256()
  }
  private struct Entry {
    /// When the next whole record would be due if they came at the pace (the generic cell rate algorithm).
    var due: Int64
    var tally = Tally()
  }

  private var entries: [Key: Entry] = [:]
  /// The last refusal of a session, while it was counted and not recorded.
  private var counted: [String: Key] = [:]

  var isEmpty: Bool { entries.isEmpty }

  /// Whether a refused command has a record of its own; if not, it is counted. `now` in µs since 1970.
  mutating func isRecorded(_ decision: DecisionRecord, now: Int64) -> Bool {
    let key = Key.commands(session: decision.session, rule: decision.rule, policy: decision.policy)
    guard isCounted(key, now) else {
      counted[decision.session] = nil
      return true
    }
    counted[decision.session] = key
    // What is never kept is not hashed either: a short secret could be guessed from a hash.
    let text = PasswordRedaction.redact(decision.command.text) ?? decision.command.text
    count(key, decision.reason, now) { tally in
      if tally.count == 0 { tally.first = decision.id }
      tally.last = decision.id
      var front: [UInt8] = []
      front.appendInteger(decision.id.rawValue)
      front.appendInteger(UInt64(text.utf8.count))
      tally.hash.update(data: front + Array(text.utf8))
    }
    return false
  }

  /// The same of a sign-in that failed.
  mutating func isRecorded(_ authentication: Authentication, now: Int64) -> Bool {
    let key = Key.signIns(client: authentication.clientAddress)
    guard isCounted(key, now) else { return true }
    count(key, authentication.reason, now) { tally in
      if tally.users.count < RefusalFloods.users, !tally.users.contains(authentication.user) {
        tally.users.append(authentication.user)
      }
      tally.hash.update(data: Array("\(authentication.user)\0\(authentication.reason)\0".utf8))
    }
    return false
  }

  /// Whether what the backend was sent in place of a refused command has a record of its own, as that command has.
  mutating func isRecordedInPlace(session: String) -> Bool {
    guard let key = counted.removeValue(forKey: session), entries[key] != nil else { return true }
    entries[key]?.tally.inPlace += 1
    return false
  }

  /// Whether there is something to be recorded, or to be forgotten, by now.
  func isDue(_ now: Int64) -> Bool {
    entries.contains { RefusalFloods.isDue($1, now) || RefusalFloods.isOver($1, now) }
  }

  /// What is to be recorded by now, each to be confirmed by `recorded`; what is over is forgotten.
  mutating func due(_ now: Int64) -> [(key: Key, refusals: RepeatedRefusals)] {
    let over = entries.filter { RefusalFloods.isOver($1, now) }.map(\.key)
    for key in over { entries[key] = nil }
    return take { RefusalFloods.isDue($1, now) }
  }

  /// What is to be recorded before a session ends.
  func left(of session: String) -> [(key: Key, refusals: RepeatedRefusals)] {
    take { key, _ in
      if case .commands(session, _, _) = key { return true }
      return false
    }
  }

  /// All that is left.
  func all() -> [(key: Key, refusals: RepeatedRefusals)] { take { _, _ in true } }

  /// Its record is written.
  mutating func recorded(_ key: Key) { entries[key]?.tally = Tally() }

  /// Nothing comes of this session any more.
  mutating func forget(session: String) {
    counted[session] = nil
    for (key, _) in left(of: session) { entries[key] = nil }
    entries = entries.filter { entry in
      if case .commands(session, _, _) = entry.key { return false }
      return true
    }
  }

  // MARK: Steps

  private mutating func isCounted(_ key: Key, _ now: Int64) -> Bool {
    guard let entry = entries[key] else {
      if entries.count < RefusalFloods.limit { entries[key] = Entry(due: now + RefusalFloods.pace) }
      return false
    }
    guard entry.due - now > (RefusalFloods.burst - 1) * RefusalFloods.pace else {
      entries[key]?.due = max(entry.due, now) + RefusalFloods.pace
      return false
    }
    return true
  }

  private mutating func count(_ key: Key, _ reason: String, _ now: Int64, _ add: (inout Tally) -> Void) {
    guard var entry = entries[key] else { return }
    // One owner at a time: the hash is not copied.
    entries[key] = nil
    add(&entry.tally)
    if entry.tally.count == 0 { (entry.tally.since, entry.tally.reason) = (now, reason) }
    entry.tally.count += 1
    entry.tally.until = max(now, entry.tally.since)
    entries[key] = entry
  }

  private static func isDue(_ entry: Entry, _ now: Int64) -> Bool {
    entry.tally.count > 0 && (now - entry.tally.since >= interval || now < entry.tally.since)
  }

  private static func isOver(_ entry: Entry, _ now: Int64) -> Bool { entry.tally.count == 0 && entry.due <= now }

  private func take(_ isWanted: (Key, Entry) -> Bool) -> [(key: Key, refusals: RepeatedRefusals)] {
    entries.filter { $0.value.tally.count > 0 && isWanted($0.key, $0.value) }
      .sorted { $0.value.tally.since < $1.value.tally.since }
      .map { ($0.key, RefusalFloods.refusals($0.key, $0.value.tally)) }
  }

  private static func refusals(_ key: Key, _ tally: Tally) -> RepeatedRefusals {
    let kind: RepeatedRefusals.Kind =
      switch key {
      case .commands(let session, let rule, let policy):
        .commands(
          session: session, rule: rule, policy: policy, first: tally.first, last: tally.last, inPlace: tally.inPlace)
      case .signIns(let client): .signIns(client: client, users: tally.users)
      }
    return RepeatedRefusals(
      kind: kind, count: tally.count, reason: tally.reason, since: tally.since, until: tally.until,
      hash: Array(tally.hash.finalize()).hex)
  }
}
