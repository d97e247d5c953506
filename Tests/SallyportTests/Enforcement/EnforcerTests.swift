import AccessModel
import Enforcement
import PolicyEngine
import SQLAnalysis
import Testing

@Suite("Enforcer") struct EnforcerTests {
  private let audit = MemoryAudit()

  private func policy(_ rules: Rule..., allow: Effects = .unknown) -> ScopedPolicy {
    let grant = AccessGrant(
      groups: ["engineering"], connections: .names([NameGlob("*")]), allow: ["postgres": allow])
    return Policy(PolicyDocument(grants: [grant], rules: rules), hash: "h")
      .scoped(to: Subject(user: "ana", groups: ["engineering"], connection: "shop"))
  }

  private func enforcer(_ policy: ScopedPolicy) -> Enforcer { Enforcer(session: "s", policy: policy, audit: audit) }

  private func command(_ text: String, _ stage: Command.Stage = .execute) -> Command {
    SQLAnalyzer.analyze(text).command(stage: stage)
  }

  private func misunderstood(_ why: SQLMisunderstanding) -> Command {
    Analysis(text: "…", misunderstood: why).command()
  }

  /// `forward 1`, `hold`, or the refusal's kind with its rule.
  private func spelled(_ ruling: consuming Ruling) -> String {
    switch consume ruling {
    case .forward(let permit): "forward \(permit.command.rawValue)"
    case .hold: "hold"
    case .needsValues: "needs values"
    case .needsEstimate: "needs an estimate"
    case .refuse(let refusal): "\(refusal.kind) \(refusal.denial.rule)"
    }
  }

  private var records: [String] { audit.events.map(AuditSpelling.line) }

  private static let reviewed = Rule(name: "reviewed", then: .approve(Approval(by: ["dba"])))
  private static let masked = Rule(
    name: "pii",
    then: .mask(ColumnMask(columns: [NamePattern("customers.ssn")].compactMap { $0 }, mask: .redact)))

  /// Lets so many pass.
  private final class Purse: ComparisonBudget, @unchecked Sendable {
    // Confined to the test that made it.
    var left: Int
    init(_ left: Int) { self.left = left }
    func take(_ comparison: Obligations.Comparison, by user: String) -> Bool {
      guard user == "ana", comparison.constants <= left else { return false }
      left -= comparison.constants
      return true
    }
  }

  @Test("what rules in shadow would have done is on record, whatever else becomes of the command, and nothing is done")
  func shadows() throws {
    var (watched, hidden) = (Rule(name: "watched", then: .deny), Self.masked)
    (watched.mode, hidden.mode) = (.shadow, .shadow)
    let query = command("select ssn from customers")
    func shadows(_ rules: Rule..., of command: Command) -> [[String]] {
      let before = audit.events.count
      let grant = AccessGrant(
        groups: ["engineering"], connections: .names([NameGlob("*")]), allow: ["postgres": .unknown])
      let scoped = Policy(PolicyDocument(grants: [grant], rules: rules), hash: "h")
        .scoped(to: Subject(user: "ana", groups: ["engineering"], connection: "shop"))
      _ = enforcer(scoped).admit(CommandID(1), command)
      return audit.events[before...].compactMap { event in
        if case .decided(let record) = event { record.shadows } else { nil }
      }
    }
    #expect(shadows(watched, hidden, of: query) == [["watched", "pii"]])
    #expect(shadows(hidden, of: command("select id from orders")) == [[]])
    #expect(shadows(watched, Rule(name: "no", then: .deny), of: query) == [["watched"]])
    #expect(shadows(watched, Self.reviewed, of: query) == [["watched"]])
    #expect(shadows(Rule(name: "no", then: .deny), of: query) == [[]])
    #expect(spelled(enforcer(policy(watched, hidden)).admit(CommandID(7), query)) == "forward 7")
  }

