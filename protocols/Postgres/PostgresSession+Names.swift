import AccessModel
import NIOCore
import SQLAnalysis

/// What texts mean now: prepared texts by their names, names by the search_path, which is asked for in-band.
extension PostgresSession {
  /// What the names in this session's texts mean by now.
  public var scope: SessionScope { names.scope }

  /// Grows when what the session defined is there for others to see.
  public var definitions: UInt64 { names.definitions }

  /// The same analysis when it still holds, or a new one; nil when the frame must wait for it.
  mutating func current(_ analysis: Analysis, _ header: FrameHeader) -> Analysis? {
    guard followsNames, analysis.traits.needsNames || analysis.traits.executes != nil,
      !analyses.isCurrent(analysis, in: names.scope) || (analysis.traits.needsPath && names.wantsPath)
    else { return analysis }
    return self.analysis(of: ByteBuffer(string: analysis.text), header)
  }

  /// What running this text does: of an EXECUTE, what it runs. nil when the frame must wait.
  mutating func effective(_ analysis: Analysis, _ header: FrameHeader) -> Analysis? {
    if let cursor = analysis.traits.fetches { return fetching(analysis, from: cursor) }
    guard let name = analysis.traits.executes else { return analysis }
    // An outstanding reply may still give the name to another text, or fail to.
    guard replies.isEmpty else {
      waitForReplies()
      return nil
    }
    guard case .known(let prepared) = statements.lookUp(name, segment: segment) else { return analysis }
    guard let prepared = current(prepared, header) else { return nil }
    return analysis.executing(prepared) ?? analysis
  }

  /// True when the text is ready to be decided as it is; false when the frame waits for the search_path.
  mutating func hasPath(for analysis: Analysis) -> Bool {
    guard followsNames, analysis.traits.needsPath || bindsToPath && !analysis.effects.isEmpty, names.wantsPath else {
      return true
    }
    // In a failed transaction nothing is answered, and a WAL sender does not speak the extended protocol. There names stay
    // open, and may stand for anything of that name.
    guard status != .failed, unsafeText == nil, replication == nil else { return true }
    guard replies.isEmpty else {
      waitForReplies()
      return false
    }
    askForPath()
    return false
  }

  /// Asks for the settings in question under names of our own: the client's unnamed statement stays. SHOW takes no
  /// snapshot, so that a transaction's first statement still comes first.
  private mutating func askForPath() {
    var message = ByteBuffer()
    let name = PostgresSession.ownName
    for setting in SessionNames.questions {
      ParseMessage(statement: name, text: ByteBuffer(string: "SHOW \(setting)"), parameterTypes: [])
        .encode(into: &message)
      message.writeFrame(FrontendTag.bind) { body in
        body.writeCString(name)
        body.writeCString(name)
        // No parameter formats, no values, no result formats: text.
        body.writeRepeatingByte(0, count: 6)
      }
      ExecuteMessage(portal: name, maxRows: 0).encode(into: &message)
      StatementReference(kind: .portal, name: name).encode(tag: FrontendTag.close, into: &message)
      StatementReference(kind: .statement, name: name).encode(tag: FrontendTag.close, into: &message)
    }
    // Inside a pipeline a Sync would end what is the client's to end; all it has sent so far has been answered.
    message.writeFrame(isSegmentOpen ? FrontendTag.flush : FrontendTag.sync) { _ in }
    answersInSegment = isSegmentOpen ? 2 * SessionNames.questions.count : nil
    send(message, under: ControlPermit(.catalog))
    replies.append(.catalog)
    names.beginAsking()
    clientStall = .replies
    events.append(.control(.catalog))
  }

  /// Of statements and portals that the gateway makes for itself.
  static let ownName = "sallyport_names"

  /// Takes what the backend answers to our own questions; none of it is for the client. Returns false when bytes are
  /// missing, nil when the frame is no part of the answer.
  mutating func takeCatalogFrame(_ header: FrameHeader) throws(ProtocolError) -> Bool? {
    switch header.tag {
    case BackendTag.parameterStatus, BackendTag.noticeResponse, BackendTag.notificationResponse: return nil
    case _: break
    }
    guard header.bodyLength <= limits.backendMessage else {
      throw .backend("the backend sent a message of \(header.bodyLength) bytes and type \(header.tag)")
    }
    guard backend.holds(header) else { return false }
    let body = try backend.body(of: header)
    switch header.tag {
    case BackendTag.dataRow: try takeAnswer(body)
    case BackendTag.errorResponse:
      let fields = try ErrorFields.decode(body, from: .backend)
      let severity = fields[ErrorFields.severityNonLocalized] ?? fields[ErrorFields.severity] ?? ""
      // The last words of a backend that goes away are for the client.
      if severity == "FATAL" || severity == "PANIC" { return nil }
      // It fails the client's pipeline, so that the client must hear of it.
      if answersInSegment != nil {
        names.endAsking()
        return nil
      }
    case BackendTag.readyForQuery:
      status = try TransactionStatus.decode(body)
      replies.removeHead()
      names.endAsking()
    case BackendTag.closeComplete:
      guard let left = answersInSegment else { break }
      answersInSegment = left > 1 ? left - 1 : nil
      if left == 1 {
        replies.removeHead()
        names.endAsking()
      }
    case BackendTag.parseComplete, BackendTag.bindComplete, BackendTag.commandComplete: break
    case let tag: throw .backend("the backend sent message type \(tag) out of order")
    }
    backend.drop(header)
    return true
  }

