import AccessModel
import NIOCore
import SQLAnalysis

/// What a verdict does to the command that waits for it. Every byte towards the backend leaves by one of the three
/// functions at the top, and each of them consumes a permit.
extension PostgresSession {
  /// Lets the next frame of the client pass: a command that was decided and recorded.
  private mutating func forward(_ header: FrameHeader, under permit: consuming Permit) {
    _ = consume permit
    client.pass(header)
  }

  /// Lets the next frame of the client pass: protocol traffic that belongs to commands decided before.
  mutating func forward(_ header: FrameHeader, under permit: consuming ControlPermit) {
    _ = consume permit
    client.pass(header)
  }

  /// Sends a message of the gateway's own.
  mutating func send(_ message: ByteBuffer, under permit: consuming ControlPermit) {
    _ = consume permit
    client.inject(message)
  }

  /// Answers `.command`. A verdict on a command that no longer waits is void: its permit is consumed and nothing sent.
  public mutating func resolve(_ id: CommandID, _ verdict: consuming Verdict) throws(ProtocolError) {
    guard case .verdict(let pending) = clientStall, pending.id == id else { return }
    switch consume verdict {
    case .forward(let permit):
      guard permit.command == id else {
        throw ProtocolError(fault: .gateway, code: "XX000", message: "a permit was shown for another command")
      }
      clientStall = .none
      try pass(pending, under: permit)
    case .refuse(let refusal):
      clientStall = .none
      refuse(pending, refusal)
    }
    try advanceClient()
  }

  private mutating func pass(_ pending: PendingCommand, under permit: consuming Permit) throws(ProtocolError) {
    let id = pending.id
    let limit = permit.limit
    if maskable { noteCopy(id, pending.kind) }
    switch pending.kind {
    case .query(let analysis):
      forward(pending.header, under: permit)
      replies.append(.query(id))
      noteSessionEffects(of: analysis)
      notePrepare(id, analysis)
      isSegmentOpen = false
      self.limit(id, to: limit.flatMap { analysis.allowance($0) }, analysis)
      stallBehind(analysis)
    case .functionCall:
      forward(pending.header, under: permit)
      replies.append(.functionCall(id))
      noteSessionEffects(of: nil)
      isSegmentOpen = false
      if let limit { cursorLimits.ranUnknownCode(under: limit) }
      stallBehind(nil)
    case .replication:
      forward(pending.header, under: permit)
      replies.append(.query(id))
      noteSessionEffects(of: nil)
      // Nothing goes behind it before it is known whether it streams.
      waitForReplies()
    case .parse(let statement, let analysis, let types):
      forward(pending.header, under: permit)
      replies.append(.parse(id, statement: statement))
      if !statements.isConfirmed(statement) || statement.isEmpty {
        statements.parseSent(statement, analysis, types: types, segment: segment)
      }
      isSegmentOpen = true
    case .bind(let portal, let analysis):
      forward(pending.header, under: permit)
      replies.append(.bind(id, portal: portal))
      noteSessionEffects(of: analysis)
      forgetPortal(portal)
      forgetCursor(portal)
      portals[portal] = Portal(id: id, analysis: analysis)
      if let limit { self.limit(portal, to: limit, analysis) }
      isSegmentOpen = true
    case .execute(let portal):
      _ = consume permit
      let runsCursor = names.hasRiskyCursors
      if runsCursor { names.sent(nil) }
      passExecute(pending.header, portal: portal, id)
      self.limit(id, to: limit.map { RowAllowance($0) }, cursors: [portal])
      if limited != nil || runsCursor && waitsForUnknownCode { waitForReplies() }
    case .oversized:
      throw ProtocolError(fault: .gateway, code: "XX000", message: "a message too long to be decided was permitted")
    }
  }

