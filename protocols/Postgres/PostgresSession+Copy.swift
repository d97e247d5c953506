import AccessModel
import NIOCore

/// COPY to the client under masks: columns are asked about when it begins, rows are rewritten as they come.
extension PostgresSession {
  /// Asks what becomes of the columns. The backend does not describe them: what they come from the statement tells, and
  /// where it names another number of columns than there are, nothing is known of them.
  mutating func takeCopyOutResponse(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    beginProgressIfNeeded()
    try beginLimitedCopy(header)
    guard let id = progress?.id, let known = copyingOut[id] else {
      throw .backend("the backend sends COPY data that the gateway did not see coming", code: "42501")
    }
    let response = try CopyResponse.decode(try backend.body(of: header), message: "CopyOutResponse")
    guard let terms = known ?? CopyTerms.unknown(response) else {
      throw .backend("the backend sends COPY data that masks cannot be applied to", code: "42501")
    }
    copyOutIsBinary = response.format != 0
    guard (response.format != 0) == (terms.format == .binary) else {
      throw .backend("the backend sends COPY data in another format than was asked for", code: "42501")
    }
    let count = response.columnFormats.count
    let columns = terms.columns.flatMap { $0.count == count ? $0 : nil }
    let description = RowDescription(
      columns: (0..<count).map { index in
        RowDescription.Column(
          name: ByteBuffer(string: columns?[index].name ?? ""), table: 0, attribute: 0,
          type: columns?[index].type ?? 0, typeSize: -1, typeModifier: columns?[index].modifier ?? -1,
          format: response.format == 0 ? 0 : 1)
      })
    askForPlan(PendingColumns(id: id, description: description, use: .copy(terms), header: header))
    return false
  }

  /// Rewrites all pieces that are here whole into one buffer.
  mutating func maskCopy(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    let limit = limits.maskedRow
    let most = rowsLeft
    guard header.bodyLength <= limit else {
      throw .backend("a row of \(header.bodyLength) bytes is too long to be masked", code: "54000")
    }
    guard backend.holds(header), var mask = copyMask else { return false }
    copyMask = nil
    var rewritten = ByteBufferAllocator().buffer(capacity: backend.pending + backend.pending / 8)
    var frames = 0
    try backend.replace(with: &rewritten) { bytes, output throws(ProtocolError) in
      let done = try mask.rewriteFrames(bytes, limit: limit, upTo: most, into: &output)
      frames = done.frames
      return done.bytes
    }
    count(rows: frames, bytes: rewritten.readableBytes)
    progress?.masked = mask.names
    copyMask = mask
    if isWatched { tellCopy(rewritten) }
    return true
  }

  private mutating func tellCopy(_ frames: ByteBuffer) {
    guard let id = progress?.id else { return }
    var rest = frames
    while let header = try? FrameHeader.peek(rest, offset: 0, from: .backend), rest.readableBytes >= header.frameLength,
      let frame = rest.readSlice(length: header.frameLength)
    {
      guard let body = frame.getSlice(at: frame.readerIndex + FrameHeader.size, length: header.bodyLength) else {
        return
      }
      events += tap?.stream(body, of: id) ?? []
      if let shadow { progress?.note(shadow: shadow.found(in: body)) }
    }
  }

  /// The stream is over; a row that is not whole is not let out.
  mutating func endCopy(_ header: FrameHeader) throws(ProtocolError) {
    guard copyMask?.isBetweenRows ?? true else { throw .backend("COPY data ends within a row", code: "08P01") }
    copyMask = nil
    backend.pass(header)
  }
}

extension CopyTerms {
  /// Where nothing of the statement is known: a stream that nothing may be masked in.
  fileprivate static func unknown(_ response: CopyResponse) -> CopyTerms? {
    var terms = CopyTerms(response.format == 0 ? .text : .binary)
    terms.obstacle = "its options are not known"
    return terms
  }
}
