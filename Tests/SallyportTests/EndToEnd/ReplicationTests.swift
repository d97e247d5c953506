import Foundation
import Testing

/// PostgreSQL's own programs for replication, through the gateway and past it.
@Suite("End to end: replication", .serialized)
struct EndToEndReplicationTests {
  /// A cluster of its own that writes its log for logical decoding.
  private final class Origin: Sendable {
    let folder: String
    let port: Int
    private let socket: String

    private static let started = Result { try Origin() }
    static func shared() throws -> Origin { try started.get() }

    private init() throws {
      var template = Array("/tmp/sallyport-pg.XXXXXX".utf8CString)
      guard mkdtemp(&template) != nil else { throw TestFailure("no folder for PostgreSQL under /tmp") }
      folder = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let end = try ChildProcess.run(
        try TestRun.path("SALLYPORT_TEST_CLUSTER"),
        [
          "start", folder, "0", "--until-exit", "\(getpid())", "--user", "copier:scram-sha-256", "--replication",
          "copier:scram-sha-256", "--set", "wal_level=logical", "--set", "wal_sender_timeout=0",
        ], within: 120)
      let words = end.output.split(whereSeparator: \.isWhitespace)
      guard end.status == 0, words.count == 2, let port = Int(words[0]) else {
        throw TestFailure("PostgreSQL did not start: \(end.errors)")
      }
      self.port = port
      socket = String(words[1])
      try sql("ALTER ROLE copier REPLICATION; CREATE TABLE t (id int PRIMARY KEY, v text); GRANT ALL ON t TO copier")
    }

    var password: String {
      ((try? String(contentsOfFile: "\(folder)/passwords/copier", encoding: .utf8)) ?? "")
        .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @discardableResult
    func sql(_ text: String) throws -> String {
      let end = try ChildProcess.run(
        try TestRun.postgres("psql"),
        ["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", socket, "-p", "\(port)", "-U", "postgres"],
        input: text, within: 30)
      guard end.status == 0 else { throw TestFailure("\(text): \(end.errors)") }
      return end.output.trimmingCharacters(in: .newlines)
    }

    var configuration: String {
      """
      gateway: { name: test, listen: { postgres: "127.0.0.1:0" }, threads: 2 }
      users:
        rita: { groups: [replicas] }
        bo:   { groups: [readers] }
        ana:  { groups: [engineering] }
        mia:  { groups: [masked] }
        dora: { groups: [dba] }
      roles: { admin: [dba], approver: [dba] }
      connections:
        shop:
          protocol: postgres
          address: 127.0.0.1:\(port)
          database: postgres
          credentials: [{ user: copier, password: { file: \(folder)/passwords/copier } }]
      access:
        - { groups: [replicas, masked], connections: [shop], allow: { postgres: [all, replicate] } }
        - { groups: [readers], connections: [shop], allow: { postgres: [read, replicate] } }
        - { groups: [engineering], connections: [shop], allow: { postgres: all } }
      rules:
        - name: hidden-values
          when: { groups: [masked] }
          then: { mask: { columns: [public.t.v], with: redact } }

      """
    }
  }

  /// Where a program connects: past the gateway, or through it as somebody.
  private struct Way {
    var environment: [String: String]

    init(_ origin: Origin) {
      environment = [
        "PGHOST": "127.0.0.1", "PGPORT": "\(origin.port)", "PGUSER": "copier", "PGPASSWORD": origin.password,
        "PGDATABASE": "postgres", "PGSSLMODE": "disable",
      ]
    }

    init(_ gateway: GatewayProcess, _ user: String) throws {
      environment = [
        "PGHOST": "127.0.0.1", "PGPORT": "\(gateway.port)", "PGUSER": user, "PGPASSWORD": try gateway.token(user),
        "PGDATABASE": "shop", "PGSSLMODE": "disable", "PGOPTIONS": "-c sallyport.connection=shop",
      ]
    }

    func run(_ program: String, _ arguments: [String], input: String = "") throws -> ProcessEnd {
      try ChildProcess.run(
        try TestRun.postgres(program), arguments, environment: environment, input: input, within: 60)
    }

    func psql(_ mode: String, _ script: String) throws -> ProcessEnd {
      try run(
        "psql", ["-X", "-At", "-d", "dbname=\(environment["PGDATABASE"] ?? "") replication=\(mode)"], input: script)
    }
  }

