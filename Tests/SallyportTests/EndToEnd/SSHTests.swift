import Foundation
import Testing

@Suite("SSH: commands through the gate", .serialized)
struct SSHTests {
  nonisolated(unsafe) private static let gateway = Result {
    try GatewayProcess(try TestSSH.shared.get().configuration())
  }
  private let gateway: GatewayProcess
  private let server: TestSSH

  init() throws {
    gateway = try Self.gateway.get()
    server = try TestSSH.shared.get()
  }

  /// What the newest session of this person has in the trail, once it is closed.
  private func lastSession(of user: String) throws -> [AuditLine] {
    try eventually("the session to be closed") {
      let records = try gateway.records()
      guard let opened = records.last(where: { $0.event == "session_opened" && $0.user == user }) else { return nil }
      let own = records.filter { $0.session == opened.session }
      return own.contains { $0.event == "session_closed" } ? own : nil
    }
  }

  @Test("Input, both outputs and the exit status are those of a direct run")
  func streams() throws {
    let end = try gateway.ssh("ana", "web-1", "cat; echo to-stderr >&2; exit 7", input: "to-stdin\n")
    #expect(end.status == 7)
    #expect(end.output == "to-stdin\n")
    #expect(end.errors == "to-stderr\n")
    // OpenSSH says so of a command that a signal ended; the trail says which.
    #expect(try gateway.ssh("ana", "web-1", "kill -KILL $$").status == 255)
    #expect(try lastSession(of: "ana").first { $0.event == "finished" }?.tag == "signal KILL")
  }

  @Test("The record comes before the command, and has its end")
  func recorded() throws {
    _ = try gateway.ssh("ana", "\(server.user)%web-1", "echo recorded; exit 3")
    let records = try lastSession(of: "ana")
    #expect(records.map(\.event) == ["session_opened", "decided", "finished", "session_closed"])
    guard records.count == 4 else { return }
    #expect(records[1].text == "echo recorded; exit 3")
    #expect(records[1].effects == ["execute"])
    #expect(records[2].ending == "completed")
    #expect(records[2].tag == "exit 3")
  }

  @Test("A denial names its rule, and the backend is not even dialled")
  func denied() throws {
    let end = try gateway.ssh("ana", "dead", "sudo -n rm -rf /tmp/x")
    #expect(end.status == 126)
    #expect(end.errors == "sallyport: denied by rule \"no-rm\": nothing is removed by hand\n")
    let records = try lastSession(of: "ana")
    #expect(records.map(\.event) == ["session_opened", "decided", "session_closed"])
    #expect(records.contains { $0.action == "deny" && $0.rule == "no-rm" })
    #expect(try gateway.ssh("ana", "dead", "id").status == 255)
  }

  @Test("What cannot be worked out needs access to everything, and is what rules forbid")
  func unknown() throws {
    let ana = try gateway.ssh("ana", "web-1", "eval id")
    #expect(ana.status == 126)
    #expect(ana.errors.contains("could not be worked out"))
    #expect(try gateway.ssh("bo", "web-1", "eval id").errors.contains("no-rm"))
    #expect(try gateway.ssh("ana", "web-1", "echo $HOME").status == 0)
  }

  @Test("A denied command does not end the connection that others share")
  func multiplexed() throws {
    let control = ["-o", "ControlPath=\(gateway.folder)/mux"]
    let master = try gateway.startSSH("ana", "web-1", [], control + ["-M", "-N"])
    _ = try eventually("the master") {
      try gateway.ssh("ana", "web-1", "true", control + ["-O", "check"]).status == 0 ? true : nil
    }
    #expect(try gateway.ssh("ana", "web-1", "rm x", control).status == 126)
    let many = try (0..<24).map { try gateway.startSSH("ana", "web-1", ["echo \($0); exit \($0)"], control) }
    for (index, process) in many.enumerated() {
      let end = try process.wait()
      #expect(end.status == Int32(index), "\(end.errors)")
      #expect(end.output == "\(index)\n")
    }
    _ = try gateway.ssh("ana", "web-1", "true", control + ["-O", "exit"])
    try master.wait()
    let records = try lastSession(of: "ana")
    #expect(records.count { $0.event == "decided" } == 25)
    #expect(records.count { $0.event == "finished" && $0.ending == "completed" } == 24)
  }

