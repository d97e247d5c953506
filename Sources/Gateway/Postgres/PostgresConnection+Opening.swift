import AccessModel
import Enforcement
import NIOCore
import PolicyEngine
import Postgres

/// From a known person to a backend that is ready for the first command.
extension PostgresConnection {
  func open(_ target: BackendTarget) {
    guard phase == .opening, let subject, let startup = handshake.startup else { return }
    do {
      let parameters = try BackendHandshake.parameters(
        for: startup, user: target.account.user, database: target.database, person: subject.user)
      opening = BackendOpening(target: target, parameters: parameters, keys: context.backendKeys, pool: context.pool)
    } catch { return refuseClient(code: error.code, error.message, hint: error.hint) }
    self.target = target
    let bound = bound
    context.dialler.dial(target.settings.address, region: target.settings.region, on: state.loop)
      .whenComplete { result in
        switch result {
        case .success(let stream): bound.value.backendConnected(stream.value)
        case .failure(let error): bound.value.failOpening("\(error)")
        }
      }
  }

  private func backendConnected(_ stream: StreamSocket) {
    // The client may have gone meanwhile.
    guard phase == .opening, let opening else { return stream.close() }
    attach(stream)
    opening.start(stream)
  }

  func openingRead(_ bytes: ByteBuffer) {
    guard let backend, let opening else { return }
    opening.receive(bytes, backend) { [weak self] step in
      guard let self, phase == .opening else { return }
      switch step {
      case .failed(let failure):
        failOpening(failure.message, passOn: failure.passOn, isAboutAccount: failure.isAboutAccount)
      case .ready(let ready): backendReady(ready)
      }
    }
  }

  /// The client learns that the backend cannot be had, and the log why: addresses and accounts are not for users.
  func failOpening(_ message: String, passOn: ErrorFields? = nil, isAboutAccount: Bool = false) {
    guard phase == .opening else { return }
    state.counters.failedBackends &+= 1
    let connection = target?.settings.name ?? handshake.database
    context.logger.warning(
      "backend not available",
      metadata: ["connection": "\(connection)", "reason": "\(message)"])
    if let passOn {
      var answer = ByteBuffer()
      passOn.encodeError(into: &answer)
      writeToClient(answer)
      return close(reason: message)
    }
    if isAboutAccount {
      return refuseClient(
        code: "28000", "the backend of connection \"\(connection)\" does not accept the gateway's own credential",
        hint:
          "Yours is right. Whoever manages the gateway finds the reason in its log; the account may have been changed.",
        reason: message)
    }
    refuseClient(
      code: "08006", "the backend of connection \"\(connection)\" is not available",
      hint: "The gateway's log says why.", reason: message)
  }

  /// Masks need the catalogue: whoever is under one finds out at sign-in that it cannot be read.
  private func backendReady(_ ready: BackendHandshake.Ready) {
    guard let subject, let target else { return }
    let policy = context.policy.scoped(to: subject)
    guard policy.mayMask, context.catalogs.find(target.catalogKey) == nil else { return beginRecorded(ready) }
    readCatalog(target) { connection, result in
      switch result {
      case .success: connection.beginRecorded(ready)
      case .failure(let error): connection.failOpening("the catalogue could not be read: \(error)")
      }
    }
  }

  func readCatalog(
    _ target: BackendTarget, then: @escaping @Sendable (PostgresConnection, Result<Catalog, any Error>) -> Void
  ) {
    let bound = bound
    let context = context
    let loop = state.loop
    context.catalogs.slot(target.catalogKey).read(on: loop) { known in
      CatalogReader.read(target, known: known, context: context, on: loop)
    }.whenComplete { then(bound.value, $0) }
  }

  /// Where the session finds what its texts do: names are resolved if anything depends on them.
  func analyses(_ policy: ScopedPolicy, _ target: BackendTarget) -> SessionAnalyses? {
    guard policy.dependsOnCommands, context.followsNames else { return nil }
    let bound = bound
    return SessionAnalyses(state: state, slot: context.catalogs.slot(target.catalogKey)) {
      bound.value.readCatalog(target) { _, _ in }
    }
  }

