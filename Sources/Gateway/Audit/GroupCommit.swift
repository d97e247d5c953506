import AccessModel
import AuditTrail
import NIOCore
import NIOPosix
import Postgres

/// Holds back what the sessions of one event loop have for their backends until the disk has the records of it
/// (`durability: sync`). One wait for the disk serves all that came while the one before it lasted.
final class GroupCommit {
  /// Waits until the disk has it; blocks.
  typealias Sync = @Sendable (SyncPoint) throws -> Void

  private let lane: AuditLane
  private let loop: Reactor
  private let pool: NIOThreadPool
  private let sync: Sync
  /// Records up to this one outlive the loss of power.
  private var durable: UInt64 = 0
  private var isRunning = false
  private var waiting: [ObjectIdentifier: PostgresConnection] = [:]
  /// Others that wait; they are told whether the disk has what was recorded so far.
  private var calls: [(Bool) -> Void] = []

  init(_ lane: AuditLane, on loop: Reactor, pool: NIOThreadPool, sync: @escaping Sync) {
    self.lane = lane
    self.loop = loop
    self.pool = pool
    self.sync = sync
  }

  /// Whether a record is on the disk; if not, the session is woken once it is.
  func isDurable(_ sequence: UInt64, for connection: PostgresConnection) -> Bool {
    if sequence <= durable { return true }
    waiting[ObjectIdentifier(connection)] = connection
    run()
    return false
  }

  func isDurable(_ sequence: UInt64) -> Bool { sequence <= durable }

  /// Calls back, on this loop, once a record is on the disk (true) or can never be (false).
  func whenDurable(_ sequence: UInt64, _ call: @escaping (Bool) -> Void) {
    if sequence <= durable { return call(true) }
    // What is recorded while the disk is waited for needs the next wait.
    calls.append { [self] isDurable in
      if isDurable, sequence > durable { whenDurable(sequence, call) } else { call(isDurable) }
    }
    run()
  }

  private func run() {
    guard !isRunning, !waiting.isEmpty || !calls.isEmpty else { return }
    isRunning = true
    let point = lane.syncPoint()
    let bound = NIOLoopBound(self, eventLoop: loop)
    pool.runIfActive(eventLoop: loop) { [sync] in try sync(point) }
      .whenComplete { bound.value.finished(point, $0) }
  }

  private func finished(_ point: SyncPoint, _ result: Result<Void, any Error>) {
    isRunning = false
    let woken = waiting.values
    waiting = [:]
    let called = calls
    calls = []
    switch result {
    case .success:
      durable = point.sequence
      lane.synchronized(point)
      for connection in woken { connection.recordsAreDurable() }
      for call in called { call(true) }
      run()
    case .failure(let error):
      // What the kernel could not write it may have forgotten: nothing that this lane says can be relied on any more.
      lane.close()
      for connection in woken { connection.recordsAreLost("\(error)") }
      for call in called { call(false) }
    }
  }
}

extension PostgresConnection {
  /// Whether commands were permitted whose records the disk does not have yet; always false with `durability: process`.
  func isHeldBack(_ relay: Relay) -> Bool {
    guard let commit = state.commit else { return false }
    return !commit.isDurable(relay.recordedAt, for: self)
  }

  /// The same without asking to be woken: so long nothing more is read, which would only pile up.
  func waitsForDisk(_ relay: Relay) -> Bool {
    guard let commit = state.commit else { return false }
    return !commit.isDurable(relay.recordedAt)
  }

  /// The records of what the session may send are on the disk.
  func recordsAreDurable() { act { _ throws(ProtocolError) in } }

  func recordsAreLost(_ reason: String) {
    context.logger.critical("the audit trail cannot be written", metadata: ["reason": "\(reason)"])
    guard phase == .relaying, let relay else { return }
    relay.session.end(
      with: ErrorFields(
        severity: "FATAL", code: "58030", message: "the audit trail cannot be written",
        hint: "Ask whoever operates the gateway. What was under way was not sent to the backend."))
    while let output = relay.session.takeOutput(for: .client) { writeToClient(output) }
    close(reason: "the audit trail cannot be written")
  }
}
