import Foundation
import Testing

/// What names stand for is found out from a real catalogue, and followed as it and the session change.
@Suite("End to end: names", .serialized)
struct EndToEndNameTests {
  /// Engineers may read and write, but neither customers nor anything of schema audit, and call what is declared.
  private func withNames(_ body: (GatewayProcess, String) throws -> Void) throws {
    let database = try TestCluster.shared().createDatabase("names", withShop: true)
    try TestCluster.shared().direct(
      database,
      """
      CREATE SCHEMA audit; GRANT USAGE ON SCHEMA audit TO shop_app;
      CREATE TABLE audit.orders (id int); GRANT ALL ON audit.orders TO shop_app;
      CREATE VIEW public.people AS SELECT name FROM customers;
      CREATE VIEW public.both_views AS SELECT p.name, o.id FROM people p, orders o;
      CREATE VIEW public.exporter AS SELECT query_to_xml('select 1', true, false, '') AS x FROM products;
      CREATE FUNCTION public.reads_customers() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM customers';
      CREATE FUNCTION public.reads_products() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM products';
      CREATE FUNCTION public.calc_price(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
      CREATE FUNCTION public.mystery(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
      CREATE FUNCTION public.length(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
      CREATE FUNCTION audit.upper(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
      CREATE TABLE public.events (at date) PARTITION BY RANGE (at);
      CREATE TABLE public.events_old PARTITION OF events FOR VALUES FROM ('2000-01-01') TO ('2001-01-01');
      CREATE EXTENSION citext; CREATE EXTENSION hstore;
      GRANT SELECT ON ALL TABLES IN SCHEMA public TO shop_app;
      """)
    let configuration = try TestConfiguration.demo(database)
      .replacingOccurrences(
        of: "rules:\n",
        with: """
          functions: [{ name: "public.calc_*", effect: read }]
          rules:
            - name: no-customers
              when: { connections: [shop], sql: { tables: ["public.customers", "audit.*", "events"] } }
              unless: { groups: [dba] }
              then: deny

          """)
    let calls = configuration.replacingOccurrences(
      of: "postgres: [read, write] }", with: "postgres: [read, write, call] }")
    try withGateway(calls) { try body($0, database) }
  }

  private func isDenied(_ end: ProcessEnd) -> Bool { end.errors.contains("permission denied") }

  @Test("a view, a body in SQL, a partition and a path lead to what a rule names")
  func behindNames() throws {
    try withNames { gateway, _ in
      let ana = gateway.dsn("ana", try gateway.token("ana"))
      for text in [
        "SELECT * FROM people", "SELECT * FROM both_views LIMIT 1", "SELECT reads_customers()", "TABLE events_old",
        "SET search_path = audit; SELECT * FROM orders",
        "SELECT set_config('search_path', 'audit', false); TABLE orders",
        "BEGIN; SET LOCAL search_path = audit, public; TABLE orders; COMMIT",
        "PREPARE p AS SELECT count(*) FROM people; EXECUTE p",
      ] {
        // One statement after the other, as psql sends them.
        let end = try psql(ana, text.replacingOccurrences(of: ";", with: ";\n") + ";\n")
        #expect(isDenied(end), "\(text): \(end.output)\(end.errors)")
      }
      for text in [
        "SELECT count(*) FROM orders", "SELECT reads_products()",
        "SET search_path = public; SELECT count(*) FROM orders",
        "PREPARE p AS SELECT count(*) FROM orders; EXECUTE p", "BEGIN; SET LOCAL search_path = public; COMMIT",
        "CREATE TEMP TABLE scratch (a int); INSERT INTO scratch VALUES (1)",
      ] {
        let end = try psql(ana, text.replacingOccurrences(of: ";", with: ";\n") + ";\n")
        #expect(isDenied(end) == text.hasPrefix("CREATE"), "\(text): \(end.errors)")
      }
    }
  }

