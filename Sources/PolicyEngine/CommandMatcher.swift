import AccessModel

/// The part of a matcher that depends on the command.
///
/// `mayMatch` serves `when`: it holds if the command *may* do what is described, so that what is not understood is
/// caught. `mustCover` serves `unless`: it holds only if *all* that the command may do is described (DESIGN §2).
struct CommandMatcher: Sendable, Hashable {
  var effects: EffectSelector?
  var sql: SQLMatcher?

  var isEmpty: Bool { effects == nil && sql == nil }

  func mayMatch(_ command: Command) -> Bool {
    if let effects, !effects.mayMatch(command.effects) { return false }
    guard let sql else { return true }
    switch command.detail {
    case .sql(let detail):
      return command.couldBeAnything || sql.mayMatch(command, detail, effects)
    }
  }

  func mustCover(_ command: Command) -> Bool {
    if let effects, !effects.mustCover(command.effects) { return false }
    guard let sql else { return true }
    switch command.detail {
    case .sql(let detail):
      return !command.couldBeAnything && sql.mustCover(command, detail)
    }
  }
}

extension Command {
  /// True when nothing can be said of it, so that every description fits and no exemption does.
  var couldBeAnything: Bool { facts.shape.summary.couldBeAnything }
}

extension Footprint {
  /// The accesses; none for `.everything`, which is asked for first.
  fileprivate var accesses: [ResourceAccess] {
    switch self {
    case .everything: []
    case .resources(let accesses): accesses
    }
  }

  /// All effects that belong to some resource.
  fileprivate var attributed: Effects {
    var all: Effects = []
    for access in accesses { all.formUnion(access.effects) }
    return all
  }
}

// MARK: - May

extension SQLMatcher {
  fileprivate func mayMatch(_ command: Command, _ detail: SQLDetail, _ wanted: EffectSelector?) -> Bool {
    // What no statement owns up to may be done by any of them.
    var unowned = command.effects
    for statement in detail.statements { unowned.subtract(statement.effects) }
    for statement in detail.statements where mayMatch(statement, unowned, wanted) { return true }
    return touchesTableOfNoStatement(command, detail)
  }

  private func mayMatch(_ statement: SQLStatement, _ unowned: Effects, _ wanted: EffectSelector?) -> Bool {
    if statement.couldBeAnything { return true }
    if let statements, !statements.contains(statement.kind), statements.isDisjoint(with: statement.kinds) {
      return false
    }
    if whereAbsent, statement.predicate != .absent { return false }
    let effects = statement.effects.union(unowned)
    if let wanted, !wanted.mayMatch(effects) { return false }
    guard let tables else { return true }
    // An effect that belongs to no resource in particular may be meant for each of them.
    let unattributed = effects.subtracting(statement.footprint.attributed)
    for access in statement.footprint.accesses where access.resource.kind == .relation {
      if let wanted, !wanted.mayMatch(access.effects.union(unattributed)) { continue }
      for pattern in tables where pattern.mayMatch(access.resource.path) { return true }
    }
    return false
  }

  /// True when the command as a whole may touch one of the tables, yet none of its statements says so.
  private func touchesTableOfNoStatement(_ command: Command, _ detail: SQLDetail) -> Bool {
    guard let tables else { return false }
    func touched(_ footprint: Footprint) -> Bool {
      for access in footprint.accesses where access.resource.kind == .relation {
        for pattern in tables where pattern.mayMatch(access.resource.path) { return true }
      }
      return false
    }
    guard touched(command.footprint) else { return false }
    for statement in detail.statements where touched(statement.footprint) { return false }
    return true
  }
}

// MARK: - Must

extension SQLMatcher {
  fileprivate func mustCover(_ command: Command, _ detail: SQLDetail) -> Bool {
    // The worst predicate of a statement says nothing of its others, so absence can never be certain of all.
    if whereAbsent { return false }
    for statement in detail.statements {
      if statement.couldBeAnything { return false }
      if let statements, !statements.contains(statement.kind) || !statements.isSuperset(of: statement.kinds) {
        return false
      }
    }
    guard let tables else { return true }
    return !command.footprint.accesses.isEmpty
      && SQLMatcher.ownsAllEffects(command.effects, command.footprint)
      && SQLMatcher.covered(command.footprint, by: tables)
      && detail.statements.allSatisfy { SQLMatcher.covered($0.footprint, by: tables) }
  }

  /// True when no effect escapes the footprint. Reads and writes touch only what is listed; of the others each must
  /// belong to a resource, or a table's name would excuse what is done beside the table (ALTER SYSTEM, an egress).
  private static func ownsAllEffects(_ effects: Effects, _ footprint: Footprint) -> Bool {
    effects.subtracting(footprint.attributed).isSubset(of: [.read, .write])
  }

  private static func covered(_ footprint: Footprint, by tables: [NamePattern]) -> Bool {
    footprint.accesses.allSatisfy { access in
      access.resource.kind == .relation && tables.contains { $0.mustMatch(access.resource.path) }
    }
  }
}
