import Foundation
import Testing

/// How the gateway signs in to backends, and what people hear when it cannot.
@Suite("End to end: backends", .serialized)
struct EndToEndBackendTests {
  private struct Way {
    var name: String
    var user = "app"
    var host = "127.0.0.1"
    var tls: String?
    var authority: String?
    var password: String?
    var port: Int?
  }

  private func connections(_ ways: [Way]) throws -> String {
    let cluster = try TestCluster.shared()
    return ways.map { way in
      let password =
        way.user == "trusty" ? "" : ", password: { file: \(way.password ?? cluster.passwordFile(way.user)) }"
      let tls = (way.tls.map { ", tls: \($0)" } ?? "") + (way.authority.map { ", tls_ca: \($0)" } ?? "")
      return
        "  b-\(way.name): { protocol: postgres, address: \"\(way.host):\(way.port ?? cluster.port)\", "
        + "database: postgres\(tls), "
        + "credentials: [{ user: \(way.user)\(password) }] }"
    }.joined(separator: "\n")
  }

  private static let whoAmI =
    "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();"

  @Test("trust, cleartext, md5 and SCRAM; TLS in all modes of libpq")
  func accounts() throws {
    let cluster = try TestCluster.shared()
    let authority = "\(cluster.folder)/tls/ca.pem"
    let ways: [(Way, String)] = [
      (Way(name: "trust", user: "trusty", tls: "disable"), "trusty|f"),
      (Way(name: "cleartext", user: "cleartext", tls: "disable"), "cleartext|f"),
      (Way(name: "md5", user: "digest", tls: "disable"), "digest|f"),
      (Way(name: "scram", user: "app", tls: "disable"), "app|f"),
      (Way(name: "disable", user: "only_plain", tls: "disable"), "only_plain|f"),
      (Way(name: "prefer", user: "app", tls: "prefer"), "app|t"),
      (Way(name: "require", user: "only_tls", tls: "require"), "only_tls|t"),
      (Way(name: "verify-ca", host: "127.0.0.2", tls: "verify-ca", authority: authority), "app|t"),
      (Way(name: "verify-full", tls: "verify-full", authority: authority), "app|t"),
      (Way(name: "verify-name", host: "localhost", tls: "verify-full", authority: authority), "app|t"),
    ]
    try withGateway(try TestConfiguration.open("postgres", more: try connections(ways.map(\.0)))) { gateway in
      let token = try gateway.token("ana")
      for (way, answer) in ways {
        let end = try psql(gateway.dsn("ana", token, database: "b-\(way.name)"), EndToEndBackendTests.whoAmI)
        #expect(end.output == answer + "\n", "\(way.name): \(end.errors)\(gateway.log.suffix(500))")
      }
    }
  }

