import Foundation
import Glibc
import Testing

/// The gateway is killed under load, and what ran is in the trail (DESIGN §1, the first promise).
@Suite("End to end: kill", .serialized)
struct EndToEndKillTests {
  /// Ten times in `make test`; `make soak` says 200.
  private static let kills = Int(ProcessInfo.processInfo.environment["SALLYPORT_KILLS"] ?? "") ?? 10

  @Test("kill -9 at random instants under pgbench: every statement that ran has its record, and the trail is sound")
  func killedUnderLoad() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("killed")
    try cluster.direct(
      database,
      """
      CREATE TABLE numbered (turn integer, n bigint); CREATE TABLE counted (turn integer);
      GRANT ALL ON numbered, counted TO app
      """)
    // A trail of its own for each ten, so that what is read does not grow with the square.
    for first in stride(from: 0, to: Self.kills, by: 10) {
      let turns = first..<min(first + 10, Self.kills)
      // Texts as they are: one number in some thousands looks like that of a card.
      let gateway = try GatewayProcess(
        try TestConfiguration.open(database).replacing("threads: 2 }", with: "threads: 2, audit: { record: raw } }"))
      let token = try gateway.token("ana", expires: "1h")
      for turn in turns {
        try load(gateway, gateway.dsn("ana", token), cluster, database, turn)
        try gateway.restart()
      }
      try compare(gateway, cluster, database, turns)
      #expect(try psql(gateway.dsn("ana", token), "SELECT 1;").status == 0)
      try gateway.stop()
      try gateway.checkTraces()
    }
  }

  /// Statements whose text has a number of its own, by simple Query, and prepared ones, whose runs are counted.
  private func load(
    _ gateway: GatewayProcess, _ dsn: String, _ cluster: TestCluster, _ database: String, _ turn: Int
  ) throws {
    let scripts = [
      ("simple", "\\set n random(1, 9000000000000000000)\nINSERT INTO numbered VALUES (\(turn), :n);\n"),
      ("prepared", "INSERT INTO counted VALUES (\(turn));\n"),
    ]
    let clients = try scripts.map { mode, script in
      let file = TestRun.newPath(mode)
      try script.write(toFile: file, atomically: false, encoding: .utf8)
      return try ChildProcess(
        try TestRun.postgres("pgbench"), ["-n", "-M", mode, "-c", "4", "-T", "60", "-f", file, dsn])
    }
    _ = try eventually("rows of turn \(turn)", within: 30) {
      let sql =
        "SELECT (SELECT count(*) FROM numbered WHERE turn = \(turn)) > 0 AND (SELECT count(*) FROM counted WHERE turn = \(turn)) > 0"
      return try cluster.direct(database, sql) == "t" ? true : nil
    }
    usleep(UInt32.random(in: 0...120_000))
    try gateway.killNow()
    for client in clients { _ = try client.wait() }
    // What had been sent may still be running.
    _ = try eventually("the backend's sessions to end") {
      try cluster.direct(
        "postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname = '\(database)'") == "0" ? true : nil
    }
    let verified = try gateway.command("audit", "verify")
    #expect(verified.status == 0, "turn \(turn): \(verified.output)\(verified.errors)")
  }

  private func compare(
    _ gateway: GatewayProcess, _ cluster: TestCluster, _ database: String, _ turns: Range<Int>
  ) throws {
    let permits = try gateway.records().filter {
      $0.event == "decided" && $0.action == "permit" && $0.stage == "execute"
    }
    let texts = permits.compactMap(\.text)
    let permitted = Set(texts)
    let range = "turn BETWEEN \(turns.lowerBound) AND \(turns.upperBound - 1)"
    let rows = try cluster.direct(
      database, "SELECT format('INSERT INTO numbered VALUES (%s, %s)', turn, n) FROM numbered WHERE \(range)"
    ).split(separator: "\n").map(String.init)
    #expect(rows.count >= turns.count)
    let missing = rows.filter { !permitted.contains($0) && !permitted.contains($0 + ";") }
    #expect(missing.isEmpty, "\(missing.count) of \(rows.count) rows have no record: \(missing.prefix(5))")
    for turn in turns {
      let ran = try cluster.direct(database, "SELECT count(*) FROM counted WHERE turn = \(turn)")
      let recorded = texts.count { $0.hasPrefix("INSERT INTO counted VALUES (\(turn))") }
      #expect(Int(ran).map { $0 > 0 && $0 <= recorded } == true, "turn \(turn): \(ran) rows, \(recorded) records")
    }
  }
}
