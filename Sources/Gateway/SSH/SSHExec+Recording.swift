import AccessModel
import AuditTrail
import Enforcement
import NIOCore
import PolicyEngine
import SSH

/// What is kept of a channel besides its decision: its output, and the commands that are seen in a shell.
extension SSHExec {
  var isShell: Bool {
    if case .ssh(let detail) = command?.detail { detail.request == .shell } else { false }
  }

  /// Shells and terminals always; other commands where the configuration says so.
  var isRecorded: Bool {
    guard let session else { return false }
    return isShell || requests.terminal != nil
      || connection.context.configuration.recordedResults(on: session.settings) != nil
  }

  /// Has the session's recording made, and goes on once it is there.
  func beginTape() {
    guard let session, let id else { return }
    let context = connection.context
    let bound = NIOLoopBound((self, session), eventLoop: connection.state.loop)
    connection.openRecording(of: session).whenComplete { result in
      let (exec, session) = bound.value
      guard case .starting = exec.phase else { return }
      guard case .success = result, let recorder = session.recorder else {
        return exec.finish(with: Refusal.unrecorded.lines, ExitStatus.refused)
      }
      let configuration = context.configuration
      let isWhole = exec.isShell || exec.requests.terminal != nil
      exec.tape = SSHTape(
        recorder, id, on: exec.connection.state.loop,
        detectors: configuration.recordedContents(on: session.settings)?.detectors,
        limit: isWhole ? nil : configuration.recordedResults(on: session.settings)?.bytes
      ) { session.enforcer.note(.recorded($0)) }
      exec.start()
    }
  }

  /// Bytes on their way to the client.
  func sees(_ stream: SSHPort.Stream, _ bytes: inout [UInt8]) {
    if !masks.isEmpty {
      bytes = masks[Int(stream.rawValue)].feed(bytes)
      letGoLater()
    }
    passed(stream, bytes)
  }

  /// Bytes that the client gets, after masks.
  func passed(_ stream: SSHPort.Stream, _ bytes: [UInt8]) {
    tape?.add(stream, bytes)
    guard stream == .output, let screen else { return }
    for line in screen.shown(bytes) { note(line) }
  }

  /// Bytes on their way to the program.
  func sees(input: [UInt8]) {
    if let screen { return screen.typed(input) }
    guard isShell else { return }
    // Without a terminal nothing is echoed, and what the shell is given is its script.
    for byte in input {
      if byte == 0x0A {
        let line = String(decoding: script, as: UTF8.self)
        script = []
        if !line.allSatisfy(\.isWhitespace) { note(line) }
      } else if script.count < TerminalScreen.lineLimit {
        script.append(byte)
      }
    }
  }

  /// Records a command that was typed, and ends the session where a rule that it meets says so.
  private func note(_ line: String) {
    guard isShell, let session, let id, case .running = phase else { return }
    let command = ExecCommand.command(line)
    let policy = connection.context.policy
    var met: [Rule] = []
    // What could not be understood meets every rule, and most of it is harmless.
    if case .ssh(let detail) = command.detail, detail.misunderstood == nil {
      let findings = policy.findings(on: command, by: session.subject).filter { $0.result == .met }
      met = policy.document.rules.filter { rule in rule.action == .deny && findings.contains { $0.rule == rule.name } }
    }
    let ending = met.first { $0.endsShell && $0.mode == .enforce }
    let typed = TypedCommand(
      session: connection.name, command: id, facts: command.facts, rules: met.map(\.name), isEnd: ending != nil)
    guard session.enforcer.note(.typed(typed)) else { return connection.endLater("it cannot be recorded") }
    if let ending {
      let reason = ending.reason.map { ": \($0)" } ?? ""
      connection.endLater("by rule \"\(ending.name)\"\(reason)")
    }
  }
}

extension SSHConnection {
  /// The file that the channels of a session share; made when the first of them needs it.
  func openRecording(of session: Session) -> EventLoopFuture<Void> {
    if let ready = session.recording { return ready }
    guard let path = RecordingFile.path(data: context.data, session: name) else {
      return state.loop.makeFailedFuture(GatewayFailure("the session has no name for a recording"))
    }
    let recorder = SessionRecorder(session: name, path: path, state: state, pool: context.pool, now: Clock.now)
    let bound = bound
    recorder.onProgress = { bound.value.moveSoon() }
    let ready = recorder.start()
    session.recorder = recorder
    session.recording = ready
    let logger = context.logger
    ready.whenFailure { logger.error("recording not available", metadata: ["reason": "\($0)"]) }
    return ready
  }

  /// Ends the session in a turn of its own: what reports it is in the middle of moving data. Commands end at once, and
  /// the connection when the person has been told why.
  func endLater(_ reason: String) {
    let bound = bound
    _ = state.loop.scheduleTask(in: .zero) { bound.value.endTelling(reason) }
  }

  private func endTelling(_ reason: String) {
    guard phase == .open else { return }
    for channel in channels { channel.stop("the session was ended: \(reason)") }
    for forward in forwards { forward.abandon() }
    endsWhenQuiet = true
    let bound = bound
    // Who does not read it is not waited for.
    _ = state.loop.scheduleTask(in: .seconds(2)) { bound.value.end(reason) }
    moveSoon()
  }
}
