import AccessModel
import Enforcement
import PolicyEngine
import Postgres

extension LoopState {
  /// Another configuration is in force. Returns how many sessions ended because they lost their access.
  func govern(by governing: Governing) -> Int {
    keep(governing.configuration.gateway.audit.durability)
    lane.detectors = governing.configuration.auditDetectors
    let hasOtherFunctions = functions != governing.functions
    if hasOtherFunctions { replaceFunctions(governing.functions) }
    return Array(connections.values).count { !$0.govern(by: governing, anyway: hasOtherFunctions) }
      + Array(ssh.values).count { !$0.govern(by: governing) }
  }
}

/// Another configuration in the middle of a session: the next command meets its policy, what runs ends as it began, what
/// waits for people is decided again, and whoever has no access any more is told so (DECISIONS 26).
extension PostgresConnection {
  /// Returns false when that ended the session. `anyway`: also when the policy says the same as before.
  func govern(by governing: Governing, anyway: Bool) -> Bool {
    // Whoever is still signing in looks at what is in force when that is done.
    guard phase == .relaying, let relay, let person = subject else { return true }
    guard let (subject, policy) = governing.rights(of: person, at: relay.target) else {
      endSession(
        relay, code: "57P01", "terminating connection because access to \"\(person.connection)\" was withdrawn",
        detail: "The gateway's configuration was changed.",
        hint: "Ask whoever manages the gateway, or connect again if you still have access.")
      return false
    }
    if relay.session.isReplicating, let denial = policy.replicationDenial {
      endSession(
        relay, code: "57P01", "terminating connection because replication was withdrawn",
        detail: ErrorFields.sentence(denial.reason), hint: denial.hint)
      return false
    }
    let isSame = policy.decidesLike(relay.enforcer.policy) && !anyway
    self.subject = subject
    relay.enforcer.replacePolicy(policy)
    relay.columnsVersion = nil
    startWatch(relay)
    if isSame { return true }
    relay.names = analyses(policy, relay.target)
    let terms = SessionTerms(
      analyses: relay.names ?? state, maskable: policy.mayMask, contents: policy.contents,
      shadowed: policy.shadowContents,
      followsNames: relay.names != nil, waitsForUnknownCode: policy.dependsOnCommands,
      bindsToPath: policy.mayHold || policy.asksForRows)
    act { relay throws(ProtocolError) in try relay.session.change(to: terms) }
    decideHeldAgain(relay)
    return true
  }

  /// What waits for people is read and decided as if it had just come, unless the same people are asked for the same
  /// thing: then what they have approved so far stays.
  private func decideHeldAgain(_ relay: Relay) {
    guard phase == .relaying, let held = relay.held else { return }
    if case .hold(let requirement) = relay.enforcer.policy.decide(held.command), requirement == held.requirement {
      return
    }
    dropHold(relay, step: .cancelled, reason: "the policy changed")
    act { relay throws(ProtocolError) in _ = try relay.session.reconsider(held.id) }
  }
}
