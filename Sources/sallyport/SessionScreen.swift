import AuditTrail
import Foundation

/// A session as somebody sees it on a terminal: lines of the gateway's answer become text with a time.
///
/// Nothing of it can steer the terminal: control characters of statements and values are replaced.
final class SessionScreen {
  private var rests: [String: [UInt8]] = [:]

  struct Frame: Hashable {
    /// µs since 1970.
    var time: Int64
    /// Whole lines, each with its end; of a terminal, what it was sent.
    var text: String
    var kind = Kind.words

    /// What the words are: said by us, or shown by a program.
    enum Kind: Hashable {
      case words
      case output(command: UInt64)
      case errors(command: UInt64)
      /// The terminal's columns and rows.
      case size(columns: Int, rows: Int)
      /// A command that was typed into it.
      case mark
    }
  }
  /// A line of a recorded result.
  private struct Result: Decodable {
    var columns: [String]?
    var rows: [[String?]]?
    var text: String?
    var hex: String?
    var reason: String?
    var width: Int?
    var height: Int?
    var command: UInt64?

    /// What a program wrote.
    var bytes: [UInt8] { text.map { Array($0.utf8) } ?? hex.map(SessionScreen.bytes) ?? [] }
  }
  private struct Head: Decodable {
    var time: String
    var event: String
  }
  /// Characters of one value, and of a statement, that are shown.
  private static let valueLimit = 200
  private static let textLimit = 10_000

  /// What the line adds to the screen; nil for what says nothing to people, or is not understood.
  func frame(_ line: String) -> Frame? {
    let data = Data(line.utf8)
    let decoder = JSONDecoder()
    guard let head = try? decoder.decode(Head.self, from: data), let time = AuditFormatter.microseconds(head.time)
    else {
      return nil
    }
    let lines: [String]
    switch head.event {
    case "output", "errors", "size":
      guard let result = try? decoder.decode(Result.self, from: data) else { return nil }
      return programs(result, head.event, time)
    case "typed":
      guard let entry = try? decoder.decode(AuditEntry.self, from: data) else { return nil }
      let rule = entry.rule.map { "  \((entry.action ?? "alert").uppercased()) by rule \"\($0)\"" } ?? ""
      let text = AuditFormatter.harmless("typed    \(entry.text ?? "")\(rule)")
      return Frame(time: time, text: text + "\n", kind: .mark)
    case "columns", "rows", "stream", "cut", "missing":
      guard let result = try? decoder.decode(Result.self, from: data) else { return nil }
      lines = SessionScreen.lines(of: result, head.event)
    case _:
      guard let entry = try? decoder.decode(AuditEntry.self, from: data) else { return nil }
      lines = SessionScreen.lines(of: entry, clock: String(head.time.dropFirst(11).prefix(12)))
    }
    if lines.isEmpty { return nil }
    return Frame(time: time, text: lines.map { AuditFormatter.harmless($0) + "\n" }.joined())
  }

  /// The rest of a character whose other bytes come with the next piece, for each stream.
  private func programs(_ result: Result, _ event: String, _ time: Int64) -> Frame? {
    if event == "size" {
      return Frame(time: time, text: "", kind: .size(columns: result.width ?? 80, rows: result.height ?? 24))
    }
    let command = result.command ?? 0
    let key = "\(command) \(event)"
    let bytes = (rests[key] ?? []) + result.bytes
    let rest = SessionScreen.unfinished(bytes)
    rests[key] = Array(bytes.suffix(rest))
    let text = String(decoding: bytes.dropLast(rest), as: UTF8.self)
    return Frame(
      time: time, text: text, kind: event == "output" ? .output(command: command) : .errors(command: command))
  }

  /// Bytes at the end that begin a character and do not end it.
  static func unfinished(_ bytes: [UInt8]) -> Int {
    for back in 1...3 where back <= bytes.count {
      let byte = bytes[bytes.count - back]
      if byte & 0xC0 == 0x80 { continue }
      let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return length > back ? back : 0
    }
    return 0
  }

