@_spi(Minting) import AccessModel
import PolicyEngine

/// What the enforcer rules about one command; `forward` and `refuse` are final.
public enum Ruling: ~Copyable, Sendable {
  case forward(Permit)
  case refuse(Refusal)
  /// People must approve first; the record that it waits is safe.
  case hold(ApprovalRequirement)
  /// People must approve first, and can only approve values that are here whole: nothing is recorded yet. Ask again
  /// with all values.
  case needsValues
  /// The decision hangs on how many rows the command would touch: nothing is recorded yet. Ask again with an estimate.
  case needsEstimate
}

/// The enforcement point of one session: asks the policy, records the answer, and only then mints the permit.
///
/// If the record cannot be made safe, the answer is a refusal, whatever the policy said.
public struct Enforcer: ~Copyable {
  public private(set) var policy: ScopedPolicy
  private let session: AuditedSession
  private let audit: any AuditSink
  private let values: ValueScope
  private let budget: (any ComparisonBudget)?
  private let uses = MaskedUses()
  /// Columns that masks name and that are not there, as whoever reads the catalogue says.
  public var missing: [MissingColumn] = []

  /// - Parameters:
  ///   - values: what of bound values may be recorded; by default none of those that a mask might apply to.
  ///   - budget: who counts comparisons with masked columns; without it none is allowed that has to be counted.
  public init(
    session: String, policy: ScopedPolicy, audit: any AuditSink, values: ValueScope = ValueScope(),
    budget: (any ComparisonBudget)? = nil
  ) {
    self.budget = budget
    self.session = AuditedSession(session)
    self.policy = policy
    self.audit = audit
    self.values = values
    values.adopt(policy)
  }

  /// The policy that the next command meets.
  public mutating func replacePolicy(_ policy: ScopedPolicy) {
    self.policy = policy
    values.adopt(policy)
    uses.removeAll()
  }

  /// Decides a command that has just come.
  public func admit(_ id: CommandID, _ command: Command) -> Ruling {
    let evaluation = evaluate(command)
    if policy.needsEstimate(of: command) { return .needsEstimate }
    let shadows = policy.isShadowed ? evaluation.shadows : []
    switch evaluation.decision {
    case .permit(let obligations):
      guard command.stage == .execute else { return permit(id, command) }
      if !obligations.comparisons.isEmpty {
        return permit(id, command, counting: obligations.comparisons, limit: obligations.limit, shadows)
      }
      if obligations.limit == nil, shadows.isEmpty { return permit(id, command) }
      return permit(id, command, rule: "", limit: obligations.limit, shadows)
    case .deny(let denial): return refuseAtOnce(id, command, refusal(of: command, denial), shadows)
    case .hold(let requirement):
      // Handing a text over is not running it: what needs an approval waits when it is run (DECISIONS 13).
      if command.stage == .prepare { return permit(id, command) }
      let rules = requirement.clauses.map(\.rule).joined(separator: ",")
      guard command.parameters.isWhole else { return unbound(id, command, rules) }
      guard record(id, command, .hold, rule: rules, reason: "waits for approval", shadows: shadows) else {
        return unrecorded()
      }
      return .hold(requirement)
    }
  }

  /// Decides a held command again, now that people approved it (DECISIONS 14).
  ///
  /// `approved` is what they approved: if the policy asks for something else by now, the approval is void.
  public func release(
    _ id: CommandID, _ command: Command, approved: ApprovalRequirement, approvers: [String]
  ) -> Ruling {
    let rules = approved.clauses.map(\.rule).joined(separator: ",")
    let evaluation = evaluate(command)
    switch evaluation.decision {
    case .permit: return permit(id, command, rule: rules, approvers: approvers, limit: evaluation.limit)
    case .deny(let denial): return refuse(id, command, refusal(of: command, denial))
    case .hold(let requirement):
      guard command.parameters.isWhole else { return unbound(id, command, rules) }
      guard requirement.clauses == approved.clauses else {
        let denial = Denial(
          rule: rules, reason: "the policy changed while the statement waited, so its approval is void",
          hint: "Run the statement again.")
        return refuse(id, command, Refusal(.notApproved, denial))
      }
      return permit(id, command, rule: rules, approvers: approvers, limit: evaluation.limit)
    }
  }

