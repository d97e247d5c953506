import Foundation
import Testing

@Suite("SSH: who it is", .serialized)
struct SSHIdentityTests {
  nonisolated(unsafe) private static let gateway = Result {
    try GatewayProcess(
      try TestSSH.shared.get().configuration(
        access: "- { groups: [visitors], connections: [web-1], allow: { ssh: all } }"))
  }
  private let gateway: GatewayProcess
  private let server: TestSSH

  init() throws {
    gateway = try Self.gateway.get()
    server = try TestSSH.shared.get()
  }

  private func signIns() throws -> [AuditLine] { try gateway.records().filter { $0.event == "authenticated" } }

  @Test("CVE-2023-43660, CVE-2024-45337: a key that is offered is not a key that is used")
  func offered() throws {
    // Only the public part of bo's key is here: it is offered and taken, and cannot sign.
    let bo = "\(gateway.folder)/bo.pub"
    try server.publicKey("bo").write(toFile: bo, atomically: false, encoding: .utf8)
    let keys = ["-o", "IdentityFile=none", "-i", bo, "-i", "\(server.folder)/ana"]
    #expect(try gateway.ssh("stranger", "web-1", "eval id", keys).errors.contains("access"))
    #expect(try signIns().last { $0.succeeded == true }?.user == "ana")
    // Neither does an offer lend its name to a key that is nobody's.
    let count = try signIns().count { $0.succeeded == true }
    #expect(try gateway.ssh("stranger", "web-1", "id", ["-i", bo]).errors.contains("Permission denied"))
    #expect(try gateway.ssh("stranger", "bo", "id").status == 255)
    #expect(try signIns().count { $0.succeeded == true } == count)
  }

  @Test("Keys that are nobody's, and huge ones, are refused at no cost to others")
  func strangers() throws {
    var blob: [UInt8] = []
    func field(_ bytes: [UInt8]) {
      withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { blob += $0 }
      blob += bytes
    }
    field(Array("ssh-rsa".utf8))
    field([1, 0, 1])
    field([0] + [UInt8](repeating: 0xC3, count: 2048))
    let huge = "\(gateway.folder)/huge.pub"
    let line = "ssh-rsa \(Data(blob).base64EncodedString()) huge"
    try line.write(toFile: huge, atomically: false, encoding: .utf8)
    #expect(try gateway.ssh("stranger", "web-1", "id", ["-i", huge]).status == 255)
    #expect(try gateway.ssh("ana", "web-1", "echo still").output == "still\n")
  }

  @Test("A token is a password, for the connections that it is for, and gives no name but its owner's")
  func tokens() throws {
    func ask(_ token: String, _ target: String) throws -> ProcessEnd {
      let script = "\(gateway.folder)/askpass"
      try "#!/bin/sh\necho '\(token)'\n".write(toFile: script, atomically: false, encoding: .utf8)
      chmod(script, 0o700)
      _ = try gateway.ssh("ana", "web-1", "true")
      return try ChildProcess.run(
        "/usr/bin/ssh",
        [
          "-F", "\(gateway.folder)/ssh-ana", "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1",
          "\(target)@gateway", "echo in",
        ], environment: ["SSH_ASKPASS": script, "SSH_ASKPASS_REQUIRE": "force"])
    }
    let eve = try gateway.token("eve", connections: "web-1")
    #expect(try ask(eve, "web-1").output == "in\n")
    #expect(try gateway.records().last { $0.event == "authenticated" && $0.user == "eve" }?.succeeded == true)
    #expect(try ask(eve, "pinned").errors.contains("no access"))
    #expect(try ask("spt_wrong", "web-1").errors.contains("Permission denied"))
  }

  @Test("Names that do not exist and names without access get the same answer")
  func names() throws {
    let absent = try gateway.ssh("bo", "absent", "id")
    let closed = try gateway.ssh("bo", "pinned", "id")
    #expect(absent.status == 126)
    #expect(absent.errors.replacing("absent", with: "pinned") == closed.errors)
    // PostgreSQL clients do not reach SSH connections.
    let bo = try gateway.token("bo")
    #expect(try psql(gateway.dsn("bo", bo, database: "web-1"), "SELECT 1").errors.contains("no access"))
  }

  @Test("CVE-2018-10933, CVE-2025-32433: messages out of turn, before keys and sign-in, end the connection")
  func outOfTurn() throws {
    // USERAUTH_SUCCESS, CHANNEL_OPEN, CHANNEL_REQUEST, GLOBAL_REQUEST, SERVICE_ACCEPT, NEWKEYS.
    for message: [UInt8] in [[52], [90, 0, 0, 0, 7] + Array("session".utf8), [98], [80], [6], [21]] {
      let raw = try RawConnection(port: gateway.sshPort)
      let padding = 16 - (message.count + 5) % 8
      var packet = Array("SSH-2.0-test\r\n".utf8)
      withUnsafeBytes(of: UInt32(message.count + 1 + padding).bigEndian) { packet += $0 }
      raw.send(packet + [UInt8(padding)] + message + [UInt8](repeating: 0, count: padding))
      // It ends, or is kept waiting as long as a sign-in may take; in no case does it get anywhere.
      let answer = (try? raw.receiveToEnd(within: 1)) ?? []
      #expect(!answer.contains(52) || answer.starts(with: Array("SSH-2.0".utf8)))
    }
    let banner = try RawConnection(port: gateway.sshPort)
    banner.send([UInt8](repeating: 0x41, count: 100_000))
    _ = try? banner.receiveToEnd(within: 1)
    #expect(try gateway.ssh("ana", "web-1", "echo on").output == "on\n")
  }

