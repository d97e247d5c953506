import AccessModel
import Testing

@testable import SQLAnalysis

/// A catalogue with columns: customers (id, name, ssn, email), orders (id, customer_id, note).
struct LineageShop {
  var shop = NamedShop()
  let customers: UInt32
  let orders: UInt32

  init() {
    customers = shop.relation("public", "customers")
    orders = shop.relation("public", "orders")
    shop.columns(customers, "id", "name", "ssn", "email")
    shop.columns(orders, "id", "customer_id", "note")
    shop.contents.uniqueColumns[customers] = [1, 4]
    shop.routine("public", "mystery", .unknown)
    shop.routine("public", "find_ssn", .sql("SELECT ssn FROM public.customers WHERE id = $1"))
  }

  func lineage(_ text: String, _ change: (inout NameContext.Scope) -> Void = { _ in }) -> StatementLineage {
    let analysis = SQLAnalyzer.analyze(text, names: shop.context(change))
    #expect(analysis.detail.misunderstood == nil, "\(text)")
    return analysis.detail.statements.last?.lineage ?? .unknown
  }

  /// `ssn=` for a copy, `ssn~` for what is computed of it, one entry for each output; columns of other tables with
  /// their table's name.
  func outputs(_ text: String) -> String {
    guard let outputs = lineage(text).outputs else { return "unknown" }
    return outputs.map { output in
      output.columns.isEmpty ? "-" : short(output.columns) + (output.isCopy ? "=" : "~")
    }.joined(separator: " ")
  }

  func short(_ columns: ColumnSet) -> String {
    let more = columns.extent == .listed ? [] : [columns.extent == .footprint ? "?" : "*"]
    let names = columns.columns.sorted().map {
      $0.path[1] == "customers" ? $0.path[2] : $0.path.dropFirst().joined(separator: ".")
    }
    return (names + more).joined(separator: ",")
  }
}

extension NamedShop {
  mutating func columns(_ oid: UInt32, _ names: String...) {
    contents.columns[oid] = names.enumerated().map { CatalogSnapshot.Column(Int16($0.offset + 1), $0.element) }
  }
}

@Suite("Lineage")
struct LineageTests {
  private let shop = LineageShop()

