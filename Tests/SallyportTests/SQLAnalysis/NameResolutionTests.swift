import AccessModel
import Testing

@testable import SQLAnalysis

/// A catalogue to look names up in, written as a list.
struct NamedShop {
  var contents = CatalogSnapshot.Contents()
  private var oid: UInt32 = 20_000

  init() {
    contents.user = "app"
    contents.usableSchemas = ["public", "audit", "app"]
    for name in ["pg_class", "pg_settings"] { relation("pg_catalog", name) }
  }

  @discardableResult
  mutating func relation(_ schema: String, _ name: String) -> UInt32 {
    oid += 1
    contents.relations.append(CatalogSnapshot.Relation(oid: oid, schema: schema, name: name))
    return oid
  }

  @discardableResult
  mutating func view(_ schema: String, _ name: String, of bases: UInt32...) -> UInt32 {
    let view = relation(schema, name)
    for base in bases { contents.links.append(CatalogSnapshot.Link(.view, from: view, to: base)) }
    return view
  }

  mutating func link(_ kind: CatalogSnapshot.Link.Kind, _ from: UInt32, _ to: UInt32) {
    contents.links.append(CatalogSnapshot.Link(kind, from: from, to: to))
  }

  mutating func routine(
    _ schema: String, _ name: String, _ body: CatalogSnapshot.Routine.Body = .unknown, ownSettings: Bool = false,
    oneArgument: Bool = false
  ) {
    oid += 1
    contents.routines.append(
      CatalogSnapshot.Routine(
        oid: oid, schema: schema, name: name, body: body, hasOwnSettings: ownSettings, takesOneArgument: oneArgument))
  }

  func context(
    path: String? = "\"$user\", public", user: String = "app", _ change: (inout NameContext.Scope) -> Void = { _ in }
  ) -> NameContext {
    var scope = NameContext.Scope(path: path.map { SearchPath(setting: $0, user: user) })
    change(&scope)
    return NameContext(CatalogSnapshot(contents), scope)
  }

  func facts(
    _ text: String, path: String? = "\"$user\", public", functions: FunctionCatalog = .empty
  ) -> (effects: String, tables: String) {
    let analysis = SQLAnalyzer.analyze(text, functions: functions, names: context(path: path))
    return (analysis.effects.description, analysis.footprint.description)
  }
}

@Suite("Names of functions in views")
struct ViewFunctionTests {
  @Test("what a view calls is called by whoever reads it, also what is harmless and touches nothing")
  func builtins() {
    var shop = NamedShop()
    let slow = shop.view("public", "slow")
    shop.contents.add(CatalogSnapshot.RoutineName(schema: "pg_catalog", name: "pg_sleep"), calledBy: slow)
    shop.view("public", "slower", of: slow)
    for text in ["select * from slow", "select 1 from (table slower) s"] {
      let statement = SQLAnalyzer.analyze(text, functions: .empty, names: shop.context()).detail.statements[0]
      #expect(statement.functions.map(\.path) == [["pg_catalog", "pg_sleep"]], "\(text)")
      #expect(statement.effects == .read, "\(text)")
    }
  }
}

@Suite("Names of relations")
struct RelationNameTests {
  private let shop: NamedShop = {
    var shop = NamedShop()
    let customers = shop.relation("public", "customers")
    let orders = shop.relation("public", "orders")
    shop.relation("audit", "orders")
    shop.relation("hidden", "orders")
    let names = shop.view("public", "names", of: customers)
    shop.view("public", "list", of: names, orders)
    let log = shop.relation("public", "log")
    let part = shop.relation("public", "log_2026")
    shop.link(.child, log, part)
    shop.link(.rule, orders, log)
    return shop
  }()

  @Test(arguments: [
    ("SELECT * FROM customers", "public.customers:read"),
    ("SELECT * FROM audit.orders", "audit.orders:read"),
    ("SELECT * FROM pg_class", "pg_catalog.pg_class:read"),
    ("SELECT * FROM nothing", "nothing:read"),
    ("SELECT * FROM public.nothing", "public.nothing:read"),
    ("WITH customers AS (SELECT 1) SELECT * FROM customers", "nothing"),
    ("CREATE TABLE fresh (a int)", "app.fresh:define"),
    ("UPDATE orders SET a = 1 WHERE id = 1", "public.log:read,write public.log_2026:read,write public.orders:write"),
    ("SELECT nextval('customers')", "public.customers:write"),
  ]) func namesAreResolvedThroughThePath(_ text: String, _ tables: String) {
    #expect(shop.facts(text).tables == tables)
  }

