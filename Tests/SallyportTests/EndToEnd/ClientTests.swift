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
    return "host=127.0.0.1 port=\(cluster.port) user=app password=\(cluster.password("app")) dbname=\(database) sslmode=disable"
  }

  @Test("libpq and psycopg get the same bytes", arguments: ["plain", "TLS", "token"])
  func drivers(_ way: String) throws {
    let database = try TestCluster.shared().createDatabase("compare")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      let user = way == "token" ? "ci" : "ana"
      let dsn = gateway.dsn(
        user, try gateway.token(user), options: way == "TLS" ? "sslmode=require" : "sslmode=disable")
      try compare(
        try TestRun.python(), ["\(TestRun.root())/Tests/clients/compare.py", try direct(database), dsn], atLeast: 60)
    }
  }

  @Test("psql prints the same bytes")
  func psqlPrintsTheSame() throws {
    let database = try TestCluster.shared().createDatabase("psql")
    try withGateway(try TestConfiguration.open(database)) { gateway in
      try compare(
        "\(TestRun.root())/Tests/clients/psql-compare.sh",
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
}
