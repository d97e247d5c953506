import Foundation
import Testing

/// Rules that are tried out: on record as if they were in force, and nobody notices.
@Suite("End to end: rules in shadow")
struct EndToEndShadowTests {
  @Test("deny, mask and detect in shadow change no byte and are named in the trail; a reload puts them in force")
  func shadow() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("shadow")
    try cluster.direct(
      database,
      """
      CREATE TABLE people (id int PRIMARY KEY, ssn text, note text, doc jsonb);
      INSERT INTO people VALUES (1, '123-45-6789', 'ana@example.com', '{"card": "4111 1111 1111 1111"}'),
        (2, 'none', 'nothing', '{}');
      GRANT ALL ON people TO app
      """)
    let rules = """

      rules:
        - { name: no-updates, mode: shadow, when: { sql: { statement: [update] } }, then: deny }
        - { name: pii, mode: shadow, then: { mask: { columns: [people.ssn], with: redact } } }
        - { name: contents, mode: shadow, then: { mask: { detect: [email, credit-card], with: redact } } }

      """
    try withGateway(try TestConfiguration.open(database) + rules) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      let direct = "host=127.0.0.1 port=\(cluster.port) dbname=\(database) user=app password=\(cluster.password("app"))"
      try python(
        dsn,
        """
        queries = ["SELECT ssn FROM people ORDER BY id", "SELECT id, note, doc FROM people ORDER BY id",
                   "SELECT id FROM people WHERE ssn = 'none'", "SELECT note || repeat('x', 2000000) FROM people ORDER BY id",
                   "SELECT 'bob@example.org', 7"]
        def all(dsn):
            found = []
            with psycopg.connect(dsn, autocommit=True) as connection:
                for query in queries:
                    for binary in (False, True):
                        found.append(connection.cursor(binary=binary).execute(query).fetchall())
                found.append(connection.execute("SELECT id FROM people WHERE id = %s", (1,), prepare=True).fetchall())
                found.append(psycopg.ClientCursor(connection).execute("SELECT note FROM people; SELECT ssn FROM people").fetchall())
                with connection.cursor().copy("COPY people TO STDOUT") as copy:
                    found.append(b"".join(bytes(part) for part in copy))
                found.append(connection.execute("UPDATE people SET id = id").rowcount)
            return found
        expect(all(dsn) == all(sys.argv[2]), "something differs")
        """, [direct])
      let records = try gateway.records()
      func decided(_ text: String) throws -> AuditLine {
        try #require(
          records.last { $0.event == "decided" && $0.stage == "execute" && $0.text?.hasPrefix(text) == true })
      }
      /// What the ends of all runs of a text say.
      func found(_ text: String) -> [[String]] {
        let ids = records.filter { $0.event == "decided" && $0.stage == "execute" && $0.text?.hasPrefix(text) == true }
        return ids.compactMap { run in
          records.first { $0.event == "finished" && $0.session == run.session && $0.command == run.command }
        }.map { $0.wouldMask ?? [] }
      }
      #expect(try decided("SELECT ssn").shadow == ["pii"] && decided("UPDATE").shadow == ["no-updates"])
      #expect(try decided("SELECT id FROM people WHERE ssn").shadow == ["pii"])
      #expect(try decided("SELECT id, note").shadow == nil && decided("SELECT ssn").action == "permit")
      #expect(found("SELECT id, note") == [["note", "doc"], ["note", "doc"]])
      #expect(found("SELECT ssn FROM people ORDER") == [[], []])
      // A row of 2 MB is not looked at, and passes.
      #expect(found("SELECT note || repeat") == [[], []])
      // The trail itself does not have the address.
      #expect(found("SELECT '[email]'") == [["?column?"], ["?column?"]])
      #expect(found("SELECT note FROM people; SELECT") == [["note"]])
      #expect(found("COPY people") == [["*"]])
      #expect(records.allSatisfy { $0.masked == nil })
      let lines = try gateway.command("audit", "tail", "-n", "1000").output
      #expect(lines.contains("shadow=no-updates") && lines.contains("would-mask=note,doc"), "\(lines)")
      let events = try gateway.command("audit", "export", "--format", "ocsf").output.split(separator: "\n")
      #expect(try ocsfFaults(events.map(String.init)) == "")
      #expect(events.contains { $0.contains("\"would_mask\":[\"note\",\"doc\"]") })

      let file = "\(gateway.folder)/sallyport.yaml"
      let text = try String(contentsOfFile: file, encoding: .utf8).replacing(" mode: shadow,", with: "")
      try text.write(toFile: file, atomically: true, encoding: .utf8)
      #expect(try gateway.command("reload").status == 0)
      let hidden = try psql(dsn, "SELECT ssn, note FROM people WHERE id = 1; UPDATE people SET id = 1;")
      #expect(hidden.output == "****|****\n" || hidden.errors.contains("no-updates"), "\(hidden)")
      #expect(try gateway.records().last { $0.event == "decided" }?.shadow == nil)
    }
  }
}
