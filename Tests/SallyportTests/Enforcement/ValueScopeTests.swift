import AccessModel
import Enforcement
import PolicyEngine
import SQLAnalysis
import Testing

/// What of bound values may be recorded (DECISIONS 22).
@Suite struct ValueScopeTests {
  private let audit = MemoryAudit()

  private func policy(masks columns: String?) -> ScopedPolicy {
    let grant = AccessGrant(
      groups: ["engineering"], connections: .names([NameGlob("*")]), allow: ["postgres": .unknown])
    let rules = columns.map { pattern in
      Rule(name: "pii", then: .mask(ColumnMask(columns: [NamePattern(pattern)].compactMap { $0 }, mask: .redact)))
    }
    return Policy(PolicyDocument(grants: [grant], rules: rules.map { [$0] } ?? []), hash: "h")
      .scoped(to: Subject(user: "ana", groups: ["engineering"], connection: "shop"))
  }

  private func recorded(_ text: String, _ columns: String?, _ values: ValueScope, count: Int = 1) -> ValueDisclosure? {
    let enforcer = Enforcer(session: "s", policy: policy(masks: columns), audit: audit, values: values)
    var command = SQLAnalyzer.analyze(text).command()
    command.parameters = Parameters(count: count, encoded: count == 0 ? [] : [0, 0, 0, 1, 0, 0, 0, 1, 0x37])
    _ = enforcer.admit(CommandID(1), command)
    guard case .decided(let record) = audit.events.last else { return nil }
    return record.values
  }

  @Test(arguments: [
    ("select * from orders where id = $1", nil, ValueDisclosure.kept),
    ("select * from orders where id = $1", "customers.ssn", .kept),
    ("update customers set ssn = $1", "customers.ssn", .masked),
    ("select 1 from orders where id = (select 1 from customers where ssn = $1)", "customers.ssn", .masked),
    // What is unknown may reach anything, where any mask applies.
    ("do $1", "customers.ssn", .masked), ("do $1", nil, .kept), ("select f($1)", "customers.ssn", .masked),
  ])
  func whatMayReachAMaskedColumnIsMasked(_ text: String, _ columns: String?, _ expected: ValueDisclosure) {
    #expect(recorded(text, columns, ValueScope()) == expected)
  }

  @Test func whoeverKnowsMoreNarrowsIt() {
    let narrow = ValueScope(reach: { _, _ in .nothing })
    #expect(recorded("update t set a = $1", "*.*.email", ValueScope()) == .masked)
    #expect(recorded("update t set a = $1", "*.*.email", narrow) == .kept)
    #expect(
      recorded("update t set a = $1", "*.*.email", ValueScope(version: { nil }, reach: { _, _ in .nothing })) == .masked
    )
  }

  @Test func offIsOffAndNoValuesAreNone() {
    #expect(recorded("select $1", nil, ValueScope(isRecorded: false)) == .omitted)
    #expect(recorded("select 1", nil, ValueScope(), count: 0) == .omitted)
  }

  @Test func theAnswerIsRememberedUntilTheStateOfThingsChanges() {
    var (version, asked) = (UInt64(1), 0)
    let values = ValueScope(
      version: { version },
      reach: { footprint, _ in
        asked += 1
        return version == 1 ? .nothing : footprint
      })
    let enforcer = Enforcer(session: "s", policy: policy(masks: "t.a"), audit: audit, values: values)
    var command = SQLAnalyzer.analyze("update t set a = $1").command()
    command.parameters = Parameters(count: 1, encoded: [0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF])
    func disclosure() -> ValueDisclosure? {
      _ = enforcer.admit(CommandID(1), command)
      guard case .decided(let record) = audit.events.last else { return nil }
      return record.values
    }
    #expect([disclosure(), disclosure(), disclosure()] == [.kept, .kept, .kept] && asked == 1)
    version = 2
    #expect(disclosure() == .masked)
    let known = asked
    #expect(disclosure() == .masked && asked == known && known > 1)
  }
}
