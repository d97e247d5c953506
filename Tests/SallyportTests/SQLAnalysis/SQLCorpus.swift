import Foundation
import SQLAnalysis
import Testing

/// One entry of fixtures/sql: a text and what it is to be taken for.
struct CorpusEntry: Sendable, CustomTestStringConvertible {
  var file: String
  var line: Int
  var expected: [String: String]
  var text: String

  var testDescription: String { "\(file):\(line) \(text.prefix(60))" }

  static let evasions = read("evasions.sql")
  static let ordinary = read("ordinary.sql")
  static let all = evasions + ordinary

  private static func read(_ name: String) -> [CorpusEntry] {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let url = root.appendingPathComponent("fixtures/sql/\(name)")
    let source = (try? String(contentsOf: url, encoding: .utf8)) ?? ""
    var entries: [CorpusEntry] = []
    var isOpen = false
    for (index, line) in source.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line.hasPrefix("-- expect: ") {
        entries.append(
          CorpusEntry(file: name, line: index + 1, expected: fields(line.dropFirst("-- expect: ".count)), text: ""))
        isOpen = true
      } else if line.hasPrefix("-- #") {
        isOpen = false
      } else if isOpen, !entries.isEmpty {
        entries[entries.count - 1].text += entries[entries.count - 1].text.isEmpty ? String(line) : "\n" + line
      }
    }
    return entries
  }

  private static func fields(_ line: Substring) -> [String: String] {
    var fields: [String: String] = [:]
    for field in line.split(separator: " ") {
      let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      fields[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
    }
    return fields
  }
}

extension Analysis {
  /// The same facts in the corpora's spelling.
  var facts: [String: String] {
    let predicates = detail.statements.map(\.predicate)
    let worst = predicates.contains(.absent) ? "absent" : predicates.contains(.present) ? "present" : "notApplicable"
    let why =
      switch detail.misunderstood {
      case .none: ""
      case .some(.syntax): "syntax"
      case .some(.tooDeep): "tooDeep"
      case .some(.tooLong): "tooLong"
      case .some(.notText): "notText"
      case .some(.opaque): "opaque"
      case .some(.unsafe): "unsafe"
      }
    return [
      "effects": effects.description,
      "kinds": Set(detail.statements.flatMap(\.kinds)).map(\.rawValue).sorted().joined(separator: ","),
      "tables": footprint.description.replacingOccurrences(of: " ", with: ";"),
      "predicate": worst, "why": why, "unsafe": unsafeSetting?.name ?? "",
    ]
  }
}
