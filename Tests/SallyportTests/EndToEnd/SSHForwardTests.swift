import Foundation
import Testing

@Suite("SSH: forwards", .serialized)
struct SSHForwardTests {
  nonisolated(unsafe) private static let gateway = Result {
    let server = try TestSSH.shared.get()
    return try GatewayProcess(
      try server.configuration().replacing(
        "  - { name: touch-is",
        with: """
            - { name: no-gateway, when: { ssh: { forward: "localhost:1" } }, then: deny }
            - { name: only-there, when: { ssh: { request: forward } }, unless: { ssh: { forward: ["localhost:*"] } }, then: deny }
            - { name: touch-is
          """))
  }
  private let gateway: GatewayProcess
  private let server: TestSSH

  init() throws {
    gateway = try Self.gateway.get()
    server = try TestSSH.shared.get()
  }

  /// What the other end of `ssh -W` says first.
  private func carried(_ person: String, _ destination: String, _ target: String = "web-1", jump: Bool = false) throws
    -> ProcessEnd
  {
    try gateway.startSSH(person, target, [], ["-W", destination], jump: jump, input: "SSH-2.0-probe\r\n")
      .wait(within: 20)
  }

  @Test("The target connects to where rules allow; bytes arrive both ways, and it is on record")
  func allowed() throws {
    #expect(try carried("bo", "127.0.0.1:\(server.port)").output.hasPrefix("SSH-2.0-OpenSSH"))
    #expect(
      try carried("bo", "localhost:\(server.port)", "\(server.user)@web-1", jump: true).output.hasPrefix("SSH-2.0-"))
    let records = try gateway.records().filter { $0.text == "forward localhost:\(server.port)" }
    #expect(records.map(\.action) == ["permit", "permit"])
    #expect(records.first?.assurance == "enforced" && records.first?.effects == ["forward"])
    #expect(try gateway.records().contains { $0.event == "finished" && $0.ending == "completed" })
  }

  @Test(
    "Teleport 10.3.11, GHSA-hw4x: what rules, access or the gateway itself forbid is not connected",
    arguments: [
      ("bo", "localhost:1", "web-1"), ("bo", "0x7f000001:1", "web-1"), ("bo", "169.254.169.254:80", "web-1"),
      ("bo", "example.org:80", "web-1"), ("ana", "localhost:SSHD", "web-1"),
      // Without a target the gateway would have to dial, and it does not.
      ("bo", "localhost:SSHD", "somebody"), ("bo", "127.0.0.1:GATEWAY", "somebody"), ("bo", "169.254.169.254:80", "x"),
    ])
  func refused(_ person: String, _ destination: String, _ target: String) throws {
    let place = destination.replacing("SSHD", with: "\(server.port)").replacing("GATEWAY", with: "\(gateway.port)")
    let end = try carried(person, place, target)
    #expect(end.status == 255 && end.output.isEmpty)
    #expect(end.errors.contains("administratively prohibited") || end.errors.contains("forwarding failed"))
  }

  @Test("A port that nobody listens on is refused, and the connection goes on; many forwards at once work")
  func many() throws {
    let port = try RawConnection.closedPort()
    let script = """
      import sys, paramiko
      t = paramiko.Transport(("127.0.0.1", int(sys.argv[1])))
      t.start_client(timeout=10)
      t.auth_publickey("web-1", paramiko.Ed25519Key.from_private_key_file(sys.argv[2]))
      def forward(port): return t.open_channel("direct-tcpip", ("127.0.0.1", port), ("127.0.0.1", 1), timeout=10)
      try:
          forward(int(sys.argv[4]))
          sys.exit("connected")
      except paramiko.ChannelException:
          pass
      channels = [forward(int(sys.argv[3])) for _ in range(20)]
      for c in channels: assert c.recv(4) == b"SSH-", "no banner"
      for c in channels: c.close()
      c = t.open_session()
      c.exec_command("echo on")
      print(c.recv(10).decode(), end="")
      """
    let end = try ChildProcess.run(
      try TestRun.python(), ["-c", script, "\(gateway.sshPort)", "\(server.folder)/bo", "\(server.port)", "\(port)"],
      within: 30)
    #expect(end.output == "on\n", "\(end.errors.suffix(600))")
  }

  @Test("Remote forwards are refused, and nothing listens")
  func remote() throws {
    let end = try gateway.ssh(
      "bo", "web-1", "id", ["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:\(server.port)"])
    #expect(end.status == 255 && end.errors.contains("remote port forwarding failed"))
  }

  @Test("At the end the gateway stops well; the trail is sound, and without secrets")
  func traces() throws {
    try gateway.stop()
    try gateway.checkTraces()
  }
}
