import AccessModel
import NIOCore
import SQLAnalysis

/// The client's side: frames become commands, and pass or are refused.
extension PostgresSession {
  mutating func advanceClient() throws(ProtocolError) {
    if case .values = clientStall, !isPaused, takeUpTermsIfSettled() { try completeValues() }
    // What waits for answers is the next frame; the rest of one that has begun belongs to the one before.
    if client.isMidFrame, !isPaused { client.carryOn() }
    while !isPaused, case .none = clientStall, let header = try client.nextHeader() {
      if newTerms != nil, !hasTakenUpTerms() { return }
      let wasSkipped = try skipIfSkipping(header)
      if wasSkipped { continue }
      guard try takeOrRefuse(header) else { return }
    }
  }

  /// The same as `takeClientFrame`, but that a message whose contents are not what its type says is refused: its frame
  /// goes nowhere, and the session goes on.
  private mutating func takeOrRefuse(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    do throws(ProtocolError) {
      return try takeClientFrame(header)
    } catch {
      guard error.isOfOneMessage, !isCopyingIn, !isCopyingBoth else { throw error }
      refuseMalformed(header, error)
      return true
    }
  }

  /// While the backend ignores messages up to a Sync, so do we. Returns whether the frame was dealt with.
  private mutating func skipIfSkipping(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    switch skipping {
    case .no: return false
    case .untilSync, .untilSyncHere:
      if header.tag == FrontendTag.terminate { return false }
      guard header.tag == FrontendTag.sync else {
        client.drop(header)
        return true
      }
    }
    guard case .untilSyncHere = skipping else {
      skipping = .no
      return false
    }
    guard header.bodyLength == 0 else { throw .client("invalid Sync message") }
    skipping = .no
    client.drop(header)
    var ready = ByteBuffer()
    status.encode(into: &ready)
    backend.inject(ready)
    return true
  }

  /// Deals with the next frame. Returns false when it must wait: for bytes, an answer or a fact.
  private mutating func takeClientFrame(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    if isCopyingIn { return try takeFrameOfCopy(header) }
    if isCopyingBoth { return try takeFrameOfStream(header) }
    switch header.tag {
    case FrontendTag.query, FrontendTag.parse:
      guard header.bodyLength <= limits.sqlText + limits.shortMessage else { return holdOversized(header) }
      guard client.holds(header) else { return false }
      return header.tag == FrontendTag.query ? try takeQuery(header) : try takeParse(header)
    case FrontendTag.bind:
      guard header.bodyLength <= limits.wholeValues else { return try takeLongBind(header) }
      guard client.holds(header) else { return false }
      return try takeBind(header)
    case FrontendTag.functionCall: return try takeFunctionCall(header)
    case FrontendTag.copyData: return try takeCopyData(header)
    case FrontendTag.execute, FrontendTag.describe, FrontendTag.close, FrontendTag.sync, FrontendTag.flush,
      FrontendTag.terminate, FrontendTag.copyDone, FrontendTag.copyFail:
      guard header.bodyLength <= limits.shortMessage else { throw .client("message too long") }
      guard client.holds(header) else { return false }
      return try takeShortFrame(header)
    case let tag:
      throw .client("invalid frontend message type \(tag)")
    }
  }

  /// A backend that copies from the client ignores Flush and Sync (PostgreSQL 55.2.6). They stay here, so that it is
  /// never in doubt which Sync was ignored and which ends the skipping after an error. What else is no part of a COPY
  /// makes PostgreSQL give up the connection.
  private mutating func takeFrameOfCopy(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    switch header.tag {
    case FrontendTag.sync, FrontendTag.flush:
      // Only once more has come: if the COPY fails before it reads anything, the Sync is one after all.
      guard client.pending > header.frameLength else { return false }
      try requireEmpty(header, "Sync")
      client.drop(header)
      return true
    case FrontendTag.copyData: return try takeCopyData(header)
    case FrontendTag.copyDone, FrontendTag.copyFail, FrontendTag.terminate:
      guard header.bodyLength <= limits.shortMessage else { throw .client("message too long") }
      guard client.holds(header) else { return false }
      return try takeShortFrame(header)
    case let tag:
      throw .client("unexpected message type \(tag) during COPY from stdin")
    }
  }

  mutating func takeShortFrame(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    switch header.tag {
    case FrontendTag.execute:
      return try takeExecute(header, try .decode(try client.reader(of: header, message: ExecuteMessage.name)))
    case FrontendTag.describe:
      takeDescribe(header, try .decode(try client.reader(of: header, message: "Describe")))
    case FrontendTag.close: takeClose(header, try .decode(try client.reader(of: header, message: "Close")))
    case FrontendTag.sync:
      try requireEmpty(header, "Sync")
      takeSync(header)
    case FrontendTag.flush:
      _ = try EmptyMessage.decode(try client.body(of: header), from: .client, message: "Flush")
      forward(header, under: ControlPermit(.synchronize))
    case FrontendTag.terminate:
      forward(header, under: ControlPermit(.synchronize))
      events.append(.ended)
      isPaused = true
    case FrontendTag.copyDone, FrontendTag.copyFail:
      isCopyingIn = false
      forward(header, under: ControlPermit(.copyData))
    case let tag: throw .client("invalid frontend message type \(tag)")
    }
    return true
  }

