import AccessModel
import Enforcement
import Identity
import NIOCore
import Postgres
import SallyportConfiguration
import Store

/// From the first byte to a person who is known and may use the connection.
extension PostgresConnection {
  func advanceLogin(_ event: ClientHandshake.Event?) {
    if let output = handshake.takeOutput() { writeToClient(output) }
    switch event {
    case nil: break
    case .startTLS: startClientTLS()
    case .startDirectTLS(let bytes): startClientTLS(with: bytes)
    case .cancel(let process, let secret):
      context.cancels.cancel(process: process, secret: secret, from: clientAddress, now: Clock.monotonic())
      close(reason: "cancel request")
    case .needsCredentials(let user): lookUpCredentials(of: user)
    case .authenticated(let user, let verifier): authenticated(user, verifier)
    case .failed(let user, let reason):
      if !user.isEmpty { noteAuthentication(user, succeeded: false, reason: reason) }
      close(reason: reason)
    }
  }

  /// `bytes` are the beginning of TLS where the client did not ask for it first.
  private func startClientTLS(with bytes: ByteBuffer? = nil) {
    guard let tls = clientTLS else { return }
    flush()
    handshake.startedTLS()
    do {
      try client.startTLS(.server(tls.context), early: bytes ?? ByteBuffer())
    } catch { close(reason: "could not start TLS") }
  }

  /// TLS with the client is up.
  func clientEncrypted(_ applicationProtocol: String?) {
    guard phase == .login else { return }
    advanceLogin(handshake.negotiated(applicationProtocol))
    flush()
  }

  // MARK: Who it is

  private func lookUpCredentials(of user: String) {
    let settings = context.configuration.users[user]
    let bound = bound
    let store = context.store
    context.pool.runIfActive(eventLoop: state.loop) {
      // Asked for unknown users too, so that they take the same time.
      try store.liveVerifiers(user: user, now: Clock.seconds())
    }.whenComplete { result in
      bound.value.credentialsFound(result, settings)
    }
  }

  private func credentialsFound(
    _ result: Result<(salt: [UInt8], iterations: Int, records: [TokenRecord]), any Error>, _ settings: UserSettings?
  ) {
    guard phase == .login else { return }
    switch result {
    case .failure(let error):
      context.logger.error("credentials could not be read", metadata: ["error": "\(error)"])
      refuseClient(code: "58000", "the gateway cannot check credentials now")
    case .success(let found):
      let method: ClientCredentials.Method =
        switch settings?.authentication {
        case .token: .token
        case .scram, nil: .scram
        }
      // Tokens of a person who is no longer in the configuration are worth nothing.
      tokens = settings == nil ? [] : found.records
      advanceLogin(
        handshake.supply(
          ClientCredentials(
            method: method, salt: found.salt, iterations: found.iterations,
            verifiers: tokens.map(\.verifier), tokenDigests: tokens.map(\.digest))))
      flush()
    }
  }

  private func noteAuthentication(_ user: String, succeeded: Bool, reason: String = "") {
    if !succeeded { state.counters.failedLogins &+= 1 }
    let method = context.configuration.users[user]?.authentication.rawValue ?? "scram"
    let event = AuditEvent.authenticated(
      Authentication(
        user: String(user.prefix(128)), clientAddress: clientAddress, method: method, succeeded: succeeded,
        reason: reason))
    do {
      try state.lane.append(event)
    } catch { context.logger.error("audit record failed", metadata: ["error": "\(error.message)"]) }
  }

  private func authenticated(_ user: String, _ verifier: Int) {
    noteAuthentication(user, succeeded: true)
    guard tokens.indices.contains(verifier) else { return close(reason: "internal error") }
    let parts = handshake.database.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    let connection = String(parts.first ?? "")
    let requested = parts.count > 1 ? String(parts[1]) : nil
    let current = context.current
    let isPhysical = handshake.startup?.replication == .physical
    guard let settings = current.configuration.connections[connection], settings.protocolName == "postgres",
      let database = settings.database(named: requested),
      let subject = current.configuration.subject(
        user: user, connection: connection, clientAddress: clientAddress),
      tokens[verifier].allows(connection: connection), current.policy.scoped(to: subject).hasAccess
    else {
      // One answer for what does not exist and for what is not allowed: names of connections are not told.
      return refuseClient(
        code: "42501", "no access to connection \"\(handshake.database)\"",
        hint: isPhysical
          ? "Name the connection: PGOPTIONS='-c \(StartupMessage.connectionSetting)=NAME'. Programs for physical "
            + "replication ask for the database \"replication\" whatever they are told."
          : "Ask whoever manages the gateway for access, or check the name.", reason: "no access")
    }
    self.subject = subject
    if handshake.startup?.replication != nil, let denial = current.policy.scoped(to: subject).replicationDenial {
      noteAuthentication(user, succeeded: false, reason: "replication: \(denial.reason)")
      return refuseReplication(denial)
    }
    prepareTarget(settings, database: database, subject: subject)
  }

  // MARK: Where it goes

  private func prepareTarget(_ settings: ConnectionSettings, database: String, subject: Subject) {
    guard let credential = settings.credential(for: subject.groups) else {
      return refuseClient(
        code: "28000", "connection \"\(settings.name)\" has no account for your groups",
        hint: "Ask whoever manages the gateway to add one.")
    }
    guard beginSession(of: subject, on: settings) else { return }
    let configuration = context.configuration
    phase = .opening
    let bound = bound
    context.pool.runIfActive(eventLoop: state.loop) {
      try BackendTarget.resolve(settings, credential, database: database, in: configuration)
    }.whenComplete { result in
      switch result {
      case .success(let target): bound.value.open(target)
      case .failure(let error): bound.value.failOpening("\(error)")
      }
    }
  }
}

/// Sessions of replication.
extension PostgresConnection {
  /// Nothing of it reaches the backend.
  func refuseReplication(_ denial: Denial) {
    guard phase != .closed else { return }
    var answer = ByteBuffer()
    ErrorFields(
      severity: "FATAL", code: "42501", message: "permission denied by rule \"\(denial.rule)\"",
      detail: ErrorFields.sentence(denial.reason), hint: denial.hint
    ).encodeError(into: &answer)
    writeToClient(answer)
    close(reason: denial.reason)
  }
}
