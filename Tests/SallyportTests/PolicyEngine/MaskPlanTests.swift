import AccessModel
import Testing

@testable import PolicyEngine

@Suite("Policy: masks")
struct MaskPlanTests {
  private static let keepFour = Mask.partial(keepFirst: 0, keepLast: 4)
  private let id = ResultColumn(name: "id", origin: .column(["public", "customers", "id"]))
  private let ssn = ResultColumn(name: "harmless", origin: .column(["public", "customers", "ssn"]))
  private let email = ResultColumn(name: "email", origin: .column(["crm", "leads", "email"]))
  private let computed = ResultColumn(name: "upper", origin: .computed)

  private func rule(
    _ name: String, _ columns: String..., mask: Mask = keepFour, when: Matcher = Matcher(), unless: Matcher? = nil,
    mode: Rule.Mode = .enforce
  ) -> Rule {
    let columns = columns.compactMap(NamePattern.init)
    return Rule(
      name: name, when: when, unless: unless, then: .mask(ColumnMask(columns: columns, mask: mask)), mode: mode)
  }

  @Test("columns are masked by where they come from, not by the name that the client sees")
  func origin() {
    let policy = PolicySample.policy(rule("pii", "public.customers.ssn", "*.*.email"))
    #expect(policy.maskPlan(for: [id, ssn, email]) == .columns([nil, Self.keepFour, Self.keepFour]))
    let named = ResultColumn(name: "ssn", origin: .column(["public", "customers", "id"]))
    #expect(policy.maskPlan(for: [id, named]) == .identity)
  }

  @Test("patterns bind from the right, * stays within one part")
  func patterns() {
    for (pattern, expected) in [
      ("ssn", true), ("customers.ssn", true), ("*.ssn", true), ("public.*.s*n", true), ("crm.customers.ssn", false),
      ("public.ssn", false), ("*ssn", true), ("public*ssn", false),
    ] {
      #expect(PolicySample.policy(rule("r", pattern)).maskPlan(for: [ssn]).isIdentity == !expected, "\(pattern)")
    }
  }