  /// A COPY to the client was permitted: what of it is masked is asked when it begins.
  private mutating func noteCopy(_ id: CommandID, _ kind: PendingCommand.Kind) {
    switch kind {
    case .query(let analysis), .bind(_, .some(let analysis)):
      guard !analysis.facts.shape.summary.kinds.isDisjoint(with: KindSet(.copyTo)) else { return }
      let copies = analysis.detail.statements.filter { $0.kinds.contains(.copyTo) }
      // Of several nobody says which one it is.
      copyingOut[id] = .some(copies.count == 1 ? copies[0].copy : nil)
    case .functionCall, .replication, .parse, .bind(_, .none), .execute, .oversized: break
    }
  }

  /// SQL text can remove prepared statements and portals behind the protocol's back, and make others of that name. It
  /// does so when it is bound or when it is run, so this is called for both. nil for what is not known.
  mutating func noteSessionEffects(of analysis: Analysis?) {
    if changesNothing(analysis) { return }
    names.sent(analysis)
    noteReason(analysis)
    switch analysis?.forgets ?? .everything {
    case .nothing: break
    case .statement(let name):
      statements.forget(name)
      forgetPreparing(name)
    case .everything:
      statements.forget(nil)
      forgetPreparing(nil)
    }
    if analysis?.mayOpenPortals ?? true {
      forgetPortals()
      forgetCursors(for: analysis)
    }
  }

  /// True when what the session knows holds as well once this has run. A cursor may run more than its FETCH says.
  func changesNothing(_ analysis: Analysis?) -> Bool { analysis?.isOrdinary == true && !names.hasRiskyCursors }

  /// What is known of a portal does not hold any more; it may still be there.
  mutating func forgetPortal(_ name: String) {
    portals[name] = nil
    describedPortals[name] = nil
  }

  /// The same for all. Masks of rows that are on their way stay: replies come in order, and a Describe comes first.
  mutating func forgetPortals() {
    portals.removeAll()
    describedPortals.removeAll()
  }

  // MARK: Refusals

  /// PostgreSQL has an ERROR for it, which fails the transaction as any other; after one in a Query or FunctionCall it is
  /// ready, after any other it skips to Sync.
  mutating func refuseMalformed(_ header: FrameHeader, _ error: ProtocolError) {
    let refusal = Refusal(
      .malformed(code: error.code, message: error.message), Denial(rule: "gateway", reason: error.message))
    refuse(header, refusal, isSimple: header.tag == FrontendTag.query || header.tag == FrontendTag.functionCall)
  }

  private mutating func refuse(_ pending: PendingCommand, _ refusal: Refusal) {
    let isSimple =
      switch pending.kind {
      case .query, .functionCall, .replication: true
      case .oversized(let isSimple): isSimple
      case .parse, .bind, .execute: false
      }
    refuse(pending.header, refusal, isSimple: isSimple)
  }

  private mutating func refuse(_ header: FrameHeader, _ refusal: Refusal, isSimple: Bool) {
    client.drop(header)
    let backendKnowsNothing = replies.isEmpty && !isSegmentOpen && status == .idle && !backend.isInsideFrame
    if backendKnowsNothing {
      refuseHere(refusal, isSimple: isSimple)
    } else {
      refuseThroughBackend(refusal, isSimple: isSimple)
    }
  }

  /// Nothing is under way at the backend: it need not know.
  private mutating func refuseHere(_ refusal: Refusal, isSimple: Bool) {
    var answer = ByteBuffer()
    ErrorFields(refusal).encodeError(into: &answer)
    if isSimple { status.encode(into: &answer) } else { skipping = .untilSyncHere }
    backend.inject(answer)
  }

  /// A transaction or pipeline is under way: the backend must fail at this point, so that savepoints, implicit
  /// transactions and the order of replies come out right (DECISIONS 2).
  mutating func refuseThroughBackend(_ refusal: Refusal, isSimple: Bool) {
    let text = ByteBuffer(string: PostgresSession.failingStatement)
    var message = ByteBuffer()
    if isSimple {
      QueryMessage(text: text).encode(into: &message)
      replies.append(.failingQuery(refusal))
      isSegmentOpen = false
    } else {
      // Under a name of its own, because a failing Parse of the unnamed statement would destroy that.
      ParseMessage(statement: "sallyport_refused", text: text, parameterTypes: []).encode(into: &message)
      replies.append(.failingParse(refusal))
      skipping = .untilSync
    }
    send(message, under: ControlPermit(.failingStatement))
    events.append(.control(.failingStatement))
  }

