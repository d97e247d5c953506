import AccessModel
import Postgres

/// What people read while they wait, and when they wait no more.
extension HeldCommand {
  /// `1 of dba, and 2 of security`.
  private var who: String {
    requirement.clauses.map { "\($0.count) of \($0.by.joined(separator: " or "))" }.joined(separator: ", and ")
  }

  func denial(_ reason: String, hint: String? = nil) -> Denial {
    Denial(rule: requirement.rules, reason: reason, hint: hint)
  }

  /// At once: who can approve, how, and until when.
  func notice(_ request: Int64, reason: String, isInTransaction: Bool) -> ErrorFields {
    var detail = "It takes \(who), within \(wait.shortDescription)."
    if outlives { detail += " Later than that it can be approved for \(requirement.expires.shortDescription) in all." }
    if !reason.isEmpty { detail += " Your reason: \(reason)" + (reason.hasSuffix(".") ? "" : ".") }
    if requirement.scope != .statement { detail += " It covers the rest of the \(requirement.scope.rawValue)." }
    if isInTransaction { detail += " Locks that your transaction holds stay held meanwhile." }
    var hint = "They run: sallyport approvals approve \(request). Ctrl-C gives up."
    if reason.isEmpty { hint += " To say why, before: SET sallyport.reason = '…'." }
    return ErrorFields(
      severity: "NOTICE", code: "01000",
      message: "waiting for approval: request \(request), rule \"\(requirement.rules)\"", detail: detail, hint: hint)
  }

  /// The rule lets nobody wait: what to do instead.
  func refusalToWait(_ request: Int64) -> Refusal {
    Refusal(
      .notApproved,
      denial(
        "it needs approval by \(who): request \(request), which lives for \(requirement.expires.shortDescription)",
        hint: howToGoOn(request)))
  }

  /// The wait is over.
  var refusalInTime: Refusal {
    let reason = "nobody approved the statement within \(wait.shortDescription)"
    guard outlives, let request else {
      return Refusal(.notApproved, denial(reason, hint: "Ask the approvers to be at hand, and run it again."))
    }
    return Refusal(
      .notApproved, denial("\(reason); request \(request) lives on", hint: howToGoOn(request)))
  }

  private func howToGoOn(_ request: Int64) -> String {
    "Once it is approved (sallyport approvals approve \(request)), run exactly the same statement again within "
      + "\(requirement.validFor.shortDescription); it may be in a new session."
  }
}

extension Refusal {
  static let unrecorded = Refusal(
    .unavailable, Denial(rule: "gateway", reason: "the audit trail cannot be written"))

  static func reasonMissing(_ requirement: ApprovalRequirement) -> Refusal {
    Refusal(
      .notApproved,
      Denial(
        rule: requirement.rules, reason: "whoever approves it wants to know why",
        hint: "Run SET sallyport.reason = '…'; first, or connect with options=-csallyport.reason=…, and run it again."))
  }
}
