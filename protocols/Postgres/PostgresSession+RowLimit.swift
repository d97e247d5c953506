import AccessModel
import NIOCore
import SQLAnalysis

/// Limits of rows (DECISIONS 9): so many reach the client, then an error in place of the rest, and a cancel at the backend.
///
/// What comes behind a limited command waits until it has ended: then a cancel hits nothing else, and if it comes too late, the
/// transaction can still be made to fail. Only a simple query outside a transaction block may have been carried out by then,
/// which its error says.
extension PostgresSession {
  /// SQLSTATE configuration_limit_exceeded.
  static let limitCode = "53400"

  // MARK: Sent

  /// A command goes to the backend: its rows are counted if its permit limits them, or those of a cursor that it fetches from.
  mutating func limit(_ id: CommandID, to allowance: RowAllowance?, _ analysis: Analysis?) {
    guard allowance != nil || !cursorLimits.isEmpty else { return }
    if let cursors = analysis?.traits.declaredCursors, !cursors.isEmpty {
      declaring.append(
        DeclaringCommand(
          id: id, cursors: cursors, limit: allowance?.limit, isAlone: analysis?.detail.statements.count == 1))
    }
    if let allowance, analysis?.mayOpenUnseenCursors ?? true { cursorLimits.ranUnknownCode(under: allowance.limit) }
    begin(id, allowance, cursors: analysis?.traits.fetchedCursors ?? [], analysis)
  }

  /// The same for a portal that nothing is known of but its name.
  mutating func limit(_ id: CommandID, to allowance: RowAllowance?, cursors: [String]) {
    guard allowance != nil || !cursorLimits.isEmpty else { return }
    begin(id, allowance, cursors: cursors, nil)
  }

  private mutating func begin(
    _ id: CommandID, _ allowance: RowAllowance?, cursors: [String], _ analysis: Analysis?
  ) {
    let allowances = (allowance.map { [$0] } ?? []) + cursorLimits.allowances(of: cursors)
    if !allowances.isEmpty { limited = LimitedCommand(id, allowances, analysis) }
  }

  /// A portal was bound under a limit, which is for all that is executed of it.
  mutating func limit(_ portal: String, to limit: RowLimit, _ analysis: Analysis?) {
    let allowance = analysis.map { $0.allowance(limit) } ?? RowAllowance(limit)
    portals[portal]?.allowance = allowance
    if let allowance { cursorLimits.set(portal, allowance) }
  }

  /// A DECLARE ended.
  mutating func settleDeclare(_ id: CommandID, _ outcome: Outcome) {
    guard let index = declaring.firstIndex(where: { $0.id == id }) else { return }
    let declared = declaring.remove(at: index)
    let isMade = outcome.ending == .completed && outcome.errorCode.isEmpty
    for cursor in declared.cursors {
      if declared.isAlone {
        guard isMade else { continue }
        cursorLimits.set(cursor.name, declared.limit.map { RowAllowance($0) }, isHeld: cursor.isHeld)
      } else if let limit = declared.limit {
        cursorLimits.add(cursor.name, limit, isHeld: cursor.isHeld)
      }
    }
  }

  // MARK: Counted

  /// Rows that may still pass of what is being answered.
  var rowsLeft: Int {
    guard let limited, progress?.id == limited.id else { return .max }
    return limited.left
  }

  /// Rows have passed.
  mutating func count(rows: Int, bytes: Int) {
    progress?.rows += rows
    progress?.bytes += bytes
    if let limited, progress?.id == limited.id { limited.take(rows) }
  }

  mutating func dropBeyondLimit(_ header: FrameHeader) -> Bool {
    if let limited, !limited.isOver {
      self.limited?.isOver = true
      events.append(.limitReached(limited.id))
    }
    backend.drop(header)
    return true
  }

