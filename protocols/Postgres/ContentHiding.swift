import AccessModel
import Detection
import NIOCore

/// Where a rule looks at contents: rows, COPY to the client, results of functions, notifications, and the words of errors.
extension PostgresSession {
  /// Whether rows are looked at, by column or by content.
  var looksAtRows: Bool { maskable || contents != nil }

  /// How rows of these columns are looked at where no column is masked.
  func contentMask(_ header: FrameHeader) throws(ProtocolError) -> RowMask? {
    guard contents != nil else { return nil }
    return RowMask(
      plan: .identity, description: try RowDescription.decode(try backend.body(of: header)), key: maskKey,
      contents: contents)
  }

  /// COPY data for the client: in text one line of a row, in binary its fields. Returns false when it is not here whole.
  mutating func takeCopyData(_ header: FrameHeader, _ contents: ContentMasks) throws(ProtocolError) -> Bool {
    guard header.bodyLength <= limits.maskedRow else {
      throw .backend("a row of \(header.bodyLength) bytes is too long to be looked at", code: "54000")
    }
    guard backend.holds(header) else { return false }
    beginProgressIfNeeded()
    let body = try backend.body(of: header)
    count(rows: 1, bytes: header.frameLength)
    let look = CopyLook(contents, maskKey)
    guard let hidden = look.hidden(body, isBinary: copyOutIsBinary) else {
      if isWatched { _ = try tapStream(header) }
      backend.pass(header)
      return true
    }
    backend.drop(header)
    var frame = ByteBuffer()
    CopyData(data: hidden).encode(into: &frame)
    if let id = progress?.id { events += tap?.stream(hidden, of: id) ?? [] }
    if let shadow { progress?.note(shadow: shadow.found(in: hidden)) }
    backend.inject(frame)
    return true
  }

  /// A COPY to the client begins.
  mutating func noteCopyFormat(_ header: FrameHeader) throws(ProtocolError) {
    beginProgressIfNeeded()
    let response = try CopyResponse.decode(try backend.body(of: header), message: "CopyOutResponse")
    copyOutIsBinary = response.format != 0
    try beginLimitedCopy(header)
    backend.pass(header)
  }

  /// What a function returned (FunctionCall): of a type that is not known, so that all of it goes.
  mutating func takeFunctionResult(_ header: FrameHeader) throws(ProtocolError) {
    beginProgressIfNeeded()
    guard let contents else { return backend.pass(header) }
    let result = try FunctionCallResponse.decode(try backend.body(of: header))
    let mask = SpanMask(contents, key: maskKey, type: .other, isBinary: true, label: .none)
    let isHit = result.value?.withUnsafeReadableBytes { mask?.findings($0).isEmpty == false } ?? false
    guard isHit else {
      if isWatched { _ = try tapStream(header) }
      return backend.pass(header)
    }
    backend.drop(header)
    var frame = ByteBuffer()
    FunctionCallResponse(value: nil).encode(into: &frame)
    backend.inject(frame)
  }
}

extension PostgresSession {
  /// What somebody, perhaps in another session, said by NOTIFY: the payload is text. The channel is one that the client
  /// named itself.
  mutating func takeNotification(_ header: FrameHeader) throws(ProtocolError) {
    beginProgressIfNeeded()
    let mask = contents.flatMap {
      SpanMask($0, key: maskKey, type: .text(isPadded: false), isBinary: false, label: .none)
    }
    var notification = try NotificationResponse.decode(try backend.body(of: header))
    let hidden = notification.payload.withUnsafeReadableBytes { bytes -> [UInt8]? in
      guard let mask else { return nil }
      let findings = mask.findings(bytes)
      // There is no NULL: all of it goes.
      return findings.isEmpty ? nil : mask.hidden(bytes, findings) ?? []
    }
    guard let hidden else { return backend.pass(header) }
    backend.drop(header)
    notification.payload = ByteBuffer(bytes: hidden)
    var frame = ByteBuffer()
    notification.encode(into: &frame)
    backend.inject(frame)
  }
}

extension PostgresSession.PendingColumns {
  /// What is looked for in rows of these columns. Pieces of a COPY that no mask rewrites are looked at as they come.
  func contents(_ contents: ContentMasks?, _ plan: MaskPlan) -> ContentMasks? {
    if case .copy = use, plan.isIdentity { return nil }
    return contents
  }
}

