import AccessModel

/// What masks say of commands of one shape, before any of their results is seen.
public struct MaskedUse: Sendable, Hashable {
  /// Why they are refused; nil when nothing speaks against them.
  public var denial: Denial?
  /// What they compare masked columns with.
  public var comparisons: [Obligations.Comparison]

  public init(denial: Denial? = nil, comparisons: [Obligations.Comparison] = []) {
    self.denial = denial
    self.comparisons = comparisons
  }
}

/// What masked columns may not be used for, as their values would come out by it: predicates (DECISIONS 17), copies to
/// where no mask is, definitions on their tables (DECISIONS 18), COPY in forms in which values cannot be found.
extension ScopedPolicy {
  /// What masks say of all commands of this shape, for whoever keeps it: it is the same as long as the policy is.
  public func maskedUse(of shape: CommandShape) -> MaskedUse {
    MaskedUse(denial: maskDenial(shape), comparisons: comparisons(in: shape))
  }

  /// Why a command is refused to somebody under a mask; nil when nothing speaks against it.
  func maskDenial(_ shape: CommandShape) -> Denial? {
    guard mayMask else { return nil }
    switch shape.detail {
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
    // Masks of columns have nothing to say of a connection without columns.
    case .ssh: return nil
    }
  }
}

extension ScopedMask {
  /// Whether the rule, were it in force, could hide something of what commands of this shape return, or refuse them.
  func wouldConcern(_ shape: CommandShape) -> Bool {
    switch shape.detail {
    case .sql(let detail):
      if detail.misunderstood != nil { return true }
      let copies = detail.statements.count { $0.kinds.contains(.copyTo) }
      return detail.statements.contains { statement in
        mayReach(statement.lineage.result, touching: statement.footprint)
          || denial(of: statement, amongCopies: copies) != nil
      }
    // What goes there has no columns.
    case .ssh: return false
    }
  }

  /// `copies` is how many statements of the text copy to the client.
  fileprivate func denial(of statement: SQLStatement, amongCopies copies: Int) -> Denial? {
    let lineage = statement.lineage
    let footprint = statement.footprint
    if let denial = denial(ofTests: lineage, touching: footprint) { return denial }
    if predicates != .allow, mayReach(lineage.predicates, touching: footprint) {
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

  /// Comparisons with constants for equality, of which some rules allow a few.
  private func denial(ofTests lineage: StatementLineage, touching footprint: Footprint) -> Denial? {
    guard !lineage.tests.isEmpty, mayReach(lineage.tests, touching: footprint) else { return nil }
    switch predicates {
    case .allow: return nil
    case .deny:
      return refuse(
        lineage.tests, "may not be compared, sorted or grouped by, as that would tell what it holds",
        hint: "Leave it out of WHERE, ON, ORDER BY, GROUP BY, DISTINCT and the like.")
    case .equality(let constants, _):
      guard lineage.testedConstants > constants else { return nil }
      return refuse(
        lineage.tests, "may be compared with at most \(constants) constants in one statement",
        hint: "Send them in smaller groups.")
    }
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

extension ScopedPolicy {
  /// What a statement that is permitted compares masked columns with, for whoever counts that.
  func comparisons(in shape: CommandShape) -> [Obligations.Comparison] {
    guard masks.contains(where: { !$0.isShadow && $0.perHour != nil }), case .sql(let detail) = shape.detail else {
      return []
    }
    var found: [Obligations.Comparison] = []
    for rule in masks where !rule.isShadow {
      guard let limit = rule.perHour else { continue }
      let constants = detail.statements.reduce(0) { count, statement in
        rule.mayReach(statement.lineage.tests, touching: statement.footprint)
          ? count + statement.lineage.testedConstants : count
      }
      if constants > 0 { found.append(Obligations.Comparison(rule: rule.name, constants: constants, perHour: limit)) }
    }
    return found
  }
}

extension ScopedMask {
  /// How many constants a person may compare with in an hour; nil where nobody counts.
  fileprivate var perHour: Int? {
    guard case .equality(_, let perHour) = predicates else { return nil }
    return perHour
  }
}
