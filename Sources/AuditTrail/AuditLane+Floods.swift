import AccessModel
import Enforcement

/// Refusals that come in floods; see `RefusalFloods`.
extension AuditLane {
  public func denied(_ decision: DecisionRecord) throws(AuditFailure) {
    if floods.isRecorded(decision, now: time()) { try write(.decided(decision)) }
  }

  /// Appends one record. Returns only once it would survive the death of this process.
  ///
  /// Throws before anything was written when there is no room: for most events already when what is left is needed for
  /// the outcomes of commands that were permitted before. Sign-ins that fail are counted together when they come in
  /// floods.
  public func append(_ event: AuditEvent) throws(AuditFailure) {
    switch event {
    case .authenticated(let authentication) where !authentication.succeeded:
      guard floods.isRecorded(authentication, now: time()) else { return }
    case .control(let session, .failingStatement) where !floods.isEmpty:
      guard floods.isRecordedInPlace(session: session) else { return }
    case .sessionClosed(let session, _) where !floods.isEmpty:
      note(floods.left(of: session))
      floods.forget(session: session)
    case .gatewayStopped: note(floods.all())
    case .gatewayStarted, .authenticated, .sessionOpened, .sessionClosed, .decided, .finished, .recorded, .typed,
      .control,
      .approval, .administration, .configurationReloaded, .repeated:
      break
    }
    try write(event)
  }

  /// Records what has been counted for long enough. To be called about once a second.
  public func sweepFloods() {
    if floods.isEmpty { return }
    let now = time()
    if floods.isDue(now) { note(floods.due(now)) }
  }

  /// What cannot be written now is counted on, and tried again.
  func note(_ counted: [(key: RefusalFloods.Key, refusals: RepeatedRefusals)]) {
    for (key, refusals) in counted {
      do throws(AuditFailure) {
        try write(.repeated(refusals))
        floods.recorded(key)
      } catch { return }
    }
  }
}