  /// Text, and where each column of its result comes from.
  static let resultTable: [(String, String)] = [
    ("SELECT ssn, name AS ssn, id FROM customers", "ssn= name= id="),
    ("SELECT * FROM customers", "id= name= ssn= email="),
    // WITH RECURSIVE sees what is written later, before any table.
    ("WITH RECURSIVE a AS (SELECT * FROM orders), orders AS (SELECT ssn, 1 FROM customers) SELECT * FROM a", "ssn= -"),
    ("WITH RECURSIVE a AS (SELECT * FROM b), b AS (SELECT note FROM orders) SELECT * FROM a", "orders.note="),
    ("WITH a AS (SELECT note FROM orders), orders AS (SELECT ssn FROM customers) SELECT * FROM a", "orders.note="),
    ("SELECT c.*, 1 FROM customers c", "id= name= ssn= email= -"),
    ("SELECT b FROM customers AS c(a, b)", "name="),
    ("SELECT c FROM customers c", "email,id,name,ssn~"),
    (
      "SELECT row_to_json(c), c::text, to_json(customers) FROM customers c, customers",
      "email,id,name,ssn~ email,id,name,ssn~ email,id,name,ssn~"
    ),
    ("SELECT (c).ssn, (c).name FROM customers c", "ssn~ name~"),
    ("SELECT (c).* FROM customers c", "id= name= ssn= email="),
    ("SELECT upper(name) || 'x', left(ssn, 2), ssn::bytea FROM customers", "name~ ssn~ ssn~"),
    (
      "SELECT coalesce(name, ssn), CASE id WHEN 1 THEN name ELSE ssn END, greatest(id, 2) FROM customers",
      "name,ssn~ id,name,ssn~ id~"
    ),
    ("SELECT count(*), count(ssn), max(name), array_agg(id) FROM customers", "- ssn~ name~ id~"),
    ("SELECT string_agg(name, ',' ORDER BY ssn) FROM customers", "name,ssn~"),
    ("SELECT count(*) FILTER (WHERE ssn > '5'), row_number() OVER (ORDER BY name) FROM customers", "ssn~ name~"),
    ("SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ssn) FROM customers", "ssn~"),
    ("SELECT x FROM (SELECT ssn AS x, name FROM customers) s", "ssn="),
    ("SELECT s.y FROM (SELECT ssn, name FROM customers) s(x, y)", "name="),
    (
      "SELECT (SELECT ssn FROM customers LIMIT 1), (SELECT name FROM customers c WHERE c.id = o.id) FROM orders o",
      "ssn= name="
    ),
    ("SELECT ARRAY(SELECT ssn FROM customers), EXISTS (SELECT ssn FROM customers)", "ssn~ -"),
    ("SELECT id IN (SELECT ssn::int FROM customers) FROM orders", "ssn,orders.id~"),
    ("WITH a AS (SELECT ssn AS b, id FROM customers) SELECT b, a.id FROM a", "ssn= id="),
    ("WITH a(x) AS MATERIALIZED (SELECT ssn FROM customers), b AS (SELECT x FROM a) SELECT * FROM b", "ssn="),
    (
      "WITH RECURSIVE r(a, b) AS (SELECT ssn, name FROM customers UNION ALL SELECT b, a FROM r) SELECT a, b FROM r",
      "name,ssn~ name,ssn~"
    ),
    ("WITH gone AS (DELETE FROM customers WHERE id = 1 RETURNING *) SELECT ssn, id FROM gone", "ssn= id="),
    ("SELECT ssn FROM customers UNION ALL SELECT note FROM orders", "ssn,orders.note="),
    ("SELECT name, 'x' FROM customers EXCEPT SELECT note, ssn FROM orders, customers", "name,orders.note= ssn~"),
    ("VALUES (1, (SELECT ssn FROM customers)), (2, 'x')", "- ssn~"),
    ("SELECT column2 FROM (VALUES (1, (SELECT ssn FROM customers))) v", "ssn~"),
    ("SELECT id, ssn, note FROM customers JOIN orders USING (id)", "id,orders.id= ssn= orders.note="),
    (
      "SELECT * FROM customers NATURAL JOIN orders",
      "id,orders.id= name= ssn= email= orders.customer_id= orders.note="
    ),
    ("SELECT j.ssn, j.note FROM (customers JOIN orders USING (id)) AS j", "ssn= orders.note="),
    ("SELECT x FROM customers c, LATERAL (SELECT c.ssn AS x) l", "ssn="),
    ("SELECT g, n FROM customers, generate_series(1, 3) g, unnest(ARRAY[name]) n", "- name~"),
    ("SELECT * FROM customers, json_each(to_json(ssn)) j", "unknown"),
    ("SELECT value FROM customers, json_each(to_json(ssn)) j", "ssn~"),
    ("SELECT note FROM orders o WHERE EXISTS (SELECT 1 FROM customers c WHERE c.id = o.id)", "orders.note="),
    ("INSERT INTO orders (note) VALUES ('x') RETURNING note, id", "orders.note= orders.id="),
    ("UPDATE customers SET name = 'x' WHERE id = 1 RETURNING *", "id= name= ssn= email="),
    ("DELETE FROM orders o USING customers c WHERE c.id = o.id RETURNING o.note, c.ssn", "orders.note= ssn="),
    ("SELECT ctid, tableoid FROM customers", "- -"),
    ("SELECT mystery(1), find_ssn(id) FROM orders", "*~ id,ssn,orders.id~"),
    ("SELECT query_to_xml('select 1', true, true, '')", "*~"),
    ("SELECT xmlelement(name a, ssn), json_build_object('a', name), ROW(ssn, 1) FROM customers", "ssn~ name~ ssn~"),
    ("SELECT absent FROM customers", "email,id,name,ssn,?~"),
    ("EXPLAIN SELECT ssn FROM customers", "-"),
    ("EXPLAIN (ANALYZE, VERBOSE) SELECT ssn FROM customers", "ssn~"),
    ("SHOW work_mem", ""),
  ]

  @Test("each column of a result has its sources", arguments: resultTable)
  func outputs(_ text: String, _ expected: String) {
    #expect(shop.outputs(text) == expected)
  }

