import AccessModel

extension ScopedPolicy {
  /// True when a constant in the text may be a value of a column that is masked for this person: one that is compared with it,
  /// computed with it, or written to it. What is not understood may.
  ///
  /// - Parameter reach: what of a footprint may reach masked columns, as far as somebody knows.
  public func mayNameMasked(_ shape: CommandShape, reach: (Footprint) -> Footprint) -> Bool {
    switch shape.detail {
    case .sql(let detail):
      if detail.misunderstood != nil || detail.statements.isEmpty && !shape.effects.isEmpty { return mayMask }
      return detail.statements.contains { statement in
        let footprint = reach(statement.footprint)
        return masks.contains { !$0.isShadow && $0.mayReach(footprint) && $0.mayBeNamed(by: statement, footprint) }
      }
    // Masks of columns say nothing of commands that have none.
    case .ssh: return false
    }
  }
}

extension ScopedMask {
  fileprivate func mayBeNamed(by statement: SQLStatement, _ footprint: Footprint) -> Bool {
    let lineage = statement.lineage
    func reaches(_ columns: ColumnSet) -> Bool { mayReach(columns, touching: footprint) }
    guard statement.effects.isSubset(of: .read) else { return reaches(lineage.touched) || reaches(lineage.copies) }
    if reaches(lineage.predicates) || reaches(lineage.tests) || reaches(lineage.copies) { return true }
    guard let outputs = lineage.outputs else { return reaches(lineage.result) }
    return outputs.contains { !$0.isCopy && reaches($0.columns) }
  }
}
