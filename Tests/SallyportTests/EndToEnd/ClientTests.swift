import Foundation
import Testing

/// Where no rule applies, clients cannot tell the gateway from the backend.
@Suite("End to end: clients", .serialized)
struct EndToEndClientTests {
  /// Runs one of the comparisons; its last line is "N compared, M different".
  private func compare(_ program: String, _ arguments: [String], atLeast: Int) throws {
    let environment = ["SALLYPORT_TEST_PG_BIN": try TestRun.path("SALLYPORT_TEST_PG_BIN")]
    let end = try ChildProcess.run(program, arguments, environment: environment, within: 200)
    let last = end.output.split(separator: "\n").last.map(String.init) ?? ""
    let words = last.split(separator: " ")
    #expect(end.status == 0 && last.hasSuffix("compared, 0 different"), "\(end.output.suffix(4000))\(end.errors)")
    #expect((words.first.flatMap { Int($0) } ?? 0) >= atLeast, "\(last)")
  }

  private func direct(_ database: String) throws -> String {
    let cluster = try TestCluster.shared()
    return
      "host=127.0.0.1 port=\(cluster.port) user=app password=\(cluster.password("app")) dbname=\(database) "
      + "sslmode=disable"
  }

  private func script(_ name: String) throws -> String { "\(try TestRun.root())/Tests/clients/\(name)" }

  @Test("libpq and psycopg get the same bytes", arguments: ["plain", "TLS", "token"])
  func drivers(_ way: String) throws {
    let database = try TestCluster.shared().createDatabase("compare")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let user = way == "token" ? "ci" : "ana"
      let dsn = gateway.dsn(
        user, try gateway.token(user), options: way == "TLS" ? "sslmode=require" : "sslmode=disable")
      try compare(try TestRun.python(), [try script("compare.py"), try direct(database), dsn], atLeast: 40)
    }
  }

  @Test("the corpus: every frame of every answer is the same, in both protocols and both formats")
  func corpus() throws {
    let database = try TestCluster.shared().createDatabase("corpus")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      try compare(try TestRun.python(), [try script("corpus.py"), try direct(database), dsn], atLeast: 900)
    }
  }

  @Test("the corpus over TLS, where frames meet records")
  func corpusOverTLS() throws {
    let database = try TestCluster.shared().createDatabase("corpus")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let authority = "\(gateway.folder)/ca.pem"
      try gateway.command("ca", "export").output.write(toFile: authority, atomically: false, encoding: .utf8)
      let dsn = gateway.dsn(
        "ci", try gateway.token("ci"), options: "sslmode=verify-full sslrootcert=\(authority)")
      try compare(
        try TestRun.python(),
        [try script("corpus.py"), try direct(database), dsn, "--only", "^(everyday|copying|large|exchange)"],
        atLeast: 200)
    }
  }

  @Test("psycopg, asyncpg, pg8000, psql, pgbench, pg_dump and pg_restore see no difference")
  func suites() throws {
    let database = try TestCluster.shared().createDatabase("suites")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      try compare(try TestRun.python(), [try script("suites.py"), try direct(database), dsn], atLeast: 58)
    }
  }

  @Test("psql prints the same bytes")
  func psqlPrintsTheSame() throws {
    let database = try TestCluster.shared().createDatabase("psql")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      try compare(
        try script("psql-compare.sh"),
        [try direct(database), gateway.dsn("ana", try gateway.token("ana"))], atLeast: 60)
    }
  }

  @Test("pgbench runs without a failure in all modes of the protocol")
  func pgbench() throws {
    let database = try TestCluster.shared().createDatabase("pgbench")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      let program = try TestRun.postgres("pgbench")
      let filled = try ChildProcess.run(program, ["-i", "-q", dsn], within: 60)
      #expect(filled.status == 0, "\(filled.errors)")
      for mode in ["simple", "extended", "prepared"] {
        for script in [["-S"], []] {
          let end = try ChildProcess.run(
            program, ["-n", "-c", "4", "-t", "50", "-M", mode] + script + [dsn], within: 60)
          #expect(end.status == 0, "\(mode) \(script): \(end.errors)")
          #expect(end.output.contains("actually processed: 200/200"), "\(mode) \(script): \(end.output)")
          #expect(end.output.contains("failed transactions: 0 "), "\(mode) \(script): \(end.output)")
        }
      }
    }
  }

  // Reading a client pauses when it is far ahead of the backend's answers, and has to go on when they have come.
  @Test("a client that is thousands of messages ahead is served again and again")
  func farAhead() throws {
    let database = try TestCluster.shared().createDatabase("ahead")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      try python(
        gateway.dsn("ci", try gateway.token("ci"), options: "sslmode=disable"),
        """
        def frame(kind, body=b""):
            return kind + struct.pack("!i", len(body) + 4) + body
        at = psycopg.conninfo.conninfo_to_dict(dsn)
        peer = socket.create_connection(("127.0.0.1", int(at["port"])), timeout=15)
        reader = peer.makefile("rb")
        def read():
            kind, size = struct.unpack("!ci", reader.read(5))
            return kind, reader.read(size - 4)
        body = struct.pack("!i", 196608) + b"user\\0ci\\0database\\0shop\\0\\0"
        peer.sendall(struct.pack("!i", len(body) + 4) + body)
        read()
        peer.sendall(frame(b"p", at["password"].encode() + b"\\0"))
        while read()[0] != b"Z":
            pass
        one = frame(b"P", b"\\0SELECT 1\\0\\0\\0") + frame(b"B", bytes(8)) + frame(b"E", bytes(5)) + frame(b"S")
        for turn in range(20):
            count = 2000 + turn * 100
            # From another thread: both directions are full at times.
            writer = threading.Thread(target=peer.sendall, args=[one * count + frame(b"S") * count])
            writer.start()
            for _ in range(2 * count):
                while True:
                    try:
                        kind, _ = read()
                    except TimeoutError:
                        sys.exit(f"turn {turn}: no answer within 15 s")
                    if kind == b"Z":
                        break
            writer.join()
            # Nothing is under way now: the next message has to be read.
            peer.sendall(frame(b"Q", b"SELECT 2\\0"))
            try:
                while read()[0] != b"Z":
                    pass
            except TimeoutError:
                sys.exit(f"turn {turn}: no answer within 15 s to what came behind")
        """)
    }
  }
}
