import Foundation

/// What a scan found: columns, how many values were looked at, and which looked like what; never a value.
public struct MaskScanReport: Codable, Sendable {
  public struct Column: Codable, Sendable {
    /// `schema.table.column`.
    public var column: String
    public var type: String
    /// What it seems to hold, such as `email`.
    public var kind: String
    /// Whether its name says so.
    public var byName: Bool
    /// Values that were looked at, and how many of them look like that; NULLs do not count.
    public var sampled: Int
    public var matched: Int
    /// As rules spell it.
    public var mask: String
  }
  public var connection: String
  public var account: String
  public var tables = 0
  public var columns = 0
  public var findings: [Column] = []
  /// Tables that were not read, with the reason.
  public var skipped: [String] = []

  /// Rules for review: YAML that a configuration can take as it is.
  public var rules: String {
    var lines = [
      "# Proposed by sallyport mask scan \(connection), as \(account): \(findings.count) of \(columns) columns in \(tables) tables.",
      "# Look at each; take away what is not sensitive, and say under unless: who may see it.",
    ]
    lines += skipped.map { "# Not read: \(MaskScanReport.oneLine($0))" }
    if findings.isEmpty { return (lines + ["rules: []", ""]).joined(separator: "\n") }
    lines.append("rules:")
    for kind in Set(findings.map(\.kind)).sorted() {
      let columns = findings.filter { $0.kind == kind }
      for (number, mask) in Set(columns.map(\.mask)).sorted().enumerated() {
        let same = columns.filter { $0.mask == mask }
        lines += [
          "  - name: scan-\(kind)" + (number > 0 ? "-\(number + 1)" : ""),
          "    when: { connections: [\(MaskScanReport.quoted(connection))] }",
          "    then:", "      mask:", "        columns:",
        ]
        for column in same {
          lines.append("          - \(MaskScanReport.quoted(column.column))   # \(MaskScanReport.evidence(column))")
        }
        lines.append("        with: \(mask)")
      }
    }
    return (lines + [""]).joined(separator: "\n")
  }

  private static func evidence(_ column: Column) -> String {
    let name = column.byName ? "its name" : ""
    let values = column.matched > 0 ? "\(column.matched) of \(column.sampled) values" : ""
    return oneLine("\(column.type): " + [name, values].filter { !$0.isEmpty }.joined(separator: ", "))
  }

  /// Names may hold anything; a comment ends with its line.
  private static func oneLine(_ text: String) -> String {
    String(text.map { $0.isNewline || $0.unicodeScalars.contains { $0.value < 0x20 } ? " " : $0 })
  }

  /// YAML's double-quoted form, of which JSON's strings are a part.
  private static func quoted(_ text: String) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .withoutEscapingSlashes
    return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
  }
}
