import Foundation
import Testing

/// Doors that are more than a statement of one session: recordings, foreign servers, dumps.
@Suite("End to end: masks behind other doors", .serialized)
struct EndToEndMaskDoorTests {
  @Test("with results recorded, no file of the gateway's holds a masked value after all tries of the corpus")
  func recorded() throws {
    let database = try MaskDatabase.create()
    let configuration = try database.configuration()
      .replacingOccurrences(of: "{ name: test, ", with: "{ name: test, recording: { rows: masked }, ")
    try withGateway(configuration) { gateway in
      let tries = try String(contentsOfFile: "\(TestRun.root())/fixtures/sql/mask-evasions.sql", encoding: .utf8)
      let seen = try psql(
        gateway.dsn("ana", try gateway.token("ana")), tries + "\nSELECT note FROM people_notes WHERE id = 3;\n",
        within: 120)
      #expect(seen.output.contains("note 3"))
      var recordings = ""
      for name in try FileManager.default.contentsOfDirectory(atPath: "\(gateway.data)/recordings") {
        let bytes = try #require(FileManager.default.contents(atPath: "\(gateway.data)/recordings/\(name)"))
        recordings += String(decoding: bytes, as: UTF8.self)
      }
      #expect(recordings.contains("note 3"), "results are not recorded, so this would see nothing")
      #expect(database.leaks(in: recordings) == [])
      for canary in database.canaries {
        #expect(EndToEndBindTests.files(in: gateway.data, holding: canary) == [])
      }
    }
  }

  @Test("a foreign table's column is masked as any other, by views, rows and COPY; its other columns are not")
  func foreign() throws {
    let cluster = try TestCluster.shared()
    let database = try MaskDatabase.create()
    try cluster.direct(
      database.name,
      """
      SET client_min_messages = warning;
      CREATE EXTENSION postgres_fdw;
      CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw
        OPTIONS (host '127.0.0.1', port '\(cluster.port)', dbname '\(database.name)');
      CREATE USER MAPPING FOR app SERVER here OPTIONS (user 'app', password '\(cluster.password("app"))');
      GRANT USAGE ON FOREIGN SERVER here TO app;
      SET ROLE app;
      CREATE FOREIGN TABLE elsewhere (id int, name text, email text)
        SERVER here OPTIONS (schema_name 'public', table_name 'people');
      CREATE VIEW elsewhere_view AS SELECT id, email AS e FROM elsewhere;
      """)
    let tries = [
      "TABLE elsewhere", "SELECT email FROM elsewhere", "SELECT reverse(email) FROM elsewhere",
      "SELECT elsewhere FROM elsewhere", "SELECT row_to_json(x) FROM elsewhere x", "SELECT e FROM elsewhere_view",
      "SELECT max(email) FROM elsewhere GROUP BY id", "COPY elsewhere TO STDOUT", "COPY elsewhere (email) TO STDOUT",
      "COPY (SELECT e FROM elsewhere_view) TO STDOUT (FORMAT csv)",
      "EXPLAIN (ANALYZE, VERBOSE) SELECT e || 'x' FROM elsewhere_view",
      "SELECT email::int FROM elsewhere",
      "SELECT l.email FROM people_notes n JOIN LATERAL (TABLE elsewhere) l USING (id)",
    ]
    try withGateway(try database.configuration()) { gateway in
      let ana = gateway.dsn("ana", try gateway.token("ana"))
      #expect(!database.leaks(in: try cluster.direct(database.name, "SET ROLE app; \(tries[0])")).isEmpty)
      for text in tries {
        let seen = try psql(ana, "\(text);")
        #expect(!(seen.output + seen.errors).isEmpty, "\(text)")
        #expect(database.leaks(in: seen.output + seen.errors) == [], "\(text)\n\(seen.output)\(seen.errors)")
      }
      #expect(
        try psql(ana, "SELECT name FROM elsewhere WHERE id = 1; SELECT count(*) FROM elsewhere;").output == "Kim\n5\n")
    }
  }

  @Test("pg_dump of tables without masks is that of a direct run; of all there is it shows no masked value")
  func dump() throws {
    let cluster = try TestCluster.shared()
    let database = try MaskDatabase.create()
    let program = try TestRun.postgres("pg_dump")
    func dump(_ dsn: String, _ arguments: [String] = []) throws -> ProcessEnd {
      try ChildProcess.run(program, ["-d", dsn] + arguments, within: 60)
    }
    let direct =
      "host=127.0.0.1 port=\(cluster.port) user=app password=\(cluster.password("app")) dbname=\(database.name)"
    try withGateway(try database.configuration()) { gateway in
      let ana = gateway.dsn("ana", try gateway.token("ana"))
      // Each dump has a random word of its own in \restrict.
      func lines(_ dump: ProcessEnd) -> [Substring] {
        dump.output.split(separator: "\n").filter { !$0.contains("restrict ") }
      }
      for tables in [["-t", "people_notes"], ["-t", "people_notes", "--inserts"]] {
        let ours = try dump(ana, tables)
        let theirs = try dump(direct, tables)
        #expect(theirs.status == 0 && theirs.output.contains("note 4"))
        #expect(ours.status == 0 && lines(ours) == lines(theirs), "\(tables)\n\(ours.errors)")
      }
      #expect(!database.leaks(in: try dump(direct).output).isEmpty)
      let all = try dump(ana)
      #expect(database.leaks(in: all.output + all.errors) == [])
    }
  }
}
