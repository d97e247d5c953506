import Foundation
import Testing

/// Sessions as somebody with a role sees them: recorded, listed, shown, replayed, exported, ended.
@Suite("End to end: sessions", .serialized)
struct EndToEndSessionTests {
  private struct Listed: Decodable {
    struct Session: Decodable {
      var session: String
      var user: String
      var connection: String
      var isLive: Bool
      var reason: String?
    }
    var sessions: [Session]?
  }

  /// The demo with results recorded; `more` stands beside `rows`.
  private func configuration(_ database: String, more: String = "") throws -> String {
    try TestConfiguration.demo(database)
      .replacingOccurrences(of: "  name: demo\n", with: "  name: demo\n  recording: { rows: masked\(more) }\n")
      .replacingOccurrences(of: "  approver: [dba]", with: "  auditor: [dba]\n  approver: [dba]")
  }

  private func sessions(_ gateway: GatewayProcess, _ arguments: String...) throws -> [Listed.Session] {
    let end = try ChildProcess.run(
      try TestRun.binary(), ["sessions", "list", "--json", "--data", gateway.data] + arguments)
    guard end.status == 0 else { throw TestFailure("sessions list: \(end.errors)") }
    return try JSONDecoder().decode(Listed.self, from: Data(end.output.utf8)).sessions ?? []
  }

  /// Rows of an export, in order; NULL as `~`.
  private func rows(_ gateway: GatewayProcess, _ session: String) throws -> [[String]] {
    let end = try gateway.command("sessions", "export", session)
    #expect(end.status == 0, "\(end.errors)")
    return try end.output.split(separator: "\n").flatMap { line -> [[String]] in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return (object?["rows"] as? [[Any]] ?? []).map { row in row.map { $0 as? String ?? "~" } }
    }
  }

