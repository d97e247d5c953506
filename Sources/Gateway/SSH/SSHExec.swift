import AccessModel
import Detection
import Enforcement
import NIOCore
import PolicyEngine
import SSH

/// One session channel of a client: the command that it asks for, what was decided about it, and its bytes both ways.
final class SSHExec: SSHBackendChannel {
  enum Phase {
    /// Nothing was asked for yet.
    case idle
    /// The session has to open first.
    case waiting(Command, Denial?)
    case held
    /// Permitted; the backend's channel is being opened.
    case starting
    case running
    /// The client gets its last words, then this exit status.
    case ending(Int32)
    case over
  }

  let client: SSHPort
  /// It lets go of this when the channel is over, or it is closed itself.
  let connection: SSHConnection
  var requests = SessionChannel()
  var phase = Phase.idle
  var backend: SSHPort?
  private(set) var id: CommandID?
  private(set) var command: Command?
  var permit: Permit?
  private var input = SSHFlow()
  private var output = SSHFlow()
  private var errors = SSHFlow()
  /// How far the backend's channel is.
  var opening = Opening.channel
  /// Where its output is recorded; nil where it is not.
  var tape: SSHTape?
  /// What the person sees; nil without a terminal.
  var screen: TerminalScreen?
  /// For each of the two streams; empty where nothing is masked.
  var masks: [StreamMask] = []
  /// When what they hold back is let go.
  var pause: Scheduled<Void>?
  /// The beginning of a line that a shell without a terminal is given.
  var script: [UInt8] = []
  private var hasSentEnd = false
  private var hasPassedEnd = false
  /// µs on the monotonic clock; nil while nothing runs.
  var startedAt: Int64?
  var held: HeldCommand?
  var holds: UInt64 = 0

  init(_ client: SSHPort, _ connection: SSHConnection) {
    self.client = client
    self.connection = connection
  }

  var isOver: Bool { if case .over = phase { true } else { false } }
  var session: SSHConnection.Session? { connection.session }

  // MARK: Decisions

  func decide(_ command: Command) { wait(command, nil) }

  /// Refuses what no policy can permit, on record.
  func refuse(_ command: Command, _ denial: Denial) { wait(command, denial) }

  private func wait(_ command: Command, _ denial: Denial?) {
    phase = .waiting(command, denial)
    if session == nil { connection.openSession() } else { sessionOpened() }
  }

  func sessionOpened() {
    guard case .waiting(let command, let denial) = phase, let session else { return }
    session.commands += 1
    let id = CommandID(session.commands)
    self.id = id
    self.command = command
    if let denial {
      apply(session.enforcer.withdraw(id, command, Refusal(.denied, denial)))
    } else {
      apply(session.enforcer.admit(id, command))
    }
  }

  func sessionFailed(_ denial: Denial) {
    guard case .waiting = phase else { return }
    finish(with: Refusal(.denied, denial).lines, ExitStatus.refused)
  }

  func apply(_ ruling: consuming Ruling) {
    switch consume ruling {
    case .forward(let permit):
      connection.state.counters.permitted &+= 1
      self.permit = consume permit
      phase = .starting
      startOnceDurable()
    case .refuse(let refusal):
      connection.state.counters.denied &+= 1
      finish(with: refusal.lines, ExitStatus.refused)
    case .hold(let requirement):
      connection.state.counters.held &+= 1
      phase = .held
      hold(requirement)
    // Only of commands with values, or with rows, which these have not.
    case .needsValues: finish(with: Refusal.unrecorded.lines, ExitStatus.refused)
    case .needsEstimate: finish(with: Refusal.unrecorded.lines, ExitStatus.refused)
    }
    connection.moveSoon()
  }

  /// With `durability: sync` the disk has the record first.
  private func startOnceDurable() {
    guard let commit = connection.state.commit else { return start() }
    let bound = NIOLoopBound(self, eventLoop: connection.state.loop)
    commit.whenDurable(connection.state.lane.sequence) { isDurable in
      guard case .starting = bound.value.phase else { return }
      if isDurable {
        bound.value.start()
      } else {
        bound.value.finish(with: Refusal.unrecorded.lines, ExitStatus.refused)
      }
    }
  }

  // MARK: Bytes

  /// Moves what both sides take.
  func pump() {
    guard client.channel != nil else { return abandon("closed by the client") }
    switch phase {
    case .idle, .waiting, .held, .starting:
      if client.isClosed { return abandon("closed by the client") }
      if case .held = phase, requests.terminal != nil { readWhileHeld() }
    case .running: relay()
    case .ending(let status): end(status)
    case .over: return
    }
  }

  /// Whether it could go on, though no event will say so: reading one side also sends what waits there, and with it goes
  /// what had blocked the other.
  var isStalled: Bool {
    func isFree(_ port: SSHPort) -> Bool { port.isWritable && port.room > 0 }
    switch phase {
    case .running:
      return input.isBlocked && (backend.map(isFree) ?? false)
        || (output.isBlocked || errors.isBlocked) && isFree(client)
    case .ending: return isFree(client)
    case .idle, .waiting, .held, .starting, .over: return false
    }
  }

