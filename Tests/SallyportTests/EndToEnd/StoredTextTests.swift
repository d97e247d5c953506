import Foundation
import Testing

/// What is kept of the texts of statements, where their constants may be values of masked columns.
@Suite("End to end: stored texts", .serialized)
struct EndToEndStoredTextTests {
  private static let rules = """

    rules:
      - name: pii
        when: { users: [ana, bo] }
        then: { mask: { columns: ["public.people.ssn"], with: redact, predicates: allow } }
      - { name: reviewed, when: { effect: define }, then: { approve: { by: [dba], wait: 0, expires: 10m } } }
    roles: { approver: [dba], auditor: [dba], admin: [dba] }

    """

  /// Every way in which a value of the masked column can stand in a text; `§` is where.
  private static let places = [
    "SELECT name FROM people WHERE ssn = '§'", "SELECT name FROM people WHERE ssn IN ('x', '§')",
    "SELECT name FROM people p WHERE p.ssn LIKE '§%'", "SELECT name FROM people WHERE E'§' = ssn",
    "SELECT name FROM people WHERE ssn = $$§$$", "SELECT name FROM people WHERE ssn = $a$§$a$ AND id = 4",
    "SELECT name FROM people WHERE ssn BETWEEN '§' AND 'z'", "SELECT name FROM people WHERE lower(ssn) = '§'",
    "SELECT name FROM people WHERE id = 1 /* § */ AND ssn = 'x'", "SELECT name FROM people WHERE ssn = 'x' -- §",
    "SELECT ssn = '§' FROM people", "SELECT CASE ssn WHEN '§' THEN 1 END FROM people",
    "SELECT replace(ssn, '§', '') FROM people",
    "SELECT count(*) FILTER (WHERE ssn = '§') FROM people", "SELECT name FROM people ORDER BY ssn = '§'",
    "SELECT id FROM people GROUP BY id, ssn HAVING ssn = '§'",
    "SELECT 1 FROM others o JOIN people p ON p.ssn = o.note || '§'",
    "WITH a AS (SELECT * FROM people) SELECT id FROM a WHERE ssn = '§'", "SELECT id FROM renamed WHERE secret = '§'",
    "INSERT INTO people VALUES (10, 'Kim', '§')", "INSERT INTO people (id, ssn) SELECT 11, '§'",
    "INSERT INTO people (id, ssn) VALUES (12, 'x'), (13, '§') RETURNING id", "UPDATE people SET ssn = '§' WHERE id = 1",
    "UPDATE people SET name = 'x' WHERE ssn = '§'", "DELETE FROM people WHERE ssn = '§'",
    "PREPARE p AS SELECT 1 FROM people WHERE ssn = '§'",
    "PREPARE q AS SELECT id FROM people WHERE ssn = $1; ", "EXECUTE q('§')",
    "EXPLAIN SELECT 1 FROM people WHERE ssn = '§'",
    "BEGIN; DECLARE c CURSOR FOR SELECT id FROM people WHERE ssn = '§'; COMMIT",
    "COPY (SELECT id FROM people WHERE ssn = '§') TO STDOUT",
    "SELECT 1; SELECT name FROM people WHERE ssn = '§'", "SELECT name FROM people WHERE ssn = '§",
    "SELECT name FRM people WHERE ssn = '§'",
    "DO $$ BEGIN PERFORM 1 FROM people WHERE ssn = '§'; END $$", "SELECT looked_up('§')", "CALL people_proc('§')",
    "ALTER TABLE people ALTER ssn SET DEFAULT '§'", "CREATE TABLE copied AS SELECT * FROM people WHERE ssn = '§'",
    "CREATE VIEW seen AS SELECT id FROM people WHERE ssn = '§'",
    "MERGE INTO people p USING (SELECT '§' AS s) x ON p.ssn = x.s WHEN MATCHED THEN DO NOTHING",
    "SELECT * FROM people WHERE (id, ssn) = (1, '§')", "SELECT name FROM people WHERE ssn = U&'§'",
  ]

  /// What says nothing of the masked column stays as it is.
  private static let readable = [
    "SELECT name FROM people WHERE name = 'plain-1'", "SELECT * FROM people WHERE id = 7001",
    "SELECT note FROM others WHERE note = 'plain-2'",
    "UPDATE people SET name = 'plain-3' WHERE id = 7002", "INSERT INTO others VALUES (1, 'plain-4')",
    "SELECT upper('plain-5')",
    "SELECT ssn FROM people WHERE name = 'plain-6' LIMIT 7", "SET application_name = 'plain-7'",
    "DELETE FROM others WHERE note = 'plain-8'",
  ]