  @Test("CVE-2025-22869 and its kin: hostile clients do not stop the others")
  func hostile() throws {
    let program = """
      import sys, paramiko
      def transport(key=True):
          t = paramiko.Transport(("127.0.0.1", int(sys.argv[1])))
          t.start_client(timeout=10)
          if key:
              t.auth_publickey("web-1", paramiko.Ed25519Key.from_private_key_file(sys.argv[2]))
          return t
      def fails(run):
          try:
              run()
          except Exception:
              return
          sys.exit(f"line {sys._getframe(1).f_lineno}: it was taken")
      # Packets that can hold nothing: libssh would write them for ever.
      paramiko.Transport._sanitize_packet_size = lambda self, size: 32768 if size is None else size
      for size in (0, 9, 10, 11, 1023):
          fails(lambda: transport().open_session(max_packet_size=size, timeout=5))
      # A channel before anybody has signed in, and a success that only a server may tell.
      fails(lambda: transport(key=False).open_session(timeout=3))
      t = transport(key=False)
      message = paramiko.Message()
      message.add_byte(bytes([52]))
      t._send_message(message)
      fails(lambda: t.open_session(timeout=3))
      # More channels than there may be, and data that nobody asked for.
      t = transport()
      channels = [t.open_session(timeout=10) for _ in range(64)]
      fails(lambda: t.open_session(timeout=5))
      for channel in channels:
          channel.send(b"x" * 1000)
      channels[0].exec_command("wc -c")
      fails(lambda: channels[0].exec_command("id"))
      channels[0].shutdown_write()
      t.close()
      # Data far beyond the window.
      t = transport()
      flood = t.open_session()
      flood.exec_command("sleep 20")
      flood.out_window_size = 1 << 30
      def overflow():
          for _ in range(4000):
              flood.send(b"x" * 32000)
          raise SystemExit("line 0: it was kept")
      fails(overflow)
      # An end in the middle of everything.
      for _ in range(10):
          t = transport()
          t.open_session().exec_command("cat /dev/zero")
          t.sock.close()
      print("done")
      """
    let end = try ChildProcess.run(
      try TestRun.python(), ["-c", program, "\(gateway.sshPort)", "\(server.folder)/ana"], within: 60)
    #expect(end.output == "done\n", "\(end.output)\(end.errors.suffix(800))")
    #expect(try gateway.ssh("ana", "web-1", "echo on").output == "on\n")
  }

  @Test("Hundreds of connections that say nothing keep nobody out")
  func silent() throws {
    let silent = try (0..<300).map { _ in try RawConnection(port: gateway.sshPort) }
    #expect(try gateway.ssh("ana", "web-1", "echo on").output == "on\n")
    #expect(silent.count == 300)
  }

  @Test("Sessions that are over leave no memory and no descriptor behind")
  func leaks() throws {
    func run(_ count: Int) throws {
      for _ in 0..<(count / 10) {
        for session in try (0..<10).map({ try gateway.startSSH("ana", "web-1", ["true #\($0)"]) }) {
          #expect(try session.wait(within: 20).status == 0)
        }
      }
    }
    func descriptors() throws -> Int {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/\(gateway.pid)/fd").count
    }
    try run(20)
    let (memory, open) = (try gateway.residentBytes(), try descriptors())
    try run(30)
    // A pair of libssh's sessions takes 46 KB.
    #expect(try gateway.residentBytes() < memory + 30 * 30_000)
    _ = try eventually("the descriptors to be closed") { try descriptors() <= open ? true : nil }
  }

  @Test("A slow reader of a fast program makes the gateway keep no more than two windows")
  func slowReader() throws {
    let program = """
      import sys, time, paramiko
      t = paramiko.Transport(("127.0.0.1", int(sys.argv[1])))
      t.start_client(timeout=10)
      t.auth_publickey("web-1", paramiko.Ed25519Key.from_private_key_file(sys.argv[2]))
      c = t.open_session(window_size=65536)
      c.exec_command("cat /dev/zero")
      for _ in range(150):
          c.recv(32768)
          time.sleep(0.01)
      """
    let before = try gateway.residentBytes()
    let reader = try ChildProcess(
      try TestRun.python(), ["-c", program, "\(gateway.sshPort)", "\(server.folder)/ana"])
    var most = before
    while reader.isRunning {
      most = max(most, try gateway.residentBytes())
      usleep(20_000)
    }
    #expect(try reader.wait().status == 0)
    #expect(most < before + (24 << 20))
  }

  @Test("Whoever loses access in another configuration loses the session")
  func reload() throws {
    try withGateway(try server.configuration()) { gateway in
      let running = try gateway.startSSH("ana", "web-1", ["echo up; sleep 60"])
      _ = try eventually("the command") { running.output == "up\n" ? true : nil }
      let stranger = try server.publicKey("stranger")
      let other = try server.configuration().replacing(try server.publicKey("ana"), with: stranger)
      try other.write(toFile: "\(gateway.folder)/sallyport.yaml", atomically: true, encoding: .utf8)
      #expect(try gateway.command("reload").status == 0)
      let end = try running.wait()
      #expect(end.status == 255)
      #expect(end.errors.contains("withdrawn"))
      #expect(try gateway.ssh("ana", "web-1", "id").errors.contains("Permission denied"))
      #expect(try gateway.ssh("stranger", "web-1", "echo ana").output == "ana\n")
    }
  }

  @Test("With durability: sync commands run as well")
  func durable() throws {
    let text = try server.configuration().replacing("threads: 2", with: "threads: 2, audit: { durability: sync }")
    try withGateway(text) { gateway in
      let end = try gateway.ssh("ana", "web-1", "echo durable")
      #expect(end.output == "durable\n")
    }
  }

  @Test("At the end the gateway stops well; the trail is sound, and without secrets")
  func traces() throws {
    try gateway.stop()
    try gateway.checkTraces()
  }
}