  @Test("users' functions are what they are, whatever they are called")
  func functions() throws {
    try withNames { gateway, database in
      let ana = gateway.dsn("ana", try gateway.token("ana"))
      func run(_ text: String) throws -> ProcessEnd { try psql(ana, text + ";\n") }
      #expect(try run("SELECT calc_price(7)").status == 0)
      #expect(try run("SELECT upper('a'), lower('B'), count(*) FROM orders").output.hasPrefix("A|b|"))
      #expect(try run("SELECT 'A'::citext = 'a', 'a=>1'::hstore -> 'a'").output == "t|1\n")
      for text in ["SELECT mystery(1)", "SELECT length(5)", "SELECT length('five')", "SELECT * FROM exporter"] {
        #expect(try isDenied(run(text)), "\(text)")
      }
      // It has not been there before; that a name is absent is believed for a fifth of a second.
      try TestCluster.shared().direct(
        database, "CREATE FUNCTION public.fresh() RETURNS int LANGUAGE sql AS 'SELECT 42'")
      _ = try eventually("the new function", within: 2) {
        try run("SELECT fresh()").output == "42\n" ? true : nil
      }
    }
  }

  @Test("definitions through the gateway count from then on, also for others")
  func definitions() throws {
    try withNames { gateway, _ in
      let (ana, dora) = (gateway.dsn("ana", try gateway.token("ana")), gateway.dsn("dora", try gateway.token("dora")))
      #expect(try psql(ana, "SELECT count(*) FROM orders;").status == 0)
      let made = try psql(
        dora,
        """
        BEGIN;
        CREATE VIEW seen AS SELECT name FROM customers;
        GRANT SELECT ON seen TO shop_app;
        SELECT count(*) FROM seen;
        COMMIT;

        """)
      #expect(made.status == 0, "\(made.errors)")
      #expect(try isDenied(psql(ana, "SELECT * FROM seen;")))
    }
  }

  @Test("a driver's pipelines and prepared statements live on with questions in between")
  func drivers() throws {
    try withNames { gateway, _ in
      let seen = try python(
        gateway.dsn("ana", try gateway.token("ana")),
        """
        with connect() as connection:
            connection.autocommit = True
            for turn in range(3):
                print(connection.execute("SELECT count(*) FROM orders WHERE id > %s", [0], prepare=True).fetchone()[0])
                connection.execute("SET search_path = public")
            with connection.pipeline():
                cursors = [connection.execute("SELECT count(*) FROM products WHERE id > %s", [0]) for n in range(5)]
                connection.execute("SET timezone = 'UTC'")
                last = connection.execute("SELECT count(*) FROM products")
            print([cursor.fetchone()[0] for cursor in cursors], last.fetchone()[0])
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                print(connection.execute("SELECT count(*) FROM products").fetchone()[0])
            connection.execute("SET search_path = audit, public")
            try:
                connection.execute("SELECT * FROM orders")
            except Exception as error:
                print("denied" if "no-customers" in str(error) else error)
        """)
      #expect(seen == "600\n600\n600\n[12, 12, 12, 12, 12] 12\n12\ndenied\n")
    }
  }

