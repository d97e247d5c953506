import Foundation
import Testing

@testable import Gateway
@testable import SallyportConfiguration

@Suite("Policy tools")
struct PolicyTrialTests {
  private static let catalog = TrialCatalog(
    relations: [
      "public.customers": ["id", "name", "ssn", "email"], "public.orders": ["id", "customer_id"],
      "crm.customers": ["id"],
      "public.people": ["id", "ssn"],
    ], views: ["public.people": ["public.customers"]])

  private func explain(
    _ statement: String, _ user: String = "ana", catalog: TrialCatalog? = catalog
  ) throws -> PolicyExplanation {
    let configuration = try ConfigurationSample.load("demo/sallyport.yaml").get()
    return try PolicyTrial(configuration, catalog: catalog).explain(statement, user: user, connection: "shop")
  }

  @Test("What is detected in all results is said")
  func detected() throws {
    let configuration = try ConfigurationSample.load("policies/good/everything.yaml").get()
    let said = try PolicyTrial(configuration, catalog: nil).explain("SELECT 1", user: "ana", connection: "shop")
    let both = try #require(said.detected.first { $0.rule == "both" })
    #expect(both.detectors == ["iban"] && both.mask == "partial" && both.confidence == "medium")
    #expect(said.description.contains("detected    credit-card, jwt, aws-key"), "\(said)")
    #expect(said.detected.first { $0.rule == "contents" }?.detectors.last == "badge")
  }

  @Test(
    "A trial says what the gateway would",
    arguments: [
      ("SELECT * FROM orders", "ana", "allow"), ("DELETE FROM orders", "ana", "deny(no-unbounded-delete)"),
      ("DELETE FROM orders", "dora", "deny(no-unbounded-delete)"),
      ("DELETE FROM orders WHERE id = 7", "ana", "approve(deletes-are-reviewed)"),
      ("DELETE FROM orders WHERE id = 7", "dora", "allow"), ("DROP TABLE orders", "ana", "deny(access)"),
      ("COPY customers TO STDOUT", "ana", "allow"),
      ("COPY customers TO STDOUT (ENCODING 'big5')", "ana", "deny(customer-pii)"),
      ("SELECT 1 FROM customers WHERE ssn = '1'", "ana", "deny(customer-pii)"), ("selekt", "ana", "deny(access)"),
      ("SELECT 1; DELETE FROM orders WHERE true", "ana", "deny(no-unbounded-delete)"),
    ])
  func outcomes(statement: String, user: String, outcome: String) throws {
    #expect(try explain(statement, user).outcome == outcome)
  }