  private static func bytes(_ hex: String) -> [UInt8] {
    let digits = hex.utf8.map { $0 >= 0x61 ? $0 - 0x57 : $0 - 0x30 }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  // MARK: Words

  private static func lines(of result: Result, _ event: String) -> [String] {
    switch event {
    case "columns":
      let names = (result.columns ?? []).joined(separator: " | ")
      return [names, String(repeating: "-", count: max(1, min(names.count, 120)))]
    case "rows":
      return (result.rows ?? []).map { row in row.map { shown($0) }.joined(separator: " | ") }
    case "stream":
      return (result.text ?? result.hex.map { "\\x" + $0 } ?? "").split(separator: "\n").map { shown(String($0)) }
    case "cut": return ["… (more was sent than is recorded)"]
    case _: return ["(the rows are missing: \(result.reason ?? "?"))"]
    }
  }

  private static func shown(_ value: String?) -> String {
    guard let value else { return "NULL" }
    return value.count > valueLimit ? "\(value.prefix(valueLimit))…" : value
  }

  private static func lines(of entry: AuditEntry, clock: String) -> [String] {
    switch entry.event {
    case "session_opened":
      let groups = entry.groups.map { " (\($0.joined(separator: ", ")))" } ?? ""
      return [
        "who      \(entry.user ?? "?")\(groups) from \(entry.client ?? "?")"
          + (entry.application.map { ", \($0)" } ?? ""),
        "where    \(entry.connection ?? "?"): \(entry.database ?? "?") as \(entry.backendUser ?? "?") at "
          + (entry.backend ?? "?"),
        "opened   \(clock)",
      ]
    case "session_closed": return ["closed   \(clock), \(entry.reason ?? "?")"]
    case "decided": return decision(entry, clock)
    case "denied_repeatedly":
      let rule = entry.rule.map { " by rule \"\($0)\"" } ?? ""
      return ["", "\(clock) \(entry.count ?? 0) more statements: DENY\(rule)" + (entry.reason.map { ": \($0)" } ?? "")]
    case "finished": return [ending(entry)]
    case "approval":
      return [
        "         approval \(entry.step ?? "?") by \(entry.person ?? "?")" + (entry.reason.map { ": \($0)" } ?? "")
      ]
    case _: return []
    }
  }

  private static func decision(_ entry: AuditEntry, _ clock: String) -> [String] {
    let text = (entry.text ?? "").prefix(textLimit).split(separator: "\n", omittingEmptySubsequences: false)
    let stage = entry.stage == "prepare" ? " (prepare)" : ""
    var lines = ["", "\(clock) #\(entry.command ?? 0)\(stage) \(text.first ?? "")"]
    lines += text.dropFirst().map { "    \($0)" }
    if let hidden = entry.hiddenValues { lines.append("         values hidden in the text: \(hidden)") }
    if let binds = entry.binds { lines.append("         values \(shown(binds.description))") }
    switch entry.action {
    case "permit":
      if let rule = entry.rule, let reason = entry.reason { lines.append("         rule \"\(rule)\": \(reason)") }
      if let approvers = entry.approvers { lines.append("         approved by \(approvers.joined(separator: ", "))") }
    case let action:
      let rule = entry.rule.map { " by rule \"\($0)\"" } ?? ""
      lines.append("         \((action ?? "?").uppercased())\(rule)" + (entry.reason.map { ": \($0)" } ?? ""))
    }
    return lines
  }

  private static func ending(_ entry: AuditEntry) -> String {
    var words = ["#\(entry.command ?? 0)", entry.ending ?? "?"]
    if let tag = entry.tag { words.append(tag) }
    if let error = entry.error { words.append("ERROR \(error)") }
    if let rows = entry.rows, rows > 0 { words.append("\(rows) rows, \(entry.bytes ?? 0) bytes") }
    if let masked = entry.masked, !masked.isEmpty { words.append("masked \(masked.joined(separator: ","))") }
    if let duration = entry.duration { words.append("\(Double(duration / 10) / 100) ms") }
    return "(" + words.joined(separator: "  ") + ")"
  }
}
