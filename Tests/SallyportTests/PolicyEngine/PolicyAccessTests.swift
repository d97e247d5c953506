import AccessModel
import Testing

@testable import PolicyEngine

@Suite("Policy: access")
struct AccessTests {
  private func scoped(_ grants: [AccessGrant], to subject: Subject = PolicySample.ana) -> ScopedPolicy {
    Policy(PolicyDocument(grants: grants), hash: "h").scoped(to: subject)
  }
  private func grant(_ effects: Effects, users: [String]? = nil, groups: [String]? = ["engineering"]) -> AccessGrant {
    AccessGrant(users: users, groups: groups, connections: .names([NameGlob("shop")]), allow: ["postgres": effects])
  }

  @Test("without any grant nothing passes, not even what does nothing")
  func noGrant() {
    let policy = scoped([])
    #expect(!policy.hasAccess)
    for statement in [PolicySample.select, PolicySample.begin] {
      #expect(policy.decide(PolicySample.command(statement)).deniedBy == "access")
    }
  }

  @Test("all that a command may do must be covered, by one grant or several together")
  func union() {
    let command = PolicySample.command(PolicySample.select, PolicySample.insert)
    #expect(scoped([grant(.read)]).decide(command).deniedBy == "access")
    #expect(scoped([grant(.read), grant(.write)]).decide(command).isPermit)
  }

  @Test("the denial names what is missing and what to ask for")
  func message() {
    let decision = scoped([grant(.read)]).decide(PolicySample.command(PolicySample.select, PolicySample.insert))
    let expected = Denial(
      rule: "access", reason: "this needs write on connection \"shop\", and access covers only read",
      hint: "Ask an administrator of the gateway for write access to connection \"shop\".")
    #expect(decision == .deny(expected))
  }

  @Test("the unknown is covered by a grant of everything only, never by all known effects together")
  func unknown() {
    let all = Effects.named.reduce(into: Effects()) { $0.formUnion($1.effect) }
    for command in [PolicySample.misunderstood, PolicySample.unknownCall] {
      #expect(scoped([grant(all)]).decide(command).deniedBy == "access")
      #expect(scoped([grant(.unknown)]).decide(command).isPermit)
    }
  }

  @Test("a grant holds for its people, connections and protocol only")
  func scope() {
    let command = PolicySample.command(PolicySample.select)
    #expect(!scoped([grant(.read)], to: PolicySample.dora).hasAccess)
    #expect(scoped([grant(.read, users: ["ana"], groups: nil)]).decide(command).isPermit)
    #expect(!scoped([grant(.read, users: ["bo"], groups: ["engineering"])]).hasAccess, "keys are AND")
    #expect(!scoped([grant(.read, groups: nil)]).hasAccess, "a grant to nobody in particular")
    #expect(!scoped([grant(.read, groups: [])]).hasAccess)
    var elsewhere = PolicySample.ana
    elsewhere.connection = "shop2"
    #expect(!scoped([grant(.read)], to: elsewhere).hasAccess)
    elsewhere = PolicySample.ana
    elsewhere.protocolName = "http"
    #expect(!scoped([grant(.read)], to: elsewhere).hasAccess)
  }

  @Test("connections are granted by label: every key with one of its values")
  func labels() {
    func byLabel(_ labels: [String: [String]]) -> Bool {
      scoped([AccessGrant(groups: ["engineering"], connections: .labels(labels), allow: ["postgres": .read])]).hasAccess
    }
    #expect(byLabel(["env": ["prod"]]) && byLabel(["env": ["test", "prod"], "data": ["customer"]]))
    #expect(!byLabel(["env": ["test"]]) && !byLabel(["env": ["prod"], "team": ["x"]]) && !byLabel([:]))
  }

  @Test("connection names take * for any run of characters")
  func globs() {
    for (pattern, name, expected) in [
      ("*", "shop", true), ("sh*", "shop", true), ("*op", "shop", true), ("s*o*", "shop", true), ("shop", "shop", true),
      ("sho", "shop", false), ("*x*", "shop", false), ("s*ho", "shop", false), ("", "shop", false), ("", "", true),
      ("a*b*c", "aXbXbc", true), ("shop.*", "shop-eu", false),
    ] {
      #expect(NameGlob(pattern).matches(name) == expected, "\(pattern) on \(name)")
    }
  }
}