  private mutating func takeAnswer(_ body: ByteBuffer) throws(ProtocolError) {
    var reader = MessageReader(body, from: .backend, message: "DataRow")
    let count = try reader.count(ofItemsAtLeast: 4)
    guard count == 1 else { throw .backend("SHOW did not answer with one value") }
    let length = try reader.int32()
    guard length >= 0 else { throw .backend("SHOW answered with no value") }
    names.take(answer: String(buffer: try reader.slice(Int(length))))
    try reader.end()
  }
}

/// Statements that SQL text prepares.
extension PostgresSession {
  /// A PREPARE or DECLARE whose answer is still to come.
  struct Preparing {
    var id: CommandID
    var name: String
    var analysis: Analysis
  }

  mutating func notePrepare(_ id: CommandID, _ analysis: Analysis?) {
    guard let analysis, let name = analysis.traits.prepares ?? analysis.traits.declares else { return }
    preparing.append(Preparing(id: id, name: name, analysis: analysis))
  }

  /// The command ended: if the backend says that it prepared a statement, the name stands for that text.
  mutating func settlePrepare(_ id: CommandID, _ outcome: Outcome) {
    guard let index = preparing.firstIndex(where: { $0.id == id }) else { return }
    let prepared = preparing.remove(at: index)
    if prepared.analysis.traits.declares != nil { return settleCursor(prepared, outcome) }
    guard outcome.ending == .completed, outcome.errorCode.isEmpty, outcome.tag == "PREPARE",
      statements.count < limits.preparedStatements
    else { return }
    statements.prepared(prepared.name, prepared.analysis)
  }

  /// The name, or any, may be given to another text before the answers come.
  mutating func forgetPreparing(_ name: String?) {
    guard !preparing.isEmpty else { return }
    preparing.removeAll { name == nil || $0.name == name && $0.analysis.traits.prepares != nil }
  }
}

/// Cursors that SQL text declares: what is fetched from one comes from where its query takes it.
extension PostgresSession {
  private static let cursorLimit = 1_000

  /// What fetching from this cursor does; nil when the frame must wait.
  private mutating func fetching(_ analysis: Analysis, from cursor: String) -> Analysis? {
    if preparing.contains(where: { $0.name == cursor && $0.analysis.traits.declares != nil }) {
      waitForReplies()
      return nil
    }
    return cursors[cursor].flatMap { analysis.fetching($0) } ?? analysis
  }

  private mutating func settleCursor(_ declared: Preparing, _ outcome: Outcome) {
    guard outcome.ending == .completed, outcome.errorCode.isEmpty, outcome.tag == "DECLARE CURSOR",
      cursors.count < PostgresSession.cursorLimit
    else { return }
    cursors[declared.name] = declared.analysis
  }

  /// A text goes to the backend that may give the names of cursors to others; nil for what is not known.
  mutating func forgetCursors(for analysis: Analysis?) {
    if let name = analysis?.traits.declares { return forgetCursor(name) }
    cursors.removeAll()
    preparing.removeAll { $0.analysis.traits.declares != nil }
  }

  mutating func forgetCursor(_ name: String) {
    if !cursors.isEmpty { cursors[name] = nil }
    if !preparing.isEmpty { preparing.removeAll { $0.name == name && $0.analysis.traits.declares != nil } }
  }

  /// The transaction is over, and with it the cursors that were not declared WITH HOLD.
  mutating func endCursors() {
    if !cursors.isEmpty { cursors = cursors.filter(\.value.traits.declaresHold) }
  }
}

extension Analysis {
  /// Whether running this may run what a cursor was declared for: FETCH and MOVE, and the end of a transaction.
  var mayRunCursors: Bool { endsTransactions || detail.statements.contains { $0.kinds.contains(.fetch) } }

  var declaresCursors: Bool { detail.statements.contains { $0.kinds.contains(.declare) } }

  /// Whether later texts can only be read once this has run (DECISIONS 6): it changes what their words mean, or may.
  func mayChangeMeaning(unknownCodeToo: Bool) -> Bool {
    if detail.misunderstood != nil { return true }
    if settings.contains(where: { $0.decidesNames || $0.decidesReading }) { return true }
    return unknownCodeToo && (effects.isUnknown || effects.contains(.execute))
  }
}

extension SettingChange {
  /// Whether it decides where a text's parts begin and end.
  var decidesReading: Bool { name == "standard_conforming_strings" || name == "client_encoding" }
}
