import Foundation
import Testing

@Suite("SSH: shells, recorded", .serialized)
struct SSHShellTests {
  nonisolated(unsafe) private static let gateway = Result {
    let server = try TestSSH.shared.get()
    let rule = #"  - { name: no-rm, when: { ssh: { program: rm } }"#
    return try GatewayProcess(
      try server.configuration()
        .replacing(
          rule,
          with: #"  - { name: no-rm, unless: { ssh: { request: shell } }, typed: end, when: { ssh: { program: rm } }"#
        )
        .replacing(
          "{ name: touch-is",
          with: "{ name: no-kill, unless: { ssh: { request: shell } }, "
            + "when: { ssh: { program: kill } }, then: deny }\n  - { name: touch-is"
        )
        .replacing(
          "when: { ssh: { program: touch } }",
          with: "unless: { ssh: { request: shell } }, when: { ssh: { program: touch } }"
        )
        .replacing(
          "  pinned:",
          with: """
              kept: { protocol: ssh, address: "127.0.0.1:\(server.port)", credentials: [{ user: \(server.user), key: { file: \(server.folder)/backend } }], host_key: "\(server.fingerprint)", recording: { rows: masked, max_bytes: 4KiB } }
              pinned:
            """
        )
        .replacing("connections: [web-1], allow: { ssh: all }", with: "connections: [web-1, kept], allow: { ssh: all }")
    )
  }
  private let gateway: GatewayProcess
  private let server: TestSSH

  init() throws {
    gateway = try Self.gateway.get()
    server = try TestSSH.shared.get()
  }

  /// A person at a terminal: `keys(text, until)` types, and waits for what is to be seen.
  private func atTerminal(_ steps: String, target: String = "web-1") throws -> ProcessEnd {
    let program = """
      import sys, time, paramiko
      t = paramiko.Transport(("127.0.0.1", int(sys.argv[1])))
      t.start_client(timeout=10)
      t.auth_publickey("\(target)", paramiko.Ed25519Key.from_private_key_file(sys.argv[2]))
      c = t.open_session()
      c.settimeout(15)
      seen = ""
      def keys(text, until):
          global seen
          c.sendall(text)
          mark, read = len(seen), ""
          while until not in seen[mark:]:
              data = c.recv(4096)
              if not data: sys.exit("the end before " + repr(until) + " in " + repr(seen))
              seen += data.decode()
      def end():
          global seen
          while True:
              data = c.recv(4096)
              if not data: break
              seen += data.decode()
          print(seen)
          sys.exit(c.recv_exit_status())
      c.get_pty("xterm", 100, 30)
      c.invoke_shell()
      keys("", "")
      keys("PS1='ready> '; unset PROMPT_COMMAND\\r", "ready> ")
      time.sleep(0.1)
      keys("\\r", "ready> ")
      """ + "\n" + steps.split(separator: "\n").map { String($0.drop { $0 == " " }) }.joined(separator: "\n")
    return try ChildProcess.run(
      try TestRun.python(), ["-c", program, "\(gateway.sshPort)", "\(server.folder)/bo"], within: 30)
  }

  private func records() throws -> [AuditLine] {
    try eventually("the session to be closed") {
      let records = try gateway.records()
      guard let opened = records.last(where: { $0.event == "session_opened" }) else { return nil }
      let own = records.filter { $0.session == opened.session }
      return own.contains { $0.event == "session_closed" } ? own : nil
    }
  }