  @Test("An explanation says where each column of a result comes from, and its mask")
  func columns() throws {
    let found = try explain(
      "SELECT id, ssn AS x, upper(email), 1, count(*) OVER () FROM customers; SELECT id FROM orders")
    #expect(
      found.columns.map {
        "\($0.statement).\($0.column) \($0.from.joined(separator: ",")) \($0.copied) \($0.mask ?? "-")"
      } == [
        "1.1 public.customers.id true -", "1.2 public.customers.ssn true partial",
        "1.3 public.customers.email false redact", "1.4  false -", "1.5  false -", "2.1 public.orders.id true -",
      ])
    #expect(found.columns[1].rules == ["customer-pii"] && found.columns[0].rules == [])
    let text = "\(try explain("SELECT ssn, reverse(ssn), id FROM customers"))"
    for words in [
      "column      1: public.customers.ssn → partial, by customer-pii",
      "column      2: made of public.customers.ssn → redact, by customer-pii",
      "column      3: public.customers.id → passes",
    ] {
      #expect(text.contains(words), "\(text)")
    }
    #expect(try explain("SELECT ssn FROM customers", "dora").columns.isEmpty, "no mask applies to her")
  }

  @Test("An explanation has every rule with what became of it, effects, footprint and masks")
  func explanation() throws {
    let found = try explain("DELETE FROM customers WHERE lower(name) = 'x'")
    #expect(found.effects == ["write"] && found.footprint == "public.customers:write")
    #expect(found.functions == ["pg_catalog.lower"] && found.statements == ["delete"])
    #expect(
      found.rules.map { "\($0.name): \($0.result)\($0.key.map { " \($0)" } ?? "")" } == [
        "no-unbounded-delete: not met sql.where", "deletes-are-reviewed: met", "customer-pii: met",
      ])
    #expect(found.needs == ["1 of dba, for deletes-are-reviewed"])
    #expect(found.masked.map(\.column) == ["public.customers.email", "public.customers.ssn"])
    #expect(found.masked.allSatisfy { $0.mask == "partial" && $0.rules == ["customer-pii"] })
    #expect(
      try explain("DELETE FROM orders WHERE id = 1", "dora").rules.map(\.result) == ["not met", "exempt", "exempt"])
    let text = "\(found)"
    for words in [
      "decision    approve(deletes-are-reviewed)", "not met: sql.where", "masked      public.customers.ssn",
    ] {
      #expect(text.contains(words), "\(text)")
    }
  }

  @Test("Names mean what the catalogue says; without one they stay open")
  func names() throws {
    #expect(try explain("SELECT 1 FROM people").masked.map(\.column).contains("public.customers.ssn"), "through a view")
    #expect(try explain("SELECT * FROM customers").footprint == "public.customers:read")
    let open = try explain("SELECT * FROM customers", catalog: nil)
    #expect(open.footprint == "customers:read" && !open.resolved && "\(open)".contains("no catalogue"))
    #expect(throws: PolicyTrial.Unknown.self) { try explain("SELECT 1", "nobody") }
  }

  private func expectations(_ text: String) -> Result<PolicyExpectations, DiagnosticList> {
    PolicyExpectations.parse([ConfigurationSource(file: "t.test.yaml", text: text)])
  }

  @Test("Expectations are read with places, and mistakes named")
  func reading() throws {
    let read = try expectations(
      """
      catalog: { tables: { public.customers: [id, ssn] }, views: { public.v: public.customers }, search_path: public }
      tests:
        - { user: ana, connection: shop, statement: SELECT 1, expect: allow }
        - user: bo
          connection: shop
          client: 10.0.0.1
          at: 2026-11-21T22:00:00Z
          statement:
            - DELETE FROM a
            - |
              DELETE
              FROM b
          expect: deny(no-unbounded-delete)
        - { user: ana, connection: shop, statement: x, expect: { masked: [public.customers.ssn] } }
        - { user: ana, connection: shop, statement: x, expect: approve }
      """
    ).get()
    #expect(read.cases.map(\.line) == [3, 9, 10, 14, 15])
    #expect(
      read.cases.map(\.expected) == [
        .allow, .deny(rule: "no-unbounded-delete"), .deny(rule: "no-unbounded-delete"),
        .masked(["public.customers.ssn"]), .approve(rule: nil),
      ])
    #expect(read.cases[1].time == 1_795_298_400 && read.cases[2].statement == "DELETE\nFROM b\n")
    #expect(read.catalog?.views == ["public.v": ["public.customers"]])
    for (text, mistake) in [
      ("tests: []", "there are no tests in here"),
      ("tests: [{ user: a, connection: b, statement: c, expect: maybe }]", "unknown outcome \"maybe\""),
      ("tests: [{ user: a, connection: b, statement: c, expect: allow(x) }]", "unknown outcome \"allow(x)\""),
      ("tests: [{ user: a, conection: b, statement: c, expect: deny }]", "the test has no connection"),
      ("tests: [{ user: a, connection: b, statement: c, at: soon, expect: deny }]", "at must be a time"),
      ("catalog: { tables: { customers: [a] } }\ntests: []", "\"customers\" must be schema.relation"),
    ] {
      guard case .failure(let list) = expectations(text) else {
        Issue.record("\(text) is accepted")
        continue
      }
      #expect(list.diagnostics.first?.message == mistake)
    }
  }

  @Test("policy test and policy explain on the command line, for people and for programs")
  func commandLine() throws {
    let folder = try TestRun.newFolder("policy")
    let config = "\(ConfigurationSample.fixtures)/demo/sallyport.yaml"
    func run(_ arguments: String...) throws -> ProcessEnd {
      try ChildProcess.run(try TestRun.binary(), ["policy"] + arguments)
    }
    let demo = try run("test", "--config", config)
    #expect(demo.status == 0 && demo.output.contains("expectations are met"), "\(demo.output)\(demo.errors)")
    let wrong = "\(folder)/wrong.test.yaml"
    try "tests: [{ user: ana, connection: shop, statement: DELETE FROM orders, expect: allow }]\n"
      .write(toFile: wrong, atomically: false, encoding: .utf8)
    let failed = try run("test", "--config", config, wrong)
    #expect(failed.status == 1 && failed.output.contains("FAIL  \(wrong):1: ana on shop: DELETE FROM orders"))
    #expect(failed.output.contains("expected allow, got deny(no-unbounded-delete)"), "\(failed.output)")
    let json = try run("test", "--json", "--config", config, wrong)
    let report = try #require(JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
    let results = try #require(report["results"] as? [[String: Any]])
    #expect(json.status == 1 && results.count == 1 && results[0]["passed"] as? Bool == false)
    try "tests: [{ user: ana }]\n".write(toFile: wrong, atomically: false, encoding: .utf8)
    #expect(try run("test", "--config", config, wrong).status == 2)
    #expect(try run("test", "--config", "\(folder)/none.yaml").status == 2)
    let explained = try run(
      "explain", "--config", config, "--user", "ana", "--connection", "shop", "DELETE FROM orders", "--json")
    let explanation = try JSONDecoder().decode(PolicyExplanation.self, from: Data(explained.output.utf8))
    #expect(explained.status == 0 && explanation.outcome == "deny(no-unbounded-delete)")
    #expect(try run("explain", "--config", config, "--user", "x", "--connection", "shop", "SELECT 1").status == 1)
  }
}
