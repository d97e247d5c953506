import AccessModel
import NIOCore

/// The backend's side: frames are matched to the replies owed, and pass, change or are swallowed.
extension PostgresSession {
  mutating func advanceBackend() throws(ProtocolError) {
    while case .none = backendStall, let header = try backend.nextHeader() {
      if !backend.isInsideFrame, !deferredNotices.isEmpty {
        for notice in deferredNotices { backend.inject(notice) }
        deferredNotices.removeAll()
      }
      guard try takeBackendFrame(header) else { break }
    }
    if newTerms != nil { takeUpTermsIfSettled() }
    if case .replies = clientStall, replies.isEmpty { clientStall = .none }
    // An error can have freed the client's frames, or an answer those that waited for it.
    if client.pending > 0 { try advanceClient() }
  }

  /// Deals with the next frame. Returns false when it must wait for bytes, names or a plan.
  private mutating func takeBackendFrame(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    if replies.owesCatalog, case .catalog = replies.head, let isTaken = try takeCatalogFrame(header) { return isTaken }
    switch header.tag {
    case BackendTag.dataRow: return try takeDataRow(header)
    case BackendTag.copyData:
      if limited != nil, let isTaken = try takeLimitedCopyData(header) { return isTaken }
      if copyMask != nil { return try maskCopy(header) }
      if let contents, replication == nil { return try takeCopyData(header, contents) }
      if isWatched {
        guard try tapStream(header) else { return false }
      }
      count(rows: 1, bytes: header.frameLength)
      backend.pass(header)
      return true
    case _:
      if limited != nil, isBeyondLimit, let isTaken = try takeFrameBeyondLimit(header) { return isTaken }
      guard header.bodyLength <= limits.backendMessage else { return try takeLongFrame(header) }
      guard backend.holds(header) else { return false }
      return try takeWholeFrame(header)
    }
  }

  /// A frame that is longer than we keep passes as it comes, where nothing in it has to be seen.
  private mutating func takeLongFrame(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    switch (header.tag, replies.head) {
    case (BackendTag.functionCallResponse, .functionCall) where !looksAtRows:
      beginProgressIfNeeded()
      progress?.bytes += header.frameLength
      backend.pass(header)
    case (BackendTag.noticeResponse, _) where !looksAtRows: backend.pass(header)
    case (BackendTag.errorResponse, _) where !looksAtRows:
      guard let front = backend.front(limits.shortMessage) else { return false }
      try takeError(header, try ErrorFields.decodeFront(front, from: .backend))
    case (let tag, _):
      throw .backend("the backend sent a message of \(header.bodyLength) bytes and type \(tag)")
    }
    return true
  }

  private mutating func takeWholeFrame(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    switch header.tag {
    case BackendTag.readyForQuery: try takeReadyForQuery(header)
    case BackendTag.commandComplete: try takeCommandComplete(header)
    case BackendTag.errorResponse:
      try takeError(header, try ErrorFields.decode(try backend.body(of: header), from: .backend))
    case BackendTag.rowDescription: return try takeRowDescription(header)
    case BackendTag.parameterStatus:
      let setting = try ParameterStatus.decode(try backend.body(of: header))
      noteSetting(setting.name, setting.value)
      backend.pass(header)
    case BackendTag.parseComplete, BackendTag.bindComplete, BackendTag.closeComplete, BackendTag.noData,
      BackendTag.parameterDescription, BackendTag.emptyQueryResponse, BackendTag.portalSuspended:
      try takeCompletion(header)
    case BackendTag.copyInResponse: try takeCopyInResponse(header)
    case BackendTag.copyBothResponse: try takeCopyBothResponse(header)
    case BackendTag.copyOutResponse where maskable: return try takeCopyOutResponse(header)
    case BackendTag.copyOutResponse where contents != nil: try noteCopyFormat(header)
    case BackendTag.copyDone where copyMask != nil: try endCopy(header)
    case BackendTag.noticeResponse where looksAtRows: try takeNotice(header, try backend.body(of: header))
    case BackendTag.functionCallResponse where contents != nil: try takeFunctionResult(header)
    case BackendTag.notificationResponse where contents != nil: try takeNotification(header)
    case BackendTag.copyOutResponse, BackendTag.copyDone, BackendTag.functionCallResponse, BackendTag.noticeResponse,
      BackendTag.notificationResponse:
      beginProgressIfNeeded()
      if limited != nil, header.tag == BackendTag.copyOutResponse { try beginLimitedCopy(header) }
      if isWatched, header.tag == BackendTag.functionCallResponse { _ = try tapStream(header) }
      backend.pass(header)
    case let tag:
      throw .backend("the backend sent unexpected message type \(tag)")
    }
    return true
  }