  private func files(_ folder: String) throws -> [String: Data] {
    try FileManager.default.contentsOfDirectory(atPath: folder).reduce(into: [:]) { files, name in
      files[name] = FileManager.default.contents(atPath: "\(folder)/\(name)")
    }
  }

  @Test("pg_receivewal, pg_recvlogical, pg_basebackup and psql get what they get directly")
  func programs() throws {
    let origin = try Origin.shared()
    try withGateway(origin.configuration) { gateway in
      let ways = [("direct", Way(origin)), ("through", try Way(gateway, "rita"))]
      for (name, _) in ways {
        try origin.sql(
          "SELECT pg_create_physical_replication_slot('p_\(name)', true); "
            + "SELECT pg_create_logical_replication_slot('l_\(name)', 'test_decoding')")
      }
      try origin.sql(
        "INSERT INTO t SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 3000) n; UPDATE t SET v = 'x' "
          + "WHERE id < 50; BEGIN; DELETE FROM t WHERE id = 7; ROLLBACK; SELECT pg_switch_wal()")
      let end = try origin.sql("SELECT pg_current_wal_insert_lsn()")
      try origin.sql("INSERT INTO t VALUES (0, 'behind the end'); SELECT pg_switch_wal()")
      var segments: [[String: Data]] = []
      var decoded: [Data] = []
      var spoken: [String] = []
      for (name, way) in ways {
        let folder = try TestRun.newFolder("wal-\(name)")
        let wal = try way.run(
          "pg_receivewal", ["-D", folder, "--no-loop", "--slot", "p_\(name)", "--endpos", end, "--no-sync"])
        #expect(wal.status == 0, "\(name): \(wal.errors)")
        segments.append(try files(folder))
        let logical = try way.run(
          "pg_recvlogical",
          [
            "--start", "--slot", "l_\(name)", "-f", "\(folder)/decoded", "--no-loop", "--endpos", end, "-o",
            "include-xids=0", "-d", way.environment["PGDATABASE"] ?? "",
          ])
        #expect(logical.status == 0, "\(name): \(logical.errors)")
        decoded.append(FileManager.default.contents(atPath: "\(folder)/decoded") ?? Data())
        let words = try way.psql(
          "database",
          "SHOW wal_level; SHOW wal_segment_size;\nSELECT count(*) FROM t;\nTIMELINE_HISTORY 99;\nselekt;\n"
            + "IDENTIFY_SYSTEM 1;\nSELECT 'goes on';\nCOPY (SELECT id FROM t ORDER BY id LIMIT 3) TO STDOUT;\n")
        let physical = try way.psql("true", "IDENTIFY_SYSTEM;\nSELECT 1;\nSHOW server_version;\n")
        // Where the log ends differs a little each time.
        spoken.append(
          words.output + words.errors + physical.errors
            + physical.output.replacing(/[0-9A-F]+\/[0-9A-F]+/, with: "LSN"))
      }
      #expect(segments[0].count >= 1 && segments[0] == segments[1], "\(segments.map(\.keys))")
      #expect(decoded[0].count > 100_000 && decoded[0] == decoded[1])
      #expect(spoken[0] == spoken[1] && spoken[0].contains("goes on"), "\(spoken)")
      try backup(ways[1].1, origin)
      let records = try gateway.records().filter { $0.event == "decided" || $0.event == "permitted" }
      for text in ["START_REPLICATION", "BASE_BACKUP", "IDENTIFY_SYSTEM", "READ_REPLICATION_SLOT"] {
        #expect(records.contains { $0.text?.hasPrefix(text) == true && $0.action != "deny" }, "\(text)")
      }
    }
  }

  /// A base backup with the log that it needs, on two connections: whole, and of what the cluster holds.
  private func backup(_ way: Way, _ origin: Origin) throws {
    let folder = TestRun.newPath("backup")
    let made = try way.run("pg_basebackup", ["-D", folder, "-c", "fast", "--no-sync"])
    #expect(made.status == 0, "\(made.errors)")
    let verified = try way.run("pg_verifybackup", ["-q", folder])
    #expect(verified.status == 0, "\(verified.output)\(verified.errors)")
    let path = try origin.sql("SELECT pg_relation_filepath('t')")
    try origin.sql("CHECKPOINT")
    let there = FileManager.default.contents(atPath: "\(origin.folder)/data/\(path)")
    #expect(there != nil && FileManager.default.contents(atPath: "\(folder)/\(path)") == there)
    try? FileManager.default.removeItem(atPath: folder)
  }