  @Test func thePathDecides() {
    #expect(shop.facts("SELECT * FROM orders", path: "audit, public").tables == "audit.orders:read")
    #expect(shop.facts("SELECT * FROM orders", path: "missing, \"audit\"").tables == "audit.orders:read")
    // A schema that the account may not use is passed over.
    #expect(shop.facts("SELECT * FROM orders", path: "hidden, audit").tables == "audit.orders:read")
    #expect(shop.facts("SELECT * FROM orders", path: "").tables == "orders:read")
    #expect(shop.facts("SELECT * FROM orders", path: nil).tables.contains("orders:read"))
    #expect(!shop.facts("SELECT * FROM orders", path: nil).tables.contains("public.orders"))
  }

  @Test func aViewTouchesWhatItReads() {
    #expect(shop.facts("SELECT * FROM names").tables == "public.customers:read public.names:read")
    #expect(
      shop.facts("SELECT * FROM list").tables
        == "public.customers:read public.list:read public.names:read public.orders:read")
    #expect(
      shop.facts("DELETE FROM names WHERE id = 1").tables == "public.customers:read,write public.names:write")
    #expect(shop.facts("DROP VIEW names").tables == "public.names:define")
  }

  @Test func whileThePathIsNotKnownEveryCandidateCounts() {
    let tables = shop.facts("SELECT * FROM names", path: nil).tables
    #expect(tables == "names:read public.customers:read")
    let analysis = SQLAnalyzer.analyze("SELECT * FROM names", names: shop.context(path: nil))
    #expect(analysis.traits.needsPath && analysis.traits.needsNames)
    // Another account's privileges are not known, and asking again would not tell.
    let other = SQLAnalyzer.analyze("SELECT * FROM names", names: shop.context(path: "public", user: "somebody"))
    #expect(other.footprint.description == "names:read public.customers:read" && !other.traits.needsPath)
  }

  @Test func aPartitionIsItsTableAndTheTableItsPartitions() {
    #expect(shop.facts("SELECT * FROM log").tables == "public.log:read public.log_2026:read")
    #expect(shop.facts("SELECT * FROM log_2026").tables == "public.log:read public.log_2026:read")
  }

  @Test func viewsThatReadEachOtherEnd() {
    var shop = shop
    let a = shop.relation("public", "a"), b = shop.relation("public", "b")
    shop.link(.view, a, b)
    shop.link(.view, b, a)
    #expect(shop.facts("SELECT * FROM a").tables == "public.a:read public.b:read")
  }

  @Test func temporariesHideWhatIsThere() {
    let context = shop.context { $0.own.temporaries = .all }
    let analysis = SQLAnalyzer.analyze("SELECT * FROM names", names: context)
    #expect(analysis.footprint.description == "names:read public.customers:read")
    for text in ["CREATE TEMP TABLE t (a int)", "SELECT 1 INTO TEMP t", "CREATE TABLE pg_temp.t (a int)"] {
      #expect(SQLAnalyzer.analyze(text, names: shop.context()).traits.defines.temporaries.find("t") != nil, "\(text)")
    }
    #expect(SQLAnalyzer.analyze("CREATE TABLE t (a int)", names: shop.context()).traits.defines.temporaries.isEmpty)
  }

  @Test func whatIsNotThereIsSaid() {
    func isAbsent(_ text: String) -> Bool {
      SQLAnalyzer.analyze(text, names: shop.context()).traits.hasAbsentNames
    }
    #expect(isAbsent("SELECT * FROM nothing") && isAbsent("SELECT public.nothing()"))
    #expect(!isAbsent("SELECT * FROM customers") && !isAbsent("CREATE TABLE fresh (a int)"))
  }

  @Test func ordinaryTextsNeedNoNames() {
    for text in ["BEGIN", "SELECT 1", "SET application_name = 'x'", "SELECT pg_catalog.now()", "COMMIT; SELECT 'a'"] {
      #expect(!SQLAnalyzer.analyze(text).traits.needsNames, "\(text)")
    }
    for text in ["SELECT now()", "TABLE t", "SELECT 1 + 1", "SELECT a.b FROM pg_catalog.pg_class a"] {
      #expect(SQLAnalyzer.analyze(text).traits.needsNames, "\(text)")
    }
  }
}