  /// Text, and what it tells something of without showing it.
  static let predicateTable: [(String, String)] = [
    ("SELECT ssn FROM customers", ""),
    ("SELECT id FROM customers WHERE ssn LIKE '1%'", "ssn"),
    ("SELECT id FROM customers WHERE name = 'x' AND id IN (1, 2)", "id,name"),
    ("SELECT id FROM customers ORDER BY ssn", "ssn"),
    ("SELECT name, ssn FROM customers ORDER BY 2", "ssn"),
    ("SELECT ssn AS name FROM customers ORDER BY name", "ssn"),
    ("SELECT name AS ssn FROM customers GROUP BY ssn", "ssn"),
    ("SELECT ssn AS n FROM customers GROUP BY n", "ssn"),
    ("SELECT count(*) FROM customers GROUP BY GROUPING SETS ((name), ROLLUP (ssn))", "name,ssn"),
    ("SELECT count(*) FROM customers HAVING max(ssn) > '5'", "ssn"),
    ("SELECT DISTINCT ssn FROM customers", "ssn"),
    ("SELECT DISTINCT ON (name) ssn FROM customers", "name"),
    ("SELECT 1 FROM customers c JOIN orders o ON c.ssn = o.note", "ssn,orders.note"),
    ("SELECT 1 FROM customers a NATURAL JOIN customers b", "email,id,name,ssn"),
    ("SELECT id FROM customers UNION SELECT 1", "id"),
    ("SELECT ssn FROM customers UNION ALL SELECT 'x'", ""),
    ("SELECT ssn FROM customers INTERSECT ALL SELECT 'x'", "ssn"),
    ("SELECT rank() OVER (PARTITION BY name ORDER BY ssn) FROM customers", "name,ssn"),
    ("SELECT rank() OVER w FROM customers WINDOW w AS (ORDER BY ssn)", "ssn"),
    ("SELECT CASE WHEN ssn > '5' THEN 1 END FROM customers", "ssn"),
    ("SELECT ssn = '5', ssn IS NULL, ssn || 'x', name IN ('a') FROM customers", "name,ssn"),
    ("SELECT coalesce(ssn, ''), ssn::text || 'x', upper(ssn), substr(ssn, 1, 3), to_jsonb(c) FROM customers c", ""),
    ("SELECT date_part('year', ssn), string_agg(ssn, ','), count(ssn), ARRAY[ssn] FROM customers", ""),
    ("SELECT ssn::int, name FROM customers", "ssn"),
    ("SELECT 1 / id, substr(name, 1, id) FROM customers", "id"),
    ("SELECT to_date(ssn, 'YYYY'), sqrt(length(name)), ssn::text[] FROM customers", "name,ssn"),
    ("SELECT xmlparse(document ssn), xmlelement(name x, name) FROM customers", "ssn"),
    ("SELECT 1 FROM orders WHERE id IN (SELECT id FROM customers)", "id,orders.id"),
    ("SELECT 1 FROM orders LIMIT (SELECT length(ssn) FROM customers LIMIT 1)", "ssn"),
    ("SELECT 1 FROM generate_series(1, (SELECT ssn::int FROM customers))", "ssn"),
    ("SELECT generate_series(1, ssn::int) FROM customers", "ssn"),
    ("SELECT pg_sleep(ssn::int) FROM customers", "ssn"),
    ("SELECT 1 FROM mystery(1) m WHERE m > '5'", "*"),
    ("SELECT find_ssn(3)", "id"),
    ("SELECT * FROM find_ssn(3)", "id"),
    ("SELECT * FROM customers, find_ssn(ssn::int)", "id,ssn"),
    ("DELETE FROM customers WHERE ssn = 'x'", "ssn"),
    ("UPDATE customers SET name = 'x' WHERE id = 1", "id"),
    ("UPDATE customers SET email = 'x'", "email"),
    ("INSERT INTO customers (name) VALUES ('x')", ""),
    ("INSERT INTO customers (name, email) VALUES ('x', 'y')", "email"),
    ("INSERT INTO orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET note = excluded.note", "orders.id"),
    ("INSERT INTO customers (name) VALUES ('x') ON CONFLICT DO NOTHING", "email,id"),
    (
      "MERGE INTO orders o USING customers c ON o.note = c.ssn WHEN MATCHED AND c.name = 'x' THEN DELETE",
      "name,ssn,orders.note"
    ),
    ("DECLARE c CURSOR FOR SELECT id FROM customers WHERE ssn = 'x'", "ssn"),
    ("PREPARE p AS SELECT id FROM customers WHERE ssn = $1", "ssn"),
    ("EXPLAIN SELECT id FROM customers WHERE ssn = 'x'", "ssn"),
    ("COPY (SELECT id FROM customers WHERE ssn = 'x') TO STDOUT", "ssn"),
    ("DO 'BEGIN END'", "*"),
  ]

  @Test("what decides which rows there are, and in which order", arguments: predicateTable)
  func predicates(_ text: String, _ expected: String) {
    let lineage = shop.lineage(text)
    #expect(shop.short(lineage.predicates.union(lineage.tests)) == expected)
  }

