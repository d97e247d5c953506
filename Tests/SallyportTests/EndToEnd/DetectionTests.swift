import Foundation
import Testing

/// Rules that detect, before a real PostgreSQL: psql, psycopg in text and binary, COPY, errors.
@Suite("End to end: masks by content")
struct EndToEndContentMaskTests {
  private static let schema = """
    CREATE TABLE notes (id int PRIMARY KEY, body text, doc jsonb, tags text[], raw bytea, amount numeric, card bigint, CONSTRAINT short CHECK (length(body) < 90));
    INSERT INTO notes VALUES
      (1, 'card 4111 1111 1111 1111 of ana@example.com', '{"card": 4111111111111111, "mail": "ana@example.com", "n": 7}',
        '{ana@example.com,plain}', 'key AKIAABCDEFGHIJKLMNOP', 12.5, 4111111111111111),
      (2, 'nothing of it, order no. 4111111111111111', '{"n": 4111}', '{a,b}', '\\xff00', 99, 4111);
    GRANT ALL ON notes TO app;
    """

  @Test("What looks like it is hidden on every way, and the rest is as it was", .timeLimit(.minutes(1)))
  func ways() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("contents")
    try cluster.direct(database, Self.schema)
    let rules = """

      detectors:
        - { name: badge, pattern: '\\bEMP-\\d{5}\\b' }
      rules:
        - { name: contents, then: { mask: { detect: [credit-card, email, secrets, badge], with: redact } } }

      """
    try withGateway(try TestConfiguration.open(database) + rules) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      try python(
        dsn,
        """
        direct = psycopg.connect(sys.argv[2], autocommit=True)
        connection = connect()
        query = "SELECT id, body, doc, tags, raw, amount, card FROM notes ORDER BY id"
        wanted = [
            (1, "card **** of ****", {"card": 0, "mail": "****", "n": 7}, ["****", "plain"], b"key ****", 12.5, 0),
            (2, "nothing of it, order no. 4111111111111111", {"n": 4111}, ["a", "b"], b"\\xff\\x00", 99, 4111)]
        for binary in (False, True):
            for prepare in (False, True):
                found = connection.cursor(binary=binary).execute(query, prepare=prepare).fetchall()
                expect(found == wanted, f"binary={binary}: {found}")
        for option in ("", "(FORMAT csv)", "(FORMAT binary)"):
            with connection.cursor().copy(f"COPY (SELECT body, tags::text FROM notes ORDER BY id) TO STDOUT {option}") as copy:
                data = b"".join(bytes(part) for part in copy)
            expect(b"card **** of ****" in data and b"@" not in data and b"order no. 4111111111111111" in data, f"{option} {data}")
        try:
            connection.execute("INSERT INTO notes VALUES (3, 'for bob@example.org ' || repeat('x', 99))")
            expect(False, "inserted")
        except psycopg.Error as error:
            expect("bob@" not in str(error) and error.sqlstate == "23514", str(error))
        notices = []
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        connection.execute("DO $$ BEGIN RAISE NOTICE 'badge EMP-12345'; END $$")
        expect(notices == ["badge ****"], str(notices))
        # What somebody notifies, in a session that is not looked at.
        connection.execute("LISTEN alerts")
        direct.execute("SELECT pg_notify('alerts', 'card 4111 1111 1111 1111 of EMP-12345'), pg_notify('alerts', 'plain')")
        told = [(n.channel, n.payload) for n in connection.notifies(timeout=10, stop_after=2)]
        expect(told == [("alerts", "card **** of ****"), ("alerts", "plain")], str(told))
        expect(connection.execute("SELECT 'EMP-54321 ' || repeat('y', 100000)").fetchone()[0].startswith("**** yyy"), "expression")
        """,
        ["host=127.0.0.1 port=\(cluster.port) dbname=\(database) user=app password=\(cluster.password("app"))"])
      let masked = Set(try gateway.records().compactMap(\.masked).flatMap { $0 })
      #expect(masked.isSuperset(of: ["body", "doc", "tags", "raw", "card"]) && !masked.contains("amount"), "\(masked)")
    }
  }
}
