import AccessModel

/// What the cheapest tests need to know of a command, gathered once for all rules.
struct CommandSummary {
  var effects: Effects
  var kinds: KindSet = []
  var anyAbsent = false
  /// Some part of it is not understood, so that only a full look can tell.
  var isOpaque: Bool

  /// A function and no initialiser: an initialiser takes its argument over, which copies and releases the command.
  static func of(_ command: Command) -> CommandSummary {
    var summary = CommandSummary(effects: command.effects, isOpaque: command.couldBeAnything)
    guard !summary.isOpaque else { return summary }
    switch command.detail {
    case .sql(let detail):
      for index in detail.statements.indices { summary.add(detail.statements[index]) }
    }
    return summary
  }

  private mutating func add(_ statement: SQLStatement) {
    if statement.couldBeAnything { isOpaque = true }
    if statement.predicate == .absent { anyAbsent = true }
    kinds.formUnion(KindSet(statement.kind))
    for kind in statement.kinds { kinds.formUnion(KindSet(kind)) }
  }
}

/// A test in a few instructions that most rules fail for most commands; who passes it is looked at in full.
struct Screen: Sendable, Hashable {
  private var effects: EffectSelector?
  private var kinds: KindSet?
  private var whereAbsent = false

  init(_ matcher: CommandMatcher) {
    effects = matcher.effects
    // A table that no statement owns counts whatever the statements are, so that these do not screen it.
    guard let sql = matcher.sql, sql.tables == nil else { return }
    whereAbsent = sql.whereAbsent
    kinds = sql.statements.map { $0.reduce(into: KindSet()) { $0.formUnion(KindSet($1)) } }
  }

  /// False only when the matcher certainly does not match.
  func passes(_ summary: CommandSummary) -> Bool {
    if summary.isOpaque { return true }
    if let effects, !effects.mayMatch(summary.effects) { return false }
    if let kinds, kinds.isDisjoint(with: summary.kinds) { return false }
    return !whereAbsent || summary.anyAbsent
  }
}

/// A set of statement kinds in one word.
struct KindSet: OptionSet, Sendable, Hashable {
  var rawValue: UInt64
  init(rawValue: UInt64) { self.rawValue = rawValue }

  init(_ kind: SQLStatement.Kind) { rawValue = 1 << KindSet.bit(kind) }

  /// Spelled out: hashing a kind hashes its name, which costs more than all else that a decision does.
  private static func bit(_ kind: SQLStatement.Kind) -> UInt64 {
    switch kind {
    case .select: 0
    case .insert: 1
    case .update: 2
    case .delete: 3
    case .merge: 4
    case .truncate: 5
    case .copyTo: 6
    case .copyFrom: 7
    case .create: 8
    case .alter: 9
    case .drop: 10
    case .grant: 11
    case .call: 12
    case .do: 13
    case .explain: 14
    case .prepare: 15
    case .execute: 16
    case .deallocate: 17
    case .declare: 18
    case .fetch: 19
    case .close: 20
    case .set: 21
    case .show: 22
    case .begin: 23
    case .commit: 24
    case .rollback: 25
    case .savepoint: 26
    case .lock: 27
    case .listen: 28
    case .notify: 29
    case .analyze: 30
    case .vacuum: 31
    case .other: 32
    }
  }
}
