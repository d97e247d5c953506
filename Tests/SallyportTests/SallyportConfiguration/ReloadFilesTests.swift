import Testing

@testable import SallyportConfiguration

/// Files that were not written to their end, and what differs between two configurations.
@Suite("Configuration: files that change")
struct ReloadFilesTests {
  private static let old = "users:\n  ana: {}\nrules:\n  - { name: a, then: deny }\n"

  private func files(_ text: String, _ more: [String: String] = [:]) -> ConfigurationFiles {
    let others = more.map { ConfigurationSource(file: $0.key, text: $0.value) }.sorted { $0.file < $1.file }
    return ConfigurationFiles(directory: "", sources: [ConfigurationSource(file: "t.yaml", text: text)] + others)
  }

  private func flaw(_ new: ConfigurationFiles, _ old: ConfigurationFiles, isAsked: Bool) -> String? {
    new.incompleteness(after: old, isAsked: isAsked)?.diagnostics.first?.message
  }

  @Test("No beginning of a file passes for the file")
  func everyCut() {
    for count in 0..<Self.old.utf8.count {
      let cut = String(decoding: Array(Self.old.utf8.prefix(count)), as: UTF8.self)
      #expect(flaw(files(cut), files(Self.old), isAsked: false) != nil, "cut behind \(count) bytes")
      // With the mark of a document's end not even one that somebody asks for.
      #expect(flaw(files(cut), files(Self.old + "...\n"), isAsked: true) != nil, "cut behind \(count) bytes")
    }
  }

  @Test(
    "What is finished passes",
    arguments: [
      (old, old + "# more\n", false), (old, "# other\n" + old, false), (old, old, false),
      (old, "users:\n  ana: {}\n", true), (old + "...\n", "users: {}\n...\n", true),
      ("users: {}", "users: {}\n", false),
    ])
  func finished(old: String, new: String, isAsked: Bool) {
    #expect(flaw(files(new), files(old), isAsked: isAsked) == nil)
  }

  @Test("A file of a folder that is gone is only believed of somebody who asks")
  func gone() {
    let two = files(Self.old, ["rules.yaml": "rules: []\n"])
    #expect(flaw(files(Self.old), two, isAsked: false) == "the file is gone")
    #expect(flaw(files(Self.old), two, isAsked: true) == nil)
    #expect(flaw(two, files(Self.old), isAsked: false) == nil)
  }

  @Test("Differences are named by path; rules by their names")
  func changes() {
    let new = """
      users:
        ana: {}
      rules:
        - { name: first, then: deny }
        - { name: a, then: { mask: { columns: [ssn, email], with: redact } } }
      """
    #expect(
      ConfigurationOutline(files(Self.old)).changes(to: ConfigurationOutline(files(new))) == [
        "- rules[a].then: deny", "+ rules[a].then.mask.columns: [ssn, email]", "+ rules[a].then.mask.with: redact",
        "+ rules[first].name: first", "+ rules[first].then: deny",
      ])
    #expect(ConfigurationOutline(files("a: [")).lines.isEmpty)
    let many = "users:\n" + (0..<500).map { "  u\($0): { groups: g }\n" }.joined()
    let changes = ConfigurationOutline(files("users: {}\n")).changes(to: ConfigurationOutline(files(many)))
    #expect(changes.count == 101 && changes.last == "… and 400 more")
  }

  @Test("A secret in a file that is refused is not shown, wherever it stands")
  func secrets() {
    let text = """
      gateway: { tls: { certificate: gw.pem, key: hunter2 } }
      password: hunter2
      connections:
        shop:
          credentials:
            - { user: app, password: hunter2 }
            - { user: app, password: { env: "hunter2!" } }
            - { user: app, password: { value: hunter2, env: SHOP } }
          passwd: [hunter2, { a: hunter2 }]
      """
    let lines = ConfigurationOutline(files(text)).lines
    #expect(lines.allSatisfy { !$0.contains("hunter2") }, "\(lines)")
    #expect(lines.contains("connections.shop.credentials[2].password.env: SHOP"))
    #expect(lines.contains("password: (not shown)"))
  }

  @Test("What a running gateway cannot change is named and kept; the rest changes")
  func fixedParts() throws {
    func parse(_ gateway: String) throws -> GatewayConfiguration {
      try ConfigurationSample.parse("gateway: { \(gateway) }\n" + ConfigurationSample.base).get()
    }
    let old = try parse("name: a, threads: 1, data: x, listen: { postgres: \"127.0.0.1:1\" }, drain: 1s")
    let new = try parse(
      "name: b, threads: 2, data: y, listen: { postgres: \"127.0.0.1:2\", console: \"127.0.0.1:3\", control: /x }, drain: 2s"
    )
    #expect(
      old.fixedParts(comparedWith: new)
        == ["name", "data", "listen.postgres", "listen.console", "listen.control", "threads"]
        .map { "gateway.\($0) holds from the next start on" })
    var expected = old.gateway
    expected.drain = .seconds(2)
    #expect(new.keepingFixedParts(of: old).gateway == expected)
    #expect(old.fixedParts(comparedWith: old).isEmpty)
  }
}
