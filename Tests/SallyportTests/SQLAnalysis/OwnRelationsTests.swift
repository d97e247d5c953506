import AccessModel
import Testing

@testable import SQLAnalysis

@Suite("Relations of the session's own")
struct OwnRelationsTests {
  private let shop: NamedShop = {
    var shop = NamedShop()
    let customers = shop.relation("public", "customers")
    shop.relation("public", "orders")
    shop.relation("audit", "orders")
    shop.relation("hidden", "secrets")
    let parent = shop.relation("public", "parent")
    shop.relation("public", "child")
    shop.view("public", "names", of: customers)
    shop.view("public", "over_parent", of: parent)
    return shop
  }()

  /// What the last text touches after a session has run the others, one by one.
  private func touched(_ texts: [String], path: String = "public, audit") -> String {
    var own = OwnDefinitions.none
    var footprint = Footprint.nothing
    for text in texts {
      let analysis = SQLAnalyzer.analyze(text, names: shop.context(path: path) { $0.own = own })
      own.formUnion(analysis.traits.defines)
      footprint = analysis.footprint
    }
    return footprint.description
  }

  @Test(
    arguments: [
      (
        ["CREATE TEMP TABLE t (a int)", "SELECT * FROM t JOIN customers USING (a)"],
        "pg_temp.t:read public.customers:read"
      ),
      (["CREATE TABLE pg_temp.t (a int)", "INSERT INTO t VALUES (1)"], "pg_temp.t:write"),
      (["SELECT 1 AS a INTO TEMP t", "TABLE pg_temp.t"], "pg_temp.t:read"),
      // One that bears another's name counts as both: it may have been dropped again, or never made.
      (["CREATE TEMP TABLE customers (a int)", "TABLE customers"], "pg_temp.customers:read public.customers:read"),
      (["CREATE TEMP TABLE t (a int)", "DROP TABLE t", "TABLE t"], "pg_temp.t:read"),
      (["CREATE TEMP TABLE t (a int)", "ALTER TABLE t RENAME TO u", "TABLE u"], "pg_temp.t:read pg_temp.u:read"),
      // A migration.
      (["CREATE TABLE fresh (id serial)", "INSERT INTO fresh VALUES (1)"], "public.fresh:write"),
      (["CREATE TABLE fresh (id int)", "CREATE INDEX i ON fresh (id)"], "public.fresh:define"),
      (["CREATE TABLE fresh (id int)", "TABLE orders"], "public.orders:read"),
      (["ALTER TABLE orders ADD COLUMN a int", "UPDATE public.orders SET a = 1"], "public.orders:write"),
      (["CREATE SCHEMA s", "CREATE TABLE s.fresh (id int)", "TABLE s.fresh"], "s.fresh:read"),
      // What was in the way is gone, or may be.
      (["DROP TABLE orders", "TABLE orders"], "audit.orders:read public.orders:read"),
      (["ALTER TABLE orders RENAME TO old", "TABLE orders"], "audit.orders:read public.orders:read"),
      (["ALTER TABLE customers RENAME TO fresh", "TABLE fresh"], "public.customers:read public.fresh:read"),
      (
        ["ALTER TABLE customers SET SCHEMA audit", "TABLE audit.customers"],
        "audit.customers:read public.customers:read"
      ),
      // What stands behind a name.
      (["CREATE VIEW v AS SELECT 1 FROM customers", "TABLE v"], "public.customers:read public.v:read"),
      (["CREATE TEMP VIEW v AS TABLE customers", "TABLE v"], "pg_temp.v:read public.customers:read"),
      (
        ["CREATE VIEW v AS TABLE customers", "CREATE VIEW w AS TABLE v", "TABLE w"],
        "public.customers:read public.v:read public.w:read"
      ),
      (["CREATE MATERIALIZED VIEW m AS TABLE customers", "TABLE m"], "public.customers:read public.m:read"),
      (["CREATE TABLE copied AS TABLE customers", "TABLE copied"], "public.copied:read"),
      (["ALTER TABLE child INHERIT parent", "TABLE parent"], "public.child:read public.parent:read"),
      (
        ["ALTER TABLE child INHERIT parent", "TABLE over_parent"],
        "public.child:read public.over_parent:read public.parent:read"
      ),
      (["CREATE TABLE more () INHERITS (parent)", "TABLE parent"], "public.more:read public.parent:read"),
      (
        ["CREATE VIEW v AS SELECT * FROM parent", "ALTER TABLE child INHERIT parent", "TABLE v"],
        "public.child:read public.parent:read public.v:read"
      ),
      // Whose schemas lead elsewhere now, or may.
      (["GRANT USAGE ON SCHEMA audit TO app", "TABLE orders"], "orders:read"),
      (["CREATE SCHEMA audit", "TABLE orders"], "orders:read"),
      (["CREATE SCHEMA other", "TABLE orders"], "public.orders:read"),
      (["DROP TABLE child CASCADE", "TABLE orders"], "orders:read"),
      (["ALTER SCHEMA audit RENAME TO b", "TABLE orders"], "orders:read"),
      (["GRANT clerk TO app", "TABLE orders"], "orders:read"),
      (["CREATE EXTENSION x", "TABLE orders"], "orders:read"),
      (["UPDATE pg_class SET relname = 'x'", "TABLE orders"], "orders:read"),
      (["GRANT SELECT ON orders TO app", "TABLE orders"], "public.orders:read"),
      (["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "TABLE orders"], "public.orders:read"),
    ] as [([String], String)])
  func namesAfterDefinitions(_ texts: [String], _ expected: String) {
    #expect(touched(texts) == expected)
  }

  @Test func aViewOverUnknownCodeIsUnknown() {
    var own = OwnDefinitions.none
    own.formUnion(
      SQLAnalyzer.analyze("CREATE VIEW v AS SELECT mystery()", names: shop.context()).traits.defines)
    #expect(SQLAnalyzer.analyze("TABLE v", names: shop.context { $0.own = own }).effects.isUnknown)
  }

  @Test func thereIsABound() {
    var own = OwnRelations.none
    for number in 0..<1_001 { own.add("t\(number)", OwnRelations.Relation(schemas: ["pg_temp"])) }
    #expect(own.isOpen && own == .all)
  }
}
