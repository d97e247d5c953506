import Foundation
import Testing

/// The demo's rules: masks and denials, as clients meet them.
@Suite("End to end: masks and denials", .serialized)
struct EndToEndRuleTests {
  /// A gateway with the demo's configuration before a fresh copy of its database.
  private func withDemo(_ body: (GatewayProcess, String) throws -> Void) throws {
    let database = try TestCluster.shared().createDatabase("rules", withShop: true)
    try withGateway(try TestConfiguration.demo(database)) { try body($0, database) }
  }

  /// The first three people, unmasked: email and number.
  private func canaries(_ database: String) throws -> [String] {
    try TestCluster.shared()
      .direct(database, "SELECT unnest(ARRAY[ssn, email]) FROM customers").split(separator: "\n").map(String.init)
  }

  // Seen in a relay: plans lost at ReadyForQuery, at the second fetch, with binary results.
  @Test("masked columns stay masked by alias, star, binary format, prepared statement, cursor, RETURNING and COPY")
  func masked() throws {
    try withDemo { gateway, database in
      let token = try gateway.token("ana")
      let dsn = gateway.dsn("ana", token)
      let plain = try psql(dsn, "SELECT id, name, city FROM customers ORDER BY id LIMIT 1;")
      #expect(plain.output == "1|Alice Almeida|Lisbon\n", "\(plain.errors)")
      let script = """
        SELECT ssn AS x FROM customers ORDER BY id LIMIT 3;
        SELECT * FROM customers ORDER BY id LIMIT 3;
        TABLE customers;
        SELECT c.email, c.ssn AS "name" FROM customers AS c(id, name, email, ssn) LIMIT 3;
        BEGIN; DECLARE one CURSOR FOR SELECT ssn, email FROM customers; FETCH 3 FROM one; FETCH ALL FROM one; COMMIT;
        UPDATE customers SET city = 'Rome' WHERE id = 1 RETURNING *;
        UPDATE customers SET city = 'Lisbon' WHERE id = 1 RETURNING ssn AS number, lower(email);
        COPY customers TO STDOUT;
        COPY (SELECT ssn FROM customers) TO STDOUT;
        SELECT row(c.*) FROM customers c LIMIT 3;
        SELECT c FROM customers c LIMIT 3;
        SELECT upper(email), ssn || '' FROM customers LIMIT 3;
        PREPARE p AS SELECT ssn, email FROM customers LIMIT 3; EXECUTE p; EXECUTE p;
        SELECT to_json(c) FROM customers c LIMIT 3;
        SELECT string_agg(ssn, ',') FROM customers;
        WITH a AS (SELECT ssn AS b FROM customers) SELECT b FROM a;
        SELECT (SELECT ssn FROM customers LIMIT 1);
        SELECT ssn FROM customers UNION ALL SELECT email FROM customers;

        """
      let all = try psql(dsn, script)
      for canary in try canaries(database) {
        #expect(!all.output.contains(canary) && !all.errors.contains(canary), "\(canary) came through")
      }
      // The last four are shown, so that the masks did not simply refuse everything.
      let shown = try psql(dsn, "SELECT ssn AS x FROM customers ORDER BY id LIMIT 1;").output
      let last = try TestCluster.shared().direct(database, "SELECT right(ssn, 4) FROM customers WHERE id = 1")
      #expect(shown.hasSuffix(last + "\n") && shown.count == 12, "\(shown)")
      let people = gateway.dsn("dora", try gateway.token("dora"))
      #expect(
        try canaries(database).contains(
          psql(people, "SELECT ssn FROM customers WHERE id = 1;").output.trimmingCharacters(in: .newlines)))
    }
  }

  @Test("drivers: binary results, a statement prepared once and run often, server-side cursors, pipelines")
  func maskedDrivers() throws {
    try withDemo { gateway, database in
      let seen = try python(
        gateway.dsn("ana", try gateway.token("ana")),
        """
        with connect() as connection:
            for binary in (False, True):
                cursor = connection.cursor(binary=binary)
                for turn in range(12):
                    text = "SELECT ssn AS x, email FROM customers WHERE id <= %s"
                    for row in cursor.execute(text, [3], prepare=True):
                        print(*row)
                    expect(cursor.rowcount == 3, cursor.rowcount)
            with connection.transaction():
                named = connection.cursor("named")
                named.itersize = 7
                for row in named.execute("SELECT ssn, email FROM customers"):
                    print(*row)
            with connection.pipeline():
                text = "SELECT %s::int, ssn, email FROM customers WHERE id = %s"
                cursors = [connection.execute(text, [i, i]) for i in range(1, 21)]
            for i, cursor in enumerate(cursors, 1):
                row = cursor.fetchone()
                expect(row[0] in (i, 0), row)
                print(*row)
        """)
      #expect(seen.split(separator: "\n").count == 2 * 12 * 3 + 204 + 20)
      for canary in try canaries(database) { #expect(!seen.contains(canary), "\(canary) came through") }
    }
  }

  // Seen in a relay: a denial as FATAL, or by disconnecting. Octelium: denied, then hang; denied logged as allowed.
  @Test(
    "a denied DELETE is 42501 with the rule's name; connection, transaction and pipeline go on as PostgreSQL's would")
  func denied() throws {
    try withDemo { gateway, database in
      try python(
        gateway.dsn("ana", try gateway.token("ana")),
        """
        with connect() as connection:
            for run in (lambda: connection.execute("DELETE FROM orders"),
                        lambda: connection.execute("DELETE FROM orders WHERE id > %s OR true", [0]),
                        lambda: connection.execute("DELETE FROM orders", prepare=True),
                        lambda: connection.execute("UPDATE orders SET status = 'paid'", binary=True)):
                error = refused("42501", run)
                expect("no-unbounded-delete" in str(error), error)
                detail = error.diag.message_detail or ""
                expect("n UPDATE or DELETE needs a WHERE" in detail, detail)
                expect(connection.info.transaction_status.name == "IDLE", connection.info.transaction_status)
                expect(connection.execute("SELECT 1").fetchone() == (1,), "the connection does not go on")

            connection.execute("BEGIN")
            connection.execute("UPDATE orders SET status = 'open' WHERE id = 1")
            refused("42501", lambda: connection.execute("DELETE FROM orders"))
            expect(connection.info.transaction_status.name == "INERROR", connection.info.transaction_status)
            refused("25P02", lambda: connection.execute("SELECT 1"))
            connection.execute("ROLLBACK")

            connection.execute("BEGIN")
            connection.execute("UPDATE products SET price_cents = 1 WHERE id = 1")
            connection.execute("SAVEPOINT here")
            refused("42501", lambda: connection.execute("DELETE FROM orders"))
            connection.execute("ROLLBACK TO SAVEPOINT here")
            expect(connection.execute("SELECT price_cents FROM products WHERE id = 1").fetchone() == (1,), "savepoint")
            connection.execute("COMMIT")

            # libpq's own pipeline: what comes behind the denied one is skipped up to the Sync, and no further.
            raw = connection.pgconn
            raw.enter_pipeline_mode()
            for text in (b"SELECT 11", b"DELETE FROM orders", b"SELECT 12"):
                raw.send_query_params(text, None)
            raw.pipeline_sync()
            raw.send_query_params(b"SELECT 13", None)
            raw.pipeline_sync()
            seen = []
            while len([s for s in seen if s == "SYNC"]) < 2:
                while raw.is_busy():
                    raw.consume_input()
                result = raw.get_result()
                if result is None:
                    continue
                name = psycopg.pq.ExecStatus(result.status).name
                if name == "PIPELINE_SYNC":
                    seen.append("SYNC")
                elif name == "TUPLES_OK":
                    seen.append(result.get_value(0, 0).decode())
                elif name == "FATAL_ERROR":
                    seen.append(result.error_field(psycopg.pq.DiagnosticField.SQLSTATE).decode())
                else:
                    seen.append(name)
            expect(seen == ["11", "42501", "PIPELINE_ABORTED", "SYNC", "13", "SYNC"], seen)
            raw.exit_pipeline_mode()
            expect(connection.execute("SELECT 1").fetchone() == (1,), "the connection does not go on")
        """)
      #expect(try TestCluster.shared().direct(database, "SELECT count(*) FROM orders") == "600")
      #expect(try TestCluster.shared().direct(database, "SELECT price_cents FROM products WHERE id = 1") == "1")
      let records = try gateway.records()
      let deletes = records.filter { $0.event == "decided" && $0.text?.contains("DELETE FROM orders") == true }
      #expect(!deletes.isEmpty && deletes.allSatisfy { $0.action == "deny" && $0.rule == "no-unbounded-delete" })
    }
  }

  // Evasions of fixtures/sql, run against a database that would obey them.
  @Test("no disguise of a DELETE without WHERE removes a row")
  func evasions() throws {
    let evasions = [
      "DELETE FROM victim", "delete/**/from victim", "DELETE FROM victim -- WHERE id = 1",
      "DELETE FROM victim /* WHERE id = 1 */", "DELETE FROM victim WHERE true", "DELETE FROM victim WHERE 1 = 1",
      "DELETE FROM victim WHERE id = id", "DELETE FROM victim WHERE id = 1 OR 1 < 2",
      "DELETE FROM victim WHERE now() > '2000-01-01'",
      "WITH gone AS (DELETE FROM victim RETURNING *) SELECT count(*) FROM gone",
      "EXPLAIN ANALYZE DELETE FROM victim", "EXPLAIN (ANALYZE, COSTS off) DELETE FROM victim",
      "PREPARE harmless AS DELETE FROM victim", "PREPARE harmless AS DELETE FROM victim; EXECUTE harmless",
      "EXECUTE harmless",
      "DO $$ BEGIN DELETE FROM victim; END $$", "SELECT 1; DELETE FROM victim", "BEGIN;;;DELETE FROM victim;COMMIT",
      "SELECT '\\'; DELETE FROM victim; -- '", "SELECT $a$ $b$ $a$; DELETE FROM victim; -- $b$",
      "COPY (DELETE FROM victim RETURNING *) TO STDOUT",
      "SELECT query_to_xml('delete from victim returning 1', true, false, '')",
      "SELECT purge()", "SELECT ('x'::text).purge", "TRUNCATE orders, victim CASCADE", "DROP TABLE victim",
      "CALL purge_all()", "SELECT 1 OPERATOR(public.+!) 2",
      "MERGE INTO victim USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
      "UPDATE victim SET id = 0 - id", "INSERT INTO victim VALUES (1) ON CONFLICT (id) DO UPDATE SET id = purge()",
      "SET standard_conforming_strings = off", "SET ROLE postgres",
      "SELECT set_config('standard_conforming_' || 'strings', 'off', false)",
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'delete from victim returning 1'",
      "CREATE RULE r AS ON INSERT TO orders DO ALSO DELETE FROM victim",
      "SELECT * FROM victim; DELETE FROM victim WHERE true",
    ]
    try withDemo { gateway, database in
      let cluster = try TestCluster.shared()
      try cluster.direct(
        database,
        """
        CREATE TABLE victim (id int PRIMARY KEY); INSERT INTO victim SELECT generate_series(1, 100);
        CREATE FUNCTION purge() RETURNS int LANGUAGE sql AS 'DELETE FROM victim RETURNING 1';
        CREATE FUNCTION purge(text) RETURNS int LANGUAGE sql AS 'DELETE FROM victim RETURNING 1';
        CREATE FUNCTION purge(int, int) RETURNS int LANGUAGE sql AS 'DELETE FROM victim RETURNING 1';
        CREATE PROCEDURE purge_all() LANGUAGE sql AS 'DELETE FROM victim';
        CREATE OPERATOR public.+! (FUNCTION = purge, LEFTARG = int, RIGHTARG = int);
        ALTER TABLE victim OWNER TO shop_app; GRANT CREATE ON SCHEMA public TO shop_app;
        """)
      let token = try gateway.token("ana")
      let file = "\(gateway.folder)/evasions"
      try evasions.joined(separator: "\u{1}").write(toFile: file, atomically: false, encoding: .utf8)
      let output = try python(
        gateway.dsn("ana", token),
        """
        evasions = open(sys.argv[2]).read().split("\\x01")
        def attempts(text):
            yield "simple", lambda c: c.execute(text)
            yield "extended", lambda c: c.execute(text, binary=True)
            yield "in a transaction", lambda c: (c.execute("BEGIN"), c.execute(text), c.execute("COMMIT"))
        for text in evasions:
            for way, attempt in attempts(text):
                with connect(options="-c statement_timeout=5s") as connection:
                    # What is held instead of denied is given up.
                    def give_up(notice, connection=connection):
                        if "waiting for approval" in notice.message_primary:
                            threading.Thread(target=connection.cancel).start()
                    connection.add_notice_handler(give_up)
                    try:
                        attempt(connection)
                        print("RAN", way, text)
                    except psycopg.Error as error:
                        if error.sqlstate is None:
                            print("BROKEN", way, text, error)
        """, [file])
      #expect(try cluster.direct(database, "SELECT count(*), sum(id) FROM victim") == "100|5050", "\(output)")
      #expect(!output.contains("BROKEN"), "\(output)")
    }
  }
}
