import Foundation
import Testing

@testable import SallyportConfiguration

/// Whatever a file holds, reading it ends: accepted, or with mistakes, and never with a trap.
@Suite("Configuration: hostile and broken files")
struct HostileConfigurationTests {
  /// Accepted, or refused with at least one mistake inside the text's lines.
  private func endsWell(_ text: String) -> Bool {
    switch ConfigurationSample.parse(text) {
    case .success: true
    case .failure(let list):
      !list.diagnostics.isEmpty && list.diagnostics.allSatisfy { $0.line >= 0 && !$0.message.isEmpty }
    }
  }

  @Test(
    "a file cut off anywhere ends well",
    arguments: ["demo/sallyport.yaml", "policies/good/everything.yaml", "policies/good/aliases.yaml"])
  func truncations(fixture: String) throws {
    let text = try ConfigurationSample.text(fixture)
    #expect(try ConfigurationSample.parse(text).get().connections.isEmpty == false)
    // Every seventh place of these repetitive files: all kinds of places, at a seventh of the time.
    for length in stride(from: 0, through: text.unicodeScalars.count, by: 7) {
      #expect(endsWell(String(text.unicodeScalars.prefix(length))), "cut after \(length)")
    }
  }

  @Test("a file with any one character replaced ends well")
  func changes() throws {
    let scalars = Array(try ConfigurationSample.text("policies/good/aliases.yaml").unicodeScalars)
    let replacements: [Unicode.Scalar] = [
      "\"", "{", "]", ":", "*", "&", "\n", "\t", "%", "\u{0}", "\u{85}", "\u{FEFF}", "é",
    ]
    for position in scalars.indices {
      // Each place meets two of them, and each of them every kind of place: 13 has no common divisor with the lines.
      for offset in [0, 5] {
        var changed = scalars
        changed[position] = replacements[(position + offset) % replacements.count]
        #expect(endsWell(String(String.UnicodeScalarView(changed))), "\(position)")
      }
    }
  }

  @Test(
    "odd YAML is refused",
    arguments: [
      "a: \"\\uD800\"", "a: \"\\x", "\u{0}", "users: \"\u{7}\"", "%YAML 9.9\n---\nusers: {}", "%TAG ! x", "!<", "? ? ?",
      "{?: x}", "- - - -", "[",
      "*", "&", "&a", "a: *a", "&a [*a]", "<<: {}", "\u{FEFF}", "\u{FEFF}users: {}", "--- |\n x", "a: b: c", "'", "...",
      "--- ---",
      "{a: 1, a: 2}", "? {a: 1}\n: 2", "users: {\"\\0\": {}}", "~", "1", "null: null", "users:\r\n  - x\r\n",
      "\u{2028}a: 1",
      "users: ! x", "users: !!binary aGk=", "&x users: &x {}",
    ])
  func odd(text: String) {
    switch ConfigurationSample.parse(text) {
    case .success: Issue.record("accepted")
    case .failure(let list): #expect(!list.diagnostics.isEmpty)
    }
  }

  @Test("aliases do not expand without end, nor as keys, nor into endless depth")
  func bombs() throws {
    for name in ["alias-bomb", "alias-bomb-key"] {
      #expect(ConfigurationSample.mistakes(try ConfigurationSample.text("policies/bad/\(name).yaml")).count == 1)
    }
    let chain = (1...5000).map { "a\($0): &a\($0) [*a\($0 - 1)]\n" }.joined()
    #expect(
      ConfigurationSample.mistakes("a0: &a0 x\n" + chain).map { $0.split(separator: ": ").last } == [
        "the file has more than 100 anchors"
      ])
    let nested = String(repeating: "[", count: 100_000)
    #expect(ConfigurationSample.mistakes("users: " + nested).count == 1)
    #expect(ConfigurationSample.mistakes(String(repeating: "- ", count: 100_000)).count == 1)
  }

  @Test("a text over 4 MiB is not read at all")
  func tooLarge() {
    let text = String(repeating: "# x\n", count: 1 << 20) + "#"
    #expect(ConfigurationSample.mistakes(text) == ["0:0: the file is larger than 4 MiB"])
  }

  @Test("a star that is no alias changes nothing")
  func stars() throws {
    let text =
      ConfigurationSample.base + """
        access: [{ groups: [engineering], connections: ["*hop", "s*p", 'sh*'], allow: { postgres: all } }]  # *no alias
        """
    let configuration = try ConfigurationSample.parse(text).get()
    #expect("\(configuration.policy.grants.map(\.connections))".contains("*hop"))
  }
}