  /// The client copies from now on. Nothing may have gone to the backend behind the COPY: it would read it otherwise.
  private mutating func takeCopyInResponse(_ header: FrameHeader) throws(ProtocolError) {
    guard replies.count == 1 else { throw .backend("the backend began a COPY that the gateway did not see coming") }
    isCopyingIn = true
    if case .replies = clientStall { clientStall = .none }
    backend.pass(header)
  }

  // MARK: Rows

  private mutating func takeDataRow(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    beginProgressIfNeeded()
    let left = rowsLeft
    if left == 0 { return dropBeyondLimit(header) }
    guard let mask = try activeMask() else {
      if isWatched { return try passTappedRows(header, upTo: left) }
      let (rows, bytes) = try backend.passRows(upTo: left)
      guard rows > 0 else {
        // A row that is not here whole: passes as it comes.
        count(rows: 1, bytes: header.frameLength)
        backend.pass(header)
        return true
      }
      count(rows: rows, bytes: bytes)
      return true
    }
    guard header.bodyLength <= limits.maskedRow else {
      throw .backend("a row of \(header.bodyLength) bytes is too long to be masked", code: "54000")
    }
    guard backend.holds(header) else { return false }
    try maskRows(mask, upTo: left)
    return true
  }

  /// Rewrites all rows that are here whole into one buffer, `most` at most.
  private mutating func maskRows(_ mask: RowMask, upTo most: Int) throws(ProtocolError) {
    var rewritten = ByteBufferAllocator().buffer(capacity: backend.pending + backend.pending / 8)
    let limit = limits.maskedRow
    var rows = 0
    var found = RowMask.Found()
    try backend.replace(with: &rewritten) { bytes, output throws(ProtocolError) in
      let done = try mask.rewriteFrames(bytes, limit: limit, upTo: most, into: &output, found: &found)
      rows = done.rows
      return done.bytes
    }
    count(rows: rows, bytes: rewritten.readableBytes)
    progress?.note(mask, found)
    if isWatched, let id = progress?.id { tell(rewritten, of: id) }
  }

  /// The mask of the rows that are due; nil when they pass. A row whose columns were never told is an error under
  /// masks: nothing passes that could not be looked at.
  private mutating func activeMask() throws(ProtocolError) -> RowMask? {
    guard looksAtRows else { return nil }
    switch replies.head {
    case .query:
      guard let known = queryMask else { throw .backend("rows came before their columns were known") }
      return known
    case .execute(_, let portal):
      guard let known = portalMasks[portal] else { throw .backend("rows came before their columns were known") }
      return known
    case .none, .functionCall, .parse, .bind, .describeStatement, .describePortal, .injectedDescribe,
      .closeStatement, .closePortal, .sync, .catalog, .failingQuery, .failingParse:
      throw .backend("the backend sent a row that nothing asked for")
    }
  }

  mutating func beginProgressIfNeeded() {
    guard progress == nil else { return }
    switch replies.head {
    case .query(let id), .functionCall(let id), .execute(let id, _): progress = Progress(id: id)
    case .none, .parse, .bind, .describeStatement, .describePortal, .injectedDescribe, .closeStatement, .closePortal,
      .sync, .catalog, .failingQuery, .failingParse:
      break
    }
  }

  // MARK: Columns

