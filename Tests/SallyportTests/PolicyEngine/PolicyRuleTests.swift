import AccessModel
import Testing

@testable import PolicyEngine

@Suite("Policy: deny, hold, permit")
struct RuleTests {
  private let deny = Rule(name: "no-writes", when: Matcher(effects: EffectSelector(.write)), then: .deny, reason: "no")
  private let hold = Rule(
    name: "review", when: Matcher(effects: EffectSelector(.write)),
    then: .approve(Approval(by: ["dba"], count: 2, wait: .seconds(120))))

  @Test("what no rule meets is permitted without obligations")
  func plain() {
    let decision = PolicySample.policy(deny, hold).decide(PolicySample.command(PolicySample.select))
    #expect(decision == .permit(Obligations()))
  }

  @Test("deny outranks hold, hold outranks permit, in whatever order the rules stand")
  func strongest() {
    let write = PolicySample.command(PolicySample.insert)
    let shadow = Rule(name: "watch", then: .deny, mode: .shadow)
    for rules in [[deny, hold, shadow], [hold, shadow, deny], [shadow, hold, deny]] {
      #expect(PolicySample.scoped(rules, to: PolicySample.ana).decide(write).deniedBy == "no-writes")
      let held = PolicySample.scoped(rules.filter { $0.name != "no-writes" }, to: PolicySample.ana).decide(write)
      #expect(
        held
          == .hold(
            ApprovalRequirement(
              clauses: [.init(rule: "review", by: ["dba"], count: 2)], wait: .seconds(120), waitIsExplicit: true)))
    }
  }

  @Test("of two denying rules the first of the document speaks, and all are named")
  func twoDenials() {
    let other = Rule(name: "nothing-at-all", then: .deny)
    let evaluation = PolicySample.policy(deny, hold, other).evaluate(PolicySample.command(PolicySample.insert))
    #expect(evaluation.decision == .deny(Denial(rule: "no-writes", reason: "no")))
    #expect(evaluation.rules == ["no-writes", "review", "nothing-at-all"])
  }

  @Test("a rule that applies only because nothing was understood says so")
  func notUnderstood() {
    let misunderstood = PolicySample.misunderstood
    let reason = "what this does could not be worked out, so it may be what a rule forbids: no"
    #expect(PolicySample.policy(deny).decide(misunderstood) == .deny(Denial(rule: "no-writes", reason: reason)))
    let everything = Rule(name: "closed", then: .deny, reason: "closed today")
    #expect(
      PolicySample.policy(everything).decide(misunderstood) == .deny(Denial(rule: "closed", reason: "closed today")))
  }

  @Test("two approve rules both ask; the shorter wait counts")
  func twoApprovals() {
    let second = Rule(name: "security-too", then: .approve(Approval(by: ["security"])))
    let decision = PolicySample.policy(hold, second).decide(PolicySample.command(PolicySample.insert))
    let expected = ApprovalRequirement(
      clauses: [
        .init(rule: "review", by: ["dba"], count: 2), .init(rule: "security-too", by: ["security"], count: 1),
      ], wait: .seconds(60), waitIsExplicit: true)
    #expect(decision == .hold(expected))
  }

  @Test("a rule that does not state its wait leaves the bound inside transactions in force")
  func impliedWait() {
    let rule = Rule(name: "review", then: .approve(Approval(by: ["dba"])))
    let decision = PolicySample.policy(rule).decide(PolicySample.command(PolicySample.select))
    #expect(
      decision
        == .hold(
          ApprovalRequirement(
            clauses: [.init(rule: "review", by: ["dba"], count: 1)], wait: .seconds(60), waitIsExplicit: false)))
  }

  @Test("a shadow rule is recorded and not enforced")
  func shadow() {
    var watching = deny
    watching.mode = .shadow
    let decision = PolicySample.policy(watching).decide(PolicySample.command(PolicySample.insert))
    #expect(decision == .permit(Obligations(rules: ["shadow:no-writes"])))
  }

  @Test("a command that is only prepared is decided as if it ran")
  func prepared() {
    let prepared = PolicySample.command(PolicySample.insert, stage: .prepare)
    #expect(PolicySample.policy(deny).decide(prepared).deniedBy == "no-writes")
  }

  @Test("no rule grants: without access the rules are not asked")
  func accessFirst() {
    let policy = Policy(PolicyDocument(grants: [], rules: [deny]), hash: "h").scoped(to: PolicySample.ana)
    let evaluation = policy.evaluate(PolicySample.command(PolicySample.insert))
    #expect(evaluation.decision.deniedBy == "access" && evaluation.rules.isEmpty)
  }

  @Test("rules for other people and places are gone from a scoped policy")
  func scoping() {
    let rules = [
      Rule(name: "users", when: Matcher(users: ["bo"]), then: .deny),
      Rule(name: "groups", when: Matcher(groups: ["dba"]), then: .deny),
      Rule(name: "connections", when: Matcher(connections: [NameGlob("crm-*")]), then: .deny),
      Rule(name: "labels", when: Matcher(labels: ["env": ["test"]]), then: .deny),
      Rule(name: "protocols", when: Matcher(protocols: ["ssh"]), then: .deny),
      Rule(name: "exempt", unless: Matcher(users: ["ana"]), then: .deny),
      Rule(name: "no one of nothing", when: Matcher(users: []), then: .deny),
      Rule(name: "and", when: Matcher(users: ["ana"], groups: ["dba"]), then: .deny),
    ]
    #expect(PolicySample.scoped(rules, to: PolicySample.ana).restrictions.isEmpty)
    let met = [
      Rule(name: "or", when: Matcher(users: ["bo", "ana"]), then: .deny),
      Rule(name: "all keys", when: Matcher(groups: ["engineering"], connections: [NameGlob("sh*")]), then: .deny),
      Rule(name: "labels", when: Matcher(labels: ["env": ["test", "prod"]]), then: .deny),
      Rule(name: "not exempt", unless: Matcher(groups: ["dba"]), then: .deny),
      Rule(name: "empty unless", unless: Matcher(), then: .deny),
    ]
    #expect(PolicySample.scoped(met, to: PolicySample.ana).restrictions.map(\.name) == met.map(\.name))
  }

  @Test("an exemption holds for its own rule only")
  func exemption() {
    let rules = [
      Rule(name: "one", unless: Matcher(groups: ["dba"]), then: .deny), Rule(name: "two", then: .deny),
    ]
    #expect(
      PolicySample.scoped(rules, to: PolicySample.dora).decide(PolicySample.command(PolicySample.select)).deniedBy
        == "two")
  }
}