  func requireEmpty(_ header: FrameHeader, _ name: StaticString) throws(ProtocolError) {
    guard header.bodyLength == 0 else { throw .client("invalid \(name) message") }
  }

  // MARK: Commands

  private mutating func takeQuery(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    let message = try QueryMessage.decode(try client.body(of: header))
    if let command = replicationCommand(message.text) { return ask(.replication, header, command.command) }
    guard let text = analysis(of: message.text, header), let analysis = effective(text, header) else { return false }
    return ask(.query(analysis), header, analysis.command(stage: .execute, parameters: .none))
  }

  private mutating func takeParse(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    let message = try ParseMessage.decode(try client.body(of: header))
    if statements.mustWait(toParse: message.statement), !replies.isEmpty {
      waitForReplies()
      return false
    }
    guard statements.count < limits.preparedStatements else {
      throw .client("too many prepared statements in one session", code: "53400")
    }
    guard let analysis = analysis(of: message.text, header), let effective = effective(analysis, header) else {
      return false
    }
    return ask(
      .parse(statement: message.statement, analysis, types: message.parameterTypes), header,
      effective.command(stage: .prepare, parameters: .none))
  }

  private mutating func takeBind(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    let message = try BindMessage.decodeNamesAndValues(try client.reader(of: header, message: "Bind"))
    return askToBind(header, portal: message.portal, statement: message.statement, message.values)
  }

  mutating func askToBind(
    _ header: FrameHeader, portal: String, statement: String, _ parameters: Parameters
  ) -> Bool {
    switch statements.find(statement, segment: segment) {
    case .known(let known):
      guard let text = current(known, header), let analysis = effective(text, header) else { return false }
      var parameters = parameters
      if parameters.hasBinary { parameters.types = statements.types(of: statement) }
      let command =
        unsafeText == nil
        ? analysis.command(stage: .execute, parameters: parameters) : opaqueCommand(analysis.text, parameters)
      return ask(.bind(portal: portal, analysis), header, command)
    case .unknown:
      return ask(
        .bind(portal: portal, nil), header, opaqueCommand("Bind of statement \"\(statement)\"", parameters))
    case .uncertain:
      waitForReplies()
      return false
    }
  }

  private mutating func takeExecute(_ header: FrameHeader, _ message: ExecuteMessage) throws(ProtocolError) -> Bool {
    guard let portal = portals[message.portal] else {
      // A cursor that SQL text declared, or a portal that kept its name against a Bind that failed: what it does was
      // decided when it was made. As a FETCH its rows may come from anywhere.
      let command = Command(
        effects: .read, footprint: .nothing, text: "Execute of portal \"\(message.portal)\"",
        detail: .sql(SQLDetail(statements: [SQLStatement(kind: .fetch, effects: .read, footprint: .nothing)])))
      return ask(.execute(portal: message.portal), header, command)
    }
    if !changesNothing(portal.analysis) {
      let isDescribed = describedPortals[message.portal] != nil
      noteSessionEffects(of: portal.analysis)
      // Whatever it does to other portals, it cannot replace the one in which it runs.
      portals[message.portal] = portal
      if isDescribed { describedPortals[message.portal] = () }
    }
    notePrepare(portal.id, portal.analysis)
    passExecute(header, portal: message.portal, portal.id)
    limit(portal.id, to: portal.allowance, portal.analysis)
    stallBehind(portal.analysis)
    return true
  }

  mutating func passExecute(_ header: FrameHeader, portal: String, _ id: CommandID) {
    if looksAtRows || isWatched, describedPortals[portal] == nil {
      var describe = ByteBuffer()
      StatementReference(kind: .portal, name: portal).encode(tag: FrontendTag.describe, into: &describe)
      send(describe, under: ControlPermit(.describe))
      replies.append(.injectedDescribe(id, portal: portal))
      describedPortals[portal] = ()
    }
    forward(header, under: ControlPermit(.execute))
    replies.append(.execute(id, portal: portal))
    isSegmentOpen = true
  }

  private mutating func takeDescribe(_ header: FrameHeader, _ reference: StatementReference) {
    forward(header, under: ControlPermit(.describe))
    isSegmentOpen = true
    switch reference.kind {
    case .statement: replies.append(.describeStatement(reference.name))
    case .portal:
      if portals[reference.name] != nil { describedPortals[reference.name] = () }
      replies.append(.describePortal(portals[reference.name]?.id, portal: reference.name))
    }
  }

