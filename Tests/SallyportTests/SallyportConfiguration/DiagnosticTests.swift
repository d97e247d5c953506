import Foundation
import Testing

@testable import SallyportConfiguration

@Suite("Configuration: mistakes")
struct DiagnosticTests {
  /// Every fixture under `bad/`: a `.yaml` file, or a folder of them.
  static let bad: [String] = {
    let names =
      (try? FileManager.default.contentsOfDirectory(atPath: "\(ConfigurationSample.fixtures)/policies/bad")) ?? []
    return names.filter { !$0.hasSuffix(".expected") }.sorted()
  }()

  @Test("the fixtures are found")
  func fixtures() {
    #expect(Self.bad.count >= 20 && Self.bad.contains("split"))
  }

  @Test("each bad fixture is refused with exactly the mistakes beside it", arguments: bad)
  func golden(fixture: String) throws {
    let golden = "policies/bad/\(fixture.replacing(".yaml", with: "")).expected"
    switch ConfigurationSample.load("policies/bad/\(fixture)") {
    case .success: Issue.record("\(fixture) was accepted")
    case .failure(let list):
      let found = list.description.replacing("\(ConfigurationSample.fixtures)/policies/bad/", with: "") + "\n"
      // `make bless`: what is found becomes what is expected, to be read in the diff.
      if ProcessInfo.processInfo.environment["SALLYPORT_BLESS"] == "1" {
        try Data(found.utf8).write(to: URL(filePath: "\(ConfigurationSample.fixtures)/\(golden)"))
      }
      let expected = try ConfigurationSample.text(golden)
      #expect(found == expected)
    }
  }

  @Test("no secret that was written in the wrong place is repeated")
  func secrets() throws {
    let text = try ConfigurationSample.text("policies/bad/secrets.yaml")
    #expect(text.contains("hunter") && text.contains("PRIVATE KEY"))
    switch ConfigurationSample.parse(text) {
    case .success: Issue.record("accepted")
    case .failure(let list):
      #expect(
        !list.description.contains("hunter") && !list.description.contains("PRIVATE")
          && !list.description.contains("vault"))
    }
  }

  @Test("at most 100 mistakes are collected")
  func bound() {
    let keys = (0..<300).map { "nonsense\($0): 1\n" }.joined()
    #expect(ConfigurationSample.mistakes(keys).count == 100)
  }

  @Test("columns count Unicode scalars, also behind others than ASCII")
  func unicodeColumns() {
    #expect(
      ConfigurationSample.mistakes("gateway: { region: \"Zürich\", nmae: x }\n") == [
        "1:30: unknown key \"nmae\" in gateway"
      ])
  }

  @Test("a mistake about a whole file has no line, every other has file, line and column")
  func description() {
    var diagnostic = Diagnostic(file: "a.yaml", line: 0, column: 0, message: "it is empty")
    #expect(diagnostic.description == "a.yaml: it is empty")
    diagnostic = Diagnostic(file: "a.yaml", line: 3, column: 7, message: "it is wrong", suggestion: "Mend it.")
    #expect(diagnostic.description == "a.yaml:3:7: it is wrong\n  Mend it.")
  }

  @Test("a name is suggested when it is close, else the few there are")
  func suggestions() {
    func suggest(_ name: String, _ known: String...) -> String? {
      Suggestion.forName(name, among: known, called: "keys")
    }
    #expect(suggest("adress", "address", "labels") == "Did you mean \"address\"?")
    #expect(suggest("nmae", "name", "wait") == "Did you mean \"name\"?")
    #expect(suggest("NAME", "name") == "Did you mean \"name\"?")
    #expect(suggest("xyz", "name", "data") == "Known keys are data, name.")
    #expect(suggest("xyz", "name") == "Only name is known.")
    #expect(suggest("xyz") == nil)
    #expect(Suggestion.editDistance(Array("abc".utf8), Array("abc".utf8)) == 0)
    #expect(Suggestion.editDistance(Array("abc".utf8), Array("acb".utf8)) == 1)
    #expect(Suggestion.editDistance(Array("kitten".utf8), Array("sitting".utf8)) == 3)
    #expect(Suggestion.editDistance([], Array("abc".utf8)) == 3)
  }
}
