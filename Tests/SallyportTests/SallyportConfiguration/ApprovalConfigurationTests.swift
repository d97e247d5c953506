import AccessModel
import PolicyEngine
import Testing

@testable import SallyportConfiguration

@Suite("Configuration: approvals")
struct ApprovalConfigurationTests {
  private func text(_ approve: String, roles: String = "") -> String {
    """
    users: { ana: { groups: [engineering] }, dora: { groups: [dba] }, ci: { kind: service, owner: ana, groups: [dba] } }
    \(roles)
    connections:
      shop: { protocol: postgres, address: 127.0.0.1:5432, credentials: [{ user: app }] }
    rules: [{ name: r, then: { approve: { by: [dba], \(approve) } } }]
    """
  }

  @Test("every key is read")
  func keys() throws {
    let configuration = try ConfigurationSample.parse(
      text("count: 1, wait: 2m, expires: 30m, valid_for: 10m, scope: transaction, reason: required")
    ).get()
    #expect(
      configuration.policy.rules.first?.action
        == .approve(
          Approval(
            by: ["dba"], wait: .seconds(120), expires: .seconds(1800), validFor: .seconds(600), scope: .transaction,
            needsReason: true)))
  }

  @Test(
    "what makes no sense is a mistake",
    arguments: [
      ("wait: 2m, expires: 1m", "expires is shorter than wait"), ("valid_for: 0", "valid_for is 0"),
      ("scope: forever", "unknown scope"), ("reason: yes please", "unknown reason"), ("count: 2", "only 1 may"),
    ])
  func mistakes(_ approve: String, _ words: String) {
    let found = ConfigurationSample.mistakes(text(approve))
    #expect(found.count == 1 && found.first?.contains(words) == true, "\(found)")
  }

  @Test(
    "links lead to a console that has an address, are encrypted, and go with messages",
    arguments: [
      ("https://gw.example.org:8443", "https://gw.example.org:8443", "webhook: HOOK, links: shared", nil),
      ("http://localhost:8443/a/", "http://localhost:8443/a", "webhook: HOOK, links: personal", nil),
      ("http://gw.example.org", "", "webhook: HOOK", "url is not encrypted"),
      ("gw.example.org", "", "webhook: HOOK", "url is not what browsers"),
      ("https://gw.example.org/?a=b", "", "webhook: HOOK", "url is not what browsers"),
      ("https://ana@gw.example.org", "", "webhook: HOOK", "url is not what browsers"),
      ("https://gw.example.org", "", "links: personal", "links go with the messages of a webhook"),
      ("", "", "webhook: HOOK, links: personal", "nobody knows its address"),
    ] as [(String, String, String, String?)])
  func links(_ url: String, _ read: String, _ approvals: String, _ words: String?) throws {
    let console = url.isEmpty ? "" : ", console: { url: \"\(url)\" }"
    let hook = "{ url: \"https://hooks.example.org/x\", secret: { env: S } }"
    let file = """
      gateway: { listen: { console: "127.0.0.1:8443" }\(console) }
      approvals: { \(approvals.replacing("HOOK", with: hook)) }
      \(text("count: 1"))
      """
    guard let words else {
      let configuration = try ConfigurationSample.parse(file).get()
      #expect(configuration.gateway.consoleURL == read)
      #expect(configuration.approvals.links == (approvals.contains("personal") ? .personal : .shared))
      return
    }
    let found = ConfigurationSample.mistakes(file)
    #expect(found.count == 1 && found.first?.contains(words) == true, "\(found)")
    let without = ConfigurationSample.mistakes(
      file.replacing("listen: { console: \"127.0.0.1:8443\" }", with: "name: a"))
    #expect(
      url.isEmpty || words.hasPrefix("url is not what") || without.contains { $0.contains("there is no console") })
  }

  @Test("whoever a rule names must have the role, where roles names approvers; a service never counts")
  func roles() throws {
    #expect(
      ConfigurationSample.mistakes(text("count: 1", roles: "roles: { approver: [engineering] }"))
        == ["5:43: nobody of dba has the role approver"])
    let open = try ConfigurationSample.parse(text("count: 1")).get()
    #expect(open.user("dora", has: .approver) && !open.user("ana", has: .approver))
    #expect(!open.user("dora", has: .admin))
    let closed = try ConfigurationSample.parse(text("count: 1", roles: "roles: { approver: [dba], admin: [dba] }"))
      .get()
    #expect(closed.user("dora", has: .admin) && !closed.user("ana", has: .admin))
  }

  @Test("of two rules the stricter holds; a grant asks for the rules that name its effects")
  func joined() throws {
    let configuration = try ConfigurationSample.parse(
      """
      users: { ana: { groups: [engineering] }, dora: { groups: [dba] } }
      connections:
        shop: { protocol: postgres, address: 127.0.0.1:5432, credentials: [{ user: app }] }
      access: [{ groups: [engineering], connections: [shop], allow: { postgres: all } }]
      rules:
        - { name: a, then: { approve: { by: [dba], wait: 2m, expires: 1h, valid_for: 5m, scope: session } } }
        - name: b
          when: { effect: define }
          then: { approve: { by: [dba], wait: 0, valid_for: 10m, scope: transaction, reason: required } }
      """
    ).get()
    let subject = try #require(configuration.subject(user: "ana", connection: "shop", clientAddress: ""))
    let policy = Policy(configuration.policy, hash: "").scoped(to: subject)
    let command = Command(
      effects: .define, footprint: .nothing, text: "create", detail: .sql(SQLDetail(statements: [])))
    guard case .hold(let asked) = policy.decide(command) else {
      Issue.record("it is not held")
      return
    }
    #expect(asked.clauses.map(\.rule) == ["a", "b"] && asked.wait == .zero && asked.expires == .seconds(1800))
    #expect(asked.validFor == .seconds(300) && asked.scope == .transaction && asked.needsReason)
    #expect(policy.mayHold)
    #expect(policy.requirement(forEffects: .define)?.rules == "b")
    #expect(policy.requirement(forEffects: .read)?.rules == "a")
  }
}