  @Test("comparisons with masked columns are counted when they run, recorded as such, and refused beyond the budget")
  func comparisons() {
    let rule = Rule(
      name: "pii",
      then: .mask(
        ColumnMask(
          columns: [NamePattern("customers.ssn")].compactMap { $0 }, mask: .redact,
          predicates: .equality(constants: 10, perHour: 5))))
    let ssn = ColumnSet([StoredColumn(["public", "customers", "ssn"])])
    func command(_ stage: Command.Stage, _ constants: Int) -> Command {
      let footprint = Footprint([ResourceAccess(.relation(schema: "public", "customers"), .read)])
      let statement = SQLStatement(
        kind: .select, effects: .read, footprint: footprint,
        lineage: StatementLineage(touched: ssn, tests: ssn, testedConstants: constants))
      return Command(
        stage: stage, effects: .read, footprint: footprint, text: "x", detail: .sql(SQLDetail(statements: [statement])))
    }
    let purse = Purse(5)
    let enforcer = Enforcer(session: "s", policy: policy(rule), audit: audit, budget: purse)
    #expect(spelled(enforcer.admit(CommandID(1), command(.prepare, 4))) == "forward 1")
    #expect(spelled(enforcer.admit(CommandID(2), command(.execute, 4))) == "forward 2")
    #expect(spelled(enforcer.admit(CommandID(3), command(.execute, 2))) == "denied pii")
    #expect(spelled(enforcer.admit(CommandID(4), command(.execute, 0))) == "forward 4")
    #expect(spelled(enforcer.admit(CommandID(5), command(.execute, 1))) == "forward 5")
    #expect(purse.left == 0)
    #expect(records[1].hasPrefix("permit rule=pii"), "\(records)")
    let uncounted = Enforcer(session: "s", policy: policy(rule), audit: audit)
    #expect(spelled(uncounted.admit(CommandID(6), command(.execute, 1))) == "denied pii")
  }

  @Test func aPermitIsRecordedAndThenMinted() {
    let ruling = enforcer(policy()).admit(CommandID(1), command("select 1"))
    #expect(records == ["permit action=read footprint=nothing"])
    #expect(spelled(ruling) == "forward 1")
  }

  @Test func denialsAreRecorded() {
    let enforcer = enforcer(policy(Rule(name: "no", then: .deny)))
    #expect(spelled(enforcer.admit(CommandID(1), command("select 1"))) == "denied no")
    #expect(records == ["deny rule=no action=read footprint=nothing"])
  }

