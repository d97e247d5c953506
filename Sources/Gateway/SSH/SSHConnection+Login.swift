import CLibSSH
import Enforcement
import Identity
import SallyportConfiguration

/// Who the client is. Identity is what signed, in the request that signed (CVE-2023-43660, CVE-2024-45337): nothing of
/// an earlier request is remembered.
extension SSHConnection {
  /// Returns whether the message is done with; if not, `asked` has it.
  func answerLogin(_ message: OpaquePointer) -> Bool {
    attempts += 1
    guard attempts <= SSHConnection.attemptLimit else {
      close(reason: "too many attempts to sign in")
      return true
    }
    switch ssh_message_subtype(message) {
    case Int32(SSH_AUTH_METHOD_PUBLICKEY): answerKey(message)
    case Int32(SSH_AUTH_METHOD_PASSWORD): return !askStore(message)
    default: refuseLogin(message)
    }
    return true
  }

  private func refuseLogin(_ message: OpaquePointer) {
    ssh_message_auth_set_methods(message, Int32(SSH_AUTH_METHOD_PUBLICKEY | SSH_AUTH_METHOD_PASSWORD))
    ssh_message_reply_default(message)
  }

  private func answerKey(_ message: OpaquePointer) {
    guard let key = queued_auth_key(message), let blob = SSHLibrary.blob(of: key), let user = owner(of: blob) else {
      strangers += 1
      return refuseLogin(message)
    }
    switch queued_auth_key_state(message) {
    // Only an offer: the client is told that a signature by it would do.
    case SSH_PUBLICKEY_STATE_NONE.rawValue: ssh_message_auth_reply_pk_ok_simple(message)
    // libssh has checked the signature over this very request, with the session's identifier in it.
    case SSH_PUBLICKEY_STATE_VALID.rawValue: accept(message, Person(user: user, key: blob), method: "publickey")
    default: refuseLogin(message)
    }
  }

  /// Whose key it is by the configuration in force; behind an outer connection only its person counts.
  private func owner(of blob: [UInt8]) -> String? {
    guard let user = context.current.keyOwners[blob], outer.map({ $0.person == user }) ?? true else { return nil }
    return user
  }

  /// Returns false when there is nothing to ask. Nothing more is read before the answer.
  private func askStore(_ message: OpaquePointer) -> Bool {
    guard let text = queued_auth_password(message) else {
      refuseLogin(message)
      return false
    }
    let presented = Array(String(cString: text).utf8)
    asked = message
    transport?.pause(true)
    let bound = bound
    let store = context.store
    context.pool.runIfActive(eventLoop: state.loop) {
      try store.liveToken(presented: presented, now: Clock.seconds())
    }.whenComplete { result in
      let connection = bound.value
      guard connection.phase == .login, let message = connection.asked else { return }
      connection.asked = nil
      defer { ssh_message_free(message) }
      connection.transport?.pause(false)
      switch result {
      case .success(let record?) where connection.mayBe(record.user):
        connection.accept(
          message, Person(user: record.user, key: nil, connections: record.connections), method: "token")
      case .success:
        connection.note(false, "", "token", "no live token")
        connection.refuseLogin(message)
      case .failure(let error):
        connection.context.logger.error("credentials could not be read", metadata: ["error": "\(error)"])
        connection.refuseLogin(message)
      }
      connection.moveSoon()
    }
    return true
  }

  /// Tokens of people who are no longer in the configuration are worth nothing.
  private func mayBe(_ user: String) -> Bool {
    context.configuration.users[user] != nil && (outer.map { $0.person == user } ?? true)
  }

  private func accept(_ message: OpaquePointer, _ person: Person, method: String) {
    guard note(true, person.user, method, "") else { return close(reason: "the audit trail cannot be written") }
    let target = ssh_message_auth_user(message).map { String(cString: $0) } ?? ""
    guard ssh_message_auth_reply_success(message, 0) == SSH_OK else { return close(reason: "the client is gone") }
    signedIn(person, as: target)
    transport?.rearm()
  }

  // MARK: Records

  /// One record for all that failed before the connection ended, so that a scanner does not fill the trail.
  func noteFailure(_ reason: String) {
    guard attempts > 0 else { return }
    note(false, "", "publickey", strangers > 0 ? "\(strangers) keys that are nobody's; \(reason)" : reason)
  }

  @discardableResult
  private func note(_ succeeded: Bool, _ user: String, _ method: String, _ reason: String) -> Bool {
    if !succeeded { state.counters.failedLogins &+= 1 }
    do {
      try state.lane.append(
        .authenticated(
          Authentication(
            user: user, clientAddress: clientAddress, method: method, succeeded: succeeded, reason: reason)))
      return true
    } catch {
      context.logger.error("audit record failed", metadata: ["error": "\(error.message)"])
      return false
    }
  }
}
