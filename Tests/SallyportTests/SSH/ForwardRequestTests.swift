import AccessModel
import SSH
import Testing

@Suite("SSH: where forwards lead")
struct ForwardRequestTests {
  @Test(
    "However a host is written, rules see one name",
    arguments: [
      ("localhost", "localhost"), ("LOCALHOST.", "localhost"), ("127.0.0.1", "localhost"), ("127.1", "localhost"),
      ("2130706433", "localhost"), ("0x7f.0.0.1", "localhost"), ("0177.0.0.1", "localhost"), ("0", "localhost"),
      ("::1", "localhost"), ("::", "localhost"), ("0:0:0:0:0:0:0:1", "localhost"), ("::ffff:127.0.0.1", "localhost"),
      ("::ffff:7f00:1", "localhost"), ("::127.0.0.1", "localhost"), ("a.localhost", "localhost"),
      ("169.254.169.254", "169.254.169.254"), ("0xa9fea9fe", "169.254.169.254"), ("2852039166", "169.254.169.254"),
      ("::ffff:169.254.169.254", "169.254.169.254"), ("0251.0376.0251.0376", "169.254.169.254"),
      ("DB.Internal", "db.internal"), ("db.internal.", "db.internal"), ("fd00::0001", "fd00:0:0:0:0:0:0:1"),
      ("1.2.3.4.5", "1.2.3.4.5"), ("256.1.1.1", "256.1.1.1"), ("08.1.1.1", "08.1.1.1"), ("1::2::3", "1::2::3"),
    ])
  func names(_ host: String, _ name: String) throws {
    let command = try #require(ForwardRequest(host: host, port: 80)).command
    guard case .ssh(let detail) = command.detail else { return }
    #expect(detail.destination == "\(name):80")
    #expect(command.text == "forward \(name):80" && command.effects == .forward)
  }

  @Test("What is no host or port is none", arguments: ["", "a b", "a\n", "-oProxyCommand=x y", "a/b", "é"])
  func noHosts(_ host: String) {
    #expect(ForwardRequest(host: host, port: 80) == nil)
    #expect(ForwardRequest(host: "a", port: 0) == nil && ForwardRequest(host: "a", port: 65_536) == nil)
    #expect(ForwardRequest(host: String(repeating: "a", count: 256), port: 1) == nil)
  }
}
