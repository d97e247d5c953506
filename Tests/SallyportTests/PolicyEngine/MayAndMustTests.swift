import AccessModel
import Testing

@testable import PolicyEngine

/// `when` catches what a command *may* do; `unless` excuses only what *must* be covered (DESIGN §2).
@Suite("Policy: may and must")
struct MayAndMustTests {
  private func catches(_ when: Matcher, _ command: Command) -> Bool {
    PolicySample.policy(Rule(name: "r", when: when, then: .deny)).decide(command).deniedBy == "r"
  }
  private func excuses(_ unless: Matcher, _ command: Command) -> Bool {
    PolicySample.policy(Rule(name: "r", unless: unless, then: .deny)).decide(command).isPermit
  }
  private func tables(_ names: String...) -> Matcher {
    Matcher(sql: SQLMatcher(tables: names.compactMap(NamePattern.init)))
  }
  private func statements(_ kinds: SQLStatement.Kind...) -> Matcher {
    Matcher(sql: SQLMatcher(statements: Set(kinds)))
  }

  static let everySQLMatcher: [Matcher] = [
    Matcher(sql: SQLMatcher(statements: [.truncate])), Matcher(sql: SQLMatcher(whereAbsent: true)),
    Matcher(sql: SQLMatcher(tables: [NamePattern("secret.vault")].compactMap { $0 })),
    Matcher(effects: EffectSelector(.egress)), Matcher(effects: EffectSelector(unknown: true)),
    Matcher(
      effects: EffectSelector(.write),
      sql: SQLMatcher(
        statements: [.delete], tables: [NamePattern("secret.vault")].compactMap { $0 }, whereAbsent: true)),
  ]