extension ErrorFields {
  /// The same with what detectors find in it hidden; nil when they find nothing.
  func hiding(_ contents: ContentMasks) -> ErrorFields? {
    guard let mask = SpanMask(contents, key: MaskKey([]), type: .text(isPadded: false), isBinary: false, label: .none)
    else { return nil }
    var hidden = self
    var isChanged = false
    for index in fields.indices {
      let text = fields[index].value
      text.withUnsafeReadableBytes { bytes in
        let findings = mask.findings(bytes).map { ($0.finding, Mask.redact) }
        if findings.isEmpty { return }
        isChanged = true
        hidden.fields[index].value = ByteBuffer(bytes: mask.hidden(bytes, findings) ?? [])
      }
    }
    return isChanged ? hidden : nil
  }
}

/// Looks at pieces of a COPY to the client: PostgreSQL sends a row in each.
struct CopyLook {
  private let text: SpanMask?
  private let json: SpanMask?
  private let jsonb: SpanMask?

  init(_ contents: ContentMasks, _ key: MaskKey) {
    func mask(_ type: ValueType) -> SpanMask? {
      SpanMask(contents, key: key, type: type, isBinary: true, label: .none)
    }
    text = mask(.text(isPadded: false))
    json = mask(.json)
    jsonb = mask(.jsonb)
  }

  /// nil when nothing is found.
  func hidden(_ body: ByteBuffer, isBinary: Bool) -> ByteBuffer? {
    body.withUnsafeReadableBytes { bytes in
      if isBinary { return fields(bytes) }
      guard let text else { return nil }
      let findings = text.findings(bytes)
      if findings.isEmpty { return nil }
      // NULL has a spelling of its own in each COPY: what would become NULL is redacted.
      let shown = findings.map { finding, mask in
        (finding, CopyLook.isNumber(bytes, finding.range.lowerBound) ? .fixed("0") : mask == .null ? Mask.redact : mask)
      }
      return text.hidden(bytes, shown).map { ByteBuffer(bytes: $0) }
    }
  }

  /// Whether a number of JSON stands there: right behind a key or the beginning of a list.
  private static func isNumber(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> Bool {
    var before = place - 1
    while before > 0, bytes[before] == UInt8(ascii: " ") { before -= 1 }
    guard before > 0 else { return false }
    return bytes[before] == UInt8(ascii: "[")
      || bytes[before] == UInt8(ascii: ":") && bytes[before - 1] == UInt8(ascii: "\"")
  }

  /// As far as a piece shows it: text has no zero bytes, and lengths of fields do.
  static func isBinary(_ body: ByteBuffer) -> Bool { body.readableBytesView.contains(0) }

  private static let signature = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0]

  /// A header, perhaps, and then the number of fields with their lengths (PostgreSQL, COPY, "Binary Format").
  private func fields(_ bytes: UnsafeRawBufferPointer) -> ByteBuffer? {
    var place = 0
    if bytes.starts(with: CopyLook.signature) {
      guard bytes.count >= 19 else { return nil }
      place = 19 + Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 15, as: UInt32.self)))
    }
    guard place + 2 <= bytes.count else { return nil }
    var out = ByteBuffer(bytes: bytes[..<(place + 2)])
    var isChanged = false
    place += 2
    while place + 4 <= bytes.count {
      let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: place, as: Int32.self)))
      let end = place + 4 + max(0, length)
      guard end <= bytes.count else { break }
      let value = UnsafeRawBufferPointer(rebasing: bytes[(place + 4)..<end])
      if let mask = mask(of: value) {
        let findings = mask.findings(value)
        if !findings.isEmpty {
          isChanged = true
          let hidden = mask.hidden(value, findings)
          out.writeInteger(Int32(truncatingIfNeeded: hidden?.count ?? -1))
          out.writeBytes(hidden ?? [])
          place = end
          continue
        }
      }
      out.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[place..<end]))
      place = end
    }
    out.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[place...]))
    return isChanged ? out : nil
  }

  /// COPY tells no types. What is not text in binary holds bytes that no text has.
  private func mask(of value: UnsafeRawBufferPointer) -> SpanMask? {
    guard let first = value.first else { return nil }
    if first == 1 { return jsonb }
    guard !value.contains(0) else { return nil }
    return first == UInt8(ascii: "{") || first == UInt8(ascii: "[") ? json : text
  }
}
