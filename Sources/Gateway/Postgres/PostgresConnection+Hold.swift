import AccessModel
import Enforcement
import NIOCore
import PolicyEngine
import Postgres

/// Approvals: the session waits without blocking its event loop.
extension PostgresConnection {
  /// How long a hold may last inside a transaction, unless the rule says more (DECISIONS 13).
  private static let transactionWait = Duration.seconds(60)

  /// Holds a command that people must approve; or lets it pass, or refuses it, where that is certain at once.
  func hold(
    _ id: CommandID, _ command: Command, _ requirement: ApprovalRequirement, _ relay: Relay
  ) throws(ProtocolError) {
    if let allowance = allowance(for: command, requirement, relay) {
      let isRecorded = noteApproval(allowance.request, .used, person: subject?.user ?? "", "", of: id)
      guard isRecorded else { return try apply(relay.enforcer.withdraw(id, command, .unrecorded), id, command, relay) }
      let ruling = relay.enforcer.release(id, command, approved: requirement, approvers: allowance.people)
      return try apply(ruling, id, command, relay)
    }
    guard !requirement.needsReason || !relay.session.reason.isEmpty else {
      return try apply(relay.enforcer.withdraw(id, command, .reasonMissing(requirement)), id, command, relay)
    }
    // An approval of code that users can change is bound to the catalogue, which nobody may have asked for yet.
    guard relay.names != nil, command.runsChangeableCode, context.catalogs.find(relay.target.catalogKey) == nil else {
      return ask(id, command, requirement, relay)
    }
    readCatalog(relay.target) { connection, _ in
      connection.act { relay throws(ProtocolError) in connection.ask(id, command, requirement, relay) }
    }
  }

  private func ask(_ id: CommandID, _ command: Command, _ requirement: ApprovalRequirement, _ relay: Relay) {
    guard let request = request(id, command, requirement, relay) else { return }
    let isInTransaction = relay.session.status != .idle
    let wait =
      isInTransaction && !requirement.waitIsExplicit
      ? min(requirement.wait, PostgresConnection.transactionWait) : requirement.wait
    // The same command may be held once more, under another policy: what comes of this request is only for this hold.
    relay.holds &+= 1
    let number = relay.holds
    relay.held = HeldCommand(
      id: id, number: number, command: command, requirement: requirement, wait: wait,
      outlives: request.outlives(wait: wait),
      catalogue: request.catalogue)
    let desk = context.desk
    let bound = bound
    let loop = state.loop
    let waiter: ApprovalDesk.Waiter = { resolution in loop.execute { bound.value.holdResolved(number, resolution) } }
    context.pool.runIfActive(eventLoop: loop) {
      if wait == .zero, !request.isTransferable { throw DeskRefusal.notTransferable }
      return try desk.enter(request, waiter: wait == .zero ? nil : waiter)
    }.whenComplete { result in
      let connection = bound.value
      let isWanted = connection.relay?.givenUp.remove(number) == nil
      if case .success(.asked(let asked)) = result { connection.estimate(asked, request) }
      // The person may be gone already. What they asked for lives on if it can, and else nobody needs to approve it.
      if case .success(.asked(let asked)) = result, connection.relay?.held?.number != number {
        return connection.abandon(asked, outlives: isWanted && (wait == .zero || request.outlives(wait: wait)))
      }
      connection.holdEntered(number, result, isInTransaction: isInTransaction)
    }
  }

  private func request(
    _ id: CommandID, _ command: Command, _ requirement: ApprovalRequirement, _ relay: Relay
  ) -> ApprovalRequest? {
    guard let subject else { return nil }
    var request = ApprovalRequest(
      session: name, command: id, subject: subject, text: command.text, parameters: command.parameters,
      effects: command.effects, footprint: command.footprint, requirement: requirement)
    request.database = relay.target.database
    request.account = relay.target.account.user
    request.path = relay.session.scope.names.path
    request.declaredTypes = relay.session.declaredTypes(of: id)
    request.reason = relay.session.reason
    request.catalogue = catalogue(of: command, relay)
    request.isSelfContained = command.isSelfContained
    return request
  }

  /// Which catalogue a command was worked out by, where it runs code that users can change.
  private func catalogue(of command: Command, _ relay: Relay) -> String {
    guard command.runsChangeableCode else { return "" }
    return context.catalogs.find(relay.target.catalogKey)?.stamp ?? "unknown"
  }

