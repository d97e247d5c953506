import AccessModel

/// A test in a few instructions that most rules fail for most commands; who passes it is looked at in full.
struct Screen: Sendable, Hashable {
  private var effects: EffectSelector?
  private var kinds: KindSet?
  private var whereAbsent = false

  init(_ matcher: CommandMatcher) {
    effects = matcher.effects
    // A table that no statement owns counts whatever the statements are, so that these do not screen it.
    guard let sql = matcher.sql, sql.tables == nil, sql.columns == nil else { return }
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
