import AccessModel
import PolicyEngine
import Testing

@testable import SallyportConfiguration

/// The demo's configuration does what its comments say.
@Suite("Configuration: the demo")
struct DemoConfigurationTests {
  private func scoped(to user: String) throws -> ScopedPolicy {
    let configuration = try ConfigurationSample.load("demo/sallyport.yaml").get()
    let subject = configuration.subject(user: user, connection: "shop", clientAddress: "127.0.0.1")
    return Policy(configuration.policy, hash: configuration.policyHash).scoped(to: try #require(subject))
  }

  private func delete(_ predicate: SQLStatement.Predicate) -> Command {
    let orders = Footprint([ResourceAccess(.relation(schema: "public", "orders"), .write)])
    let statement = SQLStatement(kind: .delete, effects: [.read, .write], footprint: orders, predicate: predicate)
    return Command(
      effects: statement.effects, footprint: orders, text: "", detail: .sql(SQLDetail(statements: [statement])))
  }

  @Test("an unbounded DELETE is refused to everybody")
  func unbounded() throws {
    for user in ["ana", "bo", "ci", "dora"] {
      #expect(
        try scoped(to: user).decide(delete(.absent))
          == .deny(
            Denial(rule: "no-unbounded-delete", reason: "an UPDATE or DELETE needs a WHERE")))
    }
  }

  @Test("a DELETE with WHERE waits for dba, and dba does not wait")
  func reviewed() throws {
    let requirement = ApprovalRequirement(
      clauses: [.init(rule: "deletes-are-reviewed", by: ["dba"], count: 1)], wait: .seconds(120), waitIsExplicit: true)
    #expect(try scoped(to: "ana").decide(delete(.present)) == .hold(requirement))
    #expect(try scoped(to: "dora").decide(delete(.present)) == .permit(Obligations()))
  }

  @Test("ssn and every email show their last four, except to dba")
  func masks() throws {
    let columns = ["public.customers.ssn", "crm.leads.email", "public.customers.name"].map {
      ResultColumn(name: "x", origin: .column($0.split(separator: ".").map(String.init)))
    }
    let mask = Mask.partial(keepFirst: 0, keepLast: 4)
    #expect(try scoped(to: "ci").maskPlan(for: columns) == .columns([mask, mask, nil]))
    #expect(try scoped(to: "dora").maskPlan(for: columns) == .identity)
  }

  @Test("credentials and roles are as the demo's script expects them")
  func accounts() throws {
    let configuration = try ConfigurationSample.load("demo/sallyport.yaml").get()
    let shop = try #require(configuration.connections["shop"])
    #expect(shop.address.description == "127.0.0.1:55432" && shop.database == "shop")
    #expect(shop.credential(for: ["dba"])?.password == .environment("SALLYPORT_DEMO_OWNER_PASSWORD"))
    #expect(shop.credential(for: ["engineering"])?.password == .environment("SALLYPORT_DEMO_APP_PASSWORD"))
    #expect(configuration.user("dora", has: .approver) && configuration.user("dora", has: .admin))
  }
}