  private func holdEntered(_ number: UInt64, _ result: Result<ApprovalEntry, any Error>, isInTransaction: Bool) {
    guard let relay, phase == .relaying, let held = relay.held, held.number == number else { return }
    let id = held.id
    switch result {
    case .failure(let error as DeskRefusal) where error == .notTransferable:
      endHold(Refusal(.notApproved, held.denial(error.message, hint: error.hint)), step: .cancelled)
    case .failure(let error):
      endHold(
        Refusal(.unavailable, Denial(rule: "gateway", reason: "the approval could not be asked for: \(error)")),
        step: .cancelled)
    case .success(.cleared(let clearance)): holdCleared(held, clearance, relay)
    case .success(.asked(let request)) where held.wait == .zero:
      relay.held?.request = request
      finishHold(relay)
      settle(held, relay.enforcer.withdraw(id, held.command, held.refusalToWait(request)))
    case .success(.asked(let request)):
      relay.held?.request = request
      noteApproval(request, .requested, person: subject?.user ?? "", relay.session.reason, of: id)
      startHoldDeadline(number, relay)
      tellWaiting(request, relay, isInTransaction: isInTransaction)
    }
  }

  /// How many rows it would touch, for those who decide; only where asking runs no code of users'.
  private func estimate(_ number: Int64, _ request: ApprovalRequest) {
    guard let target = relay?.target, let question = RowEstimator.Question(request), context.desk.beginEstimate() else {
      return
    }
    let desk = context.desk
    RowEstimator.estimate(question, at: target, context: context, on: state.loop).whenComplete { result in
      desk.endEstimate(number, rows: (try? result.get()) ?? nil)
    }
  }

  /// It was approved before, or a grant covers it. The desk has compared what it does with what was approved.
  private func holdCleared(_ held: HeldCommand, _ clearance: Clearance, _ relay: Relay) {
    finishHold(relay)
    let step = clearance.isGrant ? ApprovalRecord.Step.used : .consumed
    let people = clearance.people.joined(separator: ",")
    guard noteApproval(clearance.request, step, person: people, "", of: held.id) else {
      return settle(held, relay.enforcer.withdraw(held.id, held.command, .unrecorded))
    }
    let scope = clearance.isGrant ? .statement : clearance.scope
    lookAgain(ApprovedCommand(held: held, request: clearance.request, people: clearance.people, scope: scope), relay)
  }

  private func startHoldDeadline(_ number: UInt64, _ relay: Relay) {
    guard let held = relay.held else { return }
    let bound = bound
    relay.held?.deadline = state.loop.scheduleTask(in: TimeAmount(held.wait)) {
      guard let relay = bound.value.relay, let held = relay.held, held.number == number else { return }
      bound.value.endHold(held.refusalInTime, step: .expired)
    }
  }

  /// The waiting person learns at once who can approve, how, and until when.
  private func tellWaiting(_ request: Int64, _ relay: Relay, isInTransaction: Bool) {
    guard let held = relay.held else { return }
    let notice = held.notice(request, reason: relay.session.reason, isInTransaction: isInTransaction)
    act { relay throws(ProtocolError) in relay.session.notify(notice) }
  }

  /// People decided.
  private func holdResolved(_ number: UInt64, _ resolution: ApprovalResolution) {
    guard let relay, phase == .relaying, let held = relay.held, held.number == number, let request = held.request
    else { return }
    let id = held.id
    switch resolution {
    case .step(let person, let reason): noteApproval(request, .approved, person: person, reason, of: id)
    case .refused(let person, let reason):
      noteApproval(request, .refused, person: person, reason, of: id)
      let words = reason.isEmpty ? "\(person) refused it" : "\(person) refused it: \(reason)"
      finishHold(relay)
      settle(held, relay.enforcer.withdraw(id, held.command, Refusal(.notApproved, held.denial(words))))
    case .failed(let reason):
      finishHold(relay)
      let denial = Denial(rule: "gateway", reason: "the approval could not be used: \(reason)")
      settle(held, relay.enforcer.withdraw(id, held.command, Refusal(.unavailable, denial)))
    case .approved(let people):
      finishHold(relay)
      guard noteApproval(request, .consumed, person: people.joined(separator: ","), "", of: id) else {
        return settle(held, relay.enforcer.withdraw(id, held.command, .unrecorded))
      }
      lookAgain(
        ApprovedCommand(held: held, request: request, people: people, scope: held.requirement.scope), relay)
    }
  }

  /// What names mean, and so what the command does, may have changed while it waited: it is read once more, by a
  /// catalogue that was read after the approval.
  private func lookAgain(_ approved: ApprovedCommand, _ relay: Relay) {
    relay.approved = approved
    guard relay.names != nil else { return reconsider(approved.held.id) }
    // Without a catalogue the command cannot be told to be the same, and is refused.
    readCatalog(relay.target) { connection, _ in connection.reconsider(approved.held.id) }
  }

  private func reconsider(_ id: CommandID) {
    act { relay throws(ProtocolError) in
      if try !relay.session.reconsider(id) { relay.approved = nil }
    }
  }

