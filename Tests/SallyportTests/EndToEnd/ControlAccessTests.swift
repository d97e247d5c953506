import Foundation
import Glibc
import Testing

/// Control verbs for people with other accounts of the machine, and over the network.
@Suite("End to end: control by others", .serialized)
struct EndToEndControlAccessTests {
  private func configuration(_ database: String, listen: String, users: String = "") throws -> String {
    try TestConfiguration.open(database)
      .replacing("listen: { postgres: \"127.0.0.1:0\" }", with: "listen: { postgres: \"127.0.0.1:0\", \(listen) }")
      .replacing("dora: { groups: [dba] }", with: "dora: { groups: [dba]\(users) }\n  root: { groups: [platform] }")
      .replacing(
        "connections:\n  shop",
        with: "roles: { approver: [dba], auditor: [dba], admin: [platform] }\nconnections:\n  shop")
      + "\n"
  }

  /// One request on a socket by a process with that account; the answer, or why there is none.
  private func ask(_ verb: String, _ socket: String, as uid: Int, _ arguments: String = "{}") throws -> String {
    let program = """
      import json, os, socket, sys
      os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
      try:
          with socket.socket(socket.AF_UNIX) as s:
              s.connect(sys.argv[2])
              s.sendall(json.dumps({"verb": sys.argv[3], "arguments": json.loads(sys.argv[4])}).encode() + b"\\n")
              print(s.makefile().readline())
      except OSError as error:
          print(error)
      """
    return try ChildProcess.run("/usr/bin/python3", ["-c", program, "\(uid)", socket, verb, arguments]).output
  }

  @Test(
    "a socket for other accounts: who may connect, who they are, what they may do, what is recorded",
    .enabled(if: getuid() == 0 && access("/usr/bin/python3", X_OK) == 0, "this process may not be others"))
  func accounts() throws {
    let database = try TestCluster.shared().createDatabase("accounts")
    // Where others may look, too.
    let folder = "/tmp/sallyport-control-\(UInt32.random(in: .min ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    chmod(folder, 0o755)
    let socket = "\(folder)/control.sock"
    let listen = "control: { path: \(socket), mode: \"0660\", group: \"54321\" }"
    try withGateway(try configuration(database, listen: listen, users: ", account: \"54321\"")) { gateway in
      var status = stat()
      #expect(lstat(socket, &status) == 0 && status.st_mode & 0o777 == 0o660 && status.st_gid == 54_321)
      #expect(try ask("approvals.list", socket, as: 54_321) == "{\"approvals\":[]}\n\n")
      let lacking = try ask("token.create", socket, as: 54_321, "{\"user\": \"ana\", \"name\": \"x\"}")
      #expect(lacking.contains("dora does not have the role admin"), "\(lacking)")
      // Neither the file's group nor a user's account.
      #expect(try ask("status", socket, as: 54_322).contains("Permission denied"))
      #expect(try ask("status", "\(gateway.data)/control.sock", as: 54_321).contains("Permission denied"))
      chmod(socket, 0o666)
      #expect(try ask("status", socket, as: 54_322).contains("running"))
      #expect(try ask("approvals.list", socket, as: 54_322).contains("this needs a person"))
      #expect(try ask("approvals.list", socket, as: 0) == "{\"approvals\":[]}\n\n")
      let asked = try gateway.records().filter { $0.event == "administration" }
      #expect(asked.contains { $0.actor == "dora" && $0.verb == "approvals.list" })
      #expect(asked.contains { $0.actor == "dora" && $0.subject?.hasPrefix("refused: dora does not have") == true })
      #expect(asked.contains { $0.actor == "uid 54322" && $0.subject?.hasPrefix("refused: this needs") == true })
      // Another gateway does not take the place of one that is alive.
      let other = try GatewayProcessProbe.failure(
        try configuration(database, listen: listen), data: "\(gateway.folder)/other")
      #expect(other.contains("another gateway answers there"), "\(other)")
      #expect(try ask("status", socket, as: 54_321).contains("running"))
    }
  }

