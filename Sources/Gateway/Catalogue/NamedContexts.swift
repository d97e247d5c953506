import SQLAnalysis

/// The contexts in which the sessions of one event loop resolve names.
struct NamedContexts {
  private struct Key: Hashable {
    var snapshot: ObjectIdentifier
    var scope: NameContext.Scope
  }
  /// Contexts that are kept; with more of them all are forgotten, and made anew where they are needed.
  private static let limit = 24
  private var known: [Key: NamedAnalyses] = [:]

  /// The context of sessions in this state; one of its own where the session has changed what only it can see.
  mutating func find(_ snapshot: CatalogSnapshot, _ scope: NameContext.Scope) -> NamedAnalyses {
    guard scope.isShared else { return NamedAnalyses(NameContext(snapshot, scope)) }
    // A context holds its snapshot, so that the identifier stays its own.
    let key = Key(snapshot: ObjectIdentifier(snapshot), scope: scope)
    if let found = known[key] { return found }
    if known.count >= NamedContexts.limit { known.removeAll() }
    let made = NamedAnalyses(NameContext(snapshot, scope))
    known[key] = made
    return made
  }
}