  /// Condition, and what it compares with how many constants; what else it asks.
  static let testTable: [(String, String, Int, String)] = [
    ("ssn = 'x'", "ssn", 1, ""), ("'x' = ssn AND id > 3", "ssn", 1, "id"), ("ssn IN ('a', $1, 'c')", "ssn", 3, ""),
    ("ssn = 'a' OR (ssn = 'b' AND name = 'c')", "name,ssn", 3, ""), ("ssn IS NOT NULL", "ssn", 0, ""),
    ("ssn = ANY (ARRAY['a', 'b'])", "ssn", 2, ""), ("ssn = 'x'::text", "ssn", 1, ""), ("c.ssn = -5", "ssn", 1, ""),
    ("ssn = ANY ($1)", "", 0, "ssn"), ("ssn = ANY ('{a,b}'::text[])", "", 0, "ssn"), ("ssn <> 'x'", "", 0, "ssn"),
    ("NOT ssn = 'x'", "", 0, "ssn"), ("ssn NOT IN ('a')", "", 0, "ssn"), ("upper(ssn) = 'x'", "", 0, "ssn"),
    ("ssn::text = 'x'", "", 0, "ssn"), ("ssn = name", "", 0, "name,ssn"), ("ssn = (SELECT 'x')", "", 0, "ssn"),
    ("ssn IN (SELECT note FROM orders)", "", 0, "ssn,orders.note"), ("(id, ssn) = (1, 'x')", "", 0, "id,ssn"),
    ("ssn LIKE 'x'", "", 0, "ssn"), ("(ssn = 'x') IS TRUE", "", 0, "ssn"), ("ssn BETWEEN 'a' AND 'b'", "", 0, "ssn"),
    ("CASE WHEN ssn = 'x' THEN true END", "", 0, "ssn"), ("ssn OPERATOR(public.=) 'x'", "", 0, "ssn"),
  ]

  @Test("comparisons of stored columns with constants, for equality", arguments: testTable)
  func tests(_ condition: String, _ tested: String, _ constants: Int, _ others: String) {
    for text in [
      "SELECT id FROM customers c WHERE \(condition)", "DELETE FROM customers c WHERE \(condition)",
      "UPDATE customers c SET name = 'x' WHERE \(condition)",
    ] {
      let lineage = shop.lineage(text)
      #expect(shop.short(lineage.tests) == tested && lineage.testedConstants == constants, "\(text)")
      #expect(shop.short(lineage.predicates) == others, "\(text)")
    }
  }

  @Test("what is computed, joined or asked by a function of the user's is no test of a column")
  func noTests() {
    for text in [
      "SELECT 1 FROM (SELECT substr(ssn, 1, 1) AS a FROM customers) s WHERE a = 'x'",
      "SELECT 1 FROM customers c JOIN orders o ON c.ssn = 'x'", "SELECT 1 FROM customers HAVING max(ssn) = 'x'",
      "SELECT ssn = 'x' FROM customers",
    ] {
      #expect(shop.lineage(text).tests.isEmpty && shop.short(shop.lineage(text).predicates) == "ssn", "\(text)")
    }
    #expect(shop.lineage("SELECT find_ssn(3)").tests.isEmpty)
  }

  @Test("a foreign key tells whether the value is there")
  func foreignKeys() {
    var shop = shop
    shop.shop.contents.references[shop.orders] = [
      3: [CatalogSnapshot.ColumnNumber(relation: shop.customers, attribute: 3)]
    ]
    #expect(shop.short(shop.lineage("INSERT INTO orders (id, note) VALUES (1, 'x')").predicates) == "ssn")
    #expect(shop.short(shop.lineage("UPDATE orders SET note = 'x'").predicates) == "ssn")
    #expect(shop.short(shop.lineage("COPY orders FROM STDIN").predicates) == "ssn")
    #expect(shop.short(shop.lineage("INSERT INTO orders (id) VALUES (1)").predicates) == "")
  }

  @Test("what a declared function may return")
  func declared() {
    let entries = [
      FunctionCatalog.Entry(name: NamePattern("public.mystery").unsafelyUnwrapped, effects: .read, reads: .none),
      FunctionCatalog.Entry(
        name: NamePattern("public.mystery").unsafelyUnwrapped, effects: .read,
        reads: ColumnSet([StoredColumn(["public", "customers", "id"])])),
    ]
    for (count, expected) in [(1, "name"), (2, "id,name")] {
      let analysis = SQLAnalyzer.analyze(
        "SELECT mystery(name) FROM customers", functions: FunctionCatalog(Array(entries.prefix(count))),
        names: shop.shop.context { _ in })
      let lineage = analysis.detail.statements[0].lineage
      #expect(lineage.outputs.map { shop.short($0[0].columns) } == expected)
      #expect(shop.short(lineage.predicates) == "name" && lineage.copies.isEmpty)
    }
  }

