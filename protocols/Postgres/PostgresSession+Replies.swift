import AccessModel
import NIOCore

/// Ends of commands: completions, errors and ReadyForQuery, each taken off the queue of replies owed.
extension PostgresSession {
  /// A message without content that answers the reply that is due.
  mutating func takeCompletion(_ header: FrameHeader) throws(ProtocolError) {
    switch (header.tag, replies.head) {
    case (BackendTag.parseComplete, .parse(_, let statement)):
      statements.parseCompleted(statement)
      replies.removeHead()
    case (BackendTag.bindComplete, .bind(_, let portal)):
      portalMasks[portal] = nil
      tap?.forget(portal: portal)
      shadow?.forget(portal: portal)
      replies.removeHead()
    case (BackendTag.closeComplete, .closeStatement(let name)):
      statements.closed(name)
      replies.removeHead()
    case (BackendTag.closeComplete, .closePortal): replies.removeHead()
    case (BackendTag.parameterDescription, .describeStatement(let name)):
      let description = try ParameterDescription.decode(try backend.body(of: header))
      statements.described(name, types: description.types)
    case (BackendTag.noData, .describeStatement): replies.removeHead()
    case (BackendTag.noData, .describePortal(_, let portal)):
      portalMasks[portal] = .some(nil)
      replies.removeHead()
    case (BackendTag.noData, .injectedDescribe(_, let portal)):
      portalMasks[portal] = .some(nil)
      replies.removeHead()
      backend.drop(header)
      return
    case (BackendTag.emptyQueryResponse, .query): break
    case (BackendTag.emptyQueryResponse, .execute(let id, _)):
      finish(id, .completed)
      replies.removeHead()
    case (BackendTag.portalSuspended, .execute(let id, _)):
      finish(id, .suspended)
      replies.removeHead()
    case (let tag, _):
      throw .backend("the backend sent message type \(tag) out of order")
    }
    backend.pass(header)
  }

  mutating func takeCommandComplete(_ header: FrameHeader) throws(ProtocolError) {
    beginProgressIfNeeded()
    progress?.tag = try CommandTag.decode(try backend.reader(of: header, message: CommandTag.name)).text
    switch replies.head {
    case .query: queryMask = nil
    case .execute(let id, _):
      finish(id, .completed)
      replies.removeHead()
    case .none, .functionCall, .parse, .bind, .describeStatement, .describePortal, .injectedDescribe,
      .closeStatement, .closePortal, .sync, .catalog, .failingQuery, .failingParse:
      throw .backend("the backend completed a command that nothing asked for")
    }
    backend.pass(header)
  }

  mutating func takeReadyForQuery(_ header: FrameHeader) throws(ProtocolError) {
    status = try .decode(try backend.reader(of: header, message: TransactionStatus.name))
    let hasDiscarded = progress?.tag == "DISCARD ALL" && progress?.errorCode.isEmpty == true
    if limited != nil, try failBeyondLimit(header) { return }
    switch replies.head {
    case .query(let id), .functionCall(let id):
      finish(id, progress?.errorCode.isEmpty == false ? .failed : .completed)
      replies.removeHead()
    case .sync, .failingQuery: replies.removeHead()
    case .none: throw .backend("the backend is ready again while nothing is under way")
    case .parse, .bind, .describeStatement, .describePortal, .injectedDescribe, .execute, .closeStatement,
      .closePortal, .catalog, .failingParse:
      throw .backend("the backend is ready while replies are due")
    }
    progress = nil
    queryMask = nil
    explainedCancel = nil
    isCopyingIn = false
    isCopyingBoth = false
    copyMask = nil
    if status == .idle, replies.isEmpty, !isSegmentOpen {
      // Portals end with their transaction.
      forgetPortals()
      endCursors()
      if !cursorLimits.isEmpty { cursorLimits.endTransaction() }
      portalMasks.removeAll()
      tap?.forgetPortals()
      shadow?.forgetPortals()
      names.settle()
      if hasDiscarded { names.discarded() }
    }
    backend.pass(header)
  }

  // MARK: Errors

