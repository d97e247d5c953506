import AccessModel

/// What masked columns may not be used for, as their values would come out by it: predicates (DECISIONS 17), copies to
/// where no mask is, definitions on their tables (DECISIONS 18), COPY in forms in which values cannot be found.
extension ScopedPolicy {
  /// Why a command is refused to somebody under a mask; nil when nothing speaks against it.
  func maskDenial(_ command: Command) -> Denial? {
    guard mayMask else { return nil }
    switch command.detail {
    case .sql(let detail):
      if detail.misunderstood != nil {
        return Denial(
          rule: "gateway", reason: "it could not be understood, and masks apply to you on this connection")
      }
      let copies = detail.statements.count { $0.kinds.contains(.copyTo) }
      for statement in detail.statements {
        for rule in masks where !rule.isShadow {
          if let denial = rule.denial(of: statement, amongCopies: copies) { return denial }
        }
      }
      return nil
    }
  }
}

extension ScopedMask {
  /// `copies` is how many statements of the text copy to the client.
  fileprivate func denial(of statement: SQLStatement, amongCopies copies: Int) -> Denial? {
    let lineage = statement.lineage
    let footprint = statement.footprint
    if predicates == .deny, mayReach(lineage.predicates, touching: footprint) {
      return refuse(
        lineage.predicates, "may not be compared, sorted or grouped by, as that would tell what it holds",
        hint: "Leave it out of WHERE, ON, ORDER BY, GROUP BY, DISTINCT and the like.")
    }
    if mayReach(lineage.copies, touching: footprint) {
      return refuse(lineage.copies, "may not be copied to where no mask is", hint: nil)
    }
    if statement.effects.isUnknown, mayReach(lineage.touched, touching: footprint) {
      return refuse(
        lineage.touched, "may not be handed to code that the gateway cannot look into",
        hint: "Whoever configures the gateway can declare under functions: what that code does.")
    }
    if statement.effects.contains(.define), mayReach(lineage.touched, touching: footprint) {
      return refuse(
        lineage.touched, "may not be part of what is defined here", hint: "Ask somebody who sees it unmasked.")
    }
    if statement.kinds.contains(.copyTo), mayReach(lineage.result, touching: footprint) {
      let obstacle =
        copies > 1
        ? "it is one of several in one text" : statement.copy.map { $0.obstacle } ?? "its options are not known"
      if let obstacle {
        return refuse(
          lineage.result, "cannot be masked in this COPY: \(obstacle)",
          hint: "Send it alone, with plain options, or leave the column out.")
      }
    }
    return nil
  }

  /// Names the column, where it is known.
  private func refuse(_ columns: ColumnSet, _ why: String, hint: String?) -> Denial {
    let known = columns.columns.sorted().first { mayMatch($0.path) }
    let reason =
      known.map { "column \($0) is masked and \(why)" }
      ?? "which columns this uses could not be worked out, and a masked column \(why)"
    return Denial(rule: name, reason: reason, hint: hint)
  }
}

extension Resource {
  /// One of PostgreSQL's own relations that hold nothing of the users' values. What it samples of them is not one.
  var isOfPostgreSQL: Bool {
    guard kind == .relation, path.count > 1, let schema = path[path.count - 2], let name = path.last ?? nil else {
      return false
    }
    return schema == "information_schema" || schema == "pg_catalog" && !name.hasPrefix("pg_stat")
  }
}