@Suite("Names of routines")
struct RoutineNameTests {
  private let shop: NamedShop = {
    var shop = NamedShop()
    shop.relation("public", "customers")
    shop.routine("public", "lower")
    shop.routine("audit", "upper")
    shop.routine("public", "plain", .sql("SELECT name FROM customers WHERE id = $1"))
    shop.routine("public", "purge", .sql("DELETE FROM customers; SELECT 1"))
    shop.routine("public", "outer_one", .sql("SELECT public.purge()"))
    shop.routine("public", "loop", .sql("SELECT loop()"))
    shop.routine("public", "settings", .sql("SELECT set_config('search_path', 'audit', false)"))
    shop.routine("public", "elsewhere", .sql("SELECT name FROM customers"), ownSettings: true)
    shop.routine("public", "similarity", .trusted)
    shop.routine("public", "calc_tax")
    shop.routine("public", "full_name", .unknown, oneArgument: true)
    shop.routine("public", "broken", .sql("this is not sql"))
    return shop
  }()

  @Test func aRoutineThatShadowsABuiltinIsNotHarmless() {
    #expect(shop.facts("SELECT lower(name) FROM customers").effects == "unknown")
    #expect(shop.facts("SELECT pg_catalog.lower(name) FROM customers").effects == "read")
    #expect(shop.facts("SELECT upper(name) FROM customers").effects == "read")
    #expect(shop.facts("SELECT upper(name) FROM customers", path: "audit").effects == "unknown")
    #expect(shop.facts("SELECT upper(name) FROM customers", path: nil).effects == "unknown")
    #expect(shop.facts("SELECT now()").effects == "read")
  }

  @Test func bodiesInSQLAreRead() {
    #expect(shop.facts("SELECT plain(1)") == ("read", "public.customers:read"))
    #expect(shop.facts("SELECT purge()") == ("read,write", "public.customers:write"))
    #expect(shop.facts("SELECT outer_one()") == ("read,write", "public.customers:write"))
    #expect(shop.facts("SELECT elsewhere()") == ("read", "customers:read"))
    for text in [
      "SELECT loop()", "SELECT broken()", "SELECT calc_tax(1)", "SELECT public.nothing()", "CALL calc_tax()",
    ] {
      #expect(shop.facts(text) == ("unknown", "everything"), "\(text)")
    }
  }

  @Test func whatABodyDoesIsWhatTheStatementDoes() throws {
    let purge = SQLAnalyzer.analyze("SELECT purge()", names: shop.context())
    let statement = try #require(purge.detail.statements.first)
    #expect(statement.kind == .select && statement.kinds == [.select, .delete] && statement.predicate == .absent)
    let settings = SQLAnalyzer.analyze("SELECT settings()", names: shop.context())
    #expect(settings.settings.map(\.name) == ["search_path"])
    // Again, from what is kept by now.
    let context = shop.context()
    let twice = (0..<2).map { _ in SQLAnalyzer.analyze("SELECT outer_one()", names: context).footprint }
    #expect(twice[0] == twice[1] && twice[0].description == "public.customers:write")
  }

  @Test func declarationsCoverWhatTheCatalogueResolves() {
    let functions = FunctionCatalog(
      ["public.calc_*"].compactMap(NamePattern.init).map { .init(name: $0, effects: .read) })
    #expect(shop.facts("SELECT calc_tax(1)", functions: functions) == ("read,call", "public.calc_tax:read,call"))
    #expect(shop.facts("CALL calc_tax(1)", functions: functions).effects == "read,call")
    #expect(shop.facts("SELECT calc_tax(1)", path: "audit", functions: functions).effects == "unknown")
  }