  @Test("A shell is recorded: what was seen, what was entered, and no password")
  func shell() throws {
    let end = try atTerminal(
      #"""
      keys("echo wrXong", "wrXong")
      keys("\x7f" * 4, "")
      keys("ong-1\r", "ready> ")
      keys("\x1b[A", "wrong-1")
      keys("2", "2")
      keys("\r", "ready> ")
      keys("stty -echo; printf 'Pass''phrase: '; read word; stty echo\r", "Passphrase: ")
      keys("s3cret-w0rd\r", "ready> ")
      keys("echo ${#word} 4111111111111111\r", "ready> ")
      if "11 4111111111111111\r\n" not in seen: sys.exit("what was typed without an echo did not arrive")
      c.resize_pty(120, 40)
      keys("stty size\r", "40 120")
      keys("exit 7\r", "exit")
      end()
      """#)
    #expect(end.status == 7, "\(end.output)\(end.errors)")
    let records = try records()
    let typed = records.filter { $0.event == "typed" }.compactMap(\.text)
    #expect(typed.contains("echo wrong-1"), "\(typed)")
    #expect(typed.contains("echo wrong-12"))
    #expect(typed.contains("stty size"))
    #expect(!typed.contains { $0.contains("s3cret") })
    #expect(records.first { $0.event == "decided" }?.assurance == "observed")
    #expect(records.first { $0.event == "finished" }?.tag == "exit 7")
    #expect(records.contains { $0.event == "recorded" })
    let session = try #require(records.first?.session)
    let replay = try gateway.command("sessions", "replay", session, "--no-wait").output
    #expect(replay.contains("wrong-12") && replay.contains("[credit-card]"))
    #expect(!replay.contains("4111111111111111") && !replay.contains("s3cret"))
    #expect(try gateway.command("sessions", "show", session).output.contains("typed    stty size"))
    for version in ["cast", "cast3"] {
      let cast = try gateway.command("sessions", "export", session, "--format", version).output
      let lines = cast.split(separator: "\n")
      #expect(lines.count > 5)
      for line in lines { #expect((try? JSONSerialization.jsonObject(with: Data(line.utf8))) != nil) }
      #expect(cast.contains(#""r","120x40""#) && cast.contains(#""m","typed"#))
    }
    #expect(try gateway.command("audit", "verify").status == 0)
  }

  @Test("A command that meets a deny rule is an alert in a shell, or its end")
  func rules() throws {
    let end = try atTerminal(
      #"""
      keys("kill -0 $$\r", "ready> ")
      keys("rm /nowhere/at-all\r", "was ended")
      end()
      """#)
    #expect(
      end.output.contains("the session was ended: by rule \"no-rm\": nothing is removed by hand"), "\(end.errors)")
    let typed = try records().filter { $0.event == "typed" && $0.rule != nil }
    #expect(typed.map(\.rule) == ["no-kill", "no-rm"])
    #expect(typed.map(\.action) == ["alert", "end"])
  }

  @Test("A shell without a terminal is given a script: its lines are recorded")
  func script() throws {
    let end = try gateway.startSSH("bo", "web-1", [], ["-T"], input: "echo one\nexit 3\n").wait()
    #expect(end.status == 3)
    #expect(end.output.hasSuffix("one\n"))
    #expect(try records().filter { $0.event == "typed" }.map(\.text) == ["echo one", "exit 3"])
  }

  @Test("A terminal for a command, and one whose command is denied")
  func terminal() throws {
    let end = try gateway.startSSH("bo", "web-1", ["tty; stty size"], ["-tt"]).wait()
    #expect(end.output.contains("/dev/pts/"), "\(end.errors)")
    let denied = try gateway.startSSH("ana", "web-1", ["rm x"], ["-tt"]).wait()
    #expect(denied.status == 126)
    #expect(denied.errors.hasSuffix("nothing is removed by hand\r\n") || denied.output.hasSuffix("by hand\r\n"))
  }

  @Test("Where recording is on, both streams of a command are kept apart, up to the bound")
  func streams() throws {
    #expect(try gateway.ssh("bo", "kept", "echo to-output; sleep 0.2; echo to-errors >&2").status == 0)
    let session = try #require(try records().first?.session)
    let lines = try gateway.command("sessions", "export", session).output
    #expect(lines.contains(#""event":"output""#) && lines.contains(#""text":"to-output\n""#))
    #expect(lines.contains(#""event":"errors""#) && lines.contains(#""text":"to-errors\n""#))
    let long = try gateway.ssh("bo", "kept", "seq 5000")
    #expect(long.output.hasSuffix("5000\n"))
    let cut = try #require(try records().first?.session)
    #expect(try gateway.command("sessions", "export", cut).output.contains(#""event":"cut""#))
  }

  @Test("What detectors find does not leave, on either stream, however it was written; files do as rules say")
  func masks() throws {
    let rules = """

        - { name: cards, when: { connections: [web-1] }, then: { mask: { detect: [credit-card], with: redact } } }
        - { name: mails, then: { mask: { detect: [email], with: { partial: { keep_last: 4 } } } } }
        - { name: no-keys, when: { effect: download, resources: ["*/host"] }, then: deny }
      """
    let text = try server.configuration().trimmingCharacters(in: .newlines) + rules + "\n"
    try withGateway(text) { gateway in
      let slow = "printf 'a 4111 1111'; sleep 0.1; printf ' 1111 1111 b'; echo ana@example.org >&2"
      let end = try gateway.ssh("bo", "web-1", slow)
      #expect(end.output == "a [credit-card] b")
      #expect(end.errors == "***********.org\n")
      let (file, copy) = ("\(gateway.folder)/card", "\(gateway.folder)/copy")
      try "4111111111111111".write(toFile: file, atomically: false, encoding: .utf8)
      #expect(try gateway.openSSH("scp", "ana", ["-O", "web-1@gateway:\(file)", copy]).status == 0)
      #expect(try String(contentsOfFile: copy, encoding: .utf8) == "4111111111111111")
      #expect(try gateway.openSSH("scp", "ana", ["-O", "web-1@gateway:\(server.folder)/host", copy]).status != 0)
      let records = try gateway.records()
      #expect(records.contains { $0.masked == ["cards", "mails"] })
      let binary = try gateway.ssh("ana", "web-1", "head -c 300000 /dev/zero | sha256sum; head -c 300000 /dev/zero")
      #expect(binary.output.utf8.count == 300_000 + 68)
    }
  }

  @Test("At the end the gateway stops well; the trail is sound, and without secrets")
  func traces() throws {
    try gateway.stop()
    try gateway.checkTraces()
  }
}
