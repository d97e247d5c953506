import AccessModel
import Enforcement
import NIOCore
import Postgres
import SQLAnalysis

/// The session under way: bytes in, events answered, bytes out.
extension PostgresConnection {
  func relayInput(_ bytes: ByteBuffer, from side: Side) {
    guard let relay else { return }
    do throws(ProtocolError) {
      try relay.session.receive(bytes, from: side)
      try pump(relay)
    } catch { breakOff(error) }
  }

  /// Does something to the session from outside a read cycle, and sends what comes of it.
  func act(_ change: (Relay) throws(ProtocolError) -> Void) {
    guard phase == .relaying, let relay else { return }
    do throws(ProtocolError) {
      try change(relay)
      try pump(relay)
    } catch { breakOff(error) }
    flush()
    resumeReading()
  }

  /// Answers what the session asks, then writes what it has for either side.
  private func pump(_ relay: Relay) throws(ProtocolError) {
    while let event = relay.session.nextEvent() {
      switch event {
      case .command(let id, let command): try decide(id, command, relay)
      case .columns(let id, let columns): try plan(columns, of: id, relay)
      case .result(let id, let part): relay.recorder?.add(id, showsText(id, relay) ? .cut : part)
      case .finished(let id, let outcome): finish(id, outcome, relay)
      case .control(let purpose): _ = relay.enforcer.note(.control(session: name, purpose: purpose))
      case .limitReached: cancelStatement(relay)
      case .needs(.relation(let oid)): try supplyRelation(oid, relay)
      case .needs(.analysis(let text)): try analyze(text, relay)
      case .ended: relay.hasEnded = true
      }
    }
    if relay.session.definitions != relay.toldDefinitions {
      relay.toldDefinitions = relay.session.definitions
      context.catalogs.invalidate(relay.target.catalogKey)
    }
    let isHeldBack = isHeldBack(relay)
    if !isHeldBack {
      while let output = relay.session.takeOutput(for: .backend) { writeToBackend(output) }
    }
    while let output = relay.session.takeOutput(for: .client) { writeToClient(output) }
    if relay.hasEnded, !isHeldBack { close(reason: "ended by the client") }
    if let end = relay.quietEnd, relay.session.isQuiet, phase == .relaying { endQuietly(relay, end) }
  }

  // MARK: Commands

  private func decide(_ id: CommandID, _ command: Command, _ relay: Relay) throws(ProtocolError) {
    if let refusal = refusalOfRecording(relay) {
      return try apply(relay.enforcer.withdraw(id, command, refusal), id, command, relay)
    }
    if relay.session.isMaskable { lookForMaskedColumns(relay) }
    guard relay.approved == nil else { return try apply(decideApproved(id, command, relay), id, command, relay) }
    try apply(relay.enforcer.admit(id, command), id, command, relay)
  }

  func apply(
    _ ruling: consuming Ruling, _ id: CommandID, _ command: Command, _ relay: Relay
  ) throws(ProtocolError) {
    switch consume ruling {
    case .forward(let permit):
      state.counters.permitted &+= 1
      begin(id, command, relay)
      if state.commit != nil { relay.recordedAt = state.lane.sequence }
      try relay.session.resolve(id, .forward(permit))
    case .refuse(let refusal):
      if refusal.kind == .unavailable { state.counters.unrecorded &+= 1 } else { state.counters.denied &+= 1 }
      try relay.session.resolve(id, .refuse(refusal))
    case .hold(let requirement):
      state.counters.held &+= 1
      try hold(id, command, requirement, relay)
    case .needsValues: try relay.session.awaitValues(of: id, command)
    case .needsEstimate: try estimateRows(of: id, command, relay)
    }
  }

  func begin(_ id: CommandID, _ command: Command, _ relay: Relay) {
    guard command.stage == .execute else { return }
    if !relay.allowances.isEmpty { noteTransactionEnds(command, relay) }
    // Commands that never end, such as a Bind without its Execute, must not pile up.
    if relay.underWay.count > 1_000 {
      relay.underWay.removeAll()
      context.catalogs.invalidate(relay.target.catalogKey)
    }
    relay.underWay.append(
      CommandsUnderWay.Entry(
        id: id, began: Clock.monotonic(), isDefinition: !command.effects.isDisjoint(with: [.define, .execute]),
        facts: relay.session.isMaskable ? command.facts : nil))
  }

