/// Lines of JSON that say what a session did: its audit records, and before each `recorded` what was recorded.
///
/// Recorded results are `{"event":"columns","columns":[…]}`, `{"event":"rows","rows":[["…",null],…]}`,
/// `{"event":"stream","text":…}`, `{"event":"cut"}`, `{"event":"output","text":…}`, `{"event":"errors","text":…}`,
/// `{"event":"size","width":80,"height":24}`, and `{"event":"missing","reason":…}` where they cannot be had; each
/// with `time`, `session` and `command`.
public struct SessionPage {
  public private(set) var lines: [String] = []
  /// Bytes of the lines.
  public private(set) var bytes = 0
  private let data: String
  private let session: String
  private let results: Bool

  /// - Parameters:
  ///   - data: the data folder.
  ///   - results: whether recorded results are read.
  public init(data: String, session: String, results: Bool) {
    self.data = data
    self.session = session
    self.results = results
  }

  public mutating func add(_ record: AuditRecord) {
    if results, let entry = record.entry, entry.event == "recorded" { addResult(entry, at: record.time) }
    add(line: AuditFormatter.jsonLine(for: record))
  }

  private mutating func addResult(_ entry: AuditEntry, at time: Int64) {
    let command = entry.command ?? 0
    do throws(RecordingFault) {
      let pieces = try RecordingFile.read(
        data: data, session: session, offset: entry.offset ?? -1, bytes: entry.bytes ?? -1, sha256: entry.sha256 ?? "")
      for piece in pieces { add(piece) }
    } catch {
      var writer = begin("missing", command, at: time)
      writer.field("reason", error.reason)
      end(&writer)
    }
  }

  private mutating func add(_ piece: RecordedPiece) {
    switch piece.content {
    case .columns(let columns):
      var writer = begin("columns", piece.command, at: piece.time)
      writer.field("columns", columns.map(\.name))
      end(&writer)
    case .rows(let rows):
      var writer = begin("rows", piece.command, at: piece.time)
      writer.key("rows")
      writer.list(rows) { writer, row in
        writer.list(row) { writer, value in
          if let value { writer.string(value) } else { writer.raw("null") }
        }
      }
      end(&writer)
    case .stream(let data):
      add(data, "stream", piece)
    case .output(let data): add(data, "output", piece)
    case .errors(let data): add(data, "errors", piece)
    case .size(let columns, let rows):
      var writer = begin("size", piece.command, at: piece.time)
      writer.field("width", columns)
      writer.field("height", rows)
      end(&writer)
    case .cut:
      var writer = begin("cut", piece.command, at: piece.time)
      end(&writer)
    }
  }

  private mutating func add(_ data: [UInt8], _ event: String, _ piece: RecordedPiece) {
    var writer = begin(event, piece.command, at: piece.time)
    if let text = String(validating: data, as: UTF8.self) {
      writer.field("text", text)
    } else {
      writer.field("hex", data.hex)
    }
    end(&writer)
  }

  private func begin(_ event: String, _ command: UInt64, at time: Int64) -> JSONWriter {
    var writer = JSONWriter()
    writer.raw("{\"time\":")
    writer.string(AuditFormatter.time(time))
    writer.field("event", event)
    writer.field("session", session)
    writer.field("command", command)
    return writer
  }

  private mutating func end(_ writer: inout JSONWriter) {
    writer.raw("}")
    add(line: String(decoding: writer.bytes, as: UTF8.self))
  }

  private mutating func add(line: String) {
    lines.append(line)
    bytes += line.utf8.count
  }
}

extension JSONWriter {
  fileprivate mutating func list<Element>(_ elements: [Element], _ write: (inout JSONWriter, Element) -> Void) {
    raw("[")
    for (index, element) in elements.enumerated() {
      if index > 0 { raw(",") }
      write(&self, element)
    }
    raw("]")
  }
}

extension SessionHistory.Place: CustomStringConvertible {
  /// `loop-0:12:3456`.
  public var description: String { "\(lane):\(segment):\(sequence)" }

  /// nil when the text is not what `description` gives.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 3, AuditDirectory.isLaneName(parts[0]), let segment = UInt64(parts[1]),
      let sequence = UInt64(parts[2])
    else { return nil }
    self.init(lane: parts[0], segment: segment, sequence: sequence)
  }
}
