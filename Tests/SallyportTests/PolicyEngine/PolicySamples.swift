import AccessModel

@testable import PolicyEngine

/// Commands and people that the policy tests share.
enum PolicySample {
  static let ana = Subject(
    user: "ana", groups: ["engineering"], connection: "shop", labels: ["env": "prod", "data": "customer"])
  static let dora = Subject(user: "dora", groups: ["dba"], connection: "shop", labels: ["env": "prod"])

  /// Everything to everyone in these tests' groups, so that only rules decide.
  static let open = AccessGrant(
    groups: ["engineering", "dba"], connections: .names([NameGlob("*")]), allow: ["postgres": .unknown])

  static func relation(_ name: String, _ effects: Effects, schema: String? = "public") -> ResourceAccess {
    ResourceAccess(.relation(schema: schema, name), effects)
  }

  static func statement(
    _ kind: SQLStatement.Kind, _ effects: Effects, _ accesses: [ResourceAccess],
    where predicate: SQLStatement.Predicate = .notApplicable, kinds: Set<SQLStatement.Kind>? = nil
  ) -> SQLStatement {
    SQLStatement(kind: kind, effects: effects, footprint: Footprint(accesses), predicate: predicate, kinds: kinds)
  }

  static func command(_ statements: SQLStatement..., stage: Command.Stage = .execute) -> Command {
    Command(
      stage: stage, effects: statements.reduce(into: []) { $0.formUnion($1.effects) },
      footprint: statements.reduce(.nothing) { $0.union($1.footprint) }, text: "…",
      detail: .sql(SQLDetail(statements: statements)))
  }

  static let select = statement(.select, .read, [relation("customers", .read)])
  static let insert = statement(.insert, .write, [relation("orders", .write)])
  static let deleteAll = statement(.delete, .write, [relation("customers", .write)], where: .absent)
  static let deleteOne = statement(
    .delete, [.read, .write], [relation("customers", [.read, .write])], where: .present)
  static let create = statement(.create, .define, [relation("fresh", .define)])
  static let begin = statement(.begin, [], [])

  static let misunderstood = Command(
    effects: .unknown, footprint: .everything, text: "selekt",
    detail: .sql(SQLDetail(statements: [], misunderstood: .syntax(message: "syntax error", position: 1))))
  /// A SELECT that calls code which nobody knows.
  static let unknownCall = command(
    SQLStatement(kind: .select, effects: .unknown, footprint: .everything))

  static func policy(_ rules: Rule...) -> ScopedPolicy { scoped(rules, to: ana) }

  static func scoped(_ rules: [Rule], to subject: Subject) -> ScopedPolicy {
    Policy(PolicyDocument(grants: [open], rules: rules), hash: "h").scoped(to: subject)
  }
}

extension Decision {
  var isPermit: Bool {
    switch self {
    case .permit: true
    case .deny, .hold: false
    }
  }
  var deniedBy: String? {
    switch self {
    case .deny(let denial): denial.rule
    case .permit, .hold: nil
    }
  }
}

extension Command {
  /// The same with other effects or another footprint.
  func changed(effects: Effects? = nil, footprint: Footprint? = nil) -> Command {
    Command(
      stage: stage, effects: effects ?? self.effects, footprint: footprint ?? self.footprint, text: text,
      parameters: parameters, detail: detail)
  }
}