  /// Refuses a command that was held: nobody approved, somebody said no, or it was cancelled.
  public func withdraw(_ id: CommandID, _ command: Command, _ refusal: Refusal) -> Ruling {
    refuse(id, command, refusal)
  }

  /// Records how a command ended that had been permitted, `duration` µs after it began. Returns false when that failed.
  public func finish(_ id: CommandID, _ outcome: Outcome, duration: Int64) -> Bool {
    do {
      try audit.finished(id, outcome, duration: duration, in: session)
      return true
    } catch { return false }
  }

  /// False when the command's text holds values that may not be stored.
  public func storesWhole(_ command: Command) -> Bool {
    values.look(at: command).stored === command.facts
  }

  /// Records anything else about this session. Returns false when that failed.
  public func note(_ event: AuditEvent) -> Bool {
    do {
      try audit.append(event)
      return true
    } catch { return false }
  }

  // MARK: Steps

  /// An approval is bound to the values, so it needs all of them (DECISIONS 14).
  private func unbound(_ id: CommandID, _ command: Command, _ rules: String) -> Ruling {
    guard !command.parameters.isObtainable else { return .needsValues }
    let denial = Denial(
      rule: rules, reason: "the values are too long to be approved (\(command.parameters.byteCount) bytes)",
      hint: "An approval is bound to the values; send shorter ones.")
    return refuse(id, command, Refusal(.notApproved, denial))
  }

  private func evaluate(_ command: Command) -> Evaluation {
    if let denial = denial(whatever: command.facts.shape.summary) { return Evaluation(denial) }
    guard policy.mayMask else { return policy.evaluate(command) }
    if !missing.isEmpty, let denial = missing.lazy.compactMap({ $0.denial(of: command.footprint) }).first {
      return Evaluation(denial)
    }
    return policy.evaluate(command, uses.find(command.facts.shape, policy))
  }

  /// What is refused whatever access and rules say.
  private func denial(whatever summary: CommandSummary) -> Denial? {
    // Not looked at, or not as the backend would: no grant can cover that (DECISIONS 6, 21).
    switch summary.misunderstood {
    case .tooLong: return Denial(rule: "gateway", reason: "the statement is too long to be decided")
    case .unsafe(let reason): return Denial(rule: "gateway", reason: reason)
    // What nobody can name, such as FunctionCall, may answer in a form that masks are not applied to.
    case .opaque(let what) where policy.mayMask:
      return Denial(
        rule: "masking",
        reason: "what this does cannot be told, and masks apply to you on this connection: \(what)")
    case nil, .syntax, .tooDeep, .notText, .opaque: break
    }
    return nil
  }

  /// A text that was not understood is answered as what it is, when nothing else speaks against it (DECISIONS 8).
  private func refusal(of command: Command, _ denial: Denial) -> Refusal {
    if let misunderstood = command.facts.shape.summary.misunderstood,
      denial.rule == "access" || denial.rule == "gateway"
    {
      return Refusal(.misunderstood(misunderstood), denial)
    }
    if let absent = absentRelation(of: command, denial) { return Refusal(.absent(absent), denial) }
    return Refusal(.denied, denial)
  }

  /// What is not there, where masks refuse a command because of nothing else: it may be a masked table that goes by that
  /// name by now, so that the command does not go out; and the client is told what PostgreSQL would say.
  private func absentRelation(of command: Command, _ denial: Denial) -> AbsentRelation? {
    guard case .sql(let detail) = command.detail, detail.statements.count == 1,
      let absent = detail.statements[0].absent, policy.mayMask,
      uses.find(command.facts.shape, policy).denial == denial
    else { return nil }
    return absent
  }