  /// What of bound values may be recorded. A table that the catalogue knows reaches masked columns only if it has one.
  private func valueScope(_ target: BackendTarget) -> ValueScope {
    let slot = context.catalogs.slot(target.catalogKey)
    return ValueScope(
      isRecorded: context.configuration.gateway.audit.recordsBinds,
      version: { [weak self] in self?.relay?.names?.columnsVersion },
      reach: { footprint, policy in slot.catalog?.maskable(footprint, under: policy) ?? .everything },
      conceal: { [texts = context.texts] in texts.conceal($0) })
  }

  /// - Parameter recorded: how much of results the recorder is to get.
  func begin(_ ready: BackendHandshake.Ready, recorder: SessionRecorder?, _ recorded: ResultBounds?) {
    guard phase == .opening, let person = subject, let target, let opening, let address = backend?.peer else { return }
    // Another configuration may be in force by now.
    guard let (subject, policy) = context.current.rights(of: person, at: target) else {
      return refuseClient(
        code: "42501", "no access to connection \"\(handshake.database)\"",
        hint: "Ask whoever manages the gateway for access.", reason: "access was withdrawn")
    }
    self.subject = subject
    let replication = handshake.startup?.replication
    if replication != nil, let denial = policy.replicationDenial { return refuseReplication(denial) }
    let names = analyses(policy, target)
    let relay = Relay(
      session: PostgresSession(
        ready: ready, analyses: names ?? state, maskable: policy.mayMask, contents: policy.contents,
        shadowed: policy.shadowContents, maskKey: context.maskKey,
        followsNames: names != nil, waitsForUnknownCode: policy.dependsOnCommands, records: recorded,
        hidingRecorded: context.current.configuration.recordedContents(on: target.settings),
        bindsToPath: policy.mayHold || policy.asksForRows,
        reason: handshake.startup?.setting(PostgresSession.reasonSetting) ?? "",
        replication: replication, limits: context.limits),
      enforcer: Enforcer(
        session: name, policy: policy, audit: state.lane, values: valueScope(target), budget: context.comparisons),
      target: target, backendAddress: address, backendKey: ready.key, backendIsEncrypted: backend?.tls != nil)
    relay.names = names
    relay.recorder = recorder
    let bound = bound
    recorder?.onProgress = { bound.value.recordingProgressed() }
    // Also without masks: a later policy may bring some.
    relay.session.concealment = MaskedErrors(relay, context.catalogs)
    let facts = SessionFacts(
      session: name, gateway: context.configuration.gateway.name, region: context.region(of: target.settings),
      subject: subject, backendAddress: "\(address.ipAddress ?? "local"):\(address.port ?? 0)",
      backendUser: target.account.user, database: target.database,
      application: handshake.startup?["application_name"] ?? "")
    guard relay.enforcer.note(.sessionOpened(facts)) else {
      return refuseClient(
        code: "58030", "the gateway cannot record sessions and so refuses them",
        hint: "Ask whoever operates the gateway.")
    }
    self.relay = relay
    context.live.add(
      LiveSessions.Entry(facts: facts, openedAt: Clock.now()) { actor, reason in
        try bound.eventLoop.submit { bound.value.kill(by: actor, reason: reason) }.wait()
      })
    phase = .relaying
    state.counters.sessions &+= 1
    deadline?.cancel()
    endLogin()
    greet(ready, relay)
    startWatch(relay)
    let remainder = opening.takeRemainder()
    self.opening = nil
    if remainder.readableBytes > 0 { relayInput(remainder, from: .backend) }
    let sent = handshake.takeRemainder()
    if sent.readableBytes > 0 { relayInput(sent, from: .client) }
    if early.readableBytes > 0 { relayInput(early, from: .client) }
    early = ByteBuffer()
    flush()
    resumeReading()
  }

  /// What the backend said of itself, with a cancel key of our own.
  private func greet(_ ready: BackendHandshake.Ready, _ relay: Relay) {
    var greeting = ready.greeting
    if let key = ready.key {
      // Longer than PostgreSQL's old four bytes for those who know longer ones (protocol 3.2).
      let own = context.cancels.register(process: key.process, length: handshake.minor >= 2 ? 32 : 4, bound)
      relay.clientKey = own
      own.encode(into: &greeting)
    }
    ready.status.encode(into: &greeting)
    writeToClient(greeting)
  }
}
