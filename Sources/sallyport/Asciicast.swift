import Foundation

/// A session as asciinema's players take it: asciicast version 2 or 3.
struct Asciicast {
  private let title: String
  private let version: Int
  private var start: Int64?
  /// µs since 1970 of the last event; version 3 counts from there.
  private var last: Int64 = 0

  init(title: String, version: Int) {
    self.title = title
    self.version = version
  }

  /// The lines of a frame; before the first one the header, which has the terminal's size when that comes first.
  mutating func lines(_ frame: SessionScreen.Frame) -> [String] {
    var lines: [String] = []
    let isFirst = start == nil
    if isFirst {
      start = frame.time
      last = frame.time
      lines.append(header(frame))
    }
    switch frame.kind {
    case .words: lines.append(event(frame, "o", frame.text.replacingOccurrences(of: "\n", with: "\r\n")))
    case .mark: lines.append(event(frame, "m", frame.text.trimmingCharacters(in: .newlines)))
    case .output, .errors: lines.append(event(frame, "o", frame.text))
    case .size(let columns, let rows): lines.append(event(frame, "r", "\(columns)x\(rows)"))
    }
    return lines
  }

  private func header(_ frame: SessionScreen.Frame) -> String {
    let (columns, rows) = if case .size(let columns, let rows) = frame.kind { (columns, rows) } else { (120, 40) }
    let size =
      version == 3
      ? #""term":{"cols":\#(columns),"rows":\#(rows)}"# : #""width":\#(columns),"height":\#(rows)"#
    return #"{"version":\#(version),\#(size),"timestamp":\#(frame.time / 1_000_000),"title":"\#(title)"}"#
  }

  private mutating func event(_ frame: SessionScreen.Frame, _ code: String, _ text: String) -> String {
    let since = version == 3 ? last : start ?? 0
    let seconds = Double(max(0, frame.time - since)) / 1_000_000
    last = max(last, frame.time)
    let encoded = (try? JSONEncoder().encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    return "[\(seconds),\"\(code)\",\(encoded)]"
  }
}