  /// Engineers may do everything but touch customers, or anything in the schema of the role `other`.
  private func withOwn(_ body: (GatewayProcess, _ dsn: String, _ other: String) throws -> Void) throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("own")
    let other = "clerk_\(UInt32.random(in: .min ... .max))"
    try cluster.direct(
      database,
      """
      ALTER DATABASE \(database) OWNER TO trusty;
      CREATE ROLE \(other); GRANT \(other) TO trusty; CREATE SCHEMA \(other) AUTHORIZATION \(other);
      SET ROLE trusty;
      CREATE TABLE customers (id int PRIMARY KEY, name text); INSERT INTO customers VALUES (1, 'Kim');
      CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1), (2);
      GRANT SELECT ON orders TO \(other); CREATE TABLE open_to_both (id int); GRANT ALL ON open_to_both TO \(other);
      SET ROLE \(other); CREATE TABLE \(other).orders (id int);
      """)
    let rules = """

      rules:
        - name: kept-out
          when: { sql: { tables: [public.customers, "\(other).*"] } }
          then: deny

      """
    // An account of its own, as others look at the roles of `app`.
    let configuration = try TestConfiguration.open(database)
      .replacingOccurrences(of: "user: app, password: { file: \(cluster.passwordFile("app")) }", with: "user: trusty")
    try withGateway(configuration + rules) { gateway in
      try body(gateway, gateway.dsn("ana", try gateway.token("ana")), other)
    }
  }

  @Test(
    "what a session makes is its own: temporary tables and migrations work beside rules, and open no way around them")
  func ownRelations() throws {
    try withOwn { _, dsn, _ in
      let works = try psql(
        dsn,
        """
        SET client_min_messages = warning;
        CREATE TEMP TABLE t (id int, note text);
        INSERT INTO t VALUES (1, 'mine');
        SELECT note, orders.id FROM t JOIN orders USING (id);
        BEGIN; CREATE TEMP TABLE gone (a int) ON COMMIT DROP; INSERT INTO gone VALUES (3); TABLE gone; COMMIT;
        BEGIN;
        CREATE TABLE fresh (id serial PRIMARY KEY, ref int REFERENCES orders);
        ALTER TABLE fresh ADD COLUMN v text;
        INSERT INTO fresh (ref, v) VALUES (1, 'v');
        SAVEPOINT s; CREATE INDEX i ON fresh (v); ROLLBACK TO s; CREATE INDEX i ON fresh (v);
        SELECT v, orders.id FROM fresh JOIN orders ON ref = orders.id;
        COMMIT;
        SELECT v FROM fresh;
        BEGIN; ALTER TABLE fresh RENAME TO older; CREATE TABLE fresh AS TABLE older; TABLE fresh; ROLLBACK;
        CREATE TEMP TABLE orders (id int, mine text);
        INSERT INTO orders VALUES (7, 'hides'); TABLE orders; SELECT count(*) FROM public.orders; DROP TABLE orders;
        SELECT count(*) FROM orders;
        DISCARD ALL;
        SELECT count(*) FROM orders;

        """)
      #expect(works.output == "mine|1\n3\nv|1\nv\n1|1|v\n7|hides\n2\n2\n2\n" && works.errors.isEmpty, "\(works)")
      for text in [
        "CREATE TEMP TABLE t (id int); SELECT name FROM t RIGHT JOIN customers USING (id)",
        "CREATE TEMP TABLE c AS TABLE customers",
        "CREATE TEMP TABLE customers (id int); SELECT * FROM public.customers",
        "CREATE TEMP TABLE customers (id int); DROP TABLE customers; TABLE customers",
        "BEGIN; CREATE TEMP TABLE customers (id int); ROLLBACK; TABLE customers",
        "BEGIN; CREATE VIEW v AS TABLE customers; TABLE v", "BEGIN; ALTER TABLE customers RENAME TO c; TABLE c",
        "BEGIN; DROP VIEW IF EXISTS x; TABLE customers", "CREATE TEMP TABLE t (id int); DO ''; TABLE customers",
      ] {
        let end = try psql(dsn, text.replacingOccurrences(of: ";", with: ";\n") + ";\n")
        #expect(
          end.errors.contains("permission denied by rule \"kept-out\"") && !end.output.contains("Kim"),
          "\(text): \(end)")
      }
    }
  }

  @Test("names follow the role, and SET inside a pipeline or a text with several statements")
  func rolesAndPipelines() throws {
    try withOwn { _, dsn, other in
      let seen = try python(
        dsn,
        """
        other = sys.argv[2]
        def tried(run):
            try:
                return run()
            except psycopg.Error as error:
                return "denied" if "kept-out" in str(error) else error
        with connect() as c:
            count = lambda text: tried(lambda: c.execute(text).fetchone()[0])
            print(count("SELECT count(*) FROM orders"))
            c.execute(f"SET ROLE {other}")
            print(count("SELECT count(*) FROM open_to_both"), count("SELECT count(*) FROM orders"))
            print(count("SELECT count(*) FROM public.orders"))
            c.execute("RESET ROLE")
            print(count("SELECT count(*) FROM orders"))
            def pipelined(path):
                with c.pipeline():
                    c.execute(f"SET search_path = {path}")
                    return c.execute("SELECT count(*) FROM orders").fetchone()[0]
            print(tried(lambda: pipelined("public")), tried(lambda: pipelined(f"{other}, public")))
            c.execute("RESET search_path")
            print(tried(lambda: c.pgconn.exec_(f"SET search_path = {other}; SELECT count(*) FROM orders".encode()).error_message))
            print(count("SELECT count(*) FROM orders"))
        """, [other])
      let lines = seen.split(separator: "\n").map(String.init)
      #expect(lines.prefix(5) == ["2", "0 denied", "2", "2", "2 denied"], "\(seen)")
      #expect(seen.contains("permission denied by rule \"kept-out\"") && lines.last == "2", "\(seen)")
    }
  }
}
