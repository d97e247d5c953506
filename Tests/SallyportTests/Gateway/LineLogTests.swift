import Foundation
import Testing

@testable import sallyport

/// Log lines: one entry is one line, whatever a peer sent.
@Suite("Log lines")
struct LineLogTests {
  private static let hostile = "x\n2026 error forged=1 \u{1B}[2J\u{2028}\u{9B}\"\\"

  @Test("text: values are quoted where they must be, and nothing breaks the line")
  func text() {
    let line = LineLogHandler.text(
      "T", .warning, "backend not available", [("client", "10.0.0.1"), ("user", Self.hostile)])
    #expect(line.hasPrefix("T warning backend not available client=10.0.0.1 user=\"x\\n2026 error forged=1 \\u001b[2J"))
    #expect(
      line.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) && $0.value != 0x2028 })
  }

  @Test("JSON: a whole object that gives back what went in; fields do not overwrite what we say")
  func json() throws {
    let line = LineLogHandler.json("T", .error, "m\u{0}", [("level", "debug"), ("user", Self.hostile)])
    let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
    #expect(
      object == ["time": "T", "level": "error", "message": "m\u{0}", "field_level": "debug", "user": Self.hostile])
    #expect(!line.contains("\n"))
  }
}