  mutating func takeError(_ header: FrameHeader, _ fields: ErrorFields) throws(ProtocolError) {
    let code = fields[ErrorFields.sqlState] ?? "XX000"
    isCopyingIn = false
    copyMask = nil
    let severity = fields[ErrorFields.severityNonLocalized] ?? fields[ErrorFields.severity] ?? ""
    if severity == "FATAL" || severity == "PANIC" { backendIsLeaving = true }
    if limited != nil, isBeyondLimit, !backendIsLeaving { return passLimitError(header) }
    switch replies.head {
    case .query, .functionCall:
      beginProgressIfNeeded()
      progress?.errorCode = code
      passError(header, code, fields)
    // The last words of a backend that goes away are no answer to the failing statement.
    case .failingQuery where backendIsLeaving, .failingParse where backendIsLeaving: backend.pass(header)
    case .failingQuery(let refusal): swap(header, for: refusal)
    case .failingParse(let refusal):
      swap(header, for: refusal)
      skipAfterError(code)
    case .parse, .bind, .describeStatement, .describePortal, .injectedDescribe, .execute, .closeStatement,
      .closePortal:
      passError(header, code, fields)
      skipAfterError(code)
    // Of a commit that failed at Sync, or from the backend's own end.
    case .none, .sync: passError(header, code, fields)
    case .catalog:
      passError(header, code, fields)
      guard answersInSegment != nil, !backendIsLeaving else { return }
      answersInSegment = nil
      skipAfterError(code)
    }
  }

  /// The backend's words, or ours where the gateway itself cancelled the command.
  private mutating func passError(_ header: FrameHeader, _ code: String, _ said: ErrorFields) {
    guard let fields = takeExplanation(of: code) ?? concealed(said) else { return backend.pass(header) }
    swap(header, for: fields)
  }

  private mutating func swap(_ header: FrameHeader, for refusal: Refusal) { swap(header, for: ErrorFields(refusal)) }

  mutating func swap(_ header: FrameHeader, for fields: ErrorFields) {
    backend.drop(header)
    var answer = ByteBuffer()
    fields.encodeError(into: &answer)
    backend.inject(answer)
  }

  /// After an error in the extended protocol everything up to the next Sync goes unanswered; what waits for a verdict
  /// in that stretch will not run either.
  mutating func skipAfterError(_ code: String) {
    let (skipped, reachesSync) = replies.skipToSync()
    var isFirst = true
    var told: Set<CommandID> = []
    if let lastFinished { told.insert(lastFinished) }
    for reply in skipped {
      switch reply {
      case .parse(let id, let statement):
        statements.parseFailed(statement)
        if isFirst { finish(id, .failed, code) }
      case .bind(let id, let portal):
        // The name may still stand for the portal that it stood for before.
        forgetPortal(portal)
        if told.insert(id).inserted { finish(id, isFirst ? .failed : .skipped, isFirst ? code : "") }
      case .execute(let id, _), .query(let id), .functionCall(let id):
        if told.insert(id).inserted { finish(id, isFirst ? .failed : .skipped, isFirst ? code : "") }
      case .describePortal(_, let portal), .injectedDescribe(_, let portal): describedPortals[portal] = nil
      case .describeStatement, .closeStatement, .closePortal, .sync, .catalog,
        .failingQuery, .failingParse:
        break
      }
      isFirst = false
    }
    progress = nil
    guard !reachesSync else { return }
    skipping = .untilSync
    switch clientStall {
    case .none, .replies: break
    case .analysis: clientStall = .none
    case .values(let pending, _):
      // Not recorded yet, so there is no end to tell.
      clientStall = .none
      client.drop(pending.header)
    case .verdict(let pending):
      clientStall = .none
      client.drop(pending.header)
      events.append(.finished(pending.id, Outcome(ending: .skipped)))
    }
  }

  mutating func finish(_ id: CommandID, _ ending: Outcome.Ending, _ errorCode: String = "") {
    var outcome = Outcome(ending: ending, errorCode: errorCode)
    if let progress, progress.id == id {
      outcome.tag = progress.tag
      outcome.rows = progress.rows
      outcome.bytes = progress.bytes
      outcome.masked = progress.masked
      outcome.wouldMask = progress.wouldMask
      if errorCode.isEmpty { outcome.errorCode = progress.errorCode }
    }
    progress = nil
    if !copyingOut.isEmpty { copyingOut[id] = nil }
    // A portal that stopped at its row limit goes on, and its end is still to be told.
    lastFinished = ending == .suspended ? nil : id
    if !preparing.isEmpty { settlePrepare(id, outcome) }
    if !declaring.isEmpty { settleDeclare(id, outcome) }
    if let ended = limited, ended.id == id { limited = nil }
    tap?.ended(id)
    events.append(.finished(id, outcome))
  }
}