  @Test func knownExtensionsCompute() {
    #expect(shop.facts("SELECT similarity(name, 'x') FROM customers") == ("read", "public.customers:read"))
  }

  @Test func aColumnMayBeACall() {
    #expect(shop.facts("SELECT c.full_name FROM customers c").effects == "unknown")
    #expect(shop.facts("SELECT (c).full_name FROM customers c").effects == "unknown")
    #expect(shop.facts("SELECT full_name FROM customers c").effects == "read")
    #expect(shop.facts("SELECT c.plain FROM customers c").effects == "read")
  }

  @Test func operatorsAndCastsOfUsersAreRoutines() {
    var shop = shop
    shop.contents.hiddenRoutines = [CatalogSnapshot.RoutineName(schema: "public", name: "purge")]
    #expect(shop.facts("SELECT a + b FROM customers").effects == "read,write")
    #expect(shop.facts("SELECT 1").effects == "read")
    shop.contents.hiddenRoutines = [CatalogSnapshot.RoutineName(schema: "public", name: "calc_tax")]
    #expect(shop.facts("SELECT name FROM customers").effects == "unknown")
  }

  @Test func viewsCallTheirRoutines() {
    var shop = shop
    let view = shop.view("public", "report")
    shop.contents.viewRoutines[view] = [
      CatalogSnapshot.RoutineName(schema: "public", name: "purge")
    ]
    #expect(shop.facts("SELECT * FROM report").tables == "public.customers:write public.report:read")
    shop.contents.viewRoutines[view] = [CatalogSnapshot.RoutineName(schema: "pg_catalog", name: "query_to_xml")]
    #expect(shop.facts("SELECT * FROM report").effects == "unknown")
  }

  @Test func routinesOfAnOpenTransactionAreUnknown() {
    let context = shop.context { $0.routines = .some(["now", "plain"]) }
    for text in ["SELECT now()", "SELECT plain(1)", "SELECT x.plain FROM customers x"] {
      #expect(SQLAnalyzer.analyze(text, names: context).effects.isUnknown, "\(text)")
    }
    #expect(SQLAnalyzer.analyze("SELECT pg_catalog.now(), random()", names: context).effects == .read)
    #expect(
      SQLAnalyzer.analyze("CREATE FUNCTION a.now() RETURNS int LANGUAGE sql AS 'select 1'").traits.definesRoutines
        == .some(["now"]))
    #expect(SQLAnalyzer.analyze("ALTER FUNCTION f() RESET ALL").traits.definesRoutines == .all)
    #expect(SQLAnalyzer.analyze("CREATE TABLE t (a int)").traits.definesRoutines == .none)
  }
}

@Suite("Search paths")
struct SearchPathTests {
  @Test(
    arguments: [
      ("public", ["public"]), ("\"$user\", public", ["$user", "public"]), ("A,b , \"C\"", ["a", "b", "C"]),
      ("", []), ("\"a\"\"b\"", ["a\"b"]), ("\"a, b\"", ["a, b"]),
    ] as [(String, [String])]) func listsOfNames(_ setting: String, _ entries: [String])
  {
    #expect(SearchPath(setting: setting, user: "app").entries == entries)
  }

  @Test(arguments: ["a b", "a,", ",a", "\"a", "\"\"", "a,,b", "É", String(repeating: "x", count: 64)])
  func whatIsNoListIsNotBelieved(_ setting: String) {
    #expect(SearchPath(setting: setting, user: "app").entries == nil)
  }

  @Test func whoSeesWhat() {
    var shop = NamedShop()
    shop.contents.usableSchemasOfRoles["clerk"] = ["clerk", "audit"]
    let snapshot = CatalogSnapshot(shop.contents)
    func schemas(_ setting: String, _ user: String = "app") -> [String]? {
      NameContext.effective(SearchPath(setting: setting, user: user), in: snapshot)
    }
    #expect(schemas("\"$user\", public") == ["pg_catalog", "app", "public"])
    #expect(schemas("public, pg_catalog, audit") == ["public", "pg_catalog", "audit"])
    #expect(schemas("pg_temp, public") == ["pg_catalog", "public"])
    #expect(schemas("public", "root") == nil)
    #expect(schemas("\"$user\", public, audit", "clerk") == ["pg_catalog", "clerk", "audit"])
  }
}

