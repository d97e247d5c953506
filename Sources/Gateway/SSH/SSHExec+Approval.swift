import AccessModel
import Enforcement
import NIOCore

/// Approvals: the channel waits, and nothing of the command has reached the backend.
extension SSHExec {
  func hold(_ requirement: ApprovalRequirement) {
    guard let session, let id, let command else { return }
    guard !requirement.needsReason else {
      let denial = Denial(
        rule: requirement.rules, reason: "whoever approves it wants to know why",
        hint:
          "Ask for a grant with a reason: sallyport access request \(session.settings.name) --effect execute --reason …"
      )
      return apply(session.enforcer.withdraw(id, command, Refusal(.notApproved, denial)))
    }
    var request = ApprovalRequest(
      session: connection.name, command: id, subject: session.subject, text: command.text,
      parameters: command.parameters, effects: command.effects, footprint: command.footprint, requirement: requirement)
    request.account = session.login
    request.bindsToTextAlone()
    holds &+= 1
    let number = holds
    held = HeldCommand(
      id: id, number: number, command: command, requirement: requirement, wait: requirement.wait,
      outlives: request.outlives(wait: requirement.wait), catalogue: "")
    let desk = connection.context.desk
    let loop = connection.state.loop
    let bound = NIOLoopBound(self, eventLoop: loop)
    let waiter: ApprovalDesk.Waiter = { resolution in loop.execute { bound.value.resolved(number, resolution) } }
    let isWaiting = requirement.wait != .zero
    let asking = request
    connection.context.pool.runIfActive(eventLoop: loop) {
      try desk.enter(asking, waiter: isWaiting ? waiter : nil)
    }.whenComplete { result in
      let exec = bound.value
      guard exec.held?.number == number else {
        // The person is gone; what lives on can still be approved.
        if case .success(.asked(let asked)) = result {
          exec.abandonRequest(asked, outlives: asking.outlives(wait: .zero))
        }
        return
      }
      exec.entered(number, result)
    }
  }

  private func abandonRequest(_ request: Int64, outlives: Bool) {
    let desk = connection.context.desk
    connection.context.pool.submit { _ in
      if outlives { desk.leave(request) } else { desk.withdraw(request, .cancelled) }
    }
  }

  private func entered(_ number: UInt64, _ result: Result<ApprovalEntry, any Error>) {
    guard let held, let session, !isOver else { return }
    switch result {
    case .failure(let error):
      self.held = nil
      let denial = Denial(rule: "gateway", reason: "the approval could not be asked for: \(error)")
      apply(session.enforcer.withdraw(held.id, held.command, Refusal(.unavailable, denial)))
    case .success(.cleared(let clearance)):
      self.held = nil
      let step = clearance.isGrant ? ApprovalRecord.Step.used : .consumed
      release(held, clearance.request, step, clearance.people)
    case .success(.asked(let request)):
      self.held?.request = request
      guard held.wait != .zero else {
        self.held = nil
        return apply(session.enforcer.withdraw(held.id, held.command, held.refusalToWait(request)))
      }
      note(request, .requested, session.subject.user, "")
      say(held.waitingLines(request))
      let bound = NIOLoopBound(self, eventLoop: connection.state.loop)
      self.held?.deadline = connection.state.loop.scheduleTask(in: TimeAmount(held.wait)) {
        guard let held = bound.value.held, held.number == number else { return }
        bound.value.expired(held)
      }
      connection.moveSoon()
    }
  }

  private func expired(_ held: HeldCommand) {
    guard let session else { return }
    let refusal = held.refusalInTime
    withdrawHold(.expired, refusal.denial.reason)
    apply(session.enforcer.withdraw(held.id, held.command, refusal))
  }

  private func resolved(_ number: UInt64, _ resolution: ApprovalResolution) {
    guard let held, held.number == number, let session, let request = held.request, !isOver else { return }
    switch resolution {
    case .step(let person, let reason): note(request, .approved, person, reason)
    case .refused(let person, let reason):
      note(request, .refused, person, reason)
      dropHold()
      let words = reason.isEmpty ? "\(person) refused it" : "\(person) refused it: \(reason)"
      apply(session.enforcer.withdraw(held.id, held.command, Refusal(.notApproved, held.denial(words))))
    case .failed(let reason):
      dropHold()
      let denial = Denial(rule: "gateway", reason: "the approval could not be used: \(reason)")
      apply(session.enforcer.withdraw(held.id, held.command, Refusal(.unavailable, denial)))
    case .approved(let people):
      dropHold()
      release(held, request, .consumed, people)
    }
  }

  /// Decided once more by what is in force now (DECISIONS 14).
  private func release(_ held: HeldCommand, _ request: Int64, _ step: ApprovalRecord.Step, _ people: [String]) {
    guard let session else { return }
    guard note(request, step, people.joined(separator: ","), "") else {
      return apply(session.enforcer.withdraw(held.id, held.command, .unrecorded))
    }
    apply(session.enforcer.release(held.id, held.command, approved: held.requirement, approvers: people))
  }

  private func dropHold() {
    held?.deadline?.cancel()
    held = nil
  }

  /// Takes a hold off the approvers' list, or leaves it there if it may live on.
  func withdrawHold(_ step: ApprovalRecord.Step, _ reason: String) {
    guard let held else { return }
    dropHold()
    guard let request = held.request else { return }
    let desk = connection.context.desk
    if held.outlives, step != .cancelled {
      connection.context.pool.submit { _ in desk.leave(request) }
    } else {
      note(request, step, session?.subject.user ?? "", reason)
      connection.context.pool.submit { _ in desk.withdraw(request, step) }
    }
  }

  /// The gateway is going down.
  func giveUpHold() {
    guard let held, let session else { return }
    let denial = held.denial("the gateway is shutting down", hint: "Connect again, and run it once more.")
    withdrawHold(.expired, denial.reason)
    apply(session.enforcer.withdraw(held.id, held.command, Refusal(.shutdown, denial)))
  }

  /// Another policy is in force: what waits is decided again, unless the same people are asked for the same thing.
  func policyChanged() {
    guard let held, let session else { return }
    if case .hold(let requirement) = session.enforcer.policy.decide(held.command), requirement == held.requirement {
      return
    }
    withdrawHold(.cancelled, "the policy changed")
    apply(session.enforcer.admit(held.id, held.command))
  }

  @discardableResult
  private func note(_ request: Int64, _ step: ApprovalRecord.Step, _ person: String, _ reason: String) -> Bool {
    guard let session, let id else { return false }
    return session.enforcer.note(
      .approval(
        ApprovalRecord(
          request: request, session: connection.name, command: id, step: step, person: person, reason: reason)))
  }
}

extension HeldCommand {
  /// What a client reads on standard error while it waits.
  fileprivate func waitingLines(_ request: Int64) -> String {
    let who = requirement.clauses.map { "\($0.count) of \($0.by.joined(separator: " or "))" }.joined(
      separator: ", and ")
    return """
      sallyport: waiting for approval: request \(request), rule "\(requirement.rules)"
      sallyport: It takes \(who), within \(wait.shortDescription). They run: sallyport approvals approve \(request). \
      Ctrl-C gives up.

      """
  }
}
