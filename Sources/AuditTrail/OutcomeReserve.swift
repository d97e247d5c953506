import AccessModel
import Enforcement

/// The room that is kept free so that what was permitted can still be recorded when the disk is full (DECISIONS 23).
///
/// One share for each command that was permitted and has not ended, one for each open session, one for the gateway's
/// own end.
struct OutcomeReserve {
  /// Open sessions, by name; each counts its commands that have not ended.
  private var sessions: [String: AuditedSession] = [:]
  private var shares = 1
  /// The most that is ever kept free: half a segment, so that a loss of outcomes can never end the work of all.
  let limit: Int

  init(limit: Int) { self.limit = limit }

  /// Bytes to be kept free once so many shares are taken (or given back, when negative).
  func bytes(after change: Int) -> Int { min(limit, (shares + change) * RecordLimits.outcome) }

  /// True for the events that the room is kept for.
  static func covers(_ event: AuditEvent) -> Bool {
    switch event {
    case .finished, .sessionClosed, .gatewayStopped: true
    case .gatewayStarted, .authenticated, .sessionOpened, .decided, .recorded, .typed, .control, .approval,
      .administration,
      .configurationReloaded, .repeated:
      false
    }
  }

  /// The session of this name: the one that is counted, or one that is not counted yet.
  func session(_ name: String) -> AuditedSession { sessions[name] ?? AuditedSession(name) }

  /// Makes a session that an enforcer holds the one that is counted, if its name was opened. One look-up per session.
  @inline(__always)
  mutating func adopt(_ session: AuditedSession) {
    if session.pending == nil { lookUp(session) }
  }

  @inline(never)
  private mutating func lookUp(_ session: AuditedSession) {
    guard let known = sessions[session.name] else { return }
    session.pending = known.pending
    known.pending = nil
    sessions[session.name] = session
  }

  /// What an event takes or gives back, and of which session.
  enum Change {
    case nothing
    case opens(AuditedSession)
    /// A command was permitted that runs now, and so has an outcome to come.
    case begins(AuditedSession)
    case ends(AuditedSession)
    case closes(AuditedSession)
  }

  func change(by event: AuditEvent) -> Change {
    switch event {
    case .sessionOpened(let facts): .opens(session(facts.session))
    case .decided(let record):
      record.action == .permit && record.command.stage == .execute ? .begins(session(record.session)) : .nothing
    case .finished(let name, _, _, _): .ends(session(name))
    case .sessionClosed(let name, _): .closes(session(name))
    case .gatewayStarted, .gatewayStopped, .authenticated, .recorded, .typed, .control, .approval, .administration,
      .configurationReloaded, .repeated:
      .nothing
    }
  }

  /// Shares that a change takes or gives back.
  func shares(of change: borrowing Change) -> Int {
    switch change {
    case .nothing: 0
    case .opens(let session): session.pending == nil ? 1 : 0
    case .begins(let session): session.pending == nil ? 2 : 1
    case .ends(let session): (session.pending ?? 0) > 0 ? -1 : 0
    case .closes(let session): session.pending.map { -1 - $0 } ?? 0
    }
  }

  mutating func record(_ change: borrowing Change) {
    shares += shares(of: change)
    switch change {
    case .nothing: break
    case .opens(let session): if session.pending == nil { open(session, pending: 0) }
    case .begins(let session):
      if let pending = session.pending { session.pending = pending + 1 } else { open(session, pending: 1) }
    case .ends(let session): if let pending = session.pending, pending > 0 { session.pending = pending - 1 }
    case .closes(let session):
      session.pending = nil
      sessions[session.name] = nil
    }
  }

  private mutating func open(_ session: AuditedSession, pending: Int) {
    session.pending = pending
    sessions[session.name] = session
  }
}
