import Foundation
import Logging

/// Writes one line per entry to standard error, for people or as JSON.
///
/// Whatever peers have a hand in is escaped, so that nobody can forge a line.
struct LineLogHandler: LogHandler {
  enum Format: String, CaseIterable, Sendable { case text, json }

  let label: String
  let format: Format
  var logLevel = Logger.Level.notice
  var metadata: Logger.Metadata = [:]

  init(label: String, format: Format) {
    self.label = label
    self.format = format
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let time = Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    let all = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
    let line =
      switch format {
      case .text: LineLogHandler.text(time, event.level, "\(event.message)", all)
      case .json: LineLogHandler.json(time, event.level, "\(event.message)", all)
      }
    FileHandle.standardError.write(Data((line + "\n").utf8))
  }

  /// `2026-11-21T10:00:00.000Z warning backend not available connection=shop reason="timed out"`.
  static func text(_ time: String, _ level: Logger.Level, _ message: String, _ fields: [(String, String)]) -> String {
    let words = fields.map { key, value in
      let isPlain = !value.isEmpty && value.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C }
      return "\(key)=\(isPlain ? value : quoted(value))"
    }
    // The message is ours, but errors of the system may be in it.
    let visible = String(quoted(message).dropFirst().dropLast()).replacingOccurrences(of: "\\\"", with: "\"")
    return ([time, level.rawValue, visible] + words).joined(separator: " ")
  }

  static func json(_ time: String, _ level: Logger.Level, _ message: String, _ fields: [(String, String)]) -> String {
    let pairs =
      [("time", time), ("level", level.rawValue), ("message", message)]
      // What we say of an entry must not be overwritten by what a peer sent.
      + fields.map { ["time", "level", "message"].contains($0.0) ? ("field_" + $0.0, $0.1) : $0 }
    return "{" + pairs.map { "\(quoted($0)):\(quoted($1))" }.joined(separator: ",") + "}"
  }

  /// A JSON string (RFC 8259 §7); also C1 controls and the line separators of Unicode are escaped, which terminals obey.
  static func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case _
      where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || [0x2028, 0x2029].contains(scalar.value):
        let digits = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}
