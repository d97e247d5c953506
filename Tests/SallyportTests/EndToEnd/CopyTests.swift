import Foundation
import Testing

/// COPY of masked columns is masked, in every form that PostgreSQL writes it in and reads again.
@Suite("End to end: masked COPY")
struct EndToEndCopyTests {
  private static let schema = """
    CREATE TABLE vault (id int PRIMARY KEY, secret text, label varchar(20), pin int, made date,
      twice int GENERATED ALWAYS AS (id * 2) STORED);
    INSERT INTO vault (id, secret, label, pin, made) VALUES
      (1, 'k' || repeat('a', 8) || '11', 'plain', 1987001, '1987-06-05'), (2, E'k,"q"\\t\\\\\\nzz', E'a\\tb', 1987002, NULL),
      (3, NULL, NULL, NULL, '1988-07-06'), (4, '', '', 1987004, '1989-08-07'), (5, 'kü€n', '\\N', 1987005, '1987-01-02'),
      (6, '\\N', 'x', 1987006, '1987-01-02'), (7, E'k''|;', '\\.', 1987007, '1987-01-02');
    INSERT INTO vault (id, secret, label, pin, made)
      SELECT i, 'k' || repeat(chr(97 + i % 26), i % 90), 'l' || i, 1987000 + i, '1990-01-01' FROM generate_series(8, 300) i;
    CREATE VIEW vault_view AS SELECT label, secret AS s, id FROM vault;
    GRANT SELECT ON vault, vault_view TO app;
    """

  @Test(
    "text, CSV with every option, binary; tables, lists of columns, queries and views; what PostgreSQL reads back is masked",
    .timeLimit(.minutes(1)))
  func forms() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("copies")
    try cluster.direct(database, Self.schema)
    let rules = """

      rules:
        - { name: ends, then: { mask: { columns: [vault.secret], with: { partial: { keep_last: 2 } } } } }
        - { name: pins, then: { mask: { columns: [vault.pin], with: redact } } }
        - { name: years, then: { mask: { columns: [vault.made], with: { bucket: { date: year } } } } }

      """
    try withGateway(try TestConfiguration.open(database) + rules) { gateway in
      let dsn = gateway.dsn("ana", try gateway.token("ana"))
      try python(
        dsn,
        """
        direct = psycopg.connect(sys.argv[2], autocommit=True)
        def ends(value):
            return value if value is None else "*" * len(value) if len(value) <= 2 else "*" * (len(value) - 2) + value[-2:]
        def masked(row):
            id, secret, label, pin, made = row
            return (id, ends(secret), label, None if pin is None else 0, None if made is None else made.replace(month=1, day=1))
        wanted = [masked(r) for r in direct.execute("SELECT id, secret, label, pin, made FROM vault ORDER BY id").fetchall()]
        direct.execute("CREATE TEMP TABLE back (id int, secret text, label varchar(20), pin int, made date)")
        options = ["", "(FORMAT text, DELIMITER '|', NULL 'nil')", "(FORMAT csv)", "(FORMAT csv, HEADER)", "CSV HEADER QUOTE ''''",
                   "(FORMAT csv, DELIMITER ';', QUOTE '!', ESCAPE '\\\\', NULL 'nix', FORCE_QUOTE *, HEADER true)",
                   "(FORMAT csv, FORCE_QUOTE (secret, id))", "(FORMAT binary)", "(FORMAT text, HEADER on)", "WITH BINARY",
                   "(FORMAT csv, ENCODING 'utf-8', HEADER 0)"]
        sources = ["vault", "vault (id, secret, label, pin, made)", "(SELECT id, secret, label, pin, made FROM vault ORDER BY id)"]
        connection = connect()
        for option in options:
            # Only these mean something to COPY FROM.
            reading = option.replace(", FORCE_QUOTE *", "").replace(", FORCE_QUOTE (secret, id)", "")
            for source in sources:
                data = []
                with connection.cursor().copy(f"COPY {source} TO STDOUT {option}") as copy:
                    for part in copy:
                        data.append(bytes(part))
                direct.execute("TRUNCATE back")
                with direct.cursor().copy(f"COPY back FROM STDIN {reading}") as copy:
                    for part in data:
                        copy.write(part)
                found = direct.execute("SELECT * FROM back ORDER BY id").fetchall()
                expect(found == wanted, f"{source} {option}: {[p for p in zip(found, wanted) if p[0] != p[1]][:3]} {len(found)}")
        # Of one column, in another order, computed, through a view; by the extended protocol too.
        with connection.cursor().copy("COPY (SELECT id, secret FROM vault WHERE id < %s ORDER BY id) TO STDOUT (FORMAT binary)", [3]) as copy:
            copy.set_types(["int4", "text"])
            expect(list(copy.rows()) == [w[:2] for w in wanted[:2]], "extended")
        def text(statement):
            with connection.cursor().copy(statement) as copy:
                return [tuple(row) for row in copy.rows()]
        expect(text("COPY (SELECT pin, upper(secret), label FROM vault WHERE id = 1) TO STDOUT") == [("0", None, "plain")], "computed")
        expect(text("COPY (SELECT s, id FROM vault_view WHERE id = 1) TO STDOUT") == [(wanted[0][1], "1")], "view")
        expect(text("COPY (SELECT count(*), max(id) FROM vault) TO STDOUT") == [("300", "300")], "counts")
        expect(text("COPY vault (label, id) TO STDOUT")[0] == ("plain", "1"), "what is not masked")
        for refused in ["COPY vault TO STDOUT (ENCODING 'sjis')", "COPY vault TO STDOUT (NULL 'ü')", "COPY vault (pin) TO STDOUT; COPY vault TO STDOUT"]:
            try:
                connection.execute(refused) if ";" in refused else text(refused)
                expect(False, refused)
            except psycopg.Error as error:
                expect(error.sqlstate == "42501" and "vault" in error.diag.message_detail, f"{refused}: {error}")
        connection.execute("SELECT 1")
        """,
        [
          "host=127.0.0.1 port=\(cluster.port) dbname=\(database) user=app password=\(cluster.password("app"))"
        ])
      let file = TestRun.newPath("copy.csv")
      _ = try psql(dsn, "\\copy vault (id, secret) to '\(file)' with (format csv, header, force_quote *)\n")
      let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
      #expect(lines.prefix(2) == ["id,secret", "\"1\",\"*********11\""])
      let ends = try gateway.records().filter { $0.text?.hasPrefix("COPY vault TO") == true }
      #expect(!ends.isEmpty)
    }
  }
}
