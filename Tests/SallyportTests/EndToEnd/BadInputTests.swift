import Foundation
import Glibc
import Testing

/// What hostile, broken and impatient peers cost the others: nothing.
@Suite("End to end: bad input", .serialized)
struct EndToEndBadInputTests {
  private func withOpen(_ body: (GatewayProcess, String) throws -> Void) throws {
    let database = try TestCluster.shared().createDatabase("bad")
    try withGateway(try TestConfiguration.open(database)) { try body($0, database) }
  }

  /// A new person can sign in and be answered in normal time.
  private func checkOthers(
    _ gateway: GatewayProcess, _ token: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let began = monotonicSeconds()
    let end = try psql(gateway.dsn("ana", token), "SELECT 'served';")
    #expect(end.output == "served\n", "\(end.errors)", sourceLocation: sourceLocation)
    #expect(
      monotonicSeconds() - began < 2, "a login took \(monotonicSeconds() - began) s", sourceLocation: sourceLocation)
  }

  // Seen in a relay: an 8-byte startup took the process down. CVE-2026-6664: length fields.
  @Test("garbage, cut handshakes and absurd lengths end their own connection only")
  func garbage() throws {
    try withOpen { gateway, _ in
      let (token, robot) = (try gateway.token("ana"), try gateway.token("ci"))
      var seeded = SystemRandomNumberGenerator()
      var inputs: [[UInt8]] = [
        [], [0], [0, 0, 0, 8, 0, 3, 0, 0], ClientFrame.length(0), ClientFrame.length(3), ClientFrame.length(-1),
        ClientFrame.length(Int32.max),
        ClientFrame.length(9) + ClientFrame.length(196_608) + [0], ClientFrame.startup([]),
        ClientFrame.startup([("database", "shop")]),
        Array(ClientFrame.startup([("user", "ana"), ("database", "shop")]).dropLast(3)),
        ClientFrame.length(12) + ClientFrame.length(196_608) + Array("user".utf8),
        ClientFrame.sslRequest + [0x16, 0x03, 0x01, 0x02, 0x00, 0x01],
        ClientFrame.sslRequest + ClientFrame.startup([("user", "ana")]),
        Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), Array("SSH-2.0-OpenSSH_9.2\r\n".utf8),
        ClientFrame.cancel(process: 1, secret: 1),
        [UInt8](repeating: 0xff, count: 70_000), ClientFrame.startup([("user", String(repeating: "a", count: 9_000))]),
        ClientFrame.startup([("user", "ana"), ("database", "shop")])
          + ClientFrame.message("p", [0xff, 0xff, 0xff, 0xff]),
        ClientFrame.startup([("user", "ana"), ("database", "shop")]) + ClientFrame.query("SELECT 1"),
        // CVE-2023-31136: bytes behind SSLRequest that came before TLS.
        ClientFrame.sslRequest + ClientFrame.query("SELECT 1"),
      ]
      for _ in 0..<40 {
        inputs.append((0..<Int.random(in: 1...400, using: &seeded)).map { _ in .random(in: 0...255, using: &seeded) })
      }
      for input in inputs {
        let peer = try RawConnection(port: gateway.port)
        peer.send(input)
        peer.finishSending()
        do {
          _ = try peer.receiveToEnd(within: 10)
        } catch { Issue.record("\(input.prefix(40)): \(error)") }
      }
      // The same behind a good sign-in: FATAL 08P01, and the end.
      for bad in [
        ClientFrame.message("\u{1}"), [UInt8(ascii: "Q")] + ClientFrame.length(3),
        [UInt8(ascii: "Q")] + ClientFrame.length(-1),
        ClientFrame.message("S", [0]), [UInt8(ascii: "E")] + ClientFrame.length(100_000),
      ] {
        let peer = try RawConnection(port: gateway.port)
        try peer.signIn("ci", robot)
        peer.send(bad)
        let words = String(decoding: try peer.receiveToEnd(), as: UTF8.self)
        #expect(words.contains("FATAL") && words.contains("08P01"), "\(bad): \(words)")
      }
      // A length that PostgreSQL would not take, and nothing behind it.
      let endless = try RawConnection(port: gateway.port)
      try endless.signIn("ci", robot)
      endless.send([UInt8(ascii: "P")] + ClientFrame.length(Int32.max) + [UInt8](repeating: 0x61, count: 100_000))
      endless.finishSending()
      _ = try endless.receiveToEnd()
      try checkOthers(gateway, token)
    }
  }

  // Seen in a relay: one silent client blocked every login.
  @Test("1,000 silent connections cost the others nothing, and little memory")
  func silence() throws {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    if limit.rlim_cur < 4_096 {
      limit.rlim_cur = min(limit.rlim_max, 4_096)
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
    guard limit.rlim_cur >= 2_500 else { throw TestFailure("this test needs 2,500 open files: raise ulimit -n") }
    try withOpen { gateway, _ in
      let token = try gateway.token("ana")
      try checkOthers(gateway, token)
      let before = try gateway.residentBytes()
      var peers: [RawConnection] = []
      for index in 0..<1_000 {
        let peer = try RawConnection(port: gateway.port)
        // Some say nothing, some stop in the middle of TLS, some in the middle of SCRAM.
        switch index % 4 {
        case 1: peer.send(ClientFrame.sslRequest + [0x16, 0x03, 0x01])
        case 2: peer.send(Array(ClientFrame.startup([("user", "ana"), ("database", "shop")]).dropLast(2)))
        case 3: peer.send(ClientFrame.startup([("user", "ana"), ("database", "shop")]))
        case _: break
        }
        peers.append(peer)
      }
      for _ in 0..<3 { try checkOthers(gateway, token) }
      let growth = try gateway.residentBytes() - before
      print("1,000 silent connections: resident memory \(before >> 20) MiB, and \(growth >> 10) KiB more")
      #expect(growth < 64 << 20, "\(growth >> 20) MiB more")
    }
  }

  @Test("a client that vanishes while it is held takes its request along")
  func vanished() throws {
    let database = try TestCluster.shared().createDatabase("vanish", withShop: true)
    try withGateway(try TestConfiguration.demo(database)) { gateway in
      let client = try startPsql(gateway.dsn("ana", try gateway.token("ana")), "DELETE FROM orders WHERE id = 7;")
      _ = try eventually("the request") {
        try gateway.command("approvals", "list").output.contains("ana on shop") ? true : nil
      }
      client.send(SIGKILL)
      try client.wait()
      _ = try eventually("the request to go") {
        try gateway.command("approvals", "list").output.contains("nothing waits") ? true : nil
      }
      let late = try gateway.command("approvals", "approve", "1", as: try gateway.token("dora"))
      #expect(late.status == 1, "\(late.output)")
      #expect(try TestCluster.shared().direct(database, "SELECT count(*) FROM orders WHERE id = 7") == "1")
      let own = try gateway.records().filter { $0.session != nil }
      #expect(own.filter { $0.event == "approval" }.compactMap(\.step) == ["requested", "cancelled"])
      #expect(own.last?.event == "session_closed")
      #expect(!own.contains { $0.action == "permit" && $0.text?.hasPrefix("DELETE") == true })
      _ = try eventually("the backend's session to end") {
        try TestCluster.shared().direct(
          "postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname = '\(database)' AND usename = 'shop_app'")
          == "0" ? true : nil
      }
    }
  }

  @Test("a backend session that is ended in mid-result: an error at its client, the others go on")
  func terminated() throws {
    try withOpen { gateway, database in
      let cluster = try TestCluster.shared()
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      let other = try startPython(
        dsn,
        """
        with connect() as connection:
            print("ready", flush=True)
            end = time.monotonic() + 30
            is_over = "SELECT 1 FROM pg_class WHERE relname = 'over'"
            while time.monotonic() < end and not connection.execute(is_over).fetchone():
                time.sleep(0.02)
            print("served to the end")
        """)
      _ = try eventually("the other session") { other.output.contains("ready") ? true : nil }
      let victim = try startPython(
        dsn,
        """
        with connect() as connection:
            print(connection.info.backend_pid, flush=True)
            cursor = connection.cursor()
            def read():
                for number, _ in enumerate(cursor.stream("SELECT repeat('x', 1000), generate_series(1, 100000000)")):
                    if number == 1000:
                        print("rows", flush=True)
            try:
                read()
                sys.exit("it ended well")
            except psycopg.OperationalError as error:
                # A backend that is blocked in writing has no last words, as on a direct connection.
                expect(error.sqlstate in ("57P01", None), error.sqlstate)
            expect(connection.closed, "still open")
        """)
      let pid = try eventually("rows under way") {
        victim.output.hasSuffix("rows\n") ? Int(victim.output.prefix { $0 != "\n" }) : nil
      }
      #expect(try cluster.direct("postgres", "SELECT pg_terminate_backend(\(pid))") == "t")
      let end = try victim.wait()
      #expect(end.status == 0, "\(end.output)\(end.errors)")
      try cluster.direct(database, "CREATE TABLE over ()")
      #expect(try other.wait().output.contains("served to the end"))
      let records = try gateway.records()
      let id = records.first { $0.text?.hasPrefix("SELECT repeat") == true && $0.stage == "execute" }
      let finished = records.first { $0.event == "finished" && $0.session == id?.session && $0.command == id?.command }
      #expect(finished?.ending == "lost" || finished?.error == "57P01", "\(String(describing: finished))")
      #expect((finished?.rows ?? 0) > 1000, "rows that the client has are not in the trail")
    }
  }

  @Test("a backend that breaks off in the middle of a row: an error at its client, `lost` in the trail")
  func brokenBackend() throws {
    let backend = try ChildProcess(
      try TestRun.python(),
      [
        "-c",
        """
        import socket, struct
        def message(kind, body): return kind + struct.pack("!i", len(body) + 4) + body
        listener = socket.create_server(("127.0.0.1", 0))
        print(listener.getsockname()[1], flush=True)
        while True:
            peer, _ = listener.accept()
            size = struct.unpack("!i", peer.recv(4))[0]
            peer.recv(size - 4)
            peer.sendall(message(b"R", struct.pack("!i", 0)) + message(b"S", b"server_version\\0" + b"15.0\\0")
                + message(b"S", b"client_encoding\\0UTF8\\0") + message(b"S", b"standard_conforming_strings\\0on\\0")
                + message(b"K", struct.pack("!ii", 77, 88)) + message(b"Z", b"I"))
            text = peer.recv(4096)
            row = message(b"T", struct.pack("!h", 1) + b"a\\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0))
            whole = message(b"D", struct.pack("!hi", 1, 5) + b"whole")
            peer.sendall(row + whole + b"D" + struct.pack("!ihi", 1000, 1, 990) + b"half of it")
            peer.close()
        """,
      ])
    let port = try eventually("the broken backend") {
      backend.output.contains("\n") ? Int(backend.output.dropLast()) : nil
    }
    let more =
      "  b-broken: { protocol: postgres, address: 127.0.0.1:\(port), tls: disable, credentials: [{ user: trusty }] }"
    try withGateway(try TestConfiguration.open("postgres", more: more)) { gateway in
      let token = try gateway.token("ana")
      let end = try psql(gateway.dsn("ana", token, database: "b-broken"), "SELECT 'half';")
      #expect(
        end.status != 0
          && (end.errors.contains("57P01") || end.errors.contains("closed the connection")
            || end.errors.contains("lost")),
        "\(end.errors)")
      #expect(!end.output.contains("half of it"))
      try checkOthers(gateway, token)
      let finished = try gateway.records().filter { $0.event == "finished" }
      #expect(finished.first?.ending == "lost", "\(finished)")
    }
  }

  @Test("SIGTERM: who is held and who is idle hears 57P01; nothing was done")
  func shutDown() throws {
    let database = try TestCluster.shared().createDatabase("stop", withShop: true)
    try withGateway(try TestConfiguration.demo(database)) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      let held = try startPsql(dsn, "DELETE FROM orders WHERE id = 7;")
      let idle = try startPython(
        dsn,
        """
        with connect() as connection:
            connection.execute("SELECT 1")
            print("ready", flush=True)
            import select
            expect(select.select([connection.fileno()], [], [], 20)[0], "nothing was said")
            refused("57P01", lambda: connection.execute("SELECT 1"))
        """)
      _ = try eventually("the request") {
        try gateway.command("approvals", "list").output.contains("ana on shop") && idle.output.contains("ready")
          ? true : nil
      }
      let began = monotonicSeconds()
      try gateway.stop()
      #expect(monotonicSeconds() - began < 10)
      let end = try held.wait()
      #expect(end.errors.contains("ERROR:  57P01"), "\(end.errors)")
      let other = try idle.wait()
      #expect(other.status == 0, "\(other.output)\(other.errors)")
      #expect(try TestCluster.shared().direct(database, "SELECT count(*) FROM orders WHERE id = 7") == "1")
      let records = try gateway.records()
      #expect(records.contains { $0.event == "gateway_stopped" })
      #expect(
        records.filter { $0.event == "session_opened" }.count == records.filter { $0.event == "session_closed" }.count)
      #expect(records.filter { $0.event == "approval" }.compactMap(\.step) == ["requested", "cancelled"])
    }
  }

  // Seen in a relay: a 9 MiB comment before DELETE was waved through.
  @Test("text over 1 MiB is 54001 and the connection goes on; 5 MiB as a value pass")
  func oversize() throws {
    try withOpen { gateway, database in
      try TestCluster.shared().direct(database, "CREATE TABLE kept AS SELECT 1 AS a; ALTER TABLE kept OWNER TO app")
      try python(
        gateway.dsn("ana", try gateway.token("ana")),
        """
        with connect() as connection:
            big = "/* " + "x" * (2 << 20) + " */ DELETE FROM kept"
            for binary in (False, True):
                refused("54001", lambda: connection.execute(big, binary=binary))
                expect(connection.execute("SELECT 1").fetchone() == (1,), "the connection does not go on")
            refused("54001", lambda: connection.execute("/* " + "x" * (9 << 20) + " */ DELETE FROM kept"))
            connection.execute("BEGIN")
            refused("54001", lambda: connection.execute(big))
            expect(connection.info.transaction_status.name == "INERROR", connection.info.transaction_status)
            connection.execute("ROLLBACK")
            value = ["y" * (5 << 20)]
            expect(connection.execute("SELECT length(%s::text)", value).fetchone() == (5 << 20,), "a large value")
            expect(connection.execute("SELECT count(*) FROM kept").fetchone() == (1,), "it ran")
        """)
    }
  }

  // Promise 8: every buffer has a bound.
  @Test("a slow reader of 200 MB costs no memory, and gets every byte")
  func slowReader() throws {
    try withOpen { gateway, database in
      let cluster = try TestCluster.shared()
      let (token, robot) = (try gateway.token("ana"), try gateway.token("ci"))
      let peer = try RawConnection(port: gateway.port, receiveBuffer: 64 << 10)
      try peer.signIn("ci", robot)
      try checkOthers(gateway, token)
      let before = try gateway.residentBytes()
      peer.send(ClientFrame.query("SELECT repeat('x', 1000000) FROM generate_series(1, 200)"))
      _ = try eventually("the backend to be pushed back", within: 20) {
        try cluster.direct(
          "postgres", "SELECT 1 FROM pg_stat_activity WHERE datname = '\(database)' AND wait_event = 'ClientWrite'")
          == "1" ? true : nil
      }
      var peak = 0
      var count = 0
      let end = monotonicSeconds() + 40
      var tail: [UInt8] = []
      // First not at all, then slowly, then as fast as it comes.
      let quiet = monotonicSeconds() + 1.5
      while monotonicSeconds() < quiet {
        peak = max(peak, try gateway.residentBytes())
        usleep(50_000)
      }
      try checkOthers(gateway, token)
      while monotonicSeconds() < end {
        let more = try peer.receive(limit: count < 4_000_000 ? 20_000 : 1 << 20)
        guard !more.isEmpty else { break }
        count += more.count
        tail = Array((tail + more.suffix(6)).suffix(6))
        if count < 4_000_000 { usleep(2_000) }
        if count % 7 == 0 { peak = max(peak, try gateway.residentBytes()) }
        if tail.count == 6, tail.starts(with: [UInt8(ascii: "Z"), 0, 0, 0, 5]) { break }
      }
      print("slow reader: \(count >> 20) MiB read, resident memory grew by \((peak - before) >> 10) KiB at most")
      #expect(count > 200_000_000)
      #expect(peak - before < 64 << 20, "\((peak - before) >> 20) MiB more")
    }
  }

  @Test("a bad configuration: check and serve print file:line:column, and end with 2")
  func badConfiguration() throws {
    let file = "\(try TestRun.newFolder("bad"))/sallyport.yaml"
    try """
    gateway: { listen: { postgres: "127.0.0.1:0" } }
    users:
      ana: { gruops: [engineering] }
    connections: {}
    """.write(toFile: file, atomically: false, encoding: .utf8)
    let check = try ChildProcess.run(try TestRun.binary(), ["check", file])
    #expect(check.status == 2 && check.errors.contains("\(file):3:10: unknown key \"gruops\""), "\(check.errors)")
    #expect(check.errors.contains("Did you mean \"groups\"?"))
    let data = try TestRun.newFolder("data")
    let serve = try ChildProcess.run(try TestRun.binary(), ["serve", "--config", file, "--data", data])
    #expect(serve.status == 2 && serve.errors == check.errors, "\(serve.errors)")
    let missing = try ChildProcess.run(try TestRun.binary(), ["check", "\(file).nowhere"])
    #expect(missing.status == 2 && missing.errors.contains("nowhere"), "\(missing.errors)")
    let good = "\(try TestRun.root())/fixtures/demo/sallyport.yaml"
    #expect(try ChildProcess.run(try TestRun.binary(), ["check", good]).status == 0)
  }
}