  private func finish(_ id: CommandID, _ outcome: Outcome, _ relay: Relay) {
    if let held = relay.held, held.id == id { dropHold(relay, step: .cancelled, reason: "an earlier error skipped it") }
    let begun = relay.underWay.find(id)
    let duration = begun.map { Clock.monotonic() - $0.began } ?? 0
    if begun?.isDefinition == true { context.catalogs.invalidate(relay.target.catalogKey) }
    // A portal that stopped at its row limit goes on under the same command.
    if outcome.ending != .suspended { relay.underWay.remove(id) }
    if outcome.ending == .failed { state.counters.failed &+= 1 }
    if begun != nil { state.counters.durations.add(duration) }
    noteRecorded(id, relay)
    _ = relay.enforcer.finish(id, outcome, duration: duration)
  }

  // MARK: Cancel

  /// The person cancelled: what is held ends here, what runs is cancelled at the backend (DECISIONS 29).
  func cancelRequested() {
    guard phase == .relaying, let relay else { return }
    guard relay.held == nil else {
      return endHold(
        Refusal(.cancelled, Denial(rule: "gateway", reason: "cancelled by the user")), step: .cancelled)
    }
    cancelStatement(relay)
  }

  /// Cancels at the backend what runs there; nothing more is forwarded until that has had its effect.
  func cancelStatement(_ relay: Relay) {
    guard let key = relay.backendKey else { return }
    _ = relay.enforcer.note(.control(session: name, purpose: .cancel))
    relay.session.pause()
    let bound = bound
    let (target, isEncrypted, deadline) = (relay.target, relay.backendIsEncrypted, context.deadlines.cancel)
    let opening = NIOLoopBound(
      BackendOpening(cancelling: key, isEncrypted: isEncrypted, target: target, context: context),
      eventLoop: state.loop)
    context.dialler.redial(relay.backendAddress, region: target.settings.region, on: state.loop)
      .flatMap { CancelSender.send(opening.value, over: $0.value, deadline: deadline) }
      .whenComplete { _ in
        bound.value.act { relay throws(ProtocolError) in try relay.session.resume() }
      }
  }

  // MARK: Ends

  /// A side broke the protocol: the client hears of it where that is still possible.
  private func breakOff(_ error: ProtocolError) {
    guard let relay, phase == .relaying else { return }
    context.logger.warning(
      "protocol error", metadata: ["fault": "\(error.fault.rawValue)", "reason": "\(error.message)"])
    relay.session.end(with: ErrorFields(severity: "FATAL", code: error.code, message: error.message))
    while let output = relay.session.takeOutput(for: .client) { writeToClient(output) }
    close(reason: "\(error.fault.rawValue): \(error.message)")
  }

  func backendLost(_ reason: String) {
    guard let relay, phase == .relaying else { return }
    if !relay.session.backendIsLeaving {
      relay.session.end(
        with: ErrorFields(
          severity: "FATAL", code: "57P01", message: "terminating connection because the backend went away",
          hint: "Connect again; what was under way may or may not have been done."))
    }
    while let output = relay.session.takeOutput(for: .client) { writeToClient(output) }
    close(reason: reason)
  }

  /// What the audit trail must know when a session ends, in whatever way.
  func closeRelay() {
    guard let relay else { return }
    if relay.held != nil { leaveHold(relay, step: .cancelled, reason: closingReason) }
    context.live.remove(name)
    for command in relay.underWay.all {
      noteRecorded(command.id, relay)
      _ = relay.enforcer.finish(
        command.id, relay.session.outcome(ofLost: command.id), duration: Clock.monotonic() - command.began)
    }
    relay.underWay.removeAll()
    if let key = relay.clientKey { context.cancels.remove(key) }
    _ = relay.enforcer.note(.sessionClosed(session: name, reason: closingReason))
  }

  func endHoldForShutdown() {
    endHold(Refusal(.shutdown, Denial(rule: "gateway", reason: "the gateway is shutting down")), step: .cancelled)
  }

  /// The gateway goes down now.
  func shutDown() {
    guard phase == .relaying, let relay else { return close(reason: "the gateway is shutting down") }
    if relay.held != nil { endHoldForShutdown() }
    guard phase == .relaying else { return }
    relay.session.end(
      with: ErrorFields(
        severity: "FATAL", code: "57P01", message: "terminating connection due to administrator command"))
    while let output = relay.session.takeOutput(for: .client) { writeToClient(output) }
    close(reason: "the gateway is shutting down")
  }
}
