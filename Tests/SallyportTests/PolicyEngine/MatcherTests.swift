import AccessModel
import Foundation
import Residency
import Testing

@testable import Gateway
@testable import PolicyEngine
@testable import SQLAnalysis

/// What each key of `when` and `unless` means, with may and must.
@Suite("Policy: keys of rules")
struct MatcherTests {
  private func decision(_ rule: Rule, _ command: Command, from address: String = "10.1.2.3", at time: LocalTime? = nil)
    -> String?
  {
    var ana = PolicySample.ana
    ana.clientAddress = address
    let policy = Policy(PolicyDocument(grants: [PolicySample.open], rules: [rule]), hash: "h") { _ in time }
    return policy.decide(command, by: ana).deniedBy
  }
  private func catches(
    _ when: Matcher, _ command: Command, from address: String = "10.1.2.3", at time: LocalTime? = nil
  )
    -> Bool
  {
    decision(Rule(name: "r", when: when, then: .deny), command, from: address, at: time) != nil
  }
  private func excuses(
    _ unless: Matcher, _ command: Command, from address: String = "10.1.2.3", at time: LocalTime? = nil
  ) -> Bool {
    decision(Rule(name: "r", unless: unless, then: .deny), command, from: address, at: time) == nil
  }
  private func command(_ text: String) -> Command { SQLAnalyzer.analyze(text).command() }