@Suite("Prepared in SQL")
struct SQLPreparedTests {
  @Test func anExecuteIsWhatWasPrepared() throws {
    let prepared = SQLAnalyzer.analyze("PREPARE p (int) AS DELETE FROM customers")
    let execute = SQLAnalyzer.analyze("EXECUTE p((SELECT count(*) FROM orders))")
    #expect(prepared.traits.prepares == "p" && execute.traits.executes == "p")
    #expect(execute.effects.isUnknown && execute.footprint == .everything)
    let run = try #require(execute.executing(prepared))
    #expect(run.effects == [.read, .write])
    #expect(run.footprint.description == "customers:write orders:read")
    let statement = try #require(run.detail.statements.first)
    #expect(statement.kind == .execute && statement.kinds == [.execute, .prepare, .delete])
    #expect(statement.predicate == .absent && run.text == execute.text)
  }

  @Test func onlyLoneStatementsCount() {
    #expect(SQLAnalyzer.analyze("SELECT 1; PREPARE p AS SELECT 1").traits.prepares == nil)
    #expect(SQLAnalyzer.analyze("EXECUTE p; SELECT 1").traits.executes == nil)
    #expect(SQLAnalyzer.analyze("EXPLAIN EXECUTE p; SELECT 1").traits.executes == nil)
    #expect(SQLAnalyzer.analyze("EXPLAIN SELECT 1").traits.executes == nil)
    let other = SQLAnalyzer.analyze("PREPARE q AS SELECT 1")
    #expect(SQLAnalyzer.analyze("EXECUTE p").executing(other) == nil)
    #expect(SQLAnalyzer.analyze("EXECUTE p").executing(SQLAnalyzer.analyze("SELECT 1"))?.effects == .read)
    #expect(SQLAnalyzer.analyze("SELECT 1").executing(SQLAnalyzer.analyze("PREPARE p AS SELECT 1")) == nil)
  }

  @Test("EXPLAIN and CREATE TABLE AS of an EXECUTE do what they would do to what was prepared")
  func executedInside() throws {
    let prepared = SQLAnalyzer.analyze("PREPARE p (int) AS DELETE FROM customers")
    for (text, kind, effects, footprint) in [
      ("EXPLAIN EXECUTE p(1)", SQLStatement.Kind.explain, Effects.read, "customers:read"),
      ("EXPLAIN ANALYZE EXECUTE p(1)", .explain, .write, "customers:write"),
      ("CREATE TABLE t AS EXECUTE p(1)", .create, [.write, .define], "customers:write t:write,define"),
      ("EXPLAIN CREATE TABLE t AS EXECUTE p(1)", .explain, .read, "customers:read t:read"),
    ] {
      let analysis = SQLAnalyzer.analyze(text)
      #expect(analysis.traits.executes == "p" && analysis.effects.isUnknown, "\(text)")
      let run = try #require(analysis.executing(prepared), "\(text)")
      #expect(run.effects == effects, "\(text): \(run.effects)")
      #expect(run.footprint.description == footprint, "\(text): \(run.footprint)")
      #expect(run.detail.statements.map(\.kind) == [kind], "\(text)")
      #expect(run.detail.statements[0].kinds.isSuperset(of: [.execute, .prepare, .delete]), "\(text)")
    }
    // Arguments are worked out whatever becomes of the rest.
    let planned = try #require(SQLAnalyzer.analyze("EXPLAIN EXECUTE p(evil())").executing(prepared))
    #expect(planned.effects.isUnknown && planned.footprint == .everything)
    let other = SQLAnalyzer.analyze("PREPARE q AS SELECT 1")
    #expect(SQLAnalyzer.analyze("EXPLAIN EXECUTE p").executing(other) == nil)
  }

  @Test func argumentsOfAnExecuteCount() throws {
    let prepared = SQLAnalyzer.analyze("PREPARE p AS SELECT 1")
    let run = try #require(SQLAnalyzer.analyze("EXECUTE p(evil())").executing(prepared))
    #expect(run.effects.isUnknown && run.footprint == .everything)
  }
}