  private mutating func takeRowDescription(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    beginProgressIfNeeded()
    let use: PendingColumns.Use
    let command: CommandID?
    switch replies.head {
    case .query(let id): (use, command) = (.query, id)
    case .describePortal(let id, let portal):
      (use, command) = (.portal(portal), id)
    case .injectedDescribe(let id, let portal):
      (use, command) = (.injected(portal), id)
    case .describeStatement:
      replies.removeHead()
      backend.pass(header)
      return true
    case .none, .functionCall, .parse, .bind, .execute, .closeStatement, .closePortal, .sync, .catalog, .failingQuery,
      .failingParse:
      throw .backend("the backend described columns that nothing asked for")
    }
    if isWatched { tapColumns(use, command, try backend.body(of: header)) }
    guard maskable else {
      takeColumns(use, header, try contentMask(header))
      return true
    }
    let version = analyses.columnsVersion
    if let version, let known = try backend.withBody(of: header, { knownColumns.find($0, version: version) }) {
      takeColumns(use, header, known)
      return true
    }
    // Names are asked for each time: a column can have been renamed since the last result.
    relations.removeAll(keepingCapacity: true)
    var pending = PendingColumns(
      id: command ?? CommandID(0), description: try RowDescription.decode(try backend.body(of: header)), use: use,
      header: header)
    for column in pending.description.columns where column.table != 0 {
      pending.missing.insert(column.table)
    }
    if pending.description.columns.allSatisfy({ $0.table != 0 }) { pending.version = version }
    backendStall = .relations(pending)
    guard pending.missing.isEmpty else {
      for oid in pending.missing.sorted() { events.append(.needs(.relation(oid: oid))) }
      return false
    }
    askForPlan(pending)
    return false
  }

  private mutating func tapColumns(_ use: PendingColumns.Use, _ command: CommandID?, _ body: ByteBuffer) {
    switch use {
    case .query:
      shadow?.columns(body)
      if let command { events += tap?.columns(body, of: command) ?? [] }
    case .portal(let portal), .injected(let portal):
      shadow?.describe(portal: portal, body)
      tap?.describe(portal: portal, body)
    case .copy: break
    }
  }

  mutating func askForPlan(_ pending: PendingColumns) {
    backendStall = .plan(pending)
    events.append(.columns(pending.id, pending.description.columns.map { resultColumn($0) }))
  }

  private func resultColumn(_ column: RowDescription.Column) -> ResultColumn {
    let name = String(buffer: column.name)
    guard column.table != 0 else { return ResultColumn(name: name, origin: .computed) }
    // System columns (ctid, xmin …) hold nothing of a user's.
    if column.attribute < 0 { return ResultColumn(name: name, origin: .computed, source: .constant) }
    guard let relation = relations[column.table] ?? nil, let stored = relation.columns[column.attribute] else {
      return ResultColumn(name: name, origin: .unresolved)
    }
    return ResultColumn(
      name: name, origin: .column([relation.schema, relation.name, stored]), source: relation.sources[column.attribute])
  }

  /// Answers `.columns`.
  public mutating func mask(_ id: CommandID, with plan: MaskPlan) throws(ProtocolError) {
    guard case .plan(let pending) = backendStall, pending.id == id else { return }
    backendStall = .none
    let mask = RowMask(
      plan: plan, description: pending.description, key: maskKey, contents: pending.contents(contents, plan))
    // Of another reading than it began with, it may not be what the next result needs.
    if let version = pending.version, version == analyses.columnsVersion, backend.holds(pending.header) {
      knownColumns.add(try backend.body(of: pending.header), mask, version: version)
    }
    takeColumns(pending.use, pending.header, mask)
    try advanceBackend()
  }

  /// The columns of a result are known, with what to do to them: their description passes, or was asked for by us.
  private mutating func takeColumns(_ use: PendingColumns.Use, _ header: FrameHeader, _ mask: RowMask?) {
    switch use {
    case .query:
      queryMask = .some(mask)
      backend.pass(header)
    case .portal(let portal):
      portalMasks[portal] = .some(mask)
      replies.removeHead()
      backend.pass(header)
    case .injected(let portal):
      portalMasks[portal] = .some(mask)
      replies.removeHead()
      backend.drop(header)
    case .copy(let terms):
      copyMask = mask.map { CopyMask($0, terms) }
      backend.pass(header)
    }
  }
}