  @Test("A client's network; an address that nobody knows is caught by every one and excused by none")
  func networks() throws {
    let matcher = Matcher(networks: [try #require(NetworkRange("10.0.0.0/8")), try #require(NetworkRange("::1"))])
    let select = PolicySample.command(PolicySample.select)
    for (address, isIn) in [("10.255.0.1", true), ("::1", true), ("::ffff:10.0.0.1", true), ("11.0.0.1", false)] {
      #expect(catches(matcher, select, from: address) == isIn, "\(address)")
      #expect(excuses(matcher, select, from: address) == isIn, "\(address)")
    }
    #expect(catches(matcher, select, from: "local") && !excuses(matcher, select, from: "local"))
    #expect(!catches(Matcher(networks: []), select, from: "local"))
  }

  @Test(
    "Hours by the zone's clocks, past midnight too",
    arguments: [
      // days, from, to, now, whether it is then
      ([Hours.Day.mon], 480, 1080, LocalTime(day: .mon, minute: 480), true),
      ([.mon], 480, 1080, LocalTime(day: .mon, minute: 1079), true),
      ([.mon], 480, 1080, LocalTime(day: .mon, minute: 1080), false),
      ([.mon], 480, 1080, LocalTime(day: .tue, minute: 500), false),
      ([.mon], 0, 1440, LocalTime(day: .mon, minute: 1439), true),
      ([.sun], 1320, 360, LocalTime(day: .sun, minute: 1320), true),
      ([.sun], 1320, 360, LocalTime(day: .mon, minute: 359), true),
      ([.sun], 1320, 360, LocalTime(day: .mon, minute: 360), false),
      ([.sun], 1320, 360, LocalTime(day: .sun, minute: 100), false),
    ])
  func hours(days: [Hours.Day], from: Int, to: Int, now: LocalTime, isThen: Bool) {
    let matcher = Matcher(hours: [Hours(zone: "z", days: Set(days), from: from, to: to)])
    let select = PolicySample.command(PolicySample.select)
    #expect(catches(matcher, select, at: now) == isThen)
    #expect(excuses(matcher, select, at: now) == isThen)
    #expect(catches(matcher, select, at: nil) && !excuses(matcher, select, at: nil), "nobody knows the time")
  }

  @Test("The same instant by several clocks; summer time begins and ends when the zone says")
  func zones() {
    // 2026-03-29 01:00 UTC is when Berlin's clocks go from 02:00 to 03:00.
    let change: Int64 = 1_774_746_000
    #expect(ZoneClock.time(at: change - 60, in: "Europe/Berlin") == LocalTime(day: .sun, minute: 119))
    #expect(ZoneClock.time(at: change, in: "Europe/Berlin") == LocalTime(day: .sun, minute: 180))
    #expect(ZoneClock.time(at: change, in: "UTC") == LocalTime(day: .sun, minute: 60))
    #expect(ZoneClock.time(at: change, in: "Pacific/Auckland") == LocalTime(day: .sun, minute: 840))
    #expect(ZoneClock.time(at: change, in: "America/Los_Angeles") == LocalTime(day: .sat, minute: 1080))
    #expect(ZoneClock.time(at: 0, in: "UTC") == LocalTime(day: .thu, minute: 0))
    #expect(ZoneClock.time(at: -1, in: "UTC") == LocalTime(day: .wed, minute: 1439))
    #expect(ZoneClock.time(at: 0, in: "Nowhere/None") == nil)
  }

  @Test(
    "A text pattern finds its pieces in order",
    arguments: [
      ("select 1", "select 1", true, true), ("select 1", "SELECT 1", true, false),
      ("select 1", " select 1\n", true, false),
      ("select 1", "select 11", false, false), ("*", "", true, true), ("", "", true, true), ("", "x", false, false),
      ("select*", "select 1", true, true), ("*1", "select 1", true, true), ("*sel*1*", "select 1", true, true),
      ("*ect*ect*", "select", false, false), ("sel*lect", "select", false, false), ("*aab*", "aaab", true, true),
      ("*aaab", "aaaaab", true, true), ("*abab*c*", "abaababxc", true, true),
      ("*pg_sleep*", "select\nPG_SLEEP(1)", true, false),
      ("drop table*", "DROP\tTABLE x", true, false),
    ])
  func text(pattern: String, text: String, may: Bool, must: Bool) {
    #expect(TextPattern(pattern).mayMatch(text) == may)
    #expect(TextPattern(pattern).mustMatch(text) == must)
  }

  @Test("Text: what is not understood is caught whatever it says, and excused by none")
  func textMayAndMust() {
    let drops = Matcher(text: [TextPattern("*drop*")])
    #expect(catches(drops, command("DROP TABLE t")) && !catches(drops, command("SELECT 1")))
    #expect(catches(drops, PolicySample.misunderstood) && !catches(Matcher(text: []), PolicySample.misunderstood))
    let exact = Matcher(text: [TextPattern("SELECT 1")])
    #expect(excuses(exact, command("SELECT 1")) && !excuses(exact, command("select 1")))
    #expect(!excuses(Matcher(text: [TextPattern("*")]), PolicySample.misunderstood))
  }

  @Test("No text takes long, whatever the pattern")
  func textIsLinear() {
    // By stars and tries this would be 10¹¹ steps.
    let text = String(repeating: "a", count: 1 << 20)
    let pattern = TextPattern(
      "*" + String(repeating: "a", count: 2_000) + "b*" + String(repeating: "a", count: 2_000) + "*")
    #expect(!pattern.mayMatch(text))
  }

  @Test("Resources: tables, functions and files alike; an effect beside them is asked of them")
  func resources() {
    let customers = Matcher(resources: [ResourcePattern("public.customers")])
    #expect(catches(customers, command("SELECT * FROM customers, orders")))
    #expect(!catches(customers, command("SELECT * FROM orders")))
    #expect(!excuses(customers, command("SELECT * FROM customers")), "another schema may be meant")
    #expect(excuses(Matcher(resources: [ResourcePattern("customers")]), command("SELECT * FROM crm.customers")))
    #expect(!excuses(Matcher(resources: [ResourcePattern("customers")]), command("SELECT * FROM customers, orders")))
    #expect(!excuses(Matcher(resources: [ResourcePattern("*")]), command("SELECT 1")), "it touches none of them")
    let writes = Matcher(effects: EffectSelector(.write), resources: [ResourcePattern("customers")])
    #expect(catches(writes, command("UPDATE customers SET a = 1 WHERE b = 2")))
    #expect(!catches(writes, command("INSERT INTO orders SELECT * FROM customers")))
    #expect(catches(customers, PolicySample.unknownCall) && !excuses(customers, PolicySample.unknownCall))
    let file = Resource(.file, ["/etc/passwd"])
    #expect(ResourcePattern("/etc/*").mayMatch(file) && ResourcePattern("/etc/*").mustMatch(file))
    #expect(!ResourcePattern("/var/*").mayMatch(file))
    let someFile = Resource(.file, [nil])
    #expect(ResourcePattern("/var/*").mayMatch(someFile) && !ResourcePattern("*").mustMatch(someFile))
  }

  @Test(
    "Functions that a statement calls, wherever in it",
    arguments: [
      ("SELECT pg_sleep(10)", true), ("SELECT pg_catalog.pg_sleep(10)", true),
      ("SELECT 1 WHERE pg_sleep(1) IS NULL", true),
      ("WITH a AS (SELECT pg_sleep(1)) SELECT 1", true),
      ("UPDATE t SET a = 1 WHERE b = (SELECT 1 FROM pg_sleep(1))", true),
      ("PREPARE p AS SELECT pg_sleep(1)", true), ("SELECT 1; SELECT pg_sleep(1)", true),
      ("SELECT lower('pg_sleep')", false),
      ("SELECT pg_sleep FROM t", false), ("SELECT unheard_of()", true),
    ])
  func functions(text: String, isCaught: Bool) {
    let sleeps = Matcher(sql: SQLMatcher(functions: [NamePattern("pg_sleep")].compactMap { $0 }))
    #expect(catches(sleeps, command(text)) == isCaught)
  }

  @Test("Functions excuse a command only if it does nothing but call them")
  func excusedFunctions() {
    let names = ["lower", "upper", "orders"].compactMap(NamePattern.init)
    let matcher = Matcher(sql: SQLMatcher(functions: names))
    #expect(excuses(matcher, command("SELECT lower('A'), upper('b')")))
    #expect(!excuses(matcher, command("SELECT lower('A'), length('b')")))
    #expect(!excuses(matcher, command("SELECT 1")))
    #expect(!excuses(matcher, command("SELECT lower(a) FROM orders")), "a table's name is not a function's")
    let both = Matcher(sql: SQLMatcher(tables: names, functions: names))
    #expect(excuses(both, command("SELECT lower(a) FROM orders")))
    #expect(!excuses(both, command("SELECT lower(a) FROM orders, customers")))
  }

  @Test(
    "Columns: a statement counts as touching all columns of its tables",
    arguments: [
      ("public.customers.ssn", "SELECT 1 FROM customers", true), ("customers.ssn", "SELECT name FROM customers", true),
      ("ssn", "SELECT 1 FROM orders", true), ("*.*.email", "DELETE FROM orders", true),
      ("customers.ssn", "SELECT 1 FROM orders", false), ("crm.customers.ssn", "SELECT 1 FROM public.customers", false),
      ("ssn", "SELECT 1", false),
    ])
  func columns(pattern: String, text: String, isCaught: Bool) throws {
    let matcher = Matcher(sql: SQLMatcher(columns: [try #require(NamePattern(pattern))]))
    #expect(catches(matcher, command(text)) == isCaught)
    #expect(!excuses(matcher, command(text)), "nobody knows which columns are touched")
  }

  @Test("Keys are AND, lists are OR, and each key is asked of the same statement")
  func combined() {
    let matcher = Matcher(
      text: [TextPattern("*insert*"), TextPattern("*delete*")],
      sql: SQLMatcher(
        statements: [.delete], tables: [NamePattern("orders")].compactMap { $0 },
        functions: ["lower", "upper"].compactMap(NamePattern.init)))
    #expect(catches(matcher, command("DELETE FROM orders WHERE lower(a) = 'x'")))
    #expect(!catches(matcher, command("DELETE FROM orders WHERE a = 'x'")))
    #expect(!catches(matcher, command("DELETE FROM orders WHERE a = 'x'; SELECT lower('x')")))
    #expect(!catches(matcher, command("DELETE FROM customers WHERE upper(a) = 'x'")))
  }

  @Test("All new keys hold in shadow mode without effect")
  func shadow() {
    let rule = Rule(
      name: "r", when: Matcher(hours: [Hours(zone: "z")], text: [TextPattern("*")]), then: .deny, mode: .shadow)
    let policy = PolicySample.policy(rule)
    let evaluation = policy.evaluate(PolicySample.command(PolicySample.select))
    #expect(evaluation.decision.isPermit && evaluation.rules == ["shadow:r"])
  }
}