  @Test("over the network: by a token and TLS, the same verbs, the same roles, the same records")
  func network() throws {
    let database = try TestCluster.shared().createDatabase("network")
    try withGateway(try configuration(database, listen: "console: \"127.0.0.1:0\"")) { gateway in
      let (dora, root) = (try gateway.token("dora"), try gateway.token("root"))
      let authority = "\(gateway.folder)/ca.pem"
      try gateway.command("ca", "export").output.write(toFile: authority, atomically: true, encoding: .utf8)
      let port = gateway.console.split(separator: ":").last.map(String.init) ?? ""
      func ask(_ url: String, _ arguments: String..., ca: String? = authority, as token: String) throws -> ProcessEnd {
        try ChildProcess.run(
          try TestRun.binary(), arguments + ["--gateway", url] + (ca.map { ["--ca", $0] } ?? []),
          environment: ["SALLYPORT_TOKEN": token])
      }
      for host in ["127.0.0.1", "localhost"] {
        let list = try ask("https://\(host):\(port)", "sessions", "list", as: dora)
        #expect(list.status == 0 && list.output == "no session\n", "\(list.output)\(list.errors)")
      }
      let there = "https://127.0.0.1:\(port)"
      #expect(try ask(there, "reload", as: root).output.contains("the configuration is in force"))
      let made = try ask(there, "token", "create", "--user", "ana", "--name", "net", as: root)
      #expect(made.output.hasPrefix("spt_"), "\(made.errors)")
      let shop = try gateway.token("dora", connections: "shop")
      for (token, words) in [
        (made.output.trimmingCharacters(in: .newlines), "ana does not have the role auditor or admin"),
        (shop, "this token is only for shop"), ("spt_nonsense", "the token is not valid"),
        ("", "a gateway over the network needs a token"),
      ] {
        let refused = try ask(there, "sessions", "list", as: token)
        #expect(refused.status == 1 && refused.errors.contains(words), "\(refused.output)\(refused.errors)")
      }
      // Nobody in between, and no token in the clear.
      let stranger = try ask(there, "status", ca: nil, as: dora)
      #expect(stranger.status == 1 && stranger.errors.contains("cannot be reached"), "\(stranger.errors)")
      let wrong = try ask(there, "status", ca: "\(try TestCluster.shared().folder)/tls/ca.pem", as: dora)
      #expect(wrong.status == 1 && wrong.errors.contains("cannot be reached"), "\(wrong.errors)")
      #expect(try ask("http://192.0.2.1:1", "status", ca: nil, as: dora).errors.contains("in the clear"))
      #expect(try ask("http://127.0.0.1:\(port)", "status", ca: nil, as: dora).output == "running\n")
      #expect(try ask("ftp://x", "status", ca: nil, as: dora).errors.contains("is not the address of a gateway"))

      let records = try gateway.records()
      let asked = records.filter { $0.event == "administration" }
      #expect(asked.contains { $0.actor == "root" && $0.verb == "reload" && $0.subject == "from=127.0.0.1" })
      #expect(asked.contains { $0.actor == "ana" && $0.subject?.hasPrefix("refused: ana does not have") == true })
      let failed = records.filter { $0.event == "authenticated" && $0.succeeded == false }
      #expect(failed.count == 1 && failed[0].reason == "control verb sessions.list: the token is not valid")
      try python(gateway.dsn("ana", dora), Self.web, [gateway.console, authority, dora])
    }
  }

  /// What other HTTP clients meet.
  private static let web = """
    import json, ssl, urllib.error, urllib.request
    console, authority, token = sys.argv[2:5]
    trust = ssl.create_default_context(cafile=authority)

    def ask(scheme, path, body=None, headers={}):
        request = urllib.request.Request(f"{scheme}://{console}{path}", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10, context=trust if scheme == "https" else None) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    for scheme in ["http", "https"]:
        expect(ask(scheme, "/healthz") == (200, "ok\\n"), scheme)
        expect(ask(scheme, "/metrics")[1].startswith("# HELP"), scheme)
        expect(ask(scheme, "/control")[0] == 404, "GET /control")
    bearer = {"authorization": f"Bearer {token}"}
    def control(body, headers=bearer):
        return ask("https", "/control", body, headers)
    expect(json.loads(control(b'{"verb":"status","arguments":{}}')[1])["message"] == "running", "status")
    expect(control(b'{"verb":"status","arguments":{}}', {})[0] == 401, "no token")
    expect(control(b'{"verb":"status","arguments":{},"token":"' + token.encode() + b'"}', {})[0] == 401, "in the body")
    expect(control(b'{"verb":"token.list","arguments":{}}')[0] == 403, "a role that is missing")
    for body in [b"", b"{", b'{"verb":"rm","arguments":{}}', b"\\xff" * 100]:
        expect(control(body)[0] in (400, 404), body)
    try:
        expect(control(b" " * 100_000)[0] == 413, "too long")
    except (ConnectionError, urllib.error.URLError):
        pass  # It was answered before it was all sent.
    """
}

/// A gateway that is not to start.
enum GatewayProcessProbe {
  /// What it says, when it ends by itself with a failure.
  static func failure(_ configuration: String, data: String) throws -> String {
    let file = TestRun.newPath("other.yaml")
    try configuration.write(toFile: file, atomically: true, encoding: .utf8)
    let end = try ChildProcess.run(try TestRun.binary(), ["serve", "--config", file, "--data", data])
    guard end.status != 0 else { throw TestFailure("it started") }
    return end.errors
  }
}