  @Test("a backend that cannot be trusted or had: people hear 08006 and no more, the log hears why")
  func failures() throws {
    let cluster = try TestCluster.shared()
    let authority = "\(cluster.folder)/tls/ca.pem"
    let folder = try TestRun.newFolder("wrong")
    let made = try ChildProcess.run(
      "/usr/bin/openssl",
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
        "/CN=other",
        "-keyout", "\(folder)/key.pem", "-out", "\(folder)/ca.pem",
      ])
    #expect(made.status == 0, "\(made.errors)")
    try "not-the-password".write(toFile: "\(folder)/password", atomically: false, encoding: .utf8)
    let down = try RawConnection.closedPort()
    // The name, and a word that the log's line for it must have.
    let ways: [(Way, String)] = [
      (Way(name: "wrong-host", host: "127.0.0.2", tls: "verify-full", authority: authority), "ertificate"),
      (Way(name: "wrong-ca", tls: "verify-full", authority: "\(folder)/ca.pem"), "CERTIFICATE_VERIFY_FAILED"),
      (Way(name: "wrong-ca-only", tls: "verify-ca", authority: "\(folder)/ca.pem"), "CERTIFICATE_VERIFY_FAILED"),
      (Way(name: "wrong-password", password: "\(folder)/password"), "password authentication failed"),
      (
        Way(name: "wrong-cleartext", user: "cleartext", password: "\(folder)/password"),
        "password authentication failed"
      ),
      (Way(name: "needs-tls", user: "only_tls", tls: "disable"), "pg_hba.conf"),
      (Way(name: "down", port: down), "refused"),
      (Way(name: "no-file", password: "\(folder)/nothing"), "nothing"),
      (Way(name: "no-name", host: "no-such-host.invalid"), "resolve"),
    ]
    try withGateway(try TestConfiguration.open("postgres", more: try connections(ways.map(\.0)))) { gateway in
      let token = try gateway.token("ana")
      for (way, word) in ways {
        let known = gateway.log.count
        let end = try psql(gateway.dsn("ana", token, database: "b-\(way.name)"), "SELECT 1;")
        #expect(end.status == 2, "\(way.name) was let in")
        // A backend that refuses the account, as after a rotation, is told apart: the person's own sign-in was right.
        let isRefused = ["wrong-password", "wrong-cleartext", "needs-tls"].contains(way.name)
        let words = isRefused ? "does not accept the gateway's own credential" : "is not available"
        #expect(end.errors.contains("the backend of connection \"b-\(way.name)\" \(words)"), "\(end.errors)")
        #expect(end.errors.contains("Yours is right.") == isRefused, "\(end.errors)")
        for secret in ["not-the-password", "\"\(way.user)\"", folder, "pg_hba", "28P01"] {
          #expect(!end.errors.contains(secret), "\(way.name) tells \(secret): \(end.errors)")
        }
        let line = String(gateway.log.dropFirst(known))
        #expect(line.contains("b-\(way.name)") && line.contains(word), "\(way.name): the log says \(line)")
        #expect(!line.contains("not-the-password"))
      }
      // SQLSTATE, which psql does not show for a failed connection.
      try python(
        gateway.dsn("ci", try gateway.token("ci"), database: "b-down"),
        """
        from psycopg import conninfo
        at = conninfo.conninfo_to_dict(dsn)
        peer = socket.create_connection(("127.0.0.1", int(at["port"])), timeout=10)
        body = struct.pack("!i", 196608) + b"user\\0ci\\0database\\0b-down\\0\\0"
        peer.sendall(struct.pack("!i", len(body) + 4) + body)
        peer.recv(100)
        word = at["password"].encode() + b"\\0"
        peer.sendall(b"p" + struct.pack("!i", len(word) + 4) + word)
        seen = b""
        while more := peer.recv(4096):
            seen += more
        expect(b"C08006\\0" in seen and b"SFATAL\\0" in seen, seen)
        """)
    }
  }

  @Test("channel binding, asked for on both legs; client certificates, alone and beside a password")
  func bindingAndCertificates() throws {
    let cluster = try TestCluster.shared()
    let folder = try TestRun.newFolder("certificates")
    try Data(cluster.appPassword.utf8).write(to: URL(fileURLWithPath: "\(folder)/password"))
    let (certified, verified, stranger) = (
      try cluster.certificate("certified"), try cluster.certificate("verified"), try cluster.certificate("stranger")
    )
    func entry(_ name: String, _ user: String, _ more: String, _ credential: String) -> String {
      "  b-\(name): { protocol: postgres, address: \"127.0.0.1:\(cluster.port)\", database: postgres, \(more), "
        + "credentials: [{ user: \(user)\(credential) }] }\n"
    }
    func shown(_ files: (chain: String, key: String)) -> String {
      ", certificate: \(files.chain), key: { file: \(files.key) }"
    }
    let app = ", password: { file: \(cluster.passwordFile("app")) }"
    let password = ", password: { file: \(folder)/password }"
    let strict = "tls: verify-full, tls_ca: \(cluster.folder)/tls/ca.pem"
    let more =
      entry("bound", "app", strict + ", channel_binding: require", app)
      + entry("unbound", "app", "tls: require, channel_binding: disable", app)
      + entry("unbindable", "trusty", "tls: require, channel_binding: require", "")
      + entry("cert", "certified", strict, shown(certified))
      + entry("both", "verified", strict, password + shown(verified))
      + entry("no-cert", "certified", strict, "")
      + entry("other-cert", "certified", strict, shown(stranger))
      + entry("only-cert", "verified", strict, shown(verified))
      + entry("only-password", "verified", strict, password)
      + entry("odd-key", "certified", strict, ", certificate: \(certified.chain), key: { file: \(stranger.key) }")
    try withGateway(try TestConfiguration.open("postgres", more: more)) { gateway in
      let token = try gateway.token("ana")
      // The client's leg is bound too: libpq ends the attempt where that cannot be.
      let bound = "sslmode=require channel_binding=require"
      for (name, user) in [("bound", "app"), ("unbound", "app"), ("cert", "certified"), ("both", "verified")] {
        let end = try psql(
          gateway.dsn("ana", token, database: "b-\(name)", options: bound), "SELECT current_user;")
        #expect(end.output == "\(user)\n", "\(name): \(end.errors)\(gateway.log.suffix(500))")
      }
      for (name, words, log) in [
        ("unbindable", "is not available", "channel binding is required"),
        ("no-cert", "does not accept", "28000"), ("other-cert", "does not accept", "28000"),
        ("only-cert", "is not available", "has none"), ("only-password", "does not accept", "28000"),
        ("odd-key", "is not available", "failedToLoadPrivateKey"),
      ] {
        let known = gateway.log.count
        let end = try psql(gateway.dsn("ana", token, database: "b-\(name)", options: bound), "SELECT 1;")
        #expect(end.status == 2 && end.errors.contains(words), "\(name): \(end.errors)")
        #expect(!end.errors.contains(folder) && !end.errors.contains("certified"), "\(name): \(end.errors)")
        #expect(String(gateway.log.dropFirst(known)).contains(log), "\(name): \(gateway.log.dropFirst(known))")
      }
      let plain = try psql(
        gateway.dsn("ana", token, options: "sslmode=disable channel_binding=require"), "SELECT 1;")
      #expect(plain.status == 2 && plain.errors.contains("channel binding required"), "\(plain.errors)")
    }
  }

  @Test("a rotated password: sessions live on, new ones are refused until the gateway has the new one, then they pass")
  func rotation() throws {
    let cluster = try TestCluster.shared()
    let file = try TestRun.newFolder("rotation") + "/password"
    try Data(cluster.password("rotating").utf8).write(to: URL(fileURLWithPath: file))
    let more =
      "  b-rotating: { protocol: postgres, address: \"127.0.0.1:\(cluster.port)\", database: postgres, "
      + "credentials: [{ user: rotating, password: { file: \(file) } }] }"
    try withGateway(try TestConfiguration.open("postgres", more: more)) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"), database: "b-rotating")
      let old = try startPython(
        dsn,
        """
        with connect() as connection:
            print("ready", flush=True)
            sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'rotating'"
            wait_for("the others to come", lambda: connection.execute(sql).fetchone()[0] == 2, 20)
        """)
      _ = try eventually("the old session") { old.output.contains("ready") ? true : nil }
      let password = "rotated-\(UInt64.random(in: .min ... .max))"
      try cluster.direct("postgres", "ALTER ROLE rotating PASSWORD '\(password)'")
      for _ in 0..<2 {
        let end = try psql(dsn, "SELECT 1;")
        #expect(
          end.status == 2 && end.errors.contains("does not accept the gateway's own credential"), "\(end.errors)")
        #expect(!end.errors.contains("\"rotating\"") && !end.errors.contains("password"), "\(end.errors)")
      }
      try Data(password.utf8).write(to: URL(fileURLWithPath: file))
      let new = try startPython(
        dsn,
        """
        with connect() as connection:
            expect(connection.execute("SELECT current_user").fetchone() == ("rotating",), "not the account")
            sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'rotating'"
            wait_for("the old session to end well", lambda: connection.execute(sql).fetchone()[0] == 1, 20)
        """)
      for session in [old, new] {
        let end = try session.wait()
        #expect(end.status == 0, "\(end.output)\(end.errors)")
      }
      #expect(!gateway.log.contains(password))
    }
  }

  @Test("a database that is not there is said as the backend says it")
  func missingDatabase() throws {
    try withGateway(try TestConfiguration.open("not_there")) { gateway in
      let end = try psql(gateway.dsn("ana", try gateway.token("ana")), "SELECT 1;")
      #expect(end.status == 2 && end.errors.contains("database \"not_there\" does not exist"), "\(end.errors)")
    }
  }
}