  @Test(
    "masked rows are recorded as the client got them: by psql, by binary drivers, by cursors; the raw value is in no file"
  )
  func recorded() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("recorded", withShop: true)
    let raw = try cluster.direct(database, "SELECT ssn FROM customers ORDER BY id LIMIT 1")
    #expect(raw.count > 4)
    try withGateway(try configuration(database)) { gateway in
      let ana = gateway.dsn("ana", try gateway.token("ana"))
      let shown = try psql(ana, "SELECT id, ssn FROM customers ORDER BY id LIMIT 2; SELECT NULL, 'a|b';")
      #expect(shown.status == 0 && !shown.output.contains(raw))
      let psqlSession = try #require(try sessions(gateway, "--user", "ana").first?.session)
      let masked = shown.output.split(separator: "\n").prefix(2).map { $0.split(separator: "|").map(String.init) }
      #expect(try rows(gateway, psqlSession) == Array(masked) + [["~", "a|b"]])

      let printed = try python(
        ana,
        """
        with connect() as c:
            cursor = c.cursor(binary=True)
            # Prepared and run again: the columns were described long ago.
            for turn in range(3):
                print(cursor.execute("SELECT id, ssn FROM customers WHERE id = %s", (1,), prepare=True).fetchone()[1])
            with c.transaction():
                named = c.cursor("portal")
                named.execute("SELECT n, 'v' || n FROM generate_series(1, 5) n")
                named.itersize = 2
                for row in named:
                    print(*["~" if value is None else value for value in row], sep="|")
        """)
      let other = try #require(try sessions(gateway, "--user", "ana").first { $0.session != psqlSession }?.session)
      let values = try rows(gateway, other)
      let one = try #require(printed.split(separator: "\n").first.map(String.init))
      #expect(values.prefix(3) == [["1", one], ["1", one], ["1", one]], "\(values)")
      // What comes out of a cursor may be anything, so it is masked whole.
      let fetched = printed.split(separator: "\n").dropFirst(3).map { $0.split(separator: "|").map(String.init) }
      #expect(fetched.count == 5 && Array(values.dropFirst(3)) == fetched, "\(values)")
      #expect(EndToEndBindTests.files(in: gateway.data, holding: raw) == [])
      #expect(EndToEndBindTests.files(in: gateway.data, holding: one).contains("recordings/\(other).rec"))

      // Dora is under no mask, and copies: her recording has what she got.
      let copied = try psql(gateway.dsn("dora", try gateway.token("dora")), "COPY (SELECT 1, 'copied') TO STDOUT;")
      #expect(copied.output == "1\tcopied\n")
      let dora = try #require(try sessions(gateway, "--user", "dora").first?.session)
      #expect(try gateway.command("sessions", "export", dora).output.contains(#""text":"1\tcopied\n""#))

      // Looking is a record, with who looked.
      let looks = try gateway.records().filter { $0.verb?.hasPrefix("sessions.") == true }
      #expect(looks.contains { $0.verb == "sessions.export" && $0.actor?.hasPrefix("uid ") == true })
      #expect(looks.contains { $0.verb == "sessions.list" })
    }
  }

  @Test("bounds: rows and bytes of each statement, what is longer is cut and says so")
  func bounds() throws {
    let database = try TestCluster.shared().createDatabase("bounds", withShop: true)
    try withGateway(try configuration(database, more: ", max_rows: 3, max_bytes: 1KiB")) { gateway in
      let end = try psql(
        gateway.dsn("ana", try gateway.token("ana")),
        """
        SELECT n FROM generate_series(1, 10) n;
        SELECT repeat('y', 900) FROM generate_series(1, 3);
        SELECT repeat('z', 5000000);
        SELECT n FROM generate_series(1, 3) n;
        """)
      #expect(end.status == 0 && end.output.count > 5_002_700, "the client gets all of it")
      let session = try #require(try sessions(gateway).first?.session)
      #expect(
        try rows(gateway, session)
          == [["1"], ["2"], ["3"], [String(repeating: "y", count: 900)], ["1"], ["2"], ["3"]])
      let lines = try gateway.command("sessions", "export", session).output.split(separator: "\n")
      #expect(lines.filter { $0.contains(#""event":"cut""#) }.count == 3)
      #expect(lines.filter { $0.contains(#""event":"recorded""#) && $0.contains(#""cut":true"#) }.count == 3)
      let size = try FileManager.default.attributesOfItem(atPath: "\(gateway.data)/recordings/\(session).rec")[.size]
      #expect((size as? Int).map { $0 < 3_000 } == true)
    }
  }

  @Test("nothing is recorded where nobody asks for it")
  func none() throws {
    let database = try TestCluster.shared().createDatabase("unrecorded")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      #expect(try psql(gateway.dsn("ana", try gateway.token("ana")), "SELECT 'only-here' || 1;").status == 0)
      #expect(try FileManager.default.contentsOfDirectory(atPath: "\(gateway.data)/recordings") == [])
      let session = try #require(try sessions(gateway).first?.session)
      #expect(try rows(gateway, session) == [])
      let shown = try gateway.command("sessions", "show", session).output
      #expect(shown.contains("SELECT 'only-here' || 1") && shown.contains("completed  SELECT 1  1 rows"), "\(shown)")
    }
  }

  @Test("a changed recording and one that is gone are told, and the rest of the session is still shown")
  func damaged() throws {
    let database = try TestCluster.shared().createDatabase("tampered", withShop: true)
    try withGateway(try configuration(database)) { gateway in
      #expect(try psql(gateway.dsn("ana", try gateway.token("ana")), "SELECT 'first'; SELECT 'second';").status == 0)
      let session = try #require(try sessions(gateway).first?.session)
      let file = "\(gateway.data)/recordings/\(session).rec"
      var bytes = try #require(FileManager.default.contents(atPath: file))
      let place = try #require(bytes.range(of: Data("second".utf8), options: .backwards))
      bytes[place.lowerBound] ^= 1
      try bytes.write(to: URL(fileURLWithPath: file))
      gateway.hasSoundRecordings = false
      #expect(try gateway.command("audit", "verify").status == 3)
      let replay = try gateway.command("sessions", "replay", session, "--no-wait").output
      #expect(replay.contains("\nfirst\n") && replay.contains("the recording is not what the audit trail says it was"))
      try FileManager.default.removeItem(atPath: file)
      let gone = try gateway.command("sessions", "replay", session, "--no-wait")
      #expect(gone.status == 0 && gone.output.contains("the recording is gone") && !gone.output.contains("\nfirst\n"))
    }
  }

  @Test("show, replay and cast print who, what was decided, rows and timing, and nothing that steers a terminal")
  func replayed() throws {
    let database = try TestCluster.shared().createDatabase("replayed", withShop: true)
    try withGateway(try configuration(database)) { gateway in
      let end = try psql(
        gateway.dsn("ana", try gateway.token("ana")),
        """
        SELECT 'visible' AS word, E'\\x1b[31mred' AS colour, NULL AS none;
        DELETE FROM orders;
        SELECT 1/0;
        SELECT pg_sleep(0.3);
        """)
      #expect(end.errors.contains("42501") && end.errors.contains("22012"))
      let session = try #require(try sessions(gateway, "--user", "ana", "--connection", "shop").first?.session)
      let show = try gateway.command("sessions", "show", session)
      for words in [
        "who      ana (engineering) from 127.0.0.1, psql", "shop: \(database) as", "closed   ",
        "DENY by rule \"no-unbounded-delete\": an UPDATE or DELETE needs a WHERE", "failed  ERROR 22012",
      ] {
        #expect(show.output.contains(words), "\(words) is not in \(show.output)")
      }
      #expect(!show.output.contains("\nvisible"))
      let start = monotonicSeconds()
      let replay = try gateway.command("sessions", "replay", session, "--speed", "1")
      let taken = monotonicSeconds() - start
      #expect(taken >= 0.3 && taken < 5, "\(taken) s")
      #expect(
        replay.output.contains("word | colour | none\n")
          && replay.output.contains("\nvisible | \u{FFFD}[31mred | NULL\n"))
      #expect(!replay.output.unicodeScalars.contains("\u{1B}"))
      let cast = try gateway.command("sessions", "export", session, "--format", "cast").output.split(separator: "\n")
      let header = try #require(try JSONSerialization.jsonObject(with: Data(cast[0].utf8)) as? [String: Any])
      #expect(header["version"] as? Int == 2)
      let times = try cast.dropFirst().map { line in
        let frame = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [Any])
        #expect(frame.count == 3 && frame[1] as? String == "o")
        return try #require((frame[0] as? NSNumber)?.doubleValue)
      }
      #expect(times == times.sorted() && times.count > 8 && (times.last ?? 0) >= 0.3)
    }
  }

  @Test("kill ends a session while its statement runs: 57P01 with the reason, cancelled at the backend, audited")
  func killed() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("killing", withShop: true)
    try withGateway(try configuration(database)) { gateway in
      let (ana, dora) = (try gateway.token("ana"), try gateway.token("dora"))
      let session = try startPsql(gateway.dsn("ana", ana), "SELECT 'before'; SELECT pg_sleep(60);")
      let running =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '\(database)' AND query LIKE 'SELECT pg_sleep%'"
        + " AND state = 'active'"
      _ = try eventually("the statement") { try cluster.direct("postgres", running) == "1" ? true : nil }
      let name = try #require(try sessions(gateway, "--live").first?.session)
      #expect(try sessions(gateway, "--live").first?.isLive == true)
      let refused = try gateway.command("sessions", "kill", name, "--reason", "x", as: ana)
      #expect(refused.status == 1 && refused.errors.contains("ana does not have the role admin"), "\(refused.errors)")
      #expect(session.isRunning)
      // What a session that is open did so far can be looked at.
      #expect(try gateway.command("sessions", "replay", name, "--no-wait").output.contains("\nbefore\n"))
      let kill = try gateway.command("sessions", "kill", name, "--reason", "runs for too long", as: dora)
      #expect(kill.status == 0 && kill.output == "session \(name) of ana is ended\n", "\(kill.output)\(kill.errors)")
      let end = try session.wait(within: 5)
      #expect(end.errors.contains("57P01") && end.errors.contains("ended by dora: runs for too long"), "\(end.errors)")
      _ = try eventually("the cancel", within: 5) { try cluster.direct("postgres", running) == "0" ? true : nil }
      #expect(try sessions(gateway, "--live").isEmpty)
      #expect(try sessions(gateway).first?.reason == "ended by dora: runs for too long")
      let records = try gateway.records()
      #expect(records.contains { $0.verb == "sessions.kill" && $0.actor == "dora" })
      #expect(records.contains { $0.event == "finished" && $0.session == name && $0.ending == "lost" })
      let again = try gateway.command("sessions", "kill", name, "--reason", "x", as: dora)
      #expect(again.status == 1 && again.errors.contains("there is no session"))
    }
  }

  @Test("looking needs a role; unknown sessions and places are refused")
  func roles() throws {
    let database = try TestCluster.shared().createDatabase("looking", withShop: true)
    try withGateway(try configuration(database)) { gateway in
      let (ana, dora) = (try gateway.token("ana"), try gateway.token("dora"))
      #expect(try psql(gateway.dsn("ana", ana), "SELECT 1;").status == 0)
      let session = try #require(try sessions(gateway).first?.session)
      for verb in ["show", "replay", "export"] {
        let denied = try gateway.command("sessions", verb, session, as: ana)
        #expect(denied.status == 1 && denied.errors.contains("does not have the role auditor or admin"), "\(verb)")
        #expect(try gateway.command("sessions", verb, session, as: dora).status == 0, "\(verb)")
        let unknown = try gateway.command("sessions", verb, "../../etc")
        #expect(
          unknown.status == 1 && unknown.errors.contains("there is no session \"../../etc\""), "\(unknown.errors)")
      }
      #expect(try gateway.command("sessions", "list", as: ana).status == 1)
    }
  }

  @Test(
    "where results must be recorded and cannot be, nothing goes on and nothing begins",
    .enabled(if: SmallDisk.isPossible, "this process may not mount"))
  func fullDisk() throws {
    let database = try TestCluster.shared().createDatabase("norecord", withShop: true)
    let disk = try SmallDisk(megabytes: 200)
    try withGateway(try configuration(database), data: "\(disk.path)/data") { gateway in
      let ana = gateway.dsn("ana", try gateway.token("ana"))
      let flag = TestRun.newPath("full")
      let client = try startPython(
        ana,
        """
        import os
        with connect() as idle, connect() as busy:
            idle.execute("SELECT 'before'")
            print("ready", flush=True)
            wait_for("the disk to be full", lambda: os.path.exists(sys.argv[2]))
            # What the failing write was for has passed; the next command does not. Short rows: within a long one nothing
            # could be said any more.
            def refusal():
                try:
                    idle.execute("SELECT repeat('x', 1000)").fetchall()
                except psycopg.Error as error:
                    return error
            error = wait_for("a refusal", refusal)
            # Whether it was under way when the failure was noticed decides if the session can go on.
            expect(error.sqlstate == "58030", error)
            expect("recording" in str(error) or "cannot record this session" in str(error), error)
            # In a transaction a portal could go on: the session ends.
            def ends():
                try:
                    busy.execute("BEGIN")
                    busy.execute("SELECT repeat('x', 1000)").fetchall()
                    busy.execute("SELECT 1")
                except psycopg.Error as error:
                    return error
            error = wait_for("the end", ends)
            expect("cannot record this session" in str(error), error)
        try:
            connect()
        except psycopg.OperationalError as error:
            expect("cannot record sessions" in str(error), error)
        else:
            sys.exit("a session began that cannot be recorded")
        """, [flag])
      _ = try eventually("the first statement") { client.output.contains("ready") ? true : nil }
      try disk.fill()
      // The end of what is being recorded then is lost, and `audit verify` says so.
      gateway.hasSoundRecordings = false
      try Data().write(to: URL(fileURLWithPath: flag))
      let end = try client.wait(within: 30)
      #expect(end.status == 0, "\(end.output)\(end.errors)")
      disk.free()
      #expect(try psql(ana, "SELECT 'after';").output == "after\n")
    }
  }

  @Test("recordings are kept as long as is said, and what is swept is in the trail")
  func swept() throws {
    let database = try TestCluster.shared().createDatabase("swept", withShop: true)
    let gateway = try GatewayProcess(try configuration(database, more: ", keep: 30d"))
    let ana = gateway.dsn("ana", try gateway.token("ana"))
    #expect(try psql(ana, "SELECT 'old';").status == 0)
    let old = try #require(try sessions(gateway).first?.session)
    let folder = "\(gateway.data)/recordings"
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -31 * 86_400)], ofItemAtPath: "\(folder)/\(old).rec")
    #expect(try psql(ana, "SELECT 'new';").status == 0)
    try gateway.stop()
    try gateway.restart()
    _ = try eventually("the sweep") {
      try FileManager.default.contentsOfDirectory(atPath: folder).count == 1 ? true : nil
    }
    #expect(!FileManager.default.fileExists(atPath: "\(folder)/\(old).rec"))
    let sweep = try #require(try gateway.records().first { $0.verb == "recordings.sweep" })
    #expect(sweep.actor == "gateway")
    try gateway.stop()
    try gateway.checkTraces()

    // What was taken away so is no fault; what is changed, or gone otherwise, is one, by its session's name.
    func verify(_ more: String...) throws -> ProcessEnd {
      try ChildProcess.run(try TestRun.binary(), ["audit", "verify", "--data", gateway.data] + more)
    }
    let sound = try verify()
    #expect(sound.status == 0 && sound.output.contains("1 taken away because of their age"), "\(sound.output)")
    let file = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).first)
    let whole = try #require(FileManager.default.contents(atPath: "\(folder)/\(file)"))
    var changed = whole
    changed[whole.count - 1] ^= 1
    try changed.write(to: URL(filePath: "\(folder)/\(file)"))
    let fault = try verify()
    #expect(fault.status == 3 && fault.output.contains("session \(file.dropLast(4)), command"), "\(fault.output)")
    #expect(
      fault.output.contains("the recording is not what the audit trail says") && fault.output.contains("NOT SOUND"))
    #expect(try verify("--no-recordings").status == 0)
    try FileManager.default.removeItem(atPath: "\(folder)/\(file)")
    let gone = try verify()
    #expect(gone.status == 3 && gone.output.contains("the trail does not say that it was taken away"), "\(gone.output)")
    try whole.write(to: URL(filePath: "\(folder)/\(file)"))

    // A reload that keeps them for less time looks again at once.
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: -3 * 86_400)], ofItemAtPath: "\(folder)/\(file)")
    try gateway.restart()
    let configuration = "\(gateway.folder)/sallyport.yaml"
    let shorter = try String(contentsOfFile: configuration, encoding: .utf8).replacing("keep: 30d", with: "keep: 2d")
    try (shorter + "\n").write(toFile: configuration, atomically: true, encoding: .utf8)
    #expect(try gateway.command("reload").status == 0)
    _ = try eventually("the sweep after the reload") {
      try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty ? true : nil
    }
    try gateway.stop()
    try gateway.checkTraces()
  }
}
