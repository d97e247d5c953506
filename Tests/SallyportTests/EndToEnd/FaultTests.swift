import Foundation
import Glibc
import Testing

/// What breaks around the gateway is said clearly, and nothing is lost or skipped by it.
@Suite("End to end: faults", .serialized)
struct EndToEndFaultTests {
  // DECISIONS 23: space is found to be lacking at the decision, and not after the backend has done the work.
  @Test(
    "a disk that fills: commands are refused, none runs unrecorded, and it goes on when there is room",
    .enabled(if: SmallDisk.isPossible, "this process may not mount"))
  func fullDisk() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("full")
    try cluster.direct(database, "CREATE TABLE kept (n integer); ALTER TABLE kept OWNER TO app")
    let disk = try SmallDisk(megabytes: 200)
    try withGateway(try TestConfiguration.open(database), data: "\(disk.path)/data") { gateway in
      let token = try gateway.token("ana")
      let flag = TestRun.newPath("room")
      let client = try startPython(
        gateway.dsn("ana", token),
        """
        import os
        padding = "x" * 60_000
        done = 0
        def insert():
            global done
            connection.execute(f"INSERT INTO kept VALUES ({done}) /* {padding} */")
            done += 1
        with connect() as connection:
            insert()
            print("connected", flush=True)
            wait_for("the disk to be full", lambda: os.path.exists(sys.argv[2] + ".full"))
            error = None
            while not error and done < 5_000:
                try:
                    insert()
                except psycopg.Error as found:
                    error = found
            expect(error, "5,000 statements of 60 kB passed")
            expect(error.sqlstate == "58030", f"{error.sqlstate}: {error}")
            expect("audit" in str(error), error)
            # Small ones may find room where a large one did not, but not for ever; then nothing runs at all.
            while done < 200_000:
                try:
                    connection.execute(f"INSERT INTO kept VALUES ({done})")
                    done += 1
                except psycopg.Error as found:
                    expect(found.sqlstate == "58030", found)
                    break
            connection.execute("ROLLBACK") if connection.info.transaction_status.name != "IDLE" else None
            print(f"full {done}", flush=True)
            wait_for("room", lambda: os.path.exists(sys.argv[2]), 30)
            def goes_on():
                try:
                    insert()
                    return True
                except psycopg.Error as found:
                    expect(found.sqlstate == "58030", found)
                    time.sleep(0.1)
            wait_for("the gateway to go on", goes_on, 20)
            print(f"done {done}", flush=True)
        """, [flag])
      _ = try eventually("the first statement") {
        guard client.isRunning || client.output.contains("connected") else {
          throw TestFailure("\(client.output)\(client.errors)")
        }
        return client.output.contains("connected") ? true : nil
      }
      try disk.fill()
      #expect(FileManager.default.createFile(atPath: flag + ".full", contents: nil))
      let count = try eventually("the refusal", within: 40) {
        guard client.isRunning else { throw TestFailure("\(client.output)\(client.errors)") }
        return client.output.split(separator: "\n").first { $0.hasPrefix("full ") && client.output.hasSuffix("\n") }
      }
      #expect("full " + (try cluster.direct(database, "SELECT count(*) FROM kept")) == count)
      #expect(gateway.process.isRunning, "a full disk ended the gateway")
      disk.free()
      #expect(FileManager.default.createFile(atPath: flag, contents: nil))
      let end = try client.wait(within: 60)
      #expect(end.status == 0, "\(end.output)\(end.errors)")
      // New people, too.
      #expect(try psql(gateway.dsn("ana", token), "SELECT 'served';").output == "served\n")
      let rows = try cluster.direct(database, "SELECT count(*) FROM kept")
      #expect(end.output.hasSuffix("done \(rows)\n"), "\(end.output)")
      let inserts = try gateway.records().filter {
        $0.action == "permit" && $0.text?.hasPrefix("INSERT INTO kept") == true
      }
      #expect("\(inserts.count)" == rows, "what ran is not what the trail has")
    }
  }

  @Test(
    "a rotated credential: live sessions stay, new ones hear whose credential it is until the file has it")
  func rotatedCredential() throws {
    let cluster = try TestCluster.shared()
    let file = TestRun.newPath("password")
    try cluster.password("rotated").write(toFile: file, atomically: true, encoding: .utf8)
    let more = """
        b-rotated: { protocol: postgres, address: 127.0.0.1:\(cluster.port), database: postgres,
          credentials: [{ user: rotated, password: { file: \(file) } }] }
      """
    try withGateway(try TestConfiguration.open("postgres", more: more)) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"), database: "b-rotated")
      let flag = TestRun.newPath("rotated")
      let live = try startPython(
        dsn,
        """
        import os
        with connect() as connection:
            print(connection.execute("SELECT current_user").fetchone()[0], flush=True)
            wait_for("the rotation", lambda: os.path.exists(sys.argv[2]), 30)
            print(connection.execute("SELECT 'goes on'").fetchone()[0], flush=True)
        """, [flag])
      _ = try eventually("the live session") { live.output.hasPrefix("rotated\n") ? true : nil }
      let new = "new-\(UInt64.random(in: .min ... .max))"
      try cluster.direct("postgres", "ALTER ROLE rotated PASSWORD '\(new)'")
      let refused = try psql(dsn, "SELECT 1;")
      #expect(refused.status == 2, "\(refused.output)")
      let words = "the backend of connection \"b-rotated\" does not accept the gateway's own credential"
      #expect(refused.errors.contains(words), "\(refused.errors)")
      #expect(!refused.errors.contains("rotated\" user") && !refused.errors.contains("password"), "\(refused.errors)")
      #expect(gateway.log.contains("password authentication failed"), "the log does not say why")
      #expect(FileManager.default.createFile(atPath: flag, contents: nil))
      let end = try live.wait()
      #expect(end.output.hasSuffix("goes on\n"), "\(end.output)\(end.errors)")
      try new.write(toFile: file, atomically: true, encoding: .utf8)
      #expect(try psql(dsn, "SELECT current_user;").output == "rotated\n")
      #expect(!gateway.log.contains(new))
      // Back, for whoever comes later.
      try cluster.direct("postgres", "ALTER ROLE rotated PASSWORD '\(cluster.password("rotated"))'")
    }
  }

  @Test("a backend session that is ended while rows come slowly: 57P01 at its client and in the trail")
  func terminatedBetweenRows() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("ended")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let client = try startPython(
        gateway.dsn("ana", try gateway.token("ana")),
        """
        with connect() as connection:
            print(connection.info.backend_pid, flush=True)
            seen = 0
            try:
                for row in connection.cursor().stream("SELECT repeat('x', 4000), pg_sleep(0.01) FROM generate_series(1, 100000)"):
                    seen += 1
                    if seen == 20:
                        print("rows", flush=True)
                sys.exit("it ended well")
            except psycopg.errors.AdminShutdown as error:
                expect(error.sqlstate == "57P01", error.sqlstate)
                expect("terminating connection due to administrator command" in str(error), error)
            expect(connection.closed, "still open")
            print(seen)
        """)
      let pid = try eventually("rows under way") {
        client.output.hasSuffix("rows\n") ? Int(client.output.prefix { $0 != "\n" }) : nil
      }
      #expect(try cluster.direct("postgres", "SELECT pg_terminate_backend(\(pid))") == "t")
      let end = try client.wait()
      #expect(end.status == 0, "\(end.output)\(end.errors)")
      let seen = end.output.split(separator: "\n").last.flatMap { Int($0) }
      let records = try gateway.records()
      let command = records.first { $0.text?.hasPrefix("SELECT repeat") == true && $0.stage == "execute" }
      let finished = records.filter {
        $0.event == "finished" && $0.session == command?.session && $0.command == command?.command
      }
      #expect(finished.last?.error == "57P01" && finished.last?.rows == seen, "\(seen ?? -1): \(finished)")
    }
  }

  @Test("clients that vanish in COPY, in a transaction, in a pipeline and in a result leave nothing behind")
  func vanished() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("gone")
    try cluster.direct(database, "CREATE TABLE kept (n integer); ALTER TABLE kept OWNER TO app")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let robot = try gateway.token("ci")
      let insert = "INSERT INTO kept VALUES (1)"
      let endings: [(String, [[UInt8]])] = [
        ("COPY", [ClientFrame.query("COPY kept FROM STDIN"), ClientFrame.message("d", Array("1\n2\n".utf8))]),
        (
          "half a message",
          [
            ClientFrame.query("COPY kept FROM STDIN"),
            Array(ClientFrame.message("d", Array("3\n4\n".utf8)).dropLast(2)),
          ]
        ),
        ("transaction", [ClientFrame.query("BEGIN; \(insert)")]),
        (
          "pipeline",
          [
            ClientFrame.message("P", [0] + Array(insert.utf8) + [0, 0, 0]),
            ClientFrame.message("B", [0, 0, 0, 0, 0, 0, 0, 0]), ClientFrame.message("E", [0, 0, 0, 0, 0]),
            ClientFrame.message("H"),
          ]
        ),
        ("result", [ClientFrame.query("BEGIN; \(insert); SELECT repeat('x', 1000) FROM generate_series(1, 1000000)")]),
      ]
      for (name, frames) in endings {
        let peer = try RawConnection(port: gateway.port)
        try peer.signIn("ci", robot)
        for frame in frames { peer.send(frame) }
        _ = try peer.receive()
        _ = try eventually("\(name) to be under way") {
          try cluster.direct(
            "postgres",
            "SELECT 1 FROM pg_stat_activity WHERE datname = '\(database)' AND usename = 'app' AND backend_xid IS NOT NULL "
              + "OR datname = '\(database)' AND query LIKE 'COPY%' AND state = 'active'") == "1" ? true : nil
        }
        peer.vanish()
        // Its locks live as long as it does. Waiting for a TLS farewell took 5 s here.
        _ = try eventually("the backend's session to end after \(name)", within: 4) {
          try cluster.direct(
            "postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname = '\(database)' AND usename = 'app'")
            == "0"
            ? true : nil
        }
      }
      #expect(try cluster.direct(database, "SELECT count(*) FROM kept") == "0")
      let records = try eventually("the sessions' ends in the trail") {
        let records = try gateway.records()
        return records.filter { $0.event == "session_closed" }.count == endings.count ? records : nil
      }
      // Whatever ran has an ending in the trail.
      for record in records where record.action == "permit" && record.stage == "execute" {
        #expect(
          records.contains {
            $0.event == "finished" && $0.session == record.session && $0.command == record.command
          }, "no outcome of \(record.text ?? "")")
      }
      #expect(try psql(gateway.dsn("ana", try gateway.token("ana")), "SELECT 'served';").output == "served\n")
    }
  }
}