  @Test("who has not been named for it, and who is under a mask, has no replication; rules and effects hold in it")
  func refused() throws {
    let origin = try Origin.shared()
    try withGateway(origin.configuration) { gateway in
      let folder = try TestRun.newFolder("none")
      for (user, words) in [
        ("ana", "Access to connection \"shop\" does not name replication"),
        ("mia", "permission denied by rule \"hidden-values\""),
      ] {
        let way = try Way(gateway, user)
        for end in [
          try way.run("pg_receivewal", ["-D", folder, "--no-loop"]),
          try way.run("pg_basebackup", ["-D", "\(folder)/base"]),
          try way.run("pg_recvlogical", ["--drop-slot", "--slot", "x", "-d", "shop"]),
          try way.psql("true", "IDENTIFY_SYSTEM;\n"),
        ] {
          #expect(end.status != 0 && end.errors.contains(words), "\(user): \(end.errors)")
        }
      }
      #expect(try origin.sql("SELECT count(*) FROM pg_stat_replication") == "0")
      let bo = try Way(gateway, "bo")
      for (text, words) in [
        ("DROP_REPLICATION_SLOT x;", "This needs administer on connection"),
        ("CREATE_REPLICATION_SLOT x LOGICAL test_decoding;", "This needs administer on connection"),
        ("BASE_BACKUP (TARGET 'server', TARGET_DETAIL '/tmp');", "covers only read, replicate"),
        ("INSERT INTO t VALUES (1, 'x');", "This needs write on connection"),
      ] {
        let end = try bo.psql("database", text + "\nIDENTIFY_SYSTEM;\n")
        #expect(end.errors.contains(words) && end.output.contains("|postgres"), "\(text): \(end.errors)")
      }
      var unnamed = bo
      unnamed.environment["PGOPTIONS"] = nil
      let end = try unnamed.run("pg_receivewal", ["-D", folder, "--no-loop"])
      #expect(end.errors.contains("PGOPTIONS='-c sallyport.connection=NAME'"), "\(end.errors)")
      let refusals = try gateway.records().filter { $0.event == "authenticated" && $0.succeeded == false }
      #expect(refusals.contains { $0.user == "mia" && $0.reason?.hasPrefix("replication: ") == true })
    }
  }

  @Test("a stream that is ended is recorded with what had passed; one loses its right by a reload")
  func endedWhileStreaming() throws {
    let origin = try Origin.shared()
    try withGateway(origin.configuration) { gateway in
      let (rita, dora) = (try Way(gateway, "rita"), try gateway.token("dora"))
      try origin.sql("SELECT pg_create_logical_replication_slot('l', 'test_decoding')")
      func stream() throws -> ChildProcess {
        let process = try ChildProcess(
          try TestRun.postgres("pg_recvlogical"),
          ["--start", "--slot", "l", "-f", "-", "--no-loop", "-d", "shop", "-F", "0", "-s", "1"],
          environment: rita.environment)
        _ = try eventually("the stream") {
          try origin.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1" ? true : nil
        }
        return process
      }
      let first = try stream()
      try origin.sql("INSERT INTO t VALUES (100001, 'one')")
      _ = try eventually("the row") { first.output.contains("'one'") ? true : nil }
      let listed = try gateway.command("sessions", "list", "--live", "--json", as: dora).output
      let name = try #require(listed.firstMatch(of: /"session" ?: ?"([^"]+)"/)?.1)
      #expect(try gateway.command("sessions", "kill", String(name), "--reason", "over", as: dora).status == 0)
      #expect(try first.wait(within: 10).errors.contains("ended by dora: over"))
      let lost = try gateway.records().last { $0.event == "finished" && $0.session == String(name) }
      #expect(lost?.ending == "lost" && (lost?.rows ?? 0) >= 3, "\(String(describing: lost))")

      let second = try stream()
      let path = "\(gateway.folder)/sallyport.yaml"
      let text = try String(contentsOfFile: path, encoding: .utf8)
      try text.replacingOccurrences(of: "[all, replicate]", with: "[all]")
        .write(toFile: path, atomically: true, encoding: .utf8)
      #expect(try gateway.command("reload", as: dora).status == 0)
      let end = try second.wait(within: 10)
      #expect(end.errors.contains("replication was withdrawn"), "\(end.errors)")
    }
  }
}