  private mutating func takeClose(_ header: FrameHeader, _ reference: StatementReference) {
    forward(header, under: ControlPermit(.close))
    isSegmentOpen = true
    switch reference.kind {
    case .statement: replies.append(.closeStatement(reference.name))
    case .portal:
      replies.append(.closePortal)
      forgetPortal(reference.name)
    }
  }

  private mutating func takeSync(_ header: FrameHeader) {
    forward(header, under: ControlPermit(.synchronize))
    replies.append(.sync)
    segment += 1
    isSegmentOpen = false
  }

  // MARK: Waiting

  /// Asks for a verdict. Always returns false: the frame waits.
  mutating func ask(_ kind: PendingCommand.Kind, _ header: FrameHeader, _ command: Command) -> Bool {
    let id = nextCommandID()
    suppliedAnalysis = nil
    clientStall = .verdict(PendingCommand(id: id, kind: kind, header: header))
    events.append(.command(id, command))
    return false
  }

  /// A frame that is longer than we look at: it can only be refused, and is then dropped as it comes.
  private mutating func holdOversized(_ header: FrameHeader) -> Bool {
    let command = Command(
      effects: .unknown, footprint: .everything, text: "message of \(header.bodyLength) bytes",
      detail: .sql(SQLDetail(statements: [], misunderstood: .tooLong(limit: limits.sqlText))))
    return ask(.oversized(isSimple: header.tag == FrontendTag.query), header, command)
  }

  /// Behind a command that may turn out to be a COPY from the client, nothing goes before that is known: the backend
  /// reads the next messages otherwise if it is. Nor behind one that may change what the next text means: that would
  /// be read too early (DECISIONS 6).
  mutating func stallBehind(_ analysis: Analysis?) {
    // A cancel must hit nothing else, and what comes behind an error of ours must not have been done.
    if limited != nil { return waitForReplies() }
    let runsCursor = names.hasRiskyCursors && waitsForUnknownCode && analysis?.mayRunCursors ?? true
    if let analysis, !runsCursor, !analysis.mayChangeMeaning(unknownCodeToo: waitsForUnknownCode) {
      guard !analysis.facts.shape.summary.kinds.isDisjoint(with: KindSet(.copyFrom)) else { return }
    }
    waitForReplies()
  }

  /// Stalls the client until nothing is outstanding; a Flush makes the backend answer what it keeps back.
  mutating func waitForReplies() {
    if isSegmentOpen, !client.isMidFrame { askForAnswers() }
    clientStall = .replies
  }

  /// Makes the backend answer what it keeps back.
  mutating func askForAnswers() {
    var flush = ByteBuffer()
    flush.writeFrame(FrontendTag.flush) { _ in }
    send(flush, under: ControlPermit(.synchronize))
  }

  /// What a text may do; nil when its frame must wait for that, or for the search_path.
  mutating func analysis(of text: ByteBuffer, _ header: FrameHeader) -> Analysis? {
    guard let found = analysisAsFar(of: text, header) else { return nil }
    return hasPath(for: found) ? found : nil
  }

  private mutating func analysisAsFar(of text: ByteBuffer, _ header: FrameHeader) -> Analysis? {
    // By bytes, as what was asked for may have been skipped since, and equal strings need not be equal bytes.
    if let supplied = suppliedAnalysis, supplied.text.utf8.elementsEqual(text.readableBytesView) {
      suppliedAnalysis = nil
      return readable(supplied)
    }
    if let reason = unsafeText { return Analysis(text: String(buffer: text), misunderstood: .unsafe(reason)) }
    if let known = text.withUnsafeReadableBytes({ analyses.analysis(of: $0, in: names.scope) }) {
      return readable(known)
    }
    guard let text = String(validating: text.readableBytesView, as: UTF8.self) else {
      return Analysis(text: String(buffer: text), misunderstood: .notText)
    }
    clientStall = .analysis(PendingText(header: header, text: text))
    events.append(.needs(.analysis(text: text)))
    return nil
  }

  /// A text that would make the backend read the next one otherwise is not let through (DECISIONS 6).
  private func readable(_ analysis: Analysis) -> Analysis {
    guard let danger = analysis.unsafeSetting?.danger else { return analysis }
    return Analysis(text: analysis.text, misunderstood: .unsafe(danger.rawValue))
  }

  func opaqueCommand(_ text: String, _ parameters: Parameters = .none) -> Command {
    let why = unsafeText.map { SQLMisunderstanding.unsafe($0) } ?? .opaque(text)
    return Analysis(text: text, misunderstood: why).command(stage: .execute, parameters: parameters)
  }
}