  /// Text, and what it takes elsewhere.
  static let copyTable: [(String, String)] = [
    ("CREATE TABLE t AS SELECT ssn FROM customers", "ssn"),
    ("SELECT name INTO TEMP t FROM customers", "name"),
    ("INSERT INTO orders (note, id) SELECT ssn, id FROM customers", "id,ssn"),
    ("INSERT INTO customers (ssn, name) SELECT ssn, ssn FROM customers", "ssn"),
    ("INSERT INTO customers (ssn) SELECT ssn FROM customers", ""),
    ("UPDATE customers SET name = ssn", "ssn"),
    ("UPDATE customers SET ssn = ssn || 'x', name = 'y'", ""),
    ("UPDATE orders o SET note = c.ssn FROM customers c WHERE c.id = o.id", "ssn"),
    ("UPDATE orders SET (note, id) = (SELECT ssn, id FROM customers LIMIT 1)", "id,ssn"),
    ("MERGE INTO orders o USING customers c ON o.id = c.id WHEN MATCHED THEN UPDATE SET note = c.ssn", "ssn"),
    (
      "MERGE INTO orders o USING customers c ON o.id = c.id WHEN NOT MATCHED THEN INSERT (note) VALUES (c.ssn)",
      "ssn"
    ),
    ("INSERT INTO customers (id, ssn) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn", ""),
    ("INSERT INTO customers (id, ssn) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = customers.ssn", "ssn"),
    ("SELECT set_config('a.b', ssn, false) FROM customers", "ssn"),
    ("SELECT pg_notify('a', name) FROM customers", "name"),
    ("SELECT mystery(ssn) FROM customers", "ssn"),
    ("SELECT lo_from_bytea(0, ssn::bytea) FROM customers", "ssn"),
    ("WITH x AS (INSERT INTO orders (note) SELECT ssn FROM customers) SELECT 1", "ssn"),
    ("SELECT ssn FROM customers", ""),
  ]

  @Test("what is stored, told or handed to code", arguments: copyTable)
  func copies(_ text: String, _ expected: String) {
    #expect(shop.short(shop.lineage(text).copies) == expected)
  }

  @Test("COPY, definitions and temporary tables")
  func others() {
    #expect(shop.short(shop.lineage("COPY customers TO STDOUT").result) == "email,id,name,ssn")
    #expect(shop.short(shop.lineage("COPY customers (id, name) TO STDOUT").result) == "id,name")
    #expect(shop.short(shop.lineage("CREATE VIEW v AS SELECT id FROM customers").touched) == "id")
    #expect(shop.short(shop.lineage("CREATE INDEX ON customers (id)").touched) == "email,id,name,ssn")
    #expect(shop.short(shop.lineage("CREATE TABLE fresh (ssn text)").touched) == "")
    #expect(shop.short(shop.lineage("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'").touched) == "*")
    let own = shop.lineage("SELECT a, upper(b) FROM scratch WHERE c = 1") { $0.own.temporaries = .all }
    #expect(own.outputs?.map { shop.short($0.columns) } == ["scratch.a", "scratch.b"])
    #expect(shop.short(own.predicates) == "scratch.c")
    #expect(shop.short(shop.lineage("SELECT a FROM scratch WHERE a = 1").predicates) == "*")
    let made = shop.lineage("CREATE TEMP TABLE scratch (a int); SELECT a FROM scratch WHERE a = 1")
    #expect(shop.short(made.predicates.union(made.tests)) == "scratch.a")
  }

  @Test("chains of any length and depth end, and what is too deep is not known")
  func bounds() {
    let sum = "SELECT " + String(repeating: "ssn||", count: 500) + "name FROM customers"
    #expect(shop.outputs(sum) == "name,ssn~")
    let set = String(repeating: "SELECT ssn FROM customers UNION ALL ", count: 300) + "SELECT name FROM customers"
    #expect(shop.outputs(set) == "name,ssn=")
    let deep =
      String(repeating: "SELECT * FROM (", count: 60) + "SELECT ssn FROM customers"
      + String(
        repeating: ") s", count: 60)
    #expect(shop.lineage(deep) == .unknown)
  }
}
