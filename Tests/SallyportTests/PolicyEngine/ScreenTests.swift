import AccessModel
import Testing

@testable import PolicyEngine

/// What makes decisions fast must not change them.
@Suite("Policy: shortcuts")
struct ScreenTests {
  private static let matchers: [CommandMatcher] = {
    let effects: [EffectSelector?] = [
      nil, EffectSelector(.write), EffectSelector([.read, .define]), EffectSelector(unknown: true),
    ]
    let statements: [Set<SQLStatement.Kind>?] = [nil, [], [.delete], [.select, .insert]]
    let tables: [[NamePattern]?] = [nil, ["customers", "public.or*"].compactMap(NamePattern.init)]
    var matchers: [CommandMatcher] = []
    for effect in effects {
      matchers.append(CommandMatcher(effects: effect))
      for statement in statements {
        for table in tables {
          for absent in [true, false] {
            let sql = SQLMatcher(statements: statement, tables: table, whereAbsent: absent)
            matchers.append(CommandMatcher(effects: effect, sql: sql))
          }
        }
      }
    }
    return matchers
  }()

  private static let commands: [Command] = {
    let unowned = PolicySample.command(PolicySample.begin)
      .changed(footprint: Footprint([PolicySample.relation("customers", .read)]))
    let nested = PolicySample.statement(.select, [.read, .write], [], where: .absent, kinds: [.select, .delete])
    let statements = [
      PolicySample.select, PolicySample.insert, PolicySample.deleteAll, PolicySample.deleteOne, PolicySample.create,
      PolicySample.begin, nested,
    ]
    return [PolicySample.misunderstood, PolicySample.unknownCall, unowned]
      + statements.flatMap { one in statements.map { PolicySample.command(one, $0) } }
  }()

  @Test("the screen never stops what the matcher would match")
  func screen() {
    var stopped = 0
    var matched = 0
    let summaries = Self.commands.map(\.facts.shape.summary)
    for matcher in Self.matchers {
      let screen = Screen(matcher)
      for (command, summary) in zip(Self.commands, summaries) {
        let passes = screen.passes(summary)
        if matcher.mayMatch(command) {
          matched += 1
          #expect(passes, "\(matcher) on \(command)")
        }
        if !passes { stopped += 1 }
      }
    }
    #expect(stopped > 500 && matched > 500, "both sides of the law are tried: \(stopped), \(matched)")
  }

  @Test("every kind of statement has a bit of its own")
  func kinds() {
    let bits = SQLStatement.Kind.allCases.map { KindSet($0).rawValue }
    #expect(Set(bits).count == bits.count && bits.allSatisfy { $0.nonzeroBitCount == 1 })
  }

  @Test("a column pattern means what its name pattern means")
  func columnPatterns() {
    let patterns = ["ssn", "*", "s*", "customers.ssn", "*.ssn", "public.*.ssn", "p*c.c*s.s*n", "crm.customers.ssn"]
    let paths = [
      ["public", "customers", "ssn"], ["crm", "customers", "ssn"], ["customers", "ssn"], ["ssn"],
      ["public", "customers", "id"],
      [], ["public", "customers", "s"], ["a", "public", "customers", "ssn"], ["public", "customers", "śsn"],
    ]
    for pattern in patterns.compactMap(NamePattern.init) {
      for path in paths {
        #expect(
          ColumnPattern(pattern).mayMatch(path) == pattern.mayMatch(path.map(Optional.some)), "\(pattern) on \(path)")
      }
    }
  }
}
