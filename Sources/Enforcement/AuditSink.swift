import AccessModel

/// Where audit records go. Confined to one event loop.
///
/// Every call returns only once the record would survive the death of this process, and throws if that cannot be had.
public protocol AuditSink: AnyObject {
  func append(_ event: AuditEvent) throws(AuditFailure)

  /// The `decided` record of a command that a rule refused as it came. A sink may count together what comes in floods:
  /// it is not carried out, whether it has a record or not.
  func denied(_ decision: DecisionRecord) throws(AuditFailure)

  /// The `decided` record of a command that is permitted and asked nobody: what happens with each statement, so that a
  /// sink can do it without an event in between.
  func permitted(
    _ id: CommandID, _ command: Command, in session: AuditedSession, policy: String, values: ValueDisclosure
  ) throws(AuditFailure)

  /// The `finished` record, for the same reason.
  func finished(
    _ id: CommandID, _ outcome: Outcome, duration: Int64, in session: AuditedSession
  ) throws(AuditFailure)
}

extension AuditSink {
  public func denied(_ decision: DecisionRecord) throws(AuditFailure) { try append(.decided(decision)) }

  public func permitted(
    _ id: CommandID, _ command: Command, in session: AuditedSession, policy: String, values: ValueDisclosure
  ) throws(AuditFailure) {
    try append(
      .decided(
        DecisionRecord(
          session: session.name, id: id, command: command, action: .permit, policy: policy, values: values)))
  }

  public func finished(
    _ id: CommandID, _ outcome: Outcome, duration: Int64, in session: AuditedSession
  ) throws(AuditFailure) {
    try append(.finished(session: session.name, command: id, outcome: outcome, duration: duration))
  }
}

/// One session as the audit trail counts it; what it carries saves looking its name up for each record.
public final class AuditedSession {
  public let name: String
  /// Commands that were permitted and have not ended, while the sink counts them; nil when the session is not open to
  /// the sink. Only the sink changes it, between one look and the next.
  @exclusivity(unchecked) public var pending: Int?

  public init(_ name: String) { self.name = name }
}