  @Test("what is not understood is caught by every matcher", arguments: everySQLMatcher)
  func unknownIsCaught(matcher: Matcher) {
    #expect(catches(matcher, PolicySample.misunderstood))
    #expect(catches(matcher, PolicySample.unknownCall))
    // One unknown statement among known ones, or effects that no statement accounts for.
    #expect(
      catches(
        matcher, PolicySample.command(PolicySample.select, .init(kind: .do, effects: .unknown, footprint: .everything)))
    )
  }

  @Test("what is not understood is excused by no matcher about what it does", arguments: everySQLMatcher)
  func unknownIsNotExcused(matcher: Matcher) {
    var matcher = matcher
    // Naming `unknown` is the one way to excuse it by effect, and is said so.
    if matcher.effects?.unknown == true { matcher.effects = EffectSelector(Effects(rawValue: 0x3FF)) }
    #expect(!excuses(matcher, PolicySample.misunderstood))
    #expect(!excuses(matcher, PolicySample.unknownCall))
  }

  @Test("a command without statements that yet does something is not understood")
  func noStatements() {
    let odd = Command(effects: .write, footprint: .nothing, text: "", detail: .sql(SQLDetail(statements: [])))
    #expect(catches(Matcher(sql: SQLMatcher(statements: [.drop])), odd))
    let empty = Command(effects: [], footprint: .nothing, text: "", detail: .sql(SQLDetail(statements: [])))
    #expect(!catches(Matcher(sql: SQLMatcher(statements: [.drop])), empty))
  }

  @Test("effects: one in common is caught, all covered is excused")
  func effects() {
    let both = PolicySample.command(PolicySample.select, PolicySample.insert)
    #expect(catches(Matcher(effects: EffectSelector(.write)), both))
    #expect(!catches(Matcher(effects: EffectSelector(.define)), both))
    #expect(!catches(Matcher(effects: EffectSelector(unknown: true)), both))
    #expect(!excuses(Matcher(effects: EffectSelector(.write)), both))
    #expect(excuses(Matcher(effects: EffectSelector([.read, .write])), both))
    #expect(excuses(Matcher(effects: EffectSelector(unknown: true)), PolicySample.misunderstood))
  }

  @Test("statements: any nested kind is caught, all kinds covered are excused")
  func kinds() {
    let hidden = PolicySample.statement(.select, [.read, .write], [], where: .present, kinds: [.select, .delete])
    #expect(catches(statements(.delete), PolicySample.command(hidden)))
    #expect(catches(statements(.delete), PolicySample.command(PolicySample.select, PolicySample.deleteOne)))
    #expect(!catches(statements(.update), PolicySample.command(hidden)))
    #expect(!excuses(statements(.select), PolicySample.command(hidden)))
    #expect(excuses(statements(.select, .delete), PolicySample.command(hidden, PolicySample.deleteOne)))
    #expect(!excuses(statements(.select), PolicySample.command(PolicySample.select, PolicySample.insert)))
  }

  @Test("where: absent is asked of the same statement as the kind")
  func whereAbsent() {
    let rule = Matcher(sql: SQLMatcher(statements: [.update, .delete], whereAbsent: true))
    #expect(catches(rule, PolicySample.command(PolicySample.deleteAll)))
    #expect(catches(rule, PolicySample.command(PolicySample.select, PolicySample.deleteAll)))
    #expect(!catches(rule, PolicySample.command(PolicySample.deleteOne)))
    #expect(!catches(rule, PolicySample.command(PolicySample.select)))
    let updateAll = PolicySample.statement(.update, .write, [PolicySample.relation("t", .write)], where: .absent)
    let deletes = Matcher(sql: SQLMatcher(statements: [.delete], whereAbsent: true))
    #expect(!catches(deletes, PolicySample.command(PolicySample.deleteOne, updateAll)))
    #expect(!excuses(Matcher(sql: SQLMatcher(whereAbsent: true)), PolicySample.command(PolicySample.deleteAll)))
  }

  @Test("tables: one that may be meant is caught, all that certainly are meant is excused")
  func tableNames() {
    let unresolved = PolicySample.command(
      PolicySample.statement(.select, .read, [PolicySample.relation("customers", .read, schema: nil)]))
    #expect(catches(tables("public.customers"), unresolved) && catches(tables("crm.customers"), unresolved))
    #expect(!catches(tables("public.orders"), unresolved))
    #expect(!excuses(tables("public.customers"), unresolved))
    #expect(excuses(tables("customers"), unresolved), "any schema is meant")
    let select = PolicySample.command(PolicySample.select)
    #expect(excuses(tables("public.cust*"), select) && !excuses(tables("crm.*"), select))
    let two = PolicySample.command(PolicySample.select, PolicySample.insert)
    #expect(catches(tables("orders"), two) && !excuses(tables("orders"), two))
    #expect(excuses(tables("orders", "customers"), two))
  }

  @Test("an effect and a table in one matcher mean that effect on that table")
  func effectOnTable() {
    let copy = PolicySample.command(
      PolicySample.statement(
        .insert, [.read, .write], [PolicySample.relation("customers", .read), PolicySample.relation("orders", .write)]))
    func writes(_ table: String) -> Matcher {
      Matcher(effects: EffectSelector(.write), sql: tables(table).sql)
    }
    #expect(catches(writes("orders"), copy) && !catches(writes("customers"), copy))
    // An effect that no resource owns may be meant for any of them.
    let loose = copy.changed(effects: copy.effects.union(.administer))
    #expect(catches(Matcher(effects: EffectSelector(.administer), sql: tables("customers").sql), loose))
  }

  @Test("a table of the command that no statement owns is caught")
  func unownedTable() {
    let insert = PolicySample.command(PolicySample.insert)
    let command = insert.changed(
      footprint: insert.footprint.union(Footprint([PolicySample.relation("customers", .read)])))
    #expect(catches(tables("customers"), command) && !excuses(tables("orders"), command))
  }

  @Test("a table's name does not excuse what is done beside the table")
  func besideTheTable() {
    let orders = tables("orders")
    let administers = PolicySample.statement(.alter, .administer, [])
    #expect(!excuses(orders, PolicySample.command(administers)))
    #expect(!excuses(orders, PolicySample.command(PolicySample.insert, administers)))
    let calls = PolicySample.statement(
      .select, [.read, .call],
      [PolicySample.relation("orders", .read), ResourceAccess(.routine(schema: "public", "orders"), .call)])
    #expect(!excuses(orders, PolicySample.command(calls)))
    #expect(excuses(orders, PolicySample.command(PolicySample.insert)))
  }

  @Test("an empty one of catches nothing and excuses nothing")
  func emptyLists() {
    let command = PolicySample.command(PolicySample.select)
    for matcher in [
      Matcher(users: []), Matcher(effects: EffectSelector()), Matcher(sql: SQLMatcher(statements: [])),
      Matcher(sql: SQLMatcher(tables: [])),
    ] {
      #expect(!catches(matcher, command) && !excuses(matcher, command))
    }
  }
}