  @Test("Streams arrive byte by byte, under new keys and back-pressure")
  func large() throws {
    let text = (0..<300_000).map { "\($0) of a long stream\n" }.joined()
    let both = try gateway.ssh("ana", "web-1", "cat", ["-o", "RekeyLimit=1M"], input: text)
    #expect(both.output == text)
    // The backend answers only at the end, so that nothing else wakes the relay.
    #expect(try gateway.ssh("ana", "web-1", "wc -c", input: text).output == "\(text.utf8.count)\n")
    #expect(try gateway.ssh("ana", "\(server.user)@web-1", "cat", jump: true, input: text).output == text)
  }

  @Test("ssh -J: the gateway plays the target, with the login chosen, for the same person only")
  func jump() throws {
    let end = try gateway.ssh("ana", "\(server.user)@web-1", "echo inside; exit 5", jump: true)
    #expect(end.status == 5)
    #expect(end.output == "inside\n")
    #expect(try gateway.ssh("ana", "web-1", "rm x", ["-l", server.user], jump: true).status == 126)
    let other = try gateway.ssh("ana", "somebody@web-1", "id", jump: true)
    #expect(other.status == 126)
    #expect(other.errors.contains("no account"))
    // Not a connection: nothing is forwarded to other hosts.
    #expect(try gateway.ssh("ana", "\(server.user)@127.0.0.1", "id", jump: true).status == 255)
  }

  @Test("With what `ssh config` writes, ssh finds its way, and trusts the gateway's key and no other")
  func included() throws {
    let file = "\(gateway.folder)/included"
    func include(_ more: [String]) throws -> String {
      try ChildProcess.run(
        try TestRun.binary(),
        [
          "ssh", "config", "--config", "\(gateway.folder)/sallyport.yaml", "--data", gateway.data, "--host",
          "127.0.0.1",
          "--port", "\(gateway.sshPort)",
        ] + more
      ).output
    }
    func ask(_ text: String) throws -> ProcessEnd {
      let identity = "\nHost *\n  IdentitiesOnly yes\n  IdentityFile \(server.folder)/ana\n"
      try (text + identity).write(toFile: file, atomically: false, encoding: .utf8)
      return try ChildProcess.run("/usr/bin/ssh", ["-F", file, "\(server.user)@web-1", "echo included"])
    }
    let text = try include([])
    let end = try ask(text)
    #expect(end.output == "included\n", "\(end.errors)")
    let key = try #require(text.firstMatch(of: /AAAA[A-Za-z0-9+\/]+/)).output
    let other = try server.publicKey("stranger").split(separator: " ")[1]
    #expect(try ask(text.replacing(key, with: other)).errors.contains("Host key verification failed"))
    let known = try include(["--known-hosts"])
    #expect(known.hasPrefix("[127.0.0.1]:\(gateway.sshPort),dead,pinned,web-1,wrong ssh-ed25519 "))
  }

  @Test("Behind ssh -J another person's key does not open the inner session")
  func innerPerson() throws {
    _ = try gateway.ssh("ana", "web-1", "true")
    let proxy = "ProxyCommand=/usr/bin/ssh -F \(gateway.folder)/ssh-ana -W web-1:22 gateway"
    let end = try gateway.ssh("bo", "web-1", "id", ["-o", proxy])
    #expect(end.status == 255)
    #expect(end.errors.contains("Permission denied"))
  }

  @Test("A backend with another host key gets nothing, and the log says which key it has")
  func hostKey() throws {
    let end = try gateway.ssh("ana", "pinned", "id")
    #expect(end.status == 255)
    #expect(end.errors.contains("host key"))
    #expect(gateway.log.contains(server.fingerprint))
    let credential = try gateway.ssh("ana", "wrong", "id")
    #expect(credential.status == 255)
    #expect(credential.errors.contains("does not accept the gateway's own credential"))
  }

