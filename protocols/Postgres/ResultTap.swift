import AccessModel
import NIOCore

/// Copies of what the client gets of results, within bounds, for whoever records the session. A session without one does
/// nothing per row for it.
struct ResultTap {
  /// What is left for one command.
  private struct Budget {
    var id: CommandID
    var rows: Int
    var bytes: Int
    var isCut = false
  }
  private let bounds: ResultBounds
  /// What is looked for in what is told, and hidden in it; nil for nothing.
  private let contents: ContentMasks?
  /// How rows of the columns that were told last are looked at.
  private var mask: RowMask?
  /// Of the commands that sent something lately: a portal that stopped at its row limit goes on under its old one.
  private var budgets: [Budget] = []
  private static let remembered = 64
  /// The command whose columns were told last.
  private var described: CommandID?
  /// Bodies of RowDescription of portals, whose rows come later.
  private var descriptions = NameMap<[UInt8]>()

  init(_ bounds: ResultBounds, hiding contents: ContentMasks? = nil) {
    self.bounds = bounds
    self.contents = contents
  }

  private mutating func look(at columns: ByteBuffer) {
    guard let contents else { return }
    mask = (try? RowDescription.decode(columns)).flatMap {
      RowMask(plan: .identity, description: $0, key: MaskKey([]), contents: contents)
    }
  }

  /// Whole frames of rows as they are told.
  private func hidden(_ frames: ByteBuffer) -> [UInt8] {
    guard let mask else { return Array(frames.readableBytesView) }
    var (hidden, found) = (ByteBuffer(), RowMask.Found())
    let isRewritten = frames.withUnsafeReadableBytes { bytes in
      (try? mask.rewriteFrames(bytes, limit: .max, into: &hidden, found: &found))?.bytes == bytes.count
    }
    // What cannot be read as rows of these columns is not kept.
    return isRewritten ? Array(hidden.readableBytesView) : []
  }

  /// Whether a row or another piece of this many bytes would still be kept.
  func wants(_ bytes: Int, of id: CommandID) -> Bool {
    guard let known = budgets.last(where: { $0.id == id }) else { return bounds.rows > 0 && bytes <= bounds.bytes }
    return !known.isCut && known.rows > 0 && bytes <= known.bytes
  }

  mutating func describe(portal: String, _ body: ByteBuffer) { descriptions[portal] = Array(body.readableBytesView) }
  mutating func forget(portal: String) { descriptions[portal] = nil }

  mutating func forgetPortals() {
    descriptions.removeAll()
    budgets.removeAll()
    described = nil
  }

  /// The columns of a simple query's next result.
  mutating func columns(_ body: ByteBuffer, of id: CommandID) -> [SessionEvent] {
    described = id
    look(at: body)
    return [.result(id, .columns(Array(body.readableBytesView)))]
  }

  /// Whole frames of DataRow that go to the client.
  mutating func rows(_ frames: ByteBuffer, of id: CommandID, portal: String?) -> [SessionEvent] {
    let index = budget(of: id)
    guard !budgets[index].isCut else { return [] }
    var (kept, count) = (0, 0)
    var rest = frames
    while let header = try? FrameHeader.peek(rest, offset: 0, from: .backend), rest.readableBytes >= header.frameLength,
      count < budgets[index].rows, kept + header.frameLength <= budgets[index].bytes
    {
      kept += header.frameLength
      count += 1
      rest.moveReaderIndex(forwardBy: header.frameLength)
    }
    budgets[index].rows -= count
    budgets[index].bytes -= kept
    var events: [SessionEvent] = []
    if described != id, let portal, let columns = descriptions[portal] {
      events.append(.result(id, .columns(columns)))
      look(at: ByteBuffer(bytes: columns))
    }
    described = id
    if count > 0, let whole = frames.getSlice(at: frames.readerIndex, length: kept) {
      events.append(.result(id, .rows(hidden(whole), count: count)))
    }
    if rest.readableBytes > 0 { events.append(contentsOf: cut(index)) }
    return events
  }

  /// One piece of data without columns.
  mutating func stream(_ body: ByteBuffer, of id: CommandID) -> [SessionEvent] {
    let index = budget(of: id)
    guard !budgets[index].isCut else { return [] }
    guard budgets[index].rows > 0, body.readableBytes <= budgets[index].bytes else { return cut(index) }
    budgets[index].rows -= 1
    budgets[index].bytes -= body.readableBytes
    let hidden = contents.flatMap { CopyLook($0, MaskKey([])).hidden(body, isBinary: CopyLook.isBinary(body)) }
    return [.result(id, .stream(Array((hidden ?? body).readableBytesView)))]
  }

  /// Something that is not kept passed.
  mutating func skipped(of id: CommandID) -> [SessionEvent] {
    let index = budget(of: id)
    return budgets[index].isCut ? [] : cut(index)
  }

  /// The command ended, or its portal stopped: if it goes on, its columns are told again.
  mutating func ended(_ id: CommandID) { if described == id { described = nil } }

  private mutating func cut(_ index: Int) -> [SessionEvent] {
    budgets[index].isCut = true
    return [.result(budgets[index].id, .cut)]
  }

  private mutating func budget(of id: CommandID) -> Int {
    if let index = budgets.lastIndex(where: { $0.id == id }) { return index }
    if budgets.count >= ResultTap.remembered { budgets.removeFirst(ResultTap.remembered / 2) }
    budgets.append(Budget(id: id, rows: bounds.rows, bytes: bounds.bytes))
    return budgets.count - 1
  }
}

/// Where results pass the tap.
extension PostgresSession {
  /// Rows pass unchanged: those that are here whole, `limit` at most, of which those within the bounds are told. Returns false when the
  /// next one is wanted and is not here whole.
  mutating func passTappedRows(_ header: FrameHeader, upTo limit: Int) throws(ProtocolError) -> Bool {
    guard let id = progress?.id else { throw .backend("the backend sent a row that nothing asked for") }
    let (rows, bytes) = try backend.passRows(upTo: limit)
    if rows > 0 {
      if let passed = backend.lastPassed(bytes) { tell(passed, of: id) }
      count(rows: rows, bytes: bytes)
      return true
    }
    if isAwaited(header, of: id) { return false }
    events += tap?.skipped(of: id) ?? []
    count(rows: 1, bytes: header.frameLength)
    backend.pass(header)
    return true
  }

  /// Tells rows that go to the client, as they go.
  mutating func tell(_ rows: ByteBuffer, of id: CommandID) {
    var portal: String?
    if case .execute(_, let name) = replies.head { portal = name }
    if let shadow { progress?.note(shadow: shadow.found(in: rows, portal: portal)) }
    events += tap?.rows(rows, of: id, portal: portal) ?? []
  }

  /// COPY data, or what a function returned; returns false when it is wanted and not here whole.
  mutating func tapStream(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    beginProgressIfNeeded()
    guard isWatched, let id = progress?.id else { return true }
    let isKept = tap?.wants(header.bodyLength, of: id) == true
    let isLookedAt = shadow != nil && header.bodyLength <= ShadowLook.limit
    if !isKept { events += tap?.skipped(of: id) ?? [] }
    guard isKept || isLookedAt else { return true }
    guard backend.holds(header) else { return false }
    let body = try backend.body(of: header)
    if isLookedAt, let shadow { progress?.note(shadow: shadow.found(in: body)) }
    if isKept { events += tap?.stream(body, of: id) ?? [] }
    return true
  }
}
