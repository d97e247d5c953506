import AccessModel
import Enforcement
import NIOCore
import PolicyEngine
import SQLAnalysis
import SallyportConfiguration

@testable import Postgres

/// Plays a transcript's two sides somewhere: against the sans-IO parts, or over sockets.
protocol TranscriptDriver: AnyObject {
  func send(_ frames: [WireFrame], from side: Side) throws
  func act(_ act: Transcript.Act) throws
  /// The next message that reaches a side; nil when there is none.
  func nextFrame(to side: Side) throws -> WireFrame?
  /// The next record of the audit trail, as transcripts spell it; nil when there is none.
  func nextRecord() throws -> String?
  /// Whether the gateway has ended the connections.
  func hasEnded() throws -> Bool
  /// What has come that nobody expected, as far as it is known by now.
  func leftovers() throws -> [String]
  /// The transcript is at its end: returns what else has come.
  func finish() throws -> [String]
}

/// Audit records in memory, in order. Refuses to take more than `capacity`.
final class MemoryAudit: AuditSink {
  var events: [AuditEvent] = []
  var capacity = Int.max
  /// Called before an event is taken in.
  var onAppend: (AuditEvent) -> Void = { _ in }

  func append(_ event: AuditEvent) throws(AuditFailure) {
    onAppend(event)
    guard events.count < capacity else { throw AuditFailure("no space left on device") }
    events.append(event)
  }
}

/// Analyses short texts at once, and says of others that they take longer.
final class DirectAnalyses: StatementAnalyses {
  func analysis(of text: UnsafeRawBufferPointer) -> Analysis? {
    text.count <= SQLAnalyzer.inlineLimit ? SQLAnalyzer.analyze(bytes: text) : nil
  }
}

/// Drives `PostgresSession` and `Enforcer` as the gateway does, without a socket.
final class SessionDriver: TranscriptDriver {
  /// Bytes of a message beyond which its middle is fed in one piece also when everything else drips.
  private static let dripLimit = 4_096

  var session: PostgresSession
  var enforcer: Enforcer
  let audit = MemoryAudit()
  private let relations: [Transcript.Relation]
  private let drips: Bool
  /// What comes next is last.
  private var input: [Side: [ByteBuffer]] = [.client: [], .backend: []]
  private var output: [Side: [UInt8]] = [.client: [], .backend: []]
  private var records = 0
  /// Parts of results, from sessions that are asked for them.
  var results: [ResultPart] = []
  private var ended = false
  private var held: (id: CommandID, command: Command, requirement: ApprovalRequirement)?
  private var footprints: [CommandID: Footprint] = [:]
  /// What waits for people.
  var heldCommand: Command? { held?.command }
  /// Commands that a permit was shown for.
  private(set) var permitted: [CommandID: Command] = [:]

  /// `drips`: whether bytes come one by one.
  init(
    policy: ScopedPolicy, relations: [Transcript.Relation] = [], drips: Bool = false, limits: Limits = .standard,
    analyses: any StatementAnalyses = DirectAnalyses(), followsNames: Bool = false,
    replication: ReplicationMode? = nil
  ) {
    let ready = BackendHandshake.Ready(
      greeting: ByteBuffer(), settings: ["standard_conforming_strings": "on", "client_encoding": "UTF8"], key: nil,
      status: .idle)
    session = PostgresSession(
      ready: ready, analyses: analyses, maskable: policy.mayMask, followsNames: followsNames,
      waitsForUnknownCode: policy.dependsOnCommands,
      replication: replication, limits: limits)
    enforcer = Enforcer(session: "s", policy: policy, audit: audit)
    self.relations = relations
    self.drips = drips
  }

  // MARK: Input

  func send(_ frames: [WireFrame], from side: Side) throws { feed(frames.flatMap(\.bytes), from: side) }

  /// Bytes as they might come from a socket; nothing is read that the session does not want.
  func feed(_ bytes: [UInt8], from side: Side) {
    if drips {
      let edge = SessionDriver.dripLimit / 2
      let middle = bytes.count > SessionDriver.dripLimit ? edge..<bytes.count - edge : edge..<edge
      let front = middle.isEmpty ? bytes[...] : bytes[..<middle.lowerBound]
      let back = middle.isEmpty ? [] : bytes[middle.upperBound...]
      var pieces = front.map { ByteBuffer(bytes: [$0]) }
      if !middle.isEmpty { pieces.append(ByteBuffer(bytes: bytes[middle])) }
      pieces += back.map { ByteBuffer(bytes: [$0]) }
      input[side]?.insert(contentsOf: pieces.reversed(), at: 0)
    } else {
      input[side]?.insert(ByteBuffer(bytes: bytes), at: 0)
    }
    readOn()
  }

  private func readOn() {
    var hasRead = true
    while hasRead, !ended {
      hasRead = false
      for side in [Side.backend, .client] {
        while !ended, session.wantsInput(from: side), let bytes = input[side]?.popLast() {
          hasRead = true
          attempt { driver throws(ProtocolError) in try driver.session.receive(bytes, from: side) }
        }
      }
    }
  }

  private func attempt(_ body: (SessionDriver) throws(ProtocolError) -> Void) {
    guard !ended else { return }
    do throws(ProtocolError) {
      try body(self)
      try pump()
    } catch {
      session.end(with: ErrorFields(severity: "FATAL", code: error.code, message: error.message))
      ended = true
    }
    collect()
  }

  private func collect() {
    for side in [Side.client, .backend] {
      while let bytes = session.takeOutput(for: side) {
        output[side]?.append(contentsOf: bytes.readableBytesView)
      }
    }
  }

  // MARK: Answers

