import AccessModel
import Identity
import PolicyEngine
import Testing

@testable import SallyportConfiguration

@Suite("Configuration: SSH")
struct SSHConfigurationTests {
  private static let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICFFganXNYoUELJ4dxVpLUBRmNfUSirQH2ZKcE1tHaFl"
  private static let pin = "SHA256:\(String(repeating: "A", count: 43))"

  private func text(
    user: String = "groups: [eng]", connection: String = "", credential: String = "user: deploy, key: { file: k }",
    listen: String = "ssh: 127.0.0.1:2222", pin: String = pin, allow: String = "ssh: [exec, download]"
  ) -> String {
    """
    gateway: { listen: { \(listen) } }
    users: { ana: { \(user) }, dora: { groups: [dba] } }
    connections:
      web-1: { protocol: ssh, address: web-1.internal, credentials: [{ \(credential) }], host_key: "\(pin)"\(connection) }
    access: [{ groups: [eng], connections: [web-1], allow: { \(allow) } }]
    """
  }

  private func read(_ text: String) throws -> GatewayConfiguration {
    switch ConfigurationLoader.parse([ConfigurationSource(file: "s.yaml", text: text)], digest: { "\($0.count)" }) {
    case .success(let configuration): return configuration
    case .failure(let list): throw TestFailure("\(list)")
    }
  }

  @Test func good() throws {
    let configuration = try read(text(user: "groups: [eng], keys: [\"\(Self.key) ana@laptop\"]"))
    let settings = try #require(configuration.connections["web-1"])
    #expect(configuration.gateway.listenSSH?.port == 2222)
    #expect(settings.address == Endpoint(host: "web-1.internal", port: 22))
    #expect(settings.protocolName == "ssh")
    #expect(configuration.users["ana"]?.keys.first?.comment == "ana@laptop")
    #expect(configuration.policy.grants.first?.allow["ssh"] == [.execute, .download])
  }

  @Test(
    "What is wrong with a key is said",
    arguments: [
      ("keys: [ssh-ed25519]", "no public key"), ("keys: [\"ssh-dss AAAA\"]", "its type is not one of"),
      ("keys: [\"ssh-rsa \(key.split(separator: " ")[1])\"]", "not of the type"),
      ("keys: [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8L\"]", "cut off"),
      ("keys: [\"\(key)\"] }, bo: { keys: [\"\(key)\"]", "also one of \"ana\""),
    ])
  func keys(_ user: String, _ message: String) {
    let mistakes = ConfigurationSample.mistakes(text(user: "groups: [eng], " + user))
    #expect(mistakes.contains { $0.contains(message) }, "\(mistakes)")
  }

  @Test func mistakes() {
    func expect(_ text: String, _ message: String, _ location: SourceLocation = #_sourceLocation) {
      let mistakes = ConfigurationSample.mistakes(text)
      #expect(mistakes.contains { $0.contains(message) }, "\(message): \(mistakes)", sourceLocation: location)
    }
    expect(text(pin: "MD5:00"), "no fingerprint")
    expect(text(connection: ", tls: require"), "has no meaning with protocol: ssh")
    expect(text(credential: "user: deploy"), "by a key, or by a password")
    expect(text(credential: "user: deploy, key: { file: k }, password: { env: P }"), "by a key, or by a password")
    expect(text(listen: "postgres: 127.0.0.1:0"), "does not listen for SSH")
    expect(text(allow: "ssh: [read]"), "unknown word \"read\"")
    expect(text().replacing("protocol: ssh, ", with: "protocol: postgres, "), "is for connections with protocol: ssh")
    let both = "\nrules: [{ name: r, when: { ssh: { program: x }, sql: { where: absent } }, then: deny }]"
    expect(text() + both, "no command is both")
    expect(text() + "\nrules: [{ name: r, when: { ssh: {} }, then: deny }]", "ssh is empty")
  }

  @Test("Which account: the first of the person's, or the login asked for, if it may be")
  func accounts() throws {
    let two = "user: root, groups: [dba], key: { file: r } }, { user: deploy, key: { file: k }"
    let settings = try #require(
      try read(text(connection: ", logins: [root, www]", credential: two)).connections["web-1"])
    func login(_ login: String?, _ groups: [String]) -> String? {
      settings.account(login: login, groups: groups).map { "\($0.login) by \($0.credential.user)" }
    }
    #expect(login(nil, ["eng"]) == "deploy by deploy")
    #expect(login(nil, ["dba"]) == "root by root")
    #expect(login("root", ["dba"]) == "root by root")
    #expect(login("root", ["eng"]) == nil)
    #expect(login("www", ["eng"]) == "www by deploy")
    #expect(login("postgres", ["dba"]) == nil)
  }

  @Test("Rules of one protocol do not meet commands of another, however little is known of them")
  func apart() throws {
    let rules = """

      rules:
        - { name: sql, when: { sql: { statement: [delete] } }, then: deny }
        - { name: ssh, when: { ssh: { program: rm } }, then: deny }
      """
    let configuration = try read(text() + rules)
    let policy = Policy(configuration.policy, hash: "")
    let unknown = Command(
      effects: .unknown, footprint: .everything, text: "?", detail: .ssh(SSHDetail(request: .exec, misunderstood: "?")))
    let subject = try #require(configuration.subject(user: "ana", connection: "web-1", clientAddress: ""))
    #expect(policy.findings(on: unknown, by: subject).map(\.result) == [.notMet(key: "sql"), .met])
    var other = subject
    other.protocolName = "postgres"
    #expect(policy.findings(on: unknown, by: other).last?.result == .notMet(key: "ssh"))
  }
}
