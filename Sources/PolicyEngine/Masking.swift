import AccessModel

/// A mask rule that concerns one person.
struct ScopedMask: Sendable, Hashable {
  var name: String
  var columns: [ColumnPattern]
  /// Patterns of the tables that the columns belong to; nil when any table may have one.
  var tables: [NamePattern]?
  /// Those of the columns that are named whole: `[schema, relation, column]`.
  var whole: [[String]]
  var mask: Mask
  var predicates: ColumnMask.Predicates
  var isShadow: Bool

  init(_ rule: Rule, _ columnMask: ColumnMask) {
    name = rule.name
    columns = columnMask.columns.map(ColumnPattern.init)
    mask = columnMask.mask
    predicates = columnMask.predicates
    isShadow = rule.mode == .shadow
    whole = columnMask.columns.map(\.parts).filter { $0.count == 3 && !$0.joined().contains("*") }
    let parents = columnMask.columns.map { NamePattern($0.parts.dropLast().joined(separator: ".")) }
    tables = parents.contains(nil) ? nil : parents.compactMap { $0 }
  }

  /// True when the column may be one of those masked.
  func mayMatch(_ path: [String]) -> Bool {
    columns.contains { $0.mayMatch(path) }
  }

  /// True when a value computed from what is touched may hold something of a masked column.
  func mayReach(_ footprint: Footprint) -> Bool {
    switch footprint {
    case .everything: return true
    case .resources(let accesses):
      return accesses.contains { access in
        // A routine or a file may read any table.
        guard access.resource.kind == .relation else { return true }
        let isOwn = access.resource.isOfPostgreSQL
        guard let tables else { return !isOwn }
        return tables.contains { pattern in
          // PostgreSQL's own relations are meant by those rules only that name their schema.
          (!isOwn || pattern.parts.count > 1 && pattern.parts[0] != "*") && pattern.mayMatch(access.resource.path)
        }
      }
    }
  }

  /// True when some of these columns may be one of those masked.
  func mayReach(_ columns: ColumnSet, touching footprint: Footprint) -> Bool {
    switch columns.extent {
    case .everything: true
    case .footprint: mayReach(footprint) || columns.columns.contains { mayMatch($0.path) }
    case .listed: columns.columns.contains { mayMatch($0.path) }
    }
  }

  /// What a column of a result becomes under this rule; nil when the rule does not concern it.
  func mask(for column: ResultColumn, touching footprint: Footprint) -> Mask? {
    switch column.origin {
    case .column(let path):
      if mayMatch(path) { return mask }
      // A view's column under another name, a partition's under its parent's.
      return column.source.flatMap { mask(for: $0, touching: footprint) }
    case .unresolved:
      // Some stored column, perhaps the one that is meant; unless it is known which.
      guard let source = column.source, source.columns.extent == .listed, !source.columns.isEmpty else { return mask }
      return self.mask(for: source, touching: footprint)
    case .computed:
      // The ends of an expression are not the ends of the column, so `partial` would let the hidden part out:
      // substr(ssn, 1, 4) keeps its last four.
      if let source = column.source { return mask(for: source, touching: footprint) }
      return mayReach(footprint) ? mask.merged(with: .conceal) : nil
    }
  }

  /// What a value becomes that comes from there: only one that is passed on as it stands keeps its ends, and its NULLs.
  private func mask(for source: ValueSource, touching footprint: Footprint) -> Mask? {
    guard mayReach(source.columns, touching: footprint) else { return nil }
    return source.isCopy ? mask : mask.merged(with: .conceal)
  }
}

extension ScopedPolicy {
  /// False when no mask can apply, so that results need not be looked at.
  public var mayMask: Bool { masks.contains { !$0.isShadow } }

  /// What to do with each column of one result, asked once per result.
  ///
  /// A stored column is masked where a pattern may match it, one without a known name always; of several masks the less
  /// revealing wins. A computed column (an expression, a whole row) may hold anything of what the command touches: it
  /// is masked, at least by `redact`, when a table with a masked column may be among it. Whoever knows where the
  /// computed columns come from passes only that; `.everything` when nothing is known.
  public func maskPlan(for columns: [ResultColumn], touching footprint: Footprint = .everything) -> MaskPlan {
    guard mayMask else { return .identity }
    var plan: [Mask?] = []
    plan.reserveCapacity(columns.count)
    var touched = false
    for column in columns {
      var merged: Mask?
      for rule in masks where !rule.isShadow {
        guard let mask = rule.mask(for: column, touching: footprint) else { continue }
        merged = merged?.merged(with: mask) ?? mask
      }
      if merged != nil { touched = true }
      plan.append(merged)
    }
    return touched ? .columns(plan) : .identity
  }

  /// Names of the mask rules that met a result, in the order of the document, shadow rules as `shadow:name`.
  public func maskRules(for columns: [ResultColumn], touching footprint: Footprint = .everything) -> [String] {
    masks.filter { rule in
      columns.contains { rule.mask(for: $0, touching: footprint) != nil }
    }
    .map { $0.isShadow ? "shadow:" + $0.name : $0.name }
  }
}
