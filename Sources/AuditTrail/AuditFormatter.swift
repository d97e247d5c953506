#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Prints records: one line for people, or one JSON object per line for programs.
///
/// It remembers which user and connection a session belongs to, so it should see the records from the session's start.
public struct AuditFormatter {
  private var sessions: [String: (user: String, connection: String)] = [:]
  private let textLength: Int

  /// - Parameter textLength: characters of a command's text that are shown.
  public init(textLength: Int = 120) { self.textLength = max(1, textLength) }

  /// Takes note of a record that is not printed.
  public mutating func observe(_ record: AuditRecord) {
    if let entry = record.entry { learn(entry) }
  }

  /// One line without its end: time, session, user, connection, then what happened.
  ///
  /// Nothing in it can steer a terminal: control characters and what turns the direction of text are replaced.
  public mutating func line(for record: AuditRecord) -> String {
    let time = AuditFormatter.time(record.time)
    guard let entry = record.entry else { return "\(time) \(record.lane)/\(record.sequence) unreadable record" }
    if entry.event == "session_opened" { learn(entry) }
    var parts = [time]
    if let session = entry.session {
      let known = sessions[session]
      parts.append(session)
      parts.append("\(known?.user ?? "?")@\(known?.connection ?? "?")")
    }
    parts += AuditFormatter.words(entry)
    if let text = entry.text { parts.append(shortened(text)) }
    if let hidden = entry.hiddenValues { parts.append(hidden == 1 ? "(1 value hidden)" : "(\(hidden) values hidden)") }
    if let binds = entry.binds { parts.append("binds=" + shortened(binds.description)) }
    if entry.event == "session_closed" { learn(entry) }
    return AuditFormatter.harmless(parts.joined(separator: " "))
  }

  /// The record as one JSON object: time, lane, sequence number and hash, then the members of its event.
  public static func jsonLine(for record: AuditRecord) -> String { jsonLine(for: record, session: nil) }

