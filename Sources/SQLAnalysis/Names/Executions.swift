import AccessModel

/// EXECUTE, and EXPLAIN and CREATE TABLE AS of it.
extension Analysis.Part {
  /// What becomes of the statement that an EXECUTE runs.
  struct Execution: Hashable, Sendable {
    enum Plan: Hashable, Sendable {
      /// EXPLAIN: it is planned, and not run.
      case only
      /// EXPLAIN ANALYZE: it is run, and its plan may show values.
      case shown
    }
    var kind = SQLStatement.Kind.execute
    var plan: Plan?
    /// CREATE TABLE AS: its rows go into a table.
    var isStored = false

    /// What a statement does that is run so.
    func effects(_ prepared: Analysis) -> (Effects, Footprint) {
      guard plan == .only, !prepared.effects.isUnknown else { return (prepared.effects, prepared.footprint) }
      // Planning reads; only what is unknown stays so, for the planner runs immutable functions.
      guard case .resources(let all) = prepared.footprint else { return (.read, .everything) }
      return (.read, Footprint(all.map { ResourceAccess($0.resource, .read) }))
    }

    /// Where values come from and go to, given where they do when the statement is run by itself.
    func lineage(_ prepared: StatementLineage) -> StatementLineage {
      var lineage = prepared
      if isStored {
        lineage.copies.formUnion(lineage.result)
        lineage.touched.formUnion(lineage.result)
        (lineage.outputs, lineage.result) = ([], .none)
      }
      switch plan {
      case nil: break
      case .only:
        lineage.touched.formUnion(lineage.result)
        (lineage.outputs, lineage.result) = ([.constant], .none)
      case .shown:
        let all = [lineage.predicates, lineage.tests, lineage.copies, lineage.touched].reduce(lineage.result) {
          $0.union($1)
        }
        (lineage.outputs, lineage.result) = ([ValueSource(all)], all)
      }
      return lineage
    }
  }
}

extension Analysis {
  /// What running the prepared statement that this text names does, given the text by which it was made: the one PREPARE
  /// of that name, or the text that the protocol gave the name to. nil when this is no lone EXECUTE, nor a lone EXPLAIN or
  /// CREATE TABLE AS of one.
  public func executing(_ prepared: Analysis) -> Analysis? {
    guard let name = traits.executes, let arguments, prepared.traits.prepares ?? name == name,
      prepared.detail.misunderstood == nil
    else { return nil }
    let form = arguments.execution
    var traits = SessionTraits()
    traits.inherit(arguments.traits)
    traits.inherit(prepared.traits)
    traits.context = self.traits.context
    let done = form.effects(prepared)
    let effects = done.0.union(arguments.effects)
    let footprint = done.1.union(arguments.footprint)
    let kinds = prepared.detail.statements.reduce(into: arguments.kinds.union([.execute])) { $0.formUnion($1.kinds) }
    let predicates = form.plan == .only ? [] : prepared.detail.statements.map(\.predicate)
    var lineage = prepared.detail.statements.count == 1 ? prepared.detail.statements[0].lineage : .unresolved
    lineage = form.lineage(lineage)
    lineage.predicates.formUnion(arguments.lineage.result)
    lineage.predicates.formUnion(arguments.lineage.predicates)
    lineage.copies.formUnion(arguments.lineage.copies)
    lineage.touched.formUnion(arguments.lineage.touched)
    lineage.predicates.formUnion(arguments.lineage.tests)
    let called = prepared.detail.statements.reduce(into: arguments.functions) { $0.formUnion($1.functions) }
    let statement = SQLStatement(
      kind: form.kind, effects: effects, footprint: footprint,
      predicate: Analysis.worst(predicates + [arguments.predicate]), kinds: kinds, lineage: lineage, functions: called)
    return Analysis(
      text: text, effects: effects, footprint: footprint, detail: SQLDetail(statements: [statement]),
      settings: arguments.settings + prepared.settings, traits: traits)
  }

  private static func worst(_ predicates: [SQLStatement.Predicate]) -> SQLStatement.Predicate {
    predicates.contains(.absent) ? .absent : predicates.contains(.present) ? .present : .notApplicable
  }
}
