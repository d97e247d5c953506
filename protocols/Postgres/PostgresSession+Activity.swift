import AccessModel

/// What a session does at one moment, for limits of time. The same value twice may have lasted in between.
public enum SessionActivity: Hashable, Sendable {
  /// Nothing is under way; `commands` counts those seen so far, so that something in between shows.
  case idle(commands: UInt64)
  case idleInTransaction(commands: UInt64)
  /// The backend owes an answer; `replies` counts those that have come so far. It may have done more than it has said:
  /// what it answers before a Sync it often says at the Sync.
  case running(replies: UInt64)
  /// The client's next command waits for a decision, an approval or a fact.
  case waiting
}

extension PostgresSession {
  public var activity: SessionActivity {
    if !replies.isEmpty { return .running(replies: replies.settled) }
    guard case .none = clientStall else { return .waiting }
    return status == .idle ? .idle(commands: lastCommand) : .idleInTransaction(commands: lastCommand)
  }

  /// The gateway is about to cancel what runs: its client is told so in these words, if it ends by that (SQLSTATE 57014)
  /// before the backend is ready again.
  public mutating func explainCancel(with fields: ErrorFields) {
    if !replies.isEmpty { explainedCancel = fields }
  }

  /// The words for an error, taken; nil where the backend's own are to pass.
  mutating func takeExplanation(of code: String) -> ErrorFields? {
    guard let fields = explainedCancel else { return nil }
    explainedCancel = nil
    return code == "57014" ? fields : nil
  }
}
