import Foundation
import Glibc
import Testing

/// The clock on the wall is set while the gateway runs, by libfaketime; the monotonic one goes on as it does.
@Suite("End to end: clocks that jump", .serialized)
struct EndToEndClockTests {
  private static func library() throws -> String {
    let folders = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib")) ?? []
    let known = folders.map { "/usr/lib/\($0)/faketime/libfaketime.so.1" }
    guard let found = known.first(where: FileManager.default.fileExists) else {
      throw TestFailure("libfaketime is not there; `make deps` installs it (Debian package faketime)")
    }
    return found
  }

  @Test(
    "set back and forth by hours and days: nothing is lost, sessions go on, and what is out of time by either clock is")
  func jumps() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("clocks")
    try cluster.direct(
      database, "CREATE TABLE t (id int); INSERT INTO t SELECT g FROM generate_series(1, 9) g; GRANT ALL ON t TO app")
    let clock = TestRun.newPath("clock")
    func set(_ offset: String) throws { try "\(offset)\n".write(toFile: clock, atomically: true, encoding: .utf8) }
    try set("+0")
    let configuration = """
      gateway: { name: test, listen: { postgres: "127.0.0.1:0", console: "127.0.0.1:0" }, threads: 2, limits: { idle: 10m } }
      users: { ana: { groups: [engineering] }, dora: { groups: [dba] } }
      roles: { approver: [dba] }
      connections:
        shop:
          protocol: postgres
          address: 127.0.0.1:\(cluster.port)
          database: \(database)
          credentials: [{ user: app, password: { file: \(cluster.passwordFile("app")) } }]
      access: [{ groups: [engineering], connections: [shop], allow: { postgres: all } }]
      rules:
        - name: review
          when: { sql: { statement: [delete] } }
          then: { approve: { by: [dba], wait: 0, expires: 2h, valid_for: 1h } }
      """
    let environment = [
      "LD_PRELOAD": try Self.library(), "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1",
      "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
    ]
    // The library adds to the environment of the first program that it is in, after which Swift finds no arguments; so
    // that is `env`, and the gateway the second.
    try withGateway(configuration, environment: environment, by: "/usr/bin/env") { gateway in
      defer { for kind in ["sem.faketime_sem", "faketime_shm"] { unlink("/dev/shm/\(kind)_\(gateway.pid)") } }
      let (ana, dora) = (try gateway.token("ana", expires: "24h"), try gateway.token("dora", expires: "90d"))
      let dsn = gateway.dsn("ana", ana)
      func delete(_ id: Int) throws -> String { try psql(dsn, "DELETE FROM t WHERE id = \(id);").errors }
      func approve(_ id: Int) throws {
        let end = try gateway.command("approvals", "approve", "\(id)", as: dora)
        #expect(end.status == 0, "\(end.errors)")
      }
      let marks = TestRun.newPath("marks")
      let client = try startPython(
        dsn,
        """
        import os
        with connect() as connection:
            for turn in range(4):
                wait_for("the mark", lambda: os.path.exists(sys.argv[2] + str(turn)), 60)
                connection.execute(f"SELECT {turn} AS turn")
                print("turn", turn, flush=True)
        """, [marks])
      func go(_ turn: Int) throws {
        try Data().write(to: URL(fileURLWithPath: "\(marks)\(turn)"))
        _ = try eventually("turn \(turn)") { client.output.contains("turn \(turn)") ? true : nil }
      }
      #expect(try delete(1).contains("request 1") && delete(2).contains("request 2"))
      try approve(1)
      try go(0)

      // Two hours back: how long the approval has been valid cannot be told, so it is not.
      try set("-2h")
      try go(1)
      #expect(try delete(1).contains("request 3"))
      #expect(try gateway.command("audit", "seal").status == 0)

      // Three days on: tokens and requests are out of time, whoever is there stays.
      try set("+3d")
      try go(2)
      #expect(try psql(dsn, "SELECT 1;").status == 2)
      #expect(try gateway.command("approvals", "approve", "2", as: dora).errors.contains("does not wait for anybody"))
      #expect(try gateway.command("audit", "seal").status == 0)

      // And right again. The trail does not go back with it.
      try set("+0")
      try go(3)
      #expect(try client.wait(within: 10).status == 0, "\(client.errors)")
      #expect(try psql(dsn, "SELECT 'again';").output == "again\n")
      #expect(try delete(4).contains("request 4"))
      try approve(4)
      #expect(try delete(4).isEmpty)
      #expect(try gateway.command("audit", "seal").status == 0)
      #expect(try ask(gateway, "/readyz").contains("ok"))
      let records = try gateway.records()
      #expect((0..<4).allSatisfy { turn in records.contains { $0.text == "SELECT \(turn) AS turn" } })
      let days = Set(
        try gateway.command("audit", "tail", "-n", "1000").output.split(separator: "\n").map { $0.prefix(10) })
      #expect(days.count > 1, "the clock did not jump: \(days)")
      #expect(try cluster.direct(database, "SELECT count(*) FROM t") == "8")
    }
  }

  private func ask(_ gateway: GatewayProcess, _ path: String) throws -> String {
    try python(
      "", "import urllib.request\nprint(urllib.request.urlopen('http://' + sys.argv[2]).read().decode())",
      ["\(gateway.console)\(path)"])
  }
}