  /// The second look at a command that was approved; `command` is what it is now.
  func decideApproved(_ id: CommandID, _ command: Command, _ relay: Relay) -> Ruling {
    guard let approved = relay.approved, approved.held.id == id else { return relay.enforcer.admit(id, command) }
    let held = approved.held
    guard command.parameters.isWhole else { return .needsValues }
    var command = command
    command.estimate = held.command.estimate
    relay.approved = nil
    guard approved.fits(command, catalogue: catalogue(of: command, relay)) else {
      let denial = held.denial(
        "what the statement does or touches changed while it waited, so its approval is void",
        hint: "Run the statement again.")
      return relay.enforcer.withdraw(id, command, Refusal(.notApproved, denial))
    }
    allow(held, approved.request, approved.people, approved.scope, relay)
    return relay.enforcer.release(id, command, approved: held.requirement, approvers: approved.people)
  }

  /// Ends a hold with a refusal: time is up, the person gave up, or the gateway stops.
  func endHold(_ refusal: Refusal, step: ApprovalRecord.Step) {
    guard let relay, let held = relay.held else { return }
    // Whoever gives up does not want it any more; otherwise the request may live on.
    if refusal.kind == .cancelled {
      dropHold(relay, step: step, reason: refusal.denial.reason)
    } else {
      leaveHold(relay, step: step, reason: refusal.denial.reason)
    }
    settle(held, relay.enforcer.withdraw(held.id, held.command, refusal))
  }

  /// Forgets a hold that nobody waits for any more; its request lives on if the rule lets it.
  func leaveHold(_ relay: Relay, step: ApprovalRecord.Step, reason: String) {
    guard let held = relay.held, held.outlives else { return dropHold(relay, step: step, reason: reason) }
    let desk = context.desk
    // One that is still being stored lives on once it is.
    if let request = held.request { context.pool.submit { _ in desk.leave(request) } }
    finishHold(relay)
  }

  /// Forgets a hold whose command will not run, and takes it off the approvers' list.
  func dropHold(_ relay: Relay, step: ApprovalRecord.Step, reason: String) {
    guard let held = relay.held else { return }
    if let request = held.request {
      noteApproval(request, step, person: subject?.user ?? "", reason, of: held.id)
      withdraw(request, step)
    } else {
      // It is still being stored, and is taken back as soon as it is.
      relay.givenUp.insert(held.number)
    }
    finishHold(relay)
  }

  private func finishHold(_ relay: Relay) {
    relay.held?.deadline?.cancel()
    relay.held = nil
  }

  private func abandon(_ request: Int64, outlives: Bool) {
    let desk = context.desk
    context.pool.submit { _ in if outlives { desk.leave(request) } else { desk.withdraw(request, .cancelled) } }
  }

  private func withdraw(_ request: Int64, _ step: ApprovalRecord.Step) {
    let desk = context.desk
    context.pool.submit { _ in desk.withdraw(request, step) }
  }

  private func settle(_ held: HeldCommand, _ ruling: consuming Ruling) {
    guard phase == .relaying, let relay else { return }
    do throws(ProtocolError) {
      try apply(ruling, held.id, held.command, relay)
      act { _ throws(ProtocolError) in }
    } catch {
      let error = error
      act { _ throws(ProtocolError) in throw error }
    }
  }

  @discardableResult
  private func noteApproval(
    _ request: Int64, _ step: ApprovalRecord.Step, person: String, _ reason: String, of command: CommandID
  ) -> Bool {
    guard let relay else { return false }
    return relay.enforcer.note(
      .approval(
        ApprovalRecord(
          request: request, session: name, command: command, step: step, person: person, reason: reason)))
  }
}

// MARK: - What one approval covers

extension PostgresConnection {
  private func allow(
    _ held: HeldCommand, _ request: Int64, _ people: [String], _ scope: ApprovalScope, _ relay: Relay
  ) {
    switch scope {
    case .statement: return
    // Without a transaction block the transaction is the statement.
    case .transaction: guard relay.session.status != .idle else { return }
    case .session: break
    }
    guard !held.command.effects.isUnknown, relay.allowances.count < 100 else { return }
    relay.allowances.append(
      Allowance(
        request: request, people: people, clauses: held.requirement.clauses, effects: held.command.effects,
        scope: scope))
  }

  private func allowance(
    for command: Command, _ requirement: ApprovalRequirement, _ relay: Relay
  ) -> Allowance? {
    if relay.session.status == .idle { relay.allowances.removeAll { $0.scope == .transaction } }
    return relay.allowances.first { $0.covers(command, requirement) }
  }

  /// What was approved for a transaction ends with it.
  func noteTransactionEnds(_ command: Command, _ relay: Relay) {
    if command.mayEndTransaction { relay.allowances.removeAll { $0.scope == .transaction } }
  }
}

extension DeskRefusal {
  /// Nobody could tell the command again once its session has gone on.
  static let notTransferable = DeskRefusal(
    message: "it cannot be approved for later, as what it does depends on this session",
    hint: "Send it by itself, outside a pipeline, with its text instead of EXECUTE.")
}
