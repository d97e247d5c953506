import AccessModel
import Enforcement

/// The room that is kept free so that what was permitted can still be recorded when the disk is full (DECISIONS 23).
///
/// One share for each command that was permitted and has not ended, one for each open session, one for the gateway's
/// own end.
struct OutcomeReserve {
  /// Commands that have not ended, by open session.
  private var sessions: [String: Int] = [:]
  private var shares = 1
  /// The most that is ever kept free: half a segment, so that a loss of outcomes can never end the work of all.
  let limit: Int

  init(limit: Int) { self.limit = limit }

  /// Bytes to be kept free.
  var bytes: Int { min(limit, shares * RecordLimits.outcome) }

  /// Bytes to be kept free once this event is recorded.
  func bytes(after event: AuditEvent) -> Int { min(limit, (shares + change(by: event)) * RecordLimits.outcome) }

  /// True for the events that the room is kept for.
  static func covers(_ event: AuditEvent) -> Bool {
    switch event {
    case .finished, .sessionClosed, .gatewayStopped: true
    case .gatewayStarted, .authenticated, .sessionOpened, .decided, .control, .approval, .administration: false
    }
  }

  /// Shares that the event takes or gives back. Commands that never run have no outcome to come.
  private func change(by event: AuditEvent) -> Int {
    switch event {
    case .sessionOpened(let facts): sessions[facts.session] == nil ? 1 : 0
    case .decided(let record):
      record.action == .permit && record.command.stage == .execute ? sessions[record.session] == nil ? 2 : 1 : 0
    case .finished(let session, _, _, _): (sessions[session] ?? 0) > 0 ? -1 : 0
    case .sessionClosed(let session, _): sessions[session].map { -1 - $0 } ?? 0
    case .gatewayStarted, .gatewayStopped, .authenticated, .control, .approval, .administration: 0
    }
  }

  mutating func record(_ event: AuditEvent) {
    let change = change(by: event)
    switch event {
    case .sessionOpened(let facts): sessions[facts.session, default: 0] += 0
    case .decided(let record): if change > 0 { sessions[record.session, default: 0] += 1 }
    case .finished(let session, _, _, _): if change < 0 { sessions[session, default: 1] -= 1 }
    case .sessionClosed(let session, _): sessions[session] = nil
    case .gatewayStarted, .gatewayStopped, .authenticated, .control, .approval, .administration: break
    }
    shares += change
  }
}
