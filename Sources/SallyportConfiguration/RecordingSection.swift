import AccessModel
import Detection

/// What is kept of results, besides the statements and their timing that the audit trail has. nil: not said here.
public struct RecordingSettings: Sendable, Hashable {
  public enum Rows: String, Sendable, Hashable, CaseIterable {
    case none
    /// As the client got them, after masks, without what detectors find in them.
    case masked
    /// As the client got them.
    case raw
  }
  public var rows: Rows?
  /// Of one statement.
  public var maxRows: Int?
  /// Of one statement.
  public var maxBytes: Int?
  /// How long recordings are kept, in seconds; of the gateway only. nil: for ever.
  public var keepSeconds: Int64?

  public init(rows: Rows? = nil, maxRows: Int? = nil, maxBytes: Int? = nil, keepSeconds: Int64? = nil) {
    self.rows = rows
    self.maxRows = maxRows
    self.maxBytes = maxBytes
    self.keepSeconds = keepSeconds
  }

  /// The bounds of one statement where nothing is said.
  public static let standardBounds = ResultBounds(rows: 1_000, bytes: 1 << 20)
}

extension GatewayConfiguration {
  /// How much of each result on this connection is recorded: by its own settings, then the gateway's. nil: no rows.
  public func recordedResults(on connection: ConnectionSettings) -> ResultBounds? {
    let (own, shared) = (connection.recording, gateway.recording)
    switch own.rows ?? shared.rows ?? .none {
    case .none: return nil
    case .masked, .raw:
      let standard = RecordingSettings.standardBounds
      return ResultBounds(
        rows: own.maxRows ?? shared.maxRows ?? standard.rows, bytes: own.maxBytes ?? shared.maxBytes ?? standard.bytes)
    }
  }
}

extension GatewayConfiguration {
  /// What is looked for in what is stored: all that is known.
  private var storedDetectors: DetectorSet { DetectorSet(.all, custom: detectors) }

  /// What texts and values are looked through for before the audit trail keeps them; nil where they are kept as they are.
  public var auditDetectors: DetectorSet? { gateway.audit.isRaw ? nil : storedDetectors }

  /// The same of results that are recorded on this connection.
  public func recordedContents(on connection: ConnectionSettings) -> ContentMasks? {
    if connection.recording.rows ?? gateway.recording.rows == .raw { return nil }
    return ContentMasks([ContentMask(rule: "recording", detectors: storedDetectors, mask: .redact)])
  }
}

extension ConfigurationReader {
  /// `recording:` of the gateway, which alone has `keep`, or of one connection.
  func recordingSettings(_ value: YAMLValue, _ shape: MappingShape) -> RecordingSettings? {
    guard var keys = MappingReader(value, "recording", mistakes, shape) else { return nil }
    var settings = RecordingSettings(
      rows: keys.take("rows").flatMap { value in
        word(value, "rows", among: RecordingSettings.Rows.allCases.map { ($0.rawValue, $0) })
      },
      maxRows: keys.take("max_rows").flatMap { integer($0, "max_rows") },
      maxBytes: keys.take("max_bytes").flatMap { size($0, "max_bytes", 1_024...(8 << 20)) })
    if shape.key("keep") != nil, let value = keys.take("keep") { settings.keepSeconds = keepTime(value) }
    keys.finish()
    return settings
  }

  /// Bytes: a number alone, or with KiB or MiB.
  private func size(_ value: YAMLValue, _ what: String, _ range: ClosedRange<Int>) -> Int? {
    guard let text = text(value, what) else { return nil }
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20)]
    let unit = units.first { text.hasSuffix($0.0) }
    let digits = unit.map { text.dropLast($0.0.count) } ?? text[...]
    let (bytes, overflow) = (Int(digits) ?? -1).multipliedReportingOverflow(by: unit?.1 ?? 1)
    guard !overflow, range.contains(bytes) else {
      return refuse(
        value.place, "\(what) must be from \(range.lowerBound >> 10)KiB to \(range.upperBound >> 20)MiB",
        "Write it like 256KiB or 1MiB.")
    }
    return bytes
  }

  /// `12h`, `90d`: from one hour to ten years.
  private func keepTime(_ value: YAMLValue) -> Int64? {
    guard let text = text(value, "keep") else { return nil }
    let units: [Character: Int64] = ["h": 3_600, "d": 86_400]
    guard let unit = text.last.flatMap({ units[$0] }), let number = Int64(text.dropLast()),
      (1...87_600).contains(number), number * unit <= 3_650 * 86_400
    else { return refuse(value.place, "keep must be from 1h to 3650d", "Write it like 90d.") }
    return number * unit
  }
}

extension MappingShape {
  static let gatewayRecording = MappingShape(
    "gateway_recording",
    recordingKeys + [Key("keep", .pattern("^[1-9][0-9]*[hd]$"), "How long recordings are kept. Default: for ever.")])
  static let connectionRecording = MappingShape("recording", recordingKeys)

  private static let recordingKeys = [
    Key(
      "rows", .words(RecordingSettings.Rows.allCases.map(\.rawValue)),
      "Results are kept as the client gets them; masked: without what detectors find in them. Default: none."),
    Key("max_rows", .integer(1...1_000_000), "Of one statement. Default: 1000."),
    Key("max_bytes", .pattern("^[1-9][0-9]*(KiB|MiB)?$"), "Of one statement, at most 8MiB. Default: 1MiB."),
  ]
}