  @Test("no value that may belong to a masked column is found in anything that is stored; others are readable")
  func canaries() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("texts")
    try cluster.direct(
      database,
      """
      SET ROLE app; CREATE TABLE people (id int, name text, ssn text); CREATE TABLE others (id int, note text);
      INSERT INTO people VALUES (1, 'Al', 'v1'); CREATE VIEW renamed AS SELECT id, ssn AS secret FROM people;
      CREATE FUNCTION looked_up(text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
      CREATE PROCEDURE people_proc(text) LANGUAGE plpgsql AS $$ BEGIN END $$;
      """)
    let configuration = try TestConfiguration.open(database)
      .replacing("threads: 2 }", with: "threads: 2, recording: { rows: masked } }")
    try withGateway(configuration + EndToEndStoredTextTests.rules) { gateway in
      let script = EndToEndStoredTextTests.places.enumerated()
        .map { $1.replacingOccurrences(of: "§", with: "canary\($0)c") }
      let file = "\(gateway.folder)/statements"
      try (script + EndToEndStoredTextTests.readable).joined(separator: "\u{1}")
        .write(toFile: file, atomically: false, encoding: .utf8)
      try python(
        gateway.dsn("ana", try gateway.token("ana")),
        """
        for binary in (False, True):
            connection = connect()
            for text in open(sys.argv[2]).read().split("\\x01"):
                try:
                    if text.startswith("COPY"):
                        with connection.cursor().copy(text) as copy:
                            for _ in copy:
                                pass
                    else:
                        connection.execute(text, binary=binary)
                except psycopg.Error as error:
                    expect(error.sqlstate, (text, error))
                if connection.info.transaction_status.name != "IDLE":
                    connection.execute("ROLLBACK")
            connection.close()
        """, [file])
      try compare(try stored(gateway))
      try gateway.stop()
      try search(gateway)
    }
  }

  /// One `decided` record.
  private struct Stored: Decodable {
    var event: String
    var text: String?
    var hidden: Int?
    var proof: String?

    enum CodingKeys: String, CodingKey {
      case event, text
      case hidden = "hidden_values"
      case proof = "text_hmac"
    }
  }

  private func stored(_ gateway: GatewayProcess) throws -> [Stored] {
    let end = try gateway.command("audit", "tail", "--json", "-n", "100000", within: 60)
    let decoder = JSONDecoder()
    var records: [Stored] = []
    for line in end.output.split(separator: "\n") {
      let record = try decoder.decode(Stored.self, from: Data(line.utf8))
      if record.event == "decided" { records.append(record) }
    }
    return records
  }

  private func compare(_ records: [Stored]) throws {
    for text in EndToEndStoredTextTests.readable {
      let isKept = records.contains { $0.text == text && $0.hidden == nil }
      #expect(isKept, "hidden: \(text)")
    }
    let first = records.filter { $0.text == "SELECT name FROM people WHERE ssn = ?" }
    // Texts that look the same now are told apart; each was sent twice.
    let proofs = Dictionary(grouping: first, by: { $0.proof ?? "" })
    #expect(proofs.count >= 2 && proofs.allSatisfy { $0.key.count == 64 && $0.value.count >= 2 })
    #expect(first.allSatisfy { $0.hidden == 1 })
  }

  /// Everything below the data folder, and the log.
  private func search(_ gateway: GatewayProcess) throws {
    #expect(!gateway.log.contains("canary"), "in the log")
    let files = FileManager.default.enumerator(atPath: gateway.data)
    var seen = 0
    while let file = files?.nextObject() as? String {
      guard let bytes = FileManager.default.contents(atPath: "\(gateway.data)/\(file)") else { continue }
      seen += 1
      if let place = bytes.range(of: Data("canary".utf8)) {
        let around = bytes[max(0, place.lowerBound - 80)..<min(bytes.count, place.upperBound + 20)]
        Issue.record("in \(file): \(String(decoding: around, as: UTF8.self))")
      }
    }
    #expect(seen >= 4)
  }

  @Test("Ctrl-C in the very moment in which a request is stored takes it back")
  func givenUpAtOnce() throws {
    let database = try TestCluster.shared().createDatabase("given_up")
    let rules = """

      rules:
        - { name: reviewed, when: { effect: define }, then: { approve: { by: [dba], wait: 1m, expires: 10m } } }
      roles: { approver: [dba], auditor: [dba], admin: [dba] }

      """
    try withGateway(try TestConfiguration.open(database) + rules) { gateway in
      try python(
        gateway.dsn("ana", try gateway.token("ana")),
        """
        connection = connect()
        for turn in range(25):
            done = threading.Event()
            def cancel():
                while not done.is_set():
                    connection.cancel()
            thread = threading.Thread(target=cancel)
            thread.start()
            refused("57014", lambda: connection.execute(f"CREATE TABLE t{turn} (a int)"))
            done.set()
            thread.join()
        """)
      let dora = try gateway.token("dora")
      _ = try eventually("requests to be taken back") {
        let list = try gateway.command("approvals", "list", "--json", as: dora)
        return list.status == 0 && !list.output.contains("CREATE TABLE") ? true : nil
      }
    }
  }
}
