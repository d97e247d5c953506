import AccessModel
import NIOCore

/// Every message with a type byte that a client may send in protocol 3.0 to 3.2, decoded; for tests and tools.
///
/// The session looks at frames and decodes what it needs. What it does not know, it refuses; this keeps it.
public enum FrontendMessage: Hashable, Sendable {
  case bind(BindMessage)
  case close(StatementReference)
  case copyData(CopyData)
  case copyDone
  case copyFail(CopyFail)
  case describe(StatementReference)
  case execute(ExecuteMessage)
  case flush
  case functionCall(FunctionCallMessage)
  case parse(ParseMessage)
  case password(PasswordMessage)
  case query(QueryMessage)
  case sync
  case terminate
  case unrecognized(UnrecognizedMessage)

  /// Decodes one message.
  ///
  /// - Parameter request: what the backend asked last while it authenticates; `p` means something else after each.
  public static func decode(
    tag: UInt8, _ body: ByteBuffer, answering request: AuthenticationRequest? = nil
  ) throws(ProtocolError) -> FrontendMessage {
    switch tag {
    case FrontendTag.bind: return .bind(try BindMessage.decode(body))
    case FrontendTag.close: return .close(try StatementReference.decode(body, message: "Close"))
    case FrontendTag.copyData: return .copyData(CopyData.decode(body))
    case FrontendTag.copyDone: return try empty(.copyDone, body, "CopyDone")
    case FrontendTag.copyFail: return .copyFail(try CopyFail.decode(body))
    case FrontendTag.describe: return .describe(try StatementReference.decode(body, message: "Describe"))
    case FrontendTag.execute: return .execute(try ExecuteMessage.decode(body))
    case FrontendTag.flush: return try empty(.flush, body, "Flush")
    case FrontendTag.functionCall: return .functionCall(try FunctionCallMessage.decode(body))
    case FrontendTag.parse: return .parse(try ParseMessage.decode(body))
    case FrontendTag.query: return .query(try QueryMessage.decode(body))
    case FrontendTag.sync: return try empty(.sync, body, "Sync")
    case FrontendTag.terminate: return try empty(.terminate, body, "Terminate")
    case FrontendTag.password:
      guard let request, let message = try PasswordMessage.decode(body, answering: request) else {
        return .unrecognized(UnrecognizedMessage(tag: tag, payload: body))
      }
      return .password(message)
    case _: return .unrecognized(UnrecognizedMessage(tag: tag, payload: body))
    }
  }

  private static func empty(
    _ message: FrontendMessage, _ body: ByteBuffer, _ name: StaticString
  ) throws(ProtocolError) -> FrontendMessage {
    try EmptyMessage.decode(body, from: .client, message: name)
    return message
  }

  /// Appends the whole message.
  public func encode(into buffer: inout ByteBuffer) {
    switch self {
    case .bind(let message): message.encode(into: &buffer)
    case .close(let reference): reference.encode(tag: FrontendTag.close, into: &buffer)
    case .copyData(let message): message.encode(into: &buffer)
    case .copyDone: EmptyMessage.encode(tag: FrontendTag.copyDone, into: &buffer)
    case .copyFail(let message): message.encode(into: &buffer)
    case .describe(let reference): reference.encode(tag: FrontendTag.describe, into: &buffer)
    case .execute(let message): message.encode(into: &buffer)
    case .flush: EmptyMessage.encode(tag: FrontendTag.flush, into: &buffer)
    case .functionCall(let message): message.encode(into: &buffer)
    case .parse(let message): message.encode(into: &buffer)
    case .password(let message): message.encode(into: &buffer)
    case .query(let message): message.encode(into: &buffer)
    case .sync: EmptyMessage.encode(tag: FrontendTag.sync, into: &buffer)
    case .terminate: EmptyMessage.encode(tag: FrontendTag.terminate, into: &buffer)
    case .unrecognized(let message): message.encode(into: &buffer)
    }
  }
}