  /// A plain permit: the way of nearly every command.
  private func permit(_ id: CommandID, _ command: Command) -> Ruling {
    do {
      let (disclosure, facts) = values.look(at: command)
      let stored = facts === command.facts ? command : command.with(facts)
      try audit.permitted(id, stored, in: session, policy: policy.hash, values: disclosure)
      return .forward(Permit(for: id))
    } catch { return unrecorded() }
  }

  /// Masked columns are compared with constants: recorded as what it is, if it is still allowed.
  private func permit(
    _ id: CommandID, _ command: Command, counting comparisons: [Obligations.Comparison], limit: RowLimit?,
    _ shadows: [String]
  ) -> Ruling {
    for comparison in comparisons {
      guard budget?.take(comparison, by: policy.subject.user) == true else {
        let denial = Denial(
          rule: comparison.rule,
          reason: "masked columns may be compared with \(comparison.perHour) constants in an hour, and these are more",
          hint: "Wait, or ask somebody who sees the column unmasked.")
        return refuse(id, command, Refusal(.denied, denial))
      }
    }
    let rules = comparisons.map(\.rule) + (limit.map { [$0.rule] } ?? [])
    let count = comparisons.map(\.constants).max() ?? 0
    let reason =
      "compares masked columns with \(count) \(count == 1 ? "constant" : "constants")"
      + (limit.map { "; at most \($0.rows) rows" } ?? "")
    guard record(id, command, .permit, rule: rules.joined(separator: ","), reason: reason, shadows: shadows) else {
      return unrecorded()
    }
    return .forward(Permit(for: id, limit: limit))
  }

  private func permit(
    _ id: CommandID, _ command: Command, rule: String, approvers: [String] = [], limit: RowLimit?,
    _ shadows: [String] = []
  ) -> Ruling {
    let rules = [rule, limit?.rule ?? ""].filter { !$0.isEmpty }.joined(separator: ",")
    let reason = limit.map { "at most \($0.rows) rows" } ?? ""
    guard record(id, command, .permit, rule: rules, reason: reason, approvers: approvers, shadows: shadows) else {
      return unrecorded()
    }
    return .forward(Permit(for: id, limit: limit))
  }

  private func refuse(_ id: CommandID, _ command: Command, _ refusal: Refusal) -> Ruling {
    guard record(id, command, .deny, rule: refusal.denial.rule, reason: refusal.denial.reason) else {
      return unrecorded()
    }
    return .refuse(refusal)
  }

  /// Refuses a command that asked nobody: what a client can make happen as often as it likes.
  private func refuseAtOnce(
    _ id: CommandID, _ command: Command, _ refusal: Refusal, _ shadows: [String]
  ) -> Ruling {
    do {
      try audit.denied(
        decision(id, command, .deny, rule: refusal.denial.rule, reason: refusal.denial.reason, shadows: shadows))
      return .refuse(refusal)
    } catch { return unrecorded() }
  }

  private func record(
    _ id: CommandID, _ command: Command, _ action: DecisionRecord.Action, rule: String, reason: String,
    approvers: [String] = [], shadows: [String] = []
  ) -> Bool {
    note(.decided(decision(id, command, action, rule: rule, reason: reason, approvers: approvers, shadows: shadows)))
  }

  private func decision(
    _ id: CommandID, _ command: Command, _ action: DecisionRecord.Action, rule: String, reason: String,
    approvers: [String] = [], shadows: [String]
  ) -> DecisionRecord {
    let (disclosure, facts) = values.look(at: command)
    return DecisionRecord(
      session: session.name, id: id, command: command.with(facts), action: action, rule: rule, reason: reason,
      approvers: approvers, policy: policy.hash, values: disclosure, shadows: shadows)
  }

  private func unrecorded() -> Ruling {
    .refuse(
      Refusal(
        .unavailable,
        Denial(
          rule: "gateway", reason: "the audit trail cannot be written", hint: "Ask whoever operates the gateway.")))
  }
}
