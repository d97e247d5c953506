import AccessModel
import Testing

@testable import PolicyEngine

@Suite("What depends on commands")
struct CommandDependenceTests {
  private func depends(_ allow: Effects, _ rules: [Rule] = []) -> Bool {
    let grant = AccessGrant(
      groups: ["engineering"], connections: .names([NameGlob("*")]), allow: ["postgres": allow])
    return Policy(PolicyDocument(grants: [grant], rules: rules), hash: "")
      .scoped(to: PolicySample.ana).dependsOnCommands
  }

  @Test func onlyEverythingWithoutARuleDependsOnNothing() {
    #expect(!depends(.unknown))
    #expect(depends([.read, .write]))
    #expect(depends(.unknown, [Rule(name: "r", when: Matcher(effects: EffectSelector(.define)), then: .deny)]))
    let mask = ColumnMask(columns: ["ssn"].compactMap(NamePattern.init), mask: .redact)
    #expect(depends(.unknown, [Rule(name: "m", when: Matcher(), then: .mask(mask))]))
  }
}
