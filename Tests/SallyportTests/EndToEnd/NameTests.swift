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
}