  /// An approval is bound to values: what is not here whole cannot be approved, and nothing is recorded until it is.
  @Test func valuesThatAreNotWholeCannotBeApproved() {
    let enforcer = enforcer(policy(Self.reviewed))
    var command = command("delete from t where id = $1")
    command.parameters = Parameters(count: 1, front: [0, 1], byteCount: 9, isObtainable: true)
    #expect(spelled(enforcer.admit(CommandID(1), command)) == "needs values")
    #expect(records.isEmpty)
    command.parameters = Parameters(count: 1, encoded: [0, 1])
    #expect(spelled(enforcer.admit(CommandID(1), command)) == "hold")
    command.parameters = Parameters(count: 1, front: [0, 1], byteCount: 9, isObtainable: false)
    #expect(spelled(enforcer.admit(CommandID(2), command)) == "notApproved reviewed")
    let clauses = [ApprovalRequirement.Clause(rule: "reviewed", by: ["dba"], count: 1)]
    let approved = ApprovalRequirement(clauses: clauses, wait: .zero, waitIsExplicit: false)
    #expect(
      spelled(enforcer.release(CommandID(2), command, approved: approved, approvers: ["dora"]))
        == "notApproved reviewed")
    // Nobody has to approve what is permitted, so it need not be here.
    #expect(spelled(self.enforcer(policy()).admit(CommandID(3), command)) == "forward 3")
  }

  /// What cannot be recorded does not happen, whatever the policy said, at every step.
  @Test func aFailingTrailRefuses() {
    audit.capacity = 0
    for rules in [[], [Self.reviewed], [Rule(name: "no", then: .deny)]] {
      var enforcer = enforcer(policy())
      enforcer.replacePolicy(
        Policy(
          PolicyDocument(
            grants: [
              AccessGrant(users: ["ana"], connections: .names([NameGlob("*")]), allow: ["postgres": .unknown])
            ], rules: rules), hash: "h"
        ).scoped(to: Subject(user: "ana", groups: [], connection: "shop")))
      #expect(spelled(enforcer.admit(CommandID(1), command("select 1"))) == "unavailable gateway")
    }
    let enforcer = enforcer(policy(Self.reviewed))
    let asked = ApprovalRequirement(
      clauses: [.init(rule: "reviewed", by: ["dba"], count: 1)], wait: .seconds(60), waitIsExplicit: false)
    #expect(
      spelled(enforcer.release(CommandID(1), command("select 1"), approved: asked, approvers: ["dora"]))
        == "unavailable gateway")
    #expect(
      spelled(
        enforcer.withdraw(
          CommandID(1), command("select 1"), Refusal(.cancelled, Denial(rule: "gateway", reason: "gone"))))
        == "unavailable gateway")
    let isNoted = enforcer.note(.control(session: "s", purpose: .cancel))
    #expect(!isNoted)
    #expect(audit.events.isEmpty)
  }

  @Test func aHoldLetsPreparePass() {
    let enforcer = enforcer(policy(Self.reviewed))
    #expect(spelled(enforcer.admit(CommandID(1), command("select 1", .prepare))) == "forward 1")
    #expect(spelled(enforcer.admit(CommandID(2), command("select 1"))) == "hold")
    #expect(
      records == [
        "permit stage=prepare action=read footprint=nothing", "hold rule=reviewed action=read footprint=nothing",
      ])
  }

  @Test func aDenialStopsPrepareToo() {
    let enforcer = enforcer(policy(Rule(name: "no", then: .deny), Self.reviewed))
    #expect(spelled(enforcer.admit(CommandID(1), command("select 1", .prepare))) == "denied no")
  }

  @Test func releaseDecidesAgain() throws {
    var enforcer = enforcer(policy(Self.reviewed))
    let select = command("select 1")
    guard case .hold(let asked) = enforcer.admit(CommandID(1), select) else {
      Issue.record("it does not wait")
      return
    }
    #expect(spelled(enforcer.release(CommandID(1), select, approved: asked, approvers: ["dora"])) == "forward 1")
    #expect(records.last == "permit rule=reviewed action=read footprint=nothing approvers=dora")
    enforcer.replacePolicy(policy(Rule(name: "no", then: .deny)))
    #expect(spelled(enforcer.release(CommandID(1), select, approved: asked, approvers: ["dora"])) == "denied no")
    enforcer.replacePolicy(policy(Rule(name: "reviewed", then: .approve(Approval(by: ["dba"], count: 2)))))
    #expect(
      spelled(enforcer.release(CommandID(1), select, approved: asked, approvers: ["dora"])) == "notApproved reviewed")
    enforcer.replacePolicy(policy(allow: .write))
    #expect(spelled(enforcer.release(CommandID(1), select, approved: asked, approvers: ["dora"])) == "denied access")
  }

  /// No grant covers what was not looked at, or would be read otherwise by the backend.
  @Test func tooLongAndUnsafeAreAlwaysRefused() {
    let enforcer = enforcer(policy())
    for why in [SQLMisunderstanding.tooLong(limit: 5), .unsafe("x")] {
      #expect(
        spelled(enforcer.admit(CommandID(1), misunderstood(why))) == "\(Refusal.Kind.misunderstood(why)) gateway")
    }
    for (why, wanted) in [
      (SQLMisunderstanding.opaque("FunctionCall"), "forward 1"), (.notText, "forward 1"), (.tooDeep, "forward 1"),
      (.syntax(message: "m", position: 1), "forward 1"),
    ] {
      #expect(spelled(enforcer.admit(CommandID(1), misunderstood(why))) == wanted)
    }
  }

  @Test func copyAndWhatHasNoNameAreRefusedUnderMasks() {
    let enforcer = enforcer(policy(Self.masked))
    for text in ["copy customers to stdout", "copy (select 1) to '/tmp/x'", "select 1; copy customers to stdout"] {
      #expect(spelled(enforcer.admit(CommandID(1), command(text))) == "denied pii", "\(text)")
    }
    #expect(spelled(enforcer.admit(CommandID(1), misunderstood(.opaque("FunctionCall")))) == "denied masking")
    #expect(spelled(enforcer.admit(CommandID(2), command("select ssn from customers"))) == "forward 2")
    #expect(spelled(enforcer.admit(CommandID(3), command("copy orders from stdin"))) == "forward 3")
  }

  /// A syntax error is answered as one where access alone speaks against it; a rule's word goes first.
  @Test func misunderstoodIsSaidAsWhatItIs() {
    let readOnly = enforcer(policy(allow: .read))
    let wrong = misunderstood(.syntax(message: "m", position: 3))
    #expect(
      spelled(readOnly.admit(CommandID(1), wrong))
        == "misunderstood(AccessModel.SQLMisunderstanding.syntax(message: \"m\", position: 3)) access")
    let ruled = enforcer(policy(Rule(name: "no", then: .deny)))
    #expect(spelled(ruled.admit(CommandID(1), wrong)) == "denied no")
  }

  /// A cursor's rows come from what it was declared over.
  @Test func resultsOfCursorsMayComeFromAnywhere() {
    #expect(command("fetch all from c").resultFootprint == .everything)
    #expect(command("select 1; fetch c").resultFootprint == .everything)
    #expect(command("select 1").resultFootprint == .nothing)
    #expect(command("select * from orders").resultFootprint == command("select * from orders").footprint)
  }
}
