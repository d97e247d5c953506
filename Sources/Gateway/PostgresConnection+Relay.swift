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
    var hasEnded = false
    while let event = relay.session.nextEvent() {
      switch event {
      case .command(let id, let command): try decide(id, command, relay)
      case .columns(let id, let columns): try plan(columns, of: id, relay)
      case .finished(let id, let outcome): finish(id, outcome, relay)
      case .control(let purpose): _ = relay.enforcer.note(.control(session: name, purpose: purpose))
      case .needs(.relation(let oid)): try supplyRelation(oid, relay)
      case .needs(.analysis(let text)): analyze(text)
      case .ended: hasEnded = true
      }
    }
    while let output = relay.session.takeOutput(for: .backend) { writeToBackend(output) }
    while let output = relay.session.takeOutput(for: .client) { writeToClient(output) }
    if hasEnded { close(reason: "ended by the client") }
    if relay.endsWhenQuiet, relay.session.isQuiet, phase == .relaying { endAged(relay) }
  }

  // MARK: Commands

  private func decide(_ id: CommandID, _ command: Command, _ relay: Relay) throws(ProtocolError) {
    let ruling = relay.enforcer.admit(id, command)
    switch consume ruling {
    case .forward(let permit):
      begin(id, command, relay)
      try relay.session.resolve(id, .forward(permit))
    case .refuse(let refusal): try relay.session.resolve(id, .refuse(refusal))
    case .hold(let requirement): hold(id, command, requirement, relay)
    }
  }

  func begin(_ id: CommandID, _ command: Command, _ relay: Relay) {
    guard command.stage == .execute else { return }
    // Commands that never end, such as a Bind without its Execute, must not pile up.
    if relay.started.count > 1_000 {
      relay.started.removeAll(keepingCapacity: true)
      relay.definitions.removeAll()
      context.catalogs.invalidate(relay.target.catalogKey)
    }
    relay.started[id] = Clock.monotonic()
    if !command.effects.isDisjoint(with: [.define, .execute]) { relay.definitions.insert(id) }
    guard relay.session.isMaskable else { return }
    if relay.footprints.count > 1_000 { relay.footprints.removeAll(keepingCapacity: true) }
    relay.footprints[id] = command.resultFootprint
  }

  private func finish(_ id: CommandID, _ outcome: Outcome, _ relay: Relay) {
    if let held = relay.held, held.id == id { dropHold(relay, step: .cancelled, reason: "an earlier error skipped it") }
    let duration = relay.started[id].map { Clock.monotonic() - $0 } ?? 0
    if relay.definitions.remove(id) != nil { context.catalogs.invalidate(relay.target.catalogKey) }
    // A portal that stopped at its row limit goes on under the same command.
    if outcome.ending != .suspended {
      relay.started[id] = nil
      relay.footprints[id] = nil
    }
    _ = relay.enforcer.note(.finished(session: name, command: id, outcome: outcome, duration: duration))
  }

  private func analyze(_ text: String) {
    let bound = bound
    let loop = state.loop
    let isTaken = context.analyzer.submit(text, functions: state.functions) { analysis in
      loop.execute { bound.value.act { relay throws(ProtocolError) in try relay.session.supply(analysis) } }
    }
    guard !isTaken else { return }
    // Too many long texts wait: this one counts as not understood.
    let opaque = Analysis(text: text, misunderstood: .opaque("the gateway is too busy to analyse it"))
    loop.execute { bound.value.act { relay throws(ProtocolError) in try relay.session.supply(opaque) } }
  }

  // MARK: Masks

  private func plan(_ columns: [ResultColumn], of id: CommandID, _ relay: Relay) throws(ProtocolError) {
    guard let catalog = freshCatalog(relay) else {
      return readCatalog(relay.target) { connection, result in
        connection.act { relay throws(ProtocolError) in
          try relay.session.mask(id, with: connection.maskPlan(columns, of: id, relay, try? result.get()))
        }
      }
    }
    try relay.session.mask(id, with: maskPlan(columns, of: id, relay, catalog))
  }

  /// Without a catalogue every expression may hold anything.
  private func maskPlan(
    _ columns: [ResultColumn], of id: CommandID, _ relay: Relay, _ catalog: Catalog?
  ) -> MaskPlan {
    let policy = relay.enforcer.policy
    // Only expressions ask what the command touches, and that is the costly question.
    guard columns.contains(where: { $0.origin == .computed }) else { return policy.maskPlan(for: columns) }
    let footprint = relay.footprints[id] ?? .everything
    return policy.maskPlan(for: columns, touching: catalog?.maskable(footprint, under: policy) ?? .everything)
  }

  private func freshCatalog(_ relay: Relay) -> Catalog? {
    guard let known = context.catalogs.find(relay.target.catalogKey), !known.isOlder(than: Catalog.maxAge) else {
      return nil
    }
    return known
  }

  /// Names of a relation: from a catalogue that is fresh enough, else from a new one. What is not found stays
  /// unresolved, and is masked.
  private func supplyRelation(_ oid: UInt32, _ relay: Relay) throws(ProtocolError) {
    if let known = freshCatalog(relay) {
      let names = known.relations[oid]
      if names != nil || !known.isOlder(than: Catalog.maxAgeOfAbsence) {
        return try relay.session.supply(relation: oid, names)
      }
    }
    readCatalog(relay.target) { connection, result in
      connection.act { relay throws(ProtocolError) in
        try relay.session.supply(relation: oid, (try? result.get())?.relations[oid])
      }
    }
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
    let context = context
    let (target, isEncrypted) = (relay.target, relay.backendIsEncrypted)
    context.dialler.redial(relay.backendAddress, region: relay.target.settings.region, on: state.loop) { channel in
      let opening = BackendOpening(cancelling: key, isEncrypted: isEncrypted, target: target, context: context)
      try channel.pipeline.syncOperations.addHandler(CancelSender(opening, deadline: context.deadlines.cancel))
    }.flatMap(\.closeFuture).whenComplete { _ in
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
    if relay.held != nil { dropHold(relay, step: .cancelled, reason: closingReason) }
    for (id, begun) in relay.started.sorted(by: { $0.key < $1.key }) {
      _ = relay.enforcer.note(
        .finished(
          session: name, command: id, outcome: relay.session.outcome(ofLost: id),
          duration: Clock.monotonic() - begun))
    }
    relay.started.removeAll()
    if let key = relay.clientKey { context.cancels.remove(key) }
    _ = relay.enforcer.note(.sessionClosed(session: name, reason: closingReason))
  }

  /// The gateway is going down.
  func shutDown() {
    guard phase == .relaying, let relay else { return close(reason: "the gateway is shutting down") }
    if relay.held != nil {
      endHold(
        Refusal(.shutdown, Denial(rule: "gateway", reason: "the gateway is shutting down")), step: .cancelled)
    }
    guard phase == .relaying else { return }
    relay.session.end(
      with: ErrorFields(
        severity: "FATAL", code: "57P01", message: "terminating connection due to administrator command"))
    while let output = relay.session.takeOutput(for: .client) { writeToClient(output) }
    close(reason: "the gateway is shutting down")
  }
}