  private func relay() {
    guard let backend else { return }
    // A client that has seen the end of the output closes at once, and still waits for the exit status.
    if client.isClosed, !hasPassedEnd { return abandon("closed by the client") }
    for signal in client.takeSignals() { backend.send(signal: signal) }
    if let why = tape?.failure { return stop("it cannot be recorded: \(why)") }
    var hasMore = input.move(from: client, .output, to: backend, .output) { sees(input: $0) }
    // What is recorded does not come faster than the disk takes it.
    if tape?.isBehind != true {
      hasMore = output.move(from: backend, .output, to: client, .output) { sees(.output, &$0) } || hasMore
      hasMore = errors.move(from: backend, .errors, to: client, .errors) { sees(.errors, &$0) } || hasMore
    }
    guard case .running = phase else { return }
    connection.lastActivity = Clock.monotonic()
    if hasMore { connection.moveSoon() }
    if client.hasEnded, !hasSentEnd, input.isEmpty, client.isDrained(.output) {
      hasSentEnd = true
      backend.sendEnd()
    }
    guard backend.hasEnded, backend.isDrained(.output), backend.isDrained(.errors) else { return }
    letGo()
    guard output.flush(to: client, .output), errors.flush(to: client, .errors) else { return }
    if !hasPassedEnd {
      hasPassedEnd = true
      client.sendEnd()
    }
    if backend.isClosed { complete(backend) }
  }

  /// What masks held back goes on its way: nothing more came for a while, or will come.
  func letGo() {
    for stream in SSHPort.Stream.allCases where !masks.isEmpty {
      let rest = masks[Int(stream.rawValue)].flush()
      guard !rest.isEmpty else { continue }
      passed(stream, rest)
      switch stream {
      case .output: output.append(rest)
      case .errors: errors.append(rest)
      }
    }
  }

  /// A terminal sends Ctrl-C as a byte, which nobody else reads while the command waits.
  private func readWhileHeld() {
    guard input.isEmpty, let bytes = client.read(.output) else { return }
    guard !bytes.contains(0x03) else {
      withdrawHold(.cancelled, "given up by the person who asked")
      return finish(with: "", ExitStatus.interrupted)
    }
    input.append(bytes)
  }

  /// The command has ended and all that it wrote is with the client.
  private func complete(_ backend: SSHPort) {
    if let signal = backend.exitSignal {
      client.send(signal)
      record(.completed, tag: "signal \(signal.name)")
    } else if let status = backend.exitStatus {
      client.send(exitStatus: status)
      record(.completed, tag: "exit \(status)")
    } else {
      record(.lost)
    }
    over()
  }

  private func end(_ status: Int32) {
    // What the backend wrote before comes first, then our words.
    guard client.isClosed || output.flush(to: client, .output) && errors.flush(to: client, .errors) else { return }
    client.send(exitStatus: status)
    over()
  }

  // MARK: Ends

  /// Says why, and ends the channel with this status once that is with the client.
  func finish(with words: String, _ status: Int32) {
    tell(words)
    backend?.close()
    backend = nil
    phase = .ending(status)
    connection.moveSoon()
  }

  /// On standard error, or on the terminal, which has only one stream and does not return the carriage itself.
  private func tell(_ words: String) {
    guard requests.terminal != nil else { return errors.append(words) }
    output.append(words.split(separator: "\n").map { "\r\($0)\r\n" }.joined())
  }

  func say(_ words: String) {
    tell(words)
    _ = output.flush(to: client, .output) && errors.flush(to: client, .errors)
  }

  /// Ends a command that runs, with words for the person.
  func stop(_ reason: String) {
    guard startedAt != nil, !isOver else { return }
    if case .ending = phase { return }
    record(.failed)
    finish(with: "sallyport: \(isShell ? "" : "the command was ended: ")\(reason)\n", ExitStatus.unavailable)
  }

  /// Nobody waits for it any more.
  func abandon(_ reason: String) {
    withdrawHold(.cancelled, reason)
    if startedAt != nil { record(.lost) }
    over()
  }

  private func over() {
    guard !isOver else { return }
    phase = .over
    permit = nil
    tape?.close()
    tape = nil
    screen = nil
    pause?.cancel()
    backend?.close()
    backend = nil
    client.close()
  }

  func record(_ ending: Outcome.Ending, tag: String = "") {
    guard let session, let id, let startedAt else { return }
    self.startedAt = nil
    tape?.close()
    tape = nil
    let duration = Clock.monotonic() - startedAt
    connection.state.counters.durations.add(duration)
    if ending != .completed { connection.state.counters.failed &+= 1 }
    var outcome = Outcome(ending: ending, tag: tag, bytes: output.total + errors.total)
    outcome.masked = maskedBy
    if !session.enforcer.finish(id, outcome, duration: duration) {
      connection.context.logger.error("audit record failed", metadata: ["session": "\(connection.name)"])
    }
  }
}