  /// The same with the facts of the record's session behind it.
  static func jsonLine(for record: AuditRecord, session: SessionBook.Facts?) -> String {
    var writer = JSONWriter()
    writer.raw("{\"time\":")
    writer.string(time(record.time))
    writer.field("lane", record.lane)
    writer.field("sequence", record.sequence)
    writer.field("hash", record.hash.hex)
    if record.payload.count > 2 { writer.raw(",") }
    if let session {
      writer.append(Array(record.payload.dropFirst().dropLast()))
      writer.append(session.members)
      writer.raw("}")
    } else {
      writer.append(Array(record.payload.dropFirst()))
    }
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  private mutating func learn(_ entry: AuditEntry) {
    guard let session = entry.session else { return }
    if entry.event == "session_opened" {
      sessions[session] = (entry.user ?? "?", entry.connection ?? "?")
    } else if entry.event == "session_closed" {
      sessions[session] = nil
    }
  }

  private func shortened(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return line.count > textLength ? "\(line.prefix(textLength))…" : line
  }

  /// What happened, in words that can be searched for.
  private static func words(_ entry: AuditEntry) -> [String] {
    var words: [String] = []
    func add(_ name: String, _ value: String?) {
      if let value, !value.isEmpty { words.append("\(name)=\(value.contains(" ") ? "\"\(value)\"" : value)") }
    }
    switch entry.event {
    case "decided":
      words.append(entry.action?.uppercased() ?? "?")
      words.append("#\(entry.command ?? 0)")
      if entry.stage == "prepare" { words.append("prepare") }
      words.append(entry.effects.map { $0.isEmpty ? "none" : $0.joined(separator: ",") } ?? "?")
      add("rule", entry.rule)
      add("approvers", entry.approvers?.joined(separator: ","))
      add("shadow", entry.shadow?.joined(separator: ","))
      add("reason", entry.reason)
    case "finished":
      words.append("\(entry.ending ?? "?") #\(entry.command ?? 0)")
      add("tag", entry.tag)
      add("error", entry.error)
      add("rows", entry.rows.map(String.init))
      add("masked", entry.masked?.joined(separator: ","))
      add("would-mask", entry.wouldMask?.joined(separator: ","))
      add("us", entry.duration.map(String.init))
    case "recorded":
      words.append("recorded #\(entry.command ?? 0)")
      add("rows", entry.rows.map(String.init))
      add("bytes", entry.bytes.map(String.init))
      if entry.cut == true { words.append("cut") }
    case "typed":
      words.append("typed #\(entry.command ?? 0)")
      add("rule", entry.rule)
      add("action", entry.action)
    case "authenticated":
      words.append(entry.succeeded == true ? "signed-in" : "sign-in-failed")
      add("user", entry.user)
      add("client", entry.client)
      add("method", entry.method)
      add("reason", entry.reason)
    case "session_opened":
      words.append("opened")
      add("client", entry.client)
      add("backend", entry.backend)
      add("as", entry.backendUser)
      add("database", entry.database)
      add("application", entry.application)
    case "approval":
      words.append("approval-\(entry.step ?? "?") #\(entry.command ?? 0)")
      add("request", entry.request.map(String.init))
      add("person", entry.person)
      add("reason", entry.reason)
    case "denied_repeatedly", "authenticated_repeatedly":
      words.append(entry.event == "denied_repeatedly" ? "DENY" : "sign-in-failed")
      words.append("×\(entry.count ?? 0)")
      if let first = entry.firstCommand { words.append("#\(first)–#\(entry.lastCommand ?? first)") }
      add("rule", entry.rule)
      add("client", entry.client)
      add("users", entry.users?.joined(separator: ","))
      add("reason", entry.reason)
      add("since", entry.since)
      add("until", entry.until)
      add("sha256", entry.sha256)
    case "configuration_reloaded":
      words.append(entry.succeeded == true ? "configuration-reloaded" : "configuration-refused")
      add("by", entry.trigger)
      add("actor", entry.actor)
      add("previous", entry.previous.map { String($0.prefix(16)) })
      add("policy", entry.policy.map { String($0.prefix(16)) })
      add("changes", entry.changes?.joined(separator: "; "))
      add("notes", entry.notes?.joined(separator: "; "))
    case _:
      words.append(entry.event)
      add("actor", entry.actor)
      add("verb", entry.verb)
      add("subject", entry.subject)
      add("purpose", entry.purpose)
      add("version", entry.version)
      add("policy", entry.policy)
      add("reason", entry.reason)
    }
    return words
  }

  /// Replaces what a terminal or a reader could be fooled by: control and format characters, line separators.
  public static func harmless(_ line: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in line.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned, .surrogate:
        result.append("\u{FFFD}")
      case _:
        result.append(scalar)
      }
    }
    return String(result)
  }

  /// µs since 1970 of `2026-11-21T02:03:04.000005Z`; nil for anything else.
  public static func microseconds(_ text: String) -> Int64? {
    guard text.count == 27, text.hasSuffix("Z"), let micros = Int64(text.dropLast().suffix(6)),
      let date = try? Date(String(text.prefix(19)) + "Z", strategy: .iso8601)
    else { return nil }
    return Int64(date.timeIntervalSince1970) * 1_000_000 + micros
  }

  /// `2026-11-21T02:03:04.000005Z` of µs since 1970 (proleptic Gregorian, UTC).
  static func time(_ microseconds: Int64) -> String {
    func floored(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
      let remainder = (value % divisor + divisor) % divisor
      return ((value - remainder) / divisor, remainder)
    }
    func digits(_ value: Int64, _ width: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    // A time that is no date of ours is shown as the nearest one that is.
    let bounded = min(max(microseconds, -62_135_596_800_000_000), 253_402_300_799_999_999)
    let (seconds, micros) = floored(bounded, 1_000_000)
    let (days, second) = floored(seconds, 86_400)
    // Howard Hinnant's days-to-civil; years begin in March.
    let (era, dayOfEra) = floored(days + 719_468, 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let month = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * month + 2) / 5 + 1
    let year = yearOfEra + era * 400 + (month >= 10 ? 1 : 0)
    let date = "\(digits(year, 4))-\(digits(month < 10 ? month + 3 : month - 9, 2))-\(digits(day, 2))"
    let clock = "\(digits(second / 3600, 2)):\(digits(second / 60 % 60, 2)):\(digits(second % 60, 2))"
    return "\(date)T\(clock).\(digits(micros, 6))Z"
  }
}
