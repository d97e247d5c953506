import AccessModel
import AuditTrail
import Enforcement
import NIOCore
import PolicyEngine
import Postgres

/// What of a session is recorded besides its audit records, and who ends it from outside.
extension PostgresConnection {
  /// Begins the session; where results are recorded, once that can be done.
  func beginRecorded(_ ready: BackendHandshake.Ready) {
    guard let target else { return }
    guard let bounds = context.configuration.recordedResults(on: target.settings),
      let path = RecordingFile.path(data: context.data, session: name)
    else { return begin(ready, recorder: nil, nil) }
    let recorder = SessionRecorder(session: name, path: path, state: state, pool: context.pool, now: Clock.now)
    let bound = NIOLoopBound((self, recorder), eventLoop: state.loop)
    recorder.start().whenComplete { result in
      let (connection, recorder) = bound.value
      switch result {
      case .success: connection.begin(ready, recorder: recorder, bounds)
      case .failure(let error):
        connection.context.logger.error("recording not available", metadata: ["reason": "\(error)"])
        connection.refuseClient(
          code: "58030", "the gateway cannot record sessions and so refuses them",
          hint: "Ask whoever operates the gateway.")
      }
    }
  }

  /// A write to the recording has ended.
  func recordingProgressed() {
    guard phase == .relaying, let relay else { return }
    guard let why = relay.recorder?.failure else { return resumeReading() }
    context.logger.error("recording failed", metadata: ["session": "\(name)", "reason": "\(why)"])
    // What is under way would go on unrecorded; a session with nothing under way gets no further command.
    guard !relay.session.isQuiet else { return }
    relay.session.end(
      with: ErrorFields(
        severity: "FATAL", code: "58030", message: "the gateway cannot record this session and so ends it",
        hint: "Ask whoever operates the gateway."))
    while let output = relay.session.takeOutput(for: .client) { writeToClient(output) }
    close(reason: "the recording failed: \(why)")
  }

  /// The client of a session whose results are recorded gets nothing more that cannot be.
  func refusalOfRecording(_ relay: Relay) -> Refusal? {
    guard let why = relay.recorder?.failure else { return nil }
    return Refusal(
      .unavailable,
      Denial(
        rule: "recording", reason: "the session's recording cannot be written: \(why)",
        hint: "Ask whoever operates the gateway."))
  }

  /// Whether what comes back shows the command's own text, whose values may not be stored: a plan does.
  func showsText(_ id: CommandID, _ relay: Relay) -> Bool {
    guard relay.recorder != nil, let facts = relay.underWay.find(id)?.facts,
      facts.shape.summary.kinds.contains(KindSet(.explain))
    else { return false }
    return !relay.enforcer.storesWhole(Command(facts: facts))
  }

  /// A command ended, or stopped for now: the trail learns what the recording has of it.
  func noteRecorded(_ id: CommandID, _ relay: Relay) {
    guard let recorder = relay.recorder, let result = recorder.end(id) else { return }
    if !relay.enforcer.note(.recorded(result)) { recorder.fail("the audit trail cannot be written") }
  }

  /// Somebody ends the session: what it runs is cancelled at the backend, and its client is told who did it and why.
  /// False when it is over already.
  func kill(by actor: String, reason: String) -> Bool {
    guard phase == .relaying, let relay else { return false }
    let words = reason.isEmpty ? "ended by \(actor)" : "ended by \(actor): \(reason)"
    if relay.held != nil {
      endHold(Refusal(.shutdown, Denial(rule: "gateway", reason: "the session was \(words)")), step: .cancelled)
    }
    guard phase == .relaying else { return true }
    if case .running = relay.session.activity { cancelStatement(relay) }
    relay.session.end(
      with: ErrorFields(
        severity: "FATAL", code: "57P01", message: "terminating connection due to administrator command",
        detail: "The session was \(words)."))
    while let output = relay.session.takeOutput(for: .client) { writeToClient(output) }
    close(reason: words)
    return true
  }
}