  /// A COPY to the client begins.
  mutating func beginLimitedCopy(_ header: FrameHeader) throws(ProtocolError) {
    guard let limited, progress?.id == limited.id else { return }
    self.limited?.isBinary =
      try CopyResponse.decode(try backend.body(of: header), message: "CopyOutResponse").format == 1
    guard let hasHeader = limited.copyHeaders.first else { return }
    self.limited?.copyHeaders.removeFirst()
    if hasHeader { limited.give(1) }
  }

  /// A row of a COPY to the client; nil when it is to pass.
  mutating func takeLimitedCopyData(_ header: FrameHeader) throws(ProtocolError) -> Bool? {
    guard let limited, progress?.id == limited.id, limited.left <= 0 else { return nil }
    // Binary data ends with a piece that is no row: a count of columns of -1.
    if limited.isBinary, header.bodyLength == 2, !limited.isOver {
      guard backend.holds(header) else { return false }
      if try backend.withBody(of: header, { $0[0] == 0xFF && $0[1] == 0xFF }) {
        limited.give(1)
        return nil
      }
    }
    return dropBeyondLimit(header)
  }

  // MARK: Beyond

  /// Whether what is due belongs to a command of which the client got all that it may.
  var isBeyondLimit: Bool {
    guard let limited, limited.isOver else { return false }
    switch replies.head {
    case .query(let id), .execute(let id, _): return id == limited.id
    case .none, .functionCall, .parse, .bind, .describeStatement, .describePortal, .injectedDescribe, .closeStatement,
      .closePortal, .sync, .catalog, .failingQuery, .failingParse:
      return false
    }
  }

  /// Nothing more of such a command is for the client. Returns nil for what is dealt with as ever, false when bytes are
  /// missing.
  mutating func takeFrameBeyondLimit(_ header: FrameHeader) throws(ProtocolError) -> Bool? {
    switch header.tag {
    case BackendTag.rowDescription, BackendTag.copyOutResponse, BackendTag.copyDone, BackendTag.emptyQueryResponse:
      backend.drop(header)
    case BackendTag.commandComplete, BackendTag.portalSuspended:
      backend.drop(header)
      guard let limited, case .execute(let id, _) = replies.head else { return true }
      // It ended before it could be cancelled. Its transaction has not: the client's next message waits.
      finish(id, .failed, PostgresSession.limitCode)
      replies.removeHead()
      refuseThroughBackend(limited.refusal(isKept: false), isSimple: false)
    case BackendTag.copyInResponse:
      guard backend.holds(header) else { return false }
      backend.drop(header)
      var fail = ByteBuffer()
      fail.writeFrame(FrontendTag.copyFail) { $0.writeCString("the result before it has too many rows") }
      send(fail, under: ControlPermit(.copyData))
    case _: return nil
    }
    return true
  }

  /// The backend is ready behind a simple query that had too many rows. Returns true when that is not for the client.
  mutating func failBeyondLimit(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    guard isBeyondLimit, let limited, progress?.errorCode.isEmpty ?? true else { return false }
    beginProgressIfNeeded()
    progress?.errorCode = PostgresSession.limitCode
    guard status == .inTransaction else {
      var answer = ByteBuffer()
      ErrorFields(limited.refusal(isKept: true)).encodeError(into: &answer)
      backend.inject(answer)
      return false
    }
    // An error ends a transaction, also one of ours (DECISIONS 2).
    finish(limited.id, .failed, PostgresSession.limitCode)
    replies.removeHead()
    queryMask = nil
    backend.drop(header)
    refuseThroughBackend(limited.refusal(isKept: false), isSimple: true)
    return true
  }

  /// The backend's error, of the cancel or of its own, becomes the limit's.
  mutating func passLimitError(_ header: FrameHeader) {
    guard let limited else { return }
    beginProgressIfNeeded()
    swap(header, for: ErrorFields(limited.refusal(isKept: false)))
    if case .execute = replies.head {
      skipAfterError(PostgresSession.limitCode)
    } else {
      progress?.errorCode = PostgresSession.limitCode
    }
  }
}