  /// How often a limit of rows asked for a cancel.
  private(set) var cancels = 0

  private func pump() throws(ProtocolError) {
    while let event = session.nextEvent() {
      switch event {
      case .command(let id, let command): try decide(id, command)
      case .columns(let id, let columns):
        let plan = enforcer.policy.maskPlan(for: columns, touching: footprints[id] ?? .everything)
        try session.mask(id, with: plan)
      case .result(_, let part): results.append(part)
      case .finished(let id, let outcome):
        if held?.id == id { held = nil }
        _ = enforcer.note(.finished(session: "s", command: id, outcome: outcome, duration: 0))
      case .control(let purpose): _ = enforcer.note(.control(session: "s", purpose: purpose))
      case .limitReached: cancels += 1
      case .needs(.relation(let oid)): try session.supply(relation: oid, names(of: oid))
      case .needs(.analysis(let text)): try session.supply(SQLAnalyzer.analyze(text))
      case .ended: ended = true
      }
    }
  }

  private func names(of oid: UInt32) -> RelationNames? {
    guard let relation = relations.first(where: { $0.oid == oid }) else { return nil }
    var columns: [Int16: String] = [:]
    for (index, column) in relation.columns.enumerated() { columns[Int16(index + 1)] = column }
    return RelationNames(schema: relation.schema, name: relation.name, columns: columns)
  }

  private func decide(_ id: CommandID, _ command: Command) throws(ProtocolError) {
    switch enforcer.admit(id, command) {
    case .forward(let permit): try pass(id, command, permit)
    case .refuse(let refusal): try session.resolve(id, .refuse(refusal))
    case .hold(let requirement): held = (id, command, requirement)
    case .needsValues: try session.awaitValues(of: id, command)
    case .needsEstimate:
      var command = command
      command.estimate = .none
      try decide(id, command)
    }
  }

  private func pass(_ id: CommandID, _ command: Command, _ permit: consuming Permit) throws(ProtocolError) {
    permitted[id] = command
    footprints[id] = command.resultFootprint
    try session.resolve(id, .forward(permit))
  }

  func act(_ act: Transcript.Act) throws {
    guard let held else { throw TranscriptMistake("no command waits") }
    let rules = held.requirement.clauses.map(\.rule).joined(separator: ",")
    self.held = nil
    attempt { driver throws(ProtocolError) in
      let ruling: Ruling
      switch act {
      case .approve(let person):
        ruling = driver.enforcer.release(held.id, held.command, approved: held.requirement, approvers: [person])
      case .refuse(let person, let reason):
        let denial = Denial(rule: rules, reason: "\(person) refused it: \(reason)")
        ruling = driver.enforcer.withdraw(held.id, held.command, Refusal(.notApproved, denial))
      case .cancel:
        let denial = Denial(rule: "gateway", reason: "cancelled by the user")
        ruling = driver.enforcer.withdraw(held.id, held.command, Refusal(.cancelled, denial))
      }
      switch consume ruling {
      case .forward(let permit): try driver.pass(held.id, held.command, permit)
      case .refuse(let refusal): try driver.session.resolve(held.id, .refuse(refusal))
      case .hold(let requirement): driver.held = (held.id, held.command, requirement)
      case .needsValues: try driver.session.awaitValues(of: held.id, held.command)
      case .needsEstimate: break
      }
    }
    readOn()
  }

  /// Another policy is in force.
  func adopt(_ policy: ScopedPolicy) {
    enforcer.replacePolicy(policy)
    let terms = SessionTerms(
      analyses: DirectAnalyses(), maskable: policy.mayMask, followsNames: false,
      waitsForUnknownCode: policy.dependsOnCommands, bindsToPath: false)
    attempt { driver throws(ProtocolError) in try driver.session.change(to: terms) }
    readOn()
  }

  // MARK: What came out

  func nextFrame(to side: Side) -> WireFrame? {
    guard let bytes = output[side], let frame = WireFrame(prefixOf: bytes) else { return nil }
    output[side] = Array(bytes[frame.bytes.count...])
    return frame
  }

  /// All bytes that have reached a side and were not looked at yet, messages that are not whole included.
  func takeBytes(to side: Side) -> [UInt8] {
    defer { output[side] = [] }
    return output[side] ?? []
  }

  func nextRecord() -> String? {
    guard records < audit.events.count else { return nil }
    defer { records += 1 }
    return AuditSpelling.line(for: audit.events[records])
  }

  func hasEnded() -> Bool { ended }

  func leftovers() -> [String] {
    let frames = [(Side.client, Side.backend), (.backend, .client)].flatMap { to, from in
      var lines: [String] = []
      while let frame = nextFrame(to: to) { lines.append("\(to) < \(frame.spelled(from: from))") }
      if let rest = output[to], let tag = rest.first {
        lines.append("\(to) < the front of \(String(decoding: [tag], as: UTF8.self)), \(rest.count) bytes")
      }
      output[to] = []
      return lines
    }
    var lines = frames
    while let record = nextRecord() { lines.append("audit \(record)") }
    return lines
  }

  func finish() -> [String] { leftovers() + (held == nil ? [] : ["a command still waits"]) }
}

extension WireFrame {
  /// The first message of these bytes; nil while it is incomplete.
  init?(prefixOf bytes: some RandomAccessCollection<UInt8>) {
    guard bytes.count >= 5 else { return nil }
    let header = Array(bytes.prefix(5))
    let length = header[1...].reduce(0) { $0 << 8 | Int($1) }
    guard length >= 4, bytes.count > length else { return nil }
    self.init(tag: header[0], body: Array(bytes.dropFirst(5).prefix(length - 4)))
  }
}
