// SallyportConfiguration: reads one YAML file or a folder of them into typed settings, and says exactly what is wrong with them.

/// One mistake in the configuration: where it is, what is wrong, and how to mend it.
public struct Diagnostic: Sendable, Hashable {
  public var file: String
  /// From 1; 0 when the mistake concerns the whole file.
  public var line: Int
  /// From 1, in Unicode scalars; 0 when the mistake concerns the whole file.
  public var column: Int
  /// Lower case, without a full stop. Never the value of a secret.
  public var message: String
  /// What to write instead, as a sentence.
  public var suggestion: String?

  public init(file: String, line: Int, column: Int, message: String, suggestion: String? = nil) {
    self.file = file
    self.line = line
    self.column = column
    self.message = message
    self.suggestion = suggestion
  }
}

extension Diagnostic: CustomStringConvertible {
  /// `file:line:column: message`, and on a second line, indented by two, the suggestion.
  public var description: String {
    let place = line > 0 ? "\(file):\(line):\(column)" : file
    return "\(place): \(message)" + (suggestion.map { "\n  \($0)" } ?? "")
  }
}

/// All mistakes of a configuration, sorted by where they are; never empty when thrown or returned as a failure.
public struct DiagnosticList: Error, Sendable, Hashable {
  public var diagnostics: [Diagnostic]
  public init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }
}

extension DiagnosticList: CustomStringConvertible {
  /// One diagnostic after the other, a line each and one for its suggestion.
  public var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}

/// Where something stands in a file.
struct Place: Hashable {
  var file: String
  var line: Int
  var column: Int
}

/// A value together with where it was written, for mistakes that show only later.
struct Located<Value> {
  var value: Value
  var place: Place
}

/// Collects mistakes up to a bound, so that one run of `check` shows them all.
final class Mistakes {
  static let limit = 100
  private(set) var found: [Diagnostic] = []
  private var seen: Set<Diagnostic> = []

  var isEmpty: Bool { found.isEmpty }

  func add(_ place: Place, _ message: String, _ suggestion: String? = nil) {
    let diagnostic = Diagnostic(
      file: place.file, line: place.line, column: place.column, message: message, suggestion: suggestion)
    // One anchor that is used ten times is one mistake.
    guard found.count < Mistakes.limit, seen.insert(diagnostic).inserted else { return }
    found.append(diagnostic)
  }

  /// Sorted by file (in the order given), line and column.
  func list(order files: [String]) -> DiagnosticList {
    func key(_ diagnostic: Diagnostic) -> (Int, Int, Int) {
      (files.firstIndex(of: diagnostic.file) ?? files.count, diagnostic.line, diagnostic.column)
    }
    return DiagnosticList(found.sorted { key($0) < key($1) })
  }
}