  /// A syntax error by intention; it shows in the backend's log as what it is.
  static let failingStatement = "sallyport refused a statement"
}

extension Analysis {
  /// Whether running this may give a portal's name to another query: DECLARE does, and code that is not known.
  fileprivate var mayOpenPortals: Bool {
    if effects.isUnknown || effects.contains(.execute) || effects.contains(.call) { return true }
    return detail.statements.contains { $0.kinds.contains(.declare) }
  }
}

extension ErrorFields {
  /// A refusal in PostgreSQL's words: SQLSTATE, message, hint, and for a syntax error its position.
  public init(_ refusal: Refusal) {
    switch refusal.kind {
    case .denied:
      self.init(
        severity: "ERROR", code: "42501", message: "permission denied by rule \"\(refusal.denial.rule)\"",
        detail: refusal.denial.reason.isEmpty ? nil : ErrorFields.sentence(refusal.denial.reason),
        hint: refusal.denial.hint)
    case .malformed(let code, let message): self.init(severity: "ERROR", code: code, message: message)
    case .misunderstood(.syntax(let message, let position)):
      self.init(
        severity: "ERROR", code: "42601", message: message,
        hint: "The gateway reads SQL with the grammar of PostgreSQL 15.", position: position > 0 ? position : nil)
    case .absent(let relation):
      self.init(
        severity: "ERROR", code: "42P01", message: "relation \"\(relation.name)\" does not exist",
        position: relation.position)
    case .misunderstood(.tooLong(let limit)):
      self.init(
        severity: "ERROR", code: "54001", message: "statement too long for the gateway to decide",
        detail: "The limit is \(limit) bytes.", hint: "Send values as parameters or by COPY.")
    case .misunderstood(.tooDeep):
      self.init(
        severity: "ERROR", code: "54001", message: "statement nested too deeply for the gateway to decide")
    case .misunderstood(.notText):
      self.init(severity: "ERROR", code: "22021", message: "statement is not valid UTF-8")
    case .misunderstood(.unsafe(let reason)):
      self.init(
        severity: "ERROR", code: "0A000", message: "the gateway cannot read statements safely in this session",
        detail: ErrorFields.sentence(reason),
        hint: "Connect again, with standard_conforming_strings on and client_encoding UTF8.")
    case .misunderstood(.opaque(let reason)):
      self.init(
        severity: "ERROR", code: "42501", message: "permission denied: the gateway cannot tell what this would do",
        detail: ErrorFields.sentence(reason), hint: refusal.denial.hint)
    case .notApproved:
      self.init(
        severity: "ERROR", code: "42501", message: "permission denied by rule \"\(refusal.denial.rule)\"",
        detail: ErrorFields.sentence(refusal.denial.reason), hint: refusal.denial.hint)
    case .limited(let rows):
      self.init(
        severity: "ERROR", code: PostgresSession.limitCode,
        message:
          "result has more than \(rows) \(rows == 1 ? "row" : "rows"), the limit of rule \"\(refusal.denial.rule)\"",
        detail: ErrorFields.sentence(refusal.denial.reason), hint: refusal.denial.hint)
    case .cancelled:
      self.init(severity: "ERROR", code: "57014", message: "canceling statement due to user request")
    case .shutdown:
      self.init(severity: "ERROR", code: "57P01", message: "the gateway is shutting down", hint: refusal.denial.hint)
    case .unavailable:
      self.init(
        severity: "ERROR", code: "58030", message: "the gateway cannot record this command and so refuses it",
        detail: ErrorFields.sentence(refusal.denial.reason), hint: refusal.denial.hint)
    }
  }

  /// A reason as DETAIL wants it: with a capital and a full stop.
  public static func sentence(_ text: String) -> String {
    guard let first = text.first else { return text }
    return first.uppercased() + text.dropFirst() + (text.hasSuffix(".") ? "" : ".")
  }
}
