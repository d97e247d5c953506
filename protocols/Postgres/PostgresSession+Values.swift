import AccessModel
import NIOCore

/// Messages whose values may be of any length: Bind, FunctionCall and CopyData. A long one is decided by its front, and
/// what follows passes as it comes, or is dropped as it comes; it is never kept.
///
/// Nobody reads the values on their way. Their lengths may be wrong: the backend still takes the message as the one
/// that its header says it is, and answers with its own error.
extension PostgresSession {
  /// A Bind of which only the front is looked at.
  mutating func takeLongBind(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    guard let front = try frontOfValues(header) else { return false }
    let message = try BindMessage.decodeFront(front)
    return askToBind(
      header, portal: message.portal, statement: message.statement,
      partial(count: message.parameterCount, message.parameters, of: front, header))
  }

  mutating func takeFunctionCall(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    guard header.bodyLength > limits.wholeValues else {
      guard client.holds(header) else { return false }
      let message = try FunctionCallMessage.decode(try client.body(of: header))
      return ask(.functionCall, header, functionCallCommand(message, message.values))
    }
    guard let front = try frontOfValues(header) else { return false }
    let message = try FunctionCallMessage.decodeFront(front)
    return ask(
      .functionCall, header,
      functionCallCommand(message, partial(count: message.argumentCount, message.arguments, of: front, header)))
  }

  private func functionCallCommand(_ message: FunctionCallMessage, _ parameters: Parameters) -> Command {
    opaqueCommand("FunctionCall \(message.function)", parameters)
  }

  mutating func takeCopyData(_ header: FrameHeader) throws(ProtocolError) -> Bool {
    try requirePossibleLength(header)
    forward(header, under: ControlPermit(.copyData))
    return true
  }

  /// As much of the body as is decided; nil while it is not here. Always the same length, so that the decision does not
  /// depend on how the bytes came.
  private func frontOfValues(_ header: FrameHeader) throws(ProtocolError) -> ByteBuffer? {
    try requirePossibleLength(header)
    guard client.pending >= FrameHeader.size + limits.wholeValues else { return nil }
    return client.front(limits.wholeValues)
  }

  /// PostgreSQL gives a connection up over a longer message (CVE-2024-27304: lengths that wrap around).
  private func requirePossibleLength(_ header: FrameHeader) throws(ProtocolError) {
    guard header.bodyLength <= limits.message else { throw .client("invalid message length \(header.bodyLength + 4)") }
  }

  private func partial(
    count: Int, _ values: ByteBuffer, of front: ByteBuffer, _ header: FrameHeader
  ) -> Parameters {
    let before = front.readableBytes - values.readableBytes
    return Parameters(
      count: count, front: Array(values.readableBytesView), byteCount: header.bodyLength - before,
      isObtainable: header.bodyLength <= limits.heldValues)
  }

  // MARK: Values that must be here whole

  /// Answers `.command` when it can only be decided with all its values: keeps them until they are here, and asks again.
  public mutating func awaitValues(of id: CommandID, _ command: Command) throws(ProtocolError) {
    guard case .verdict(let pending) = clientStall, pending.id == id else { return }
    guard command.parameters.isObtainable, pending.header.bodyLength <= limits.heldValues else {
      throw ProtocolError(fault: .gateway, code: "XX000", message: "values too long to be kept were asked for")
    }
    clientStall = .values(pending, command)
    try completeValues()
  }

  mutating func completeValues() throws(ProtocolError) {
    guard case .values(let pending, var command) = clientStall, client.holds(pending.header) else { return }
    let body = try client.body(of: pending.header)
    do throws(ProtocolError) {
      switch pending.kind {
      case .bind: command.parameters = try BindMessage.decode(body).values
      case .functionCall: command.parameters = try FunctionCallMessage.decode(body).values
      case .query, .replication, .parse, .execute, .oversized: break
      }
    } catch {
      // Nothing of it is recorded yet.
      clientStall = .none
      refuseMalformed(pending.header, error)
      return try advanceClient()
    }
    clientStall = .verdict(pending)
    events.append(.command(pending.id, command))
  }
}

extension Parameters {
  /// Whether any of the values is in binary format, which cannot be read without its type.
  var hasBinary: Bool {
    guard encoded.count >= 4, encoded[0] | encoded[1] != 0 else { return false }
    let formats = Int(encoded[0]) << 8 | Int(encoded[1])
    return encoded.dropFirst(2).prefix(2 * formats).contains { $0 != 0 }
  }
}

extension BindMessage {
  /// The values as a command carries them.
  var values: Parameters {
    parameterCount == 0
      ? .none : Parameters(count: parameterCount, encoded: Array(parameters.readableBytesView))
  }
}

extension FunctionCallMessage {
  /// The arguments as a command carries them.
  var values: Parameters {
    argumentCount == 0
      ? .none : Parameters(count: argumentCount, encoded: Array(arguments.readableBytesView))
  }
}
