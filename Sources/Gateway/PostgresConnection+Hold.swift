import AccessModel
import Enforcement
import NIOCore
import Postgres

/// A command that waits for people.
struct HeldCommand {
  var id: CommandID
  var command: Command
  var requirement: ApprovalRequirement
  /// The request's number, once the store has it.
  var request: Int64?
  var deadline: Scheduled<Void>?
  var wait: Duration
}

/// Approvals: the session waits without blocking its event loop.
extension PostgresConnection {
  /// How long a hold may last inside a transaction, unless the rule says more (DECISIONS 13).
  private static let transactionWait = Duration.seconds(60)

  func hold(_ id: CommandID, _ command: Command, _ requirement: ApprovalRequirement, _ relay: Relay) {
    guard let subject else { return }
    let isInTransaction = relay.session.status != .idle
    let wait =
      isInTransaction && !requirement.waitIsExplicit
      ? min(requirement.wait, PostgresConnection.transactionWait) : requirement.wait
    relay.held = HeldCommand(id: id, command: command, requirement: requirement, wait: wait)
    let request = ApprovalRequest(
      session: name, command: id, subject: subject, text: command.text, parameters: command.parameters,
      effects: command.effects, footprint: command.footprint, requirement: requirement)
    let desk = context.desk
    let bound = bound
    let loop = state.loop
    context.pool.runIfActive(eventLoop: loop) {
      try desk.submit(request) { resolution in
        loop.execute { bound.value.holdResolved(id, resolution) }
      }
    }.whenComplete { bound.value.holdSubmitted(id, $0, isInTransaction: isInTransaction) }
  }

  private func holdSubmitted(_ id: CommandID, _ result: Result<Int64, any Error>, isInTransaction: Bool) {
    guard let relay, phase == .relaying, relay.held?.id == id else {
      // The person is gone already: nobody needs to approve any more.
      if case .success(let request) = result { withdraw(request, .cancelled) }
      return
    }
    switch result {
    case .failure(let error):
      endHold(
        Refusal(.unavailable, Denial(rule: "gateway", reason: "the approval could not be asked for: \(error)")),
        step: .cancelled)
    case .success(let request):
      relay.held?.request = request
      noteApproval(request, .requested, person: subject?.user ?? "", "")
      startHoldDeadline(id, relay)
      tellWaiting(request, relay, isInTransaction: isInTransaction)
    }
  }

  private func startHoldDeadline(_ id: CommandID, _ relay: Relay) {
    guard let held = relay.held else { return }
    let bound = bound
    relay.held?.deadline = state.loop.scheduleTask(in: TimeAmount(held.wait)) {
      guard let relay = bound.value.relay, relay.held?.id == id else { return }
      let rules = held.requirement.clauses.map(\.rule).joined(separator: ",")
      bound.value.endHold(
        Refusal(
          .notApproved,
          Denial(
            rule: rules, reason: "nobody approved the statement within \(held.wait.shortDescription)",
            hint: "Ask the approvers to be at hand, and run it again.")),
        step: .expired)
    }
  }

  /// The waiting person learns at once who can approve, how, and until when.
  private func tellWaiting(_ request: Int64, _ relay: Relay, isInTransaction: Bool) {
    guard let held = relay.held else { return }
    let who = held.requirement.clauses
      .map { "\($0.count) of \($0.by.joined(separator: " or "))" }.joined(separator: ", and ")
    let locks = isInTransaction ? " Locks that your transaction holds stay held meanwhile." : ""
    let notice = ErrorFields(
      severity: "NOTICE", code: "01000",
      message:
        "waiting for approval: request \(request), rule \"\(held.requirement.clauses.map(\.rule).joined(separator: ","))\"",
      detail: "It takes \(who), within \(held.wait.shortDescription).\(locks)",
      hint: "They run: sallyport approvals approve \(request). Ctrl-C gives up.")
    act { relay throws(ProtocolError) in relay.session.notify(notice) }
  }

  /// People decided.
  private func holdResolved(_ id: CommandID, _ resolution: ApprovalResolution) {
    guard let relay, phase == .relaying, let held = relay.held, held.id == id, let request = held.request else {
      return
    }
    switch resolution {
    case .step(let person, let reason): noteApproval(request, .approved, person: person, reason)
    case .refused(let person, let reason):
      noteApproval(request, .refused, person: person, reason)
      let rules = held.requirement.clauses.map(\.rule).joined(separator: ",")
      let words = reason.isEmpty ? "\(person) refused it" : "\(person) refused it: \(reason)"
      finishHold(relay)
      settle(held, relay.enforcer.withdraw(id, held.command, Refusal(.notApproved, Denial(rule: rules, reason: words))))
    case .approved(let people):
      guard noteApproval(request, .consumed, person: people.joined(separator: ","), "") else {
        return endHold(
          Refusal(.unavailable, Denial(rule: "gateway", reason: "the audit trail cannot be written")),
          step: .cancelled)
      }
      finishHold(relay)
      settle(
        held,
        relay.enforcer.release(id, held.command, approved: held.requirement, approvers: people))
    }
  }

  /// Ends a hold with a refusal: time is up, the person gave up, or the gateway stops.
  func endHold(_ refusal: Refusal, step: ApprovalRecord.Step) {
    guard let relay, let held = relay.held else { return }
    dropHold(relay, step: step, reason: refusal.denial.reason)
    settle(held, relay.enforcer.withdraw(held.id, held.command, refusal))
  }

  /// Forgets a hold whose command will not run, and takes it off the approvers' list.
  func dropHold(_ relay: Relay, step: ApprovalRecord.Step, reason: String) {
    guard let held = relay.held else { return }
    if let request = held.request {
      noteApproval(request, step, person: subject?.user ?? "", reason)
      withdraw(request, step)
    }
    finishHold(relay)
  }

  private func finishHold(_ relay: Relay) {
    relay.held?.deadline?.cancel()
    relay.held = nil
  }

  private func withdraw(_ request: Int64, _ step: ApprovalRecord.Step) {
    let desk = context.desk
    context.pool.submit { _ in desk.withdraw(request, step) }
  }

  private func settle(_ held: HeldCommand, _ ruling: consuming Ruling) {
    guard phase == .relaying, let relay else { return }
    switch consume ruling {
    case .forward(let permit):
      begin(held.id, held.command, relay)
      resolveHeld(.forward(permit), held.id, relay)
    case .refuse(let refusal): resolveHeld(.refuse(refusal), held.id, relay)
    case .hold(let requirement): hold(held.id, held.command, requirement, relay)
    case .needsValues:
      act { relay throws(ProtocolError) in try relay.session.awaitValues(of: held.id, held.command) }
    }
  }

  private func resolveHeld(_ verdict: consuming Verdict, _ id: CommandID, _ relay: Relay) {
    do throws(ProtocolError) {
      try relay.session.resolve(id, verdict)
      act { _ throws(ProtocolError) in }
    } catch {
      let error = error
      act { _ throws(ProtocolError) in throw error }
    }
  }

  @discardableResult
  private func noteApproval(
    _ request: Int64, _ step: ApprovalRecord.Step, person: String, _ reason: String
  ) -> Bool {
    guard let relay else { return false }
    let command = relay.held?.id ?? CommandID(0)
    return relay.enforcer.note(
      .approval(
        ApprovalRecord(
          request: request, session: name, command: command, step: step, person: person, reason: reason)))
  }
}

extension Duration {
  /// `90 s`, `2 min`: for people.
  var shortDescription: String {
    let seconds = components.seconds
    return seconds >= 120 && seconds % 60 == 0 ? "\(seconds / 60) min" : "\(seconds) s"
  }
}
