import AccessModel

/// What became of one rule when a command was looked at: for people who ask why.
public struct RuleFinding: Sendable, Hashable {
  public enum Result: Sendable, Hashable {
    /// It meets the command.
    case met
    /// A key of `when` does not hold: the first one.
    case notMet(key: String)
    /// All of `unless` holds.
    case exempt
  }
  public var rule: String
  /// `deny`, `approve`, `mask` or `limit`.
  public var action: String
  public var isShadow: Bool
  public var result: Result
}

extension Policy {
  /// Every rule with what became of it, in the order of the document. A mask rule is met when it may concern what
  /// the person reads on the connection.
  public func findings(on command: Command, by subject: Subject) -> [RuleFinding] {
    document.rules.map { rule in
      RuleFinding(
        rule: rule.name, action: rule.action.name, isShadow: rule.mode == .shadow,
        result: result(rule, command, subject))
    }
  }

  private func result(_ rule: Rule, _ command: Command, _ subject: Subject) -> RuleFinding.Result {
    if let key = rule.when.firstMissing(command, subject, clock) { return .notMet(key: key) }
    guard let unless = rule.unless, !unless.isEmpty, unless.mustFit(subject),
      unless.command.mustCover(command, at: clock)
    else { return .met }
    return .exempt
  }
}

extension Action {
  /// As `then` spells it.
  public var name: String {
    switch self {
    case .deny: "deny"
    case .approve: "approve"
    case .mask: "mask"
    case .limit: "limit"
    }
  }
}

extension Matcher {
  /// The first key that does not hold; nil when all do.
  fileprivate func firstMissing(_ command: Command, _ subject: Subject, _ clock: LocalClock) -> String? {
    let people: [(String, Matcher)] = [
      ("users", Matcher(users: users)), ("groups", Matcher(groups: groups)),
      ("connections", Matcher(connections: connections)), ("labels", Matcher(labels: labels)),
      ("protocol", Matcher(protocols: protocols)), ("client.network", Matcher(networks: networks)),
    ]
    for (key, matcher) in people where !matcher.mayFit(subject) { return key }
    if sql != nil, subject.protocolName != "postgres" { return "sql" }
    if ssh != nil, subject.protocolName != "ssh" { return "ssh" }
    let commands: [(String, CommandMatcher)] = [
      ("hours", CommandMatcher(hours: hours)), ("effect", CommandMatcher(effects: effects)),
      ("text", CommandMatcher(text: text)), ("resources", CommandMatcher(effects: effects, resources: resources)),
    ]
    for (key, matcher) in commands where !matcher.mayMatch(command, at: clock) { return key }
    if let ssh, !CommandMatcher(effects: effects, ssh: ssh).mayMatch(command, at: clock) { return "ssh" }
    guard let sql else { return nil }
    let parts: [(String, SQLMatcher)] = [
      ("sql.statement", SQLMatcher(statements: sql.statements)), ("sql.tables", SQLMatcher(tables: sql.tables)),
      ("sql.columns", SQLMatcher(columns: sql.columns)), ("sql.functions", SQLMatcher(functions: sql.functions)),
      ("sql.where", SQLMatcher(whereAbsent: sql.whereAbsent)), ("sql.rows_over", SQLMatcher(rowsOver: sql.rowsOver)),
      ("sql", sql),
    ]
    for (key, part) in parts where !CommandMatcher(effects: effects, sql: part).mayMatch(command, at: clock) {
      return key
    }
    return nil
  }
}