  @Test("Shells, sftp, forwards and agents are refused with words")
  func refused() throws {
    let shell = try gateway.startSSH("ana", "web-1", []).wait()
    #expect(shell.status == 126)
    #expect(shell.errors.contains("a shell may do anything"))
    #expect(try gateway.openSSH("sftp", "ana", ["web-1@gateway"]).errors.contains("scp -O"))
    #expect(try gateway.ssh("ana", "web-1", "id", ["-W", "127.0.0.1:\(server.port)"]).status != 0)
    let remote = try gateway.ssh(
      "ana", "web-1", "id", ["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:\(server.port)"])
    #expect(remote.status == 255)
    #expect(try gateway.ssh("ana", "web-1", "exit 4", ["-A", "-X", "-o", "SetEnv=LD_PRELOAD=x"]).status == 4)
  }

  @Test("scp -O: what may be fetched comes, what may not be sent does not go")
  func transfers() throws {
    let (from, to) = ("\(gateway.folder)/sent-file", "\(gateway.folder)/fetched")
    try "content".write(toFile: from, atomically: false, encoding: .utf8)
    let down = try gateway.openSSH("scp", "ana", ["-O", "web-1@gateway:\(from)", to])
    #expect(down.status == 0, "\(down.errors)")
    #expect(try String(contentsOfFile: to, encoding: .utf8) == "content")
    let up = try gateway.openSSH("scp", "ana", ["-O", to, "web-1@gateway:\(to)-2"])
    #expect(up.status != 0)
    #expect(up.errors.contains("needs upload"))
    #expect(!FileManager.default.fileExists(atPath: "\(to)-2"))
  }

  @Test("A command that needs approval waits, says for whom, and runs once approved")
  func approval() throws {
    let bo = try gateway.token("bo")
    let file = "\(gateway.folder)/touched"
    func request() throws -> String {
      try eventually("the request") {
        let list = try gateway.command("approvals", "list", as: bo).output
        return list.contains("touch") ? String(list.prefix { $0.isNumber }) : nil
      }
    }
    let waiting = try gateway.startSSH("ana", "web-1", ["touch \(file)"])
    let id = try request()
    _ = try eventually("the notice") {
      waiting.errors.contains("waiting for approval: request \(id)") ? true : nil
    }
    #expect(!FileManager.default.fileExists(atPath: file))
    #expect(try gateway.command("approvals", "approve", id, as: bo).status == 0)
    #expect(try waiting.wait().status == 0)
    #expect(FileManager.default.fileExists(atPath: file))
    let refused = try gateway.startSSH("ana", "web-1", ["touch \(file)-2"])
    #expect(try gateway.command("approvals", "deny", try request(), "--reason", "not now", as: bo).status == 0)
    let end = try refused.wait()
    #expect(end.status == 126)
    #expect(end.errors.contains("bo refused it: not now"))
  }

  @Test("A session can be ended from outside, and the person is told")
  func killed() throws {
    let running = try gateway.startSSH("ana", "web-1", ["echo up; sleep 60"])
    _ = try eventually("the command") { running.output == "up\n" ? true : nil }
    let name = try #require(
      try gateway.command("sessions", "list", "--live").output.split(separator: " ").first.map(String.init))
    #expect(try gateway.command("sessions", "kill", name, "--reason", "enough").status == 0)
    let end = try running.wait()
    #expect(end.status == 255)
    #expect(end.errors.contains("enough"))
  }

  @Test("A stream without end leaves room for others")
  func endless() throws {
    let endless = try gateway.startSSH(
      "ana", "web-1", ["cat /dev/zero | head -c 2000000000 | wc -c >&2; cat /dev/zero"])
    defer { endless.send(SIGKILL) }
    for index in 0..<4 { #expect(try gateway.ssh("ana", "web-1", "echo \(index)").output == "\(index)\n") }
  }

  @Test("At the end the gateway stops well; the trail is sound, and without secrets")
  func traces() throws {
    try gateway.stop()
    try gateway.checkTraces()
  }
}