  @Test("of two masks on one column the less revealing wins, in either order")
  func lessRevealing() {
    let rules = [
      rule("a", "ssn"), rule("b", "ssn", mask: .redact), rule("c", "ssn", mask: .partial(keepFirst: 2, keepLast: 2)),
    ]
    for order in [rules, rules.reversed()] {
      #expect(PolicySample.scoped(order, to: PolicySample.ana).maskPlan(for: [ssn]) == .columns([.redact]))
    }
    let partials = [rules[0], rules[2]]
    #expect(
      PolicySample.scoped(partials, to: PolicySample.ana).maskPlan(for: [ssn])
        == .columns([.partial(keepFirst: 0, keepLast: 2)]))
  }

  @Test("masks reach only the people and places of their rule")
  func scope() {
    let rules = [rule("pii", "ssn", unless: Matcher(groups: ["dba"]))]
    #expect(PolicySample.scoped(rules, to: PolicySample.ana).mayMask)
    let dba = PolicySample.scoped(rules, to: PolicySample.dora)
    #expect(!dba.mayMask && dba.maskPlan(for: [ssn, computed]) == .identity)
    let elsewhere = rule("pii", "ssn", when: Matcher(connections: [NameGlob("crm")]))
    #expect(!PolicySample.policy(elsewhere).mayMask)
  }

  @Test("an exemption that depends on the command exempts nobody from a mask")
  func commandExemption() {
    let policy = PolicySample.policy(rule("pii", "ssn", unless: Matcher(effects: EffectSelector(.read))))
    #expect(policy.maskPlan(for: [ssn]) == .columns([Self.keepFour]))
  }

  @Test("a computed column is masked when a masked table may be behind it, and never keeps its ends")
  func computedColumns() {
    let policy = PolicySample.policy(rule("pii", "public.customers.ssn"))
    let customers = Footprint([PolicySample.relation("customers", .read)])
    let unresolved = Footprint([PolicySample.relation("customers", .read, schema: nil)])
    let routine = Footprint([ResourceAccess(.routine(schema: "public", "f"), .call)])
    for footprint in [customers, unresolved, routine, .everything] {
      #expect(policy.maskPlan(for: [computed], touching: footprint) == .columns([.conceal]))
    }
    let orders = Footprint([PolicySample.relation("orders", .read)])
    #expect(policy.maskPlan(for: [computed], touching: orders) == .identity)
    #expect(policy.maskPlan(for: [computed], touching: .nothing) == .identity)
    #expect(policy.maskPlan(for: [computed]) == .columns([.conceal]), "nothing known")
    let anywhere = PolicySample.policy(rule("pii", "ssn", mask: .null))
    #expect(anywhere.maskPlan(for: [computed], touching: orders) == .columns([.null]), "any table may have that column")
  }

  @Test("a column whose schema is not known may be the one that is masked")
  func unresolvedColumn() {
    let column = ResultColumn(name: "ssn", origin: .column(["customers", "ssn"]))
    #expect(
      PolicySample.policy(rule("pii", "public.customers.ssn")).maskPlan(for: [column]) == .columns([Self.keepFour]))
  }

  @Test("a stored column without a known name may be any, and is masked as one")
  func unknownName() {
    let column = ResultColumn(name: "ssn", origin: .unresolved)
    let policy = PolicySample.policy(rule("pii", "public.customers.ssn"))
    #expect(policy.maskPlan(for: [column], touching: .nothing) == .columns([Self.keepFour]))
    #expect(PolicySample.policy().maskPlan(for: [column]) == .identity)
  }

  @Test("a shadow mask changes nothing and is named")
  func shadow() {
    let policy = PolicySample.policy(rule("watch", "ssn", mode: .shadow), rule("pii", "email"))
    #expect(policy.maskPlan(for: [ssn]) == .identity)
    #expect(policy.maskRules(for: [ssn, email]) == ["shadow:watch", "pii"])
    #expect(policy.maskRules(for: [id]) == [])
    #expect(!PolicySample.policy(rule("watch", "ssn", mode: .shadow)).mayMask)
  }

  /// What a statement's lineage says, and whether it is refused: (predicates, copies, touched, result).
  @Test("masked columns may not be compared, copied, defined upon or sent by COPY")
  func uses() {
    let ssn = ColumnSet([StoredColumn(["public", "customers", "ssn"])])
    let id = ColumnSet([StoredColumn(["public", "customers", "id"])])
    let customers = Footprint([PolicySample.relation("customers", .read)])
    func isRefused(
      _ lineage: StatementLineage, _ effects: Effects = .read, _ kind: SQLStatement.Kind = .select,
      _ predicates: ColumnMask.Predicates = .deny
    ) -> Bool {
      var mask = rule("pii", "public.customers.ssn")
      mask.action = .mask(
        ColumnMask(
          columns: [NamePattern("public.customers.ssn")].compactMap { $0 }, mask: .redact, predicates: predicates))
      let statement = SQLStatement(kind: kind, effects: effects, footprint: customers, lineage: lineage)
      let command = Command(
        effects: effects, footprint: customers, text: "x", detail: .sql(SQLDetail(statements: [statement])))
      guard case .deny(let denial) = PolicySample.policy(mask).decide(command) else { return false }
      #expect(denial.rule == "pii")
      return true
    }
    #expect(!isRefused(StatementLineage(outputs: nil, result: ssn, touched: ssn)))
    for hidden in [ssn, .footprint, .everything] {
      #expect(isRefused(StatementLineage(predicates: hidden)))
      #expect(!isRefused(StatementLineage(predicates: hidden), .read, .select, .allow))
      #expect(isRefused(StatementLineage(copies: hidden), .read, .select, .allow))
      #expect(isRefused(StatementLineage(touched: hidden), .define, .create))
      #expect(isRefused(StatementLineage(result: hidden), .read, .copyTo))
    }
    let harmless = StatementLineage(outputs: nil, result: id, predicates: id, copies: id, touched: id)
    for (effects, kind) in [(Effects.read, SQLStatement.Kind.select), (.define, .create), (.read, .copyTo)] {
      #expect(!isRefused(harmless, effects, kind))
    }
  }

  @Test("equality: so many constants in one statement, counted; nothing else, and nothing where it is denied")
  func equality() {
    let ssn = ColumnSet([StoredColumn(["public", "customers", "ssn"])])
    func decide(_ lineage: StatementLineage, _ predicates: ColumnMask.Predicates) -> Decision {
      var mask = rule("pii", "public.customers.ssn")
      mask.action = .mask(
        ColumnMask(
          columns: [NamePattern("public.customers.ssn")].compactMap { $0 }, mask: .redact, predicates: predicates))
      let customers = Footprint([PolicySample.relation("customers", .read)])
      let statement = SQLStatement(kind: .select, effects: .read, footprint: customers, lineage: lineage)
      return PolicySample.policy(mask).decide(
        Command(effects: .read, footprint: customers, text: "x", detail: .sql(SQLDetail(statements: [statement]))))
    }
    func comparisons(_ decision: Decision) -> Int? {
      guard case .permit(let obligations) = decision else { return nil }
      return obligations.comparisons.first.map(\.constants) ?? 0
    }
    let some = ColumnMask.Predicates.equality(constants: 3, perHour: 60)
    #expect(comparisons(decide(StatementLineage(touched: ssn, tests: ssn, testedConstants: 3), some)) == 3)
    #expect(comparisons(decide(StatementLineage(touched: ssn, tests: ssn, testedConstants: 4), some)) == nil)
    #expect(comparisons(decide(StatementLineage(touched: ssn, tests: ssn), some)) == 0)
    #expect(comparisons(decide(StatementLineage(predicates: ssn, tests: ssn, testedConstants: 1), some)) == nil)
    #expect(comparisons(decide(StatementLineage(touched: ssn, tests: ssn, testedConstants: 1), .deny)) == nil)
    #expect(comparisons(decide(StatementLineage(touched: ssn, tests: ssn), .deny)) == nil)
    #expect(comparisons(decide(StatementLineage(touched: ssn, tests: ssn, testedConstants: 40), .allow)) == 0)
  }

  @Test("lineage decides what a computed column becomes; a copy keeps the rule's mask")
  func lineage() {
    let policy = PolicySample.policy(rule("pii", "public.customers.ssn"))
    let ssn = ColumnSet([StoredColumn(["public", "customers", "ssn"])])
    let id = ColumnSet([StoredColumn(["public", "customers", "id"])])
    func mask(_ source: ValueSource, _ origin: ResultColumn.Origin = .computed) -> MaskPlan {
      policy.maskPlan(
        for: [ResultColumn(name: "x", origin: origin, source: source)],
        touching: Footprint([PolicySample.relation("customers", .read)]))
    }
    #expect(mask(ValueSource(id)) == .identity)
    #expect(mask(.constant) == .identity)
    #expect(mask(ValueSource(ssn)) == .columns([.conceal]))
    #expect(mask(ValueSource(ssn, isCopy: true)) == .columns([Self.keepFour]))
    #expect(mask(.unknown) == .columns([.conceal]))
    let view = ResultColumn.Origin.column(["public", "view", "secret"])
    #expect(mask(ValueSource(ssn, isCopy: true), view) == .columns([Self.keepFour]))
    #expect(mask(ValueSource(ssn), view) == .columns([.conceal]))
    #expect(mask(ValueSource(id, isCopy: true), view) == .identity)
  }

  @Test("masks do not restrict commands")
  func notARestriction() {
    let decision = PolicySample.policy(rule("pii", "ssn")).decide(PolicySample.command(PolicySample.select))
    #expect(decision == .permit(Obligations()))
  }
}
