import AccessModel
import NIOCore

/// Every message that a backend may send in protocol 3.0 to 3.2, decoded; for tests and tools.
///
/// The session looks at frames and decodes what it needs. What it does not know, it refuses; this keeps it.
public enum BackendMessage: Hashable, Sendable {
  case authentication(AuthenticationRequest)
  case backendKeyData(BackendKeyData)
  case bindComplete
  case closeComplete
  case commandComplete(CommandTag)
  case copyData(CopyData)
  case copyDone
  case copyInResponse(CopyResponse)
  case copyOutResponse(CopyResponse)
  case copyBothResponse(CopyResponse)
  case dataRow(DataRow)
  case emptyQueryResponse
  case errorResponse(ErrorFields)
  case functionCallResponse(FunctionCallResponse)
  case negotiateProtocolVersion(NegotiateProtocolVersion)
  case noData
  case noticeResponse(ErrorFields)
  case notificationResponse(NotificationResponse)
  case parameterDescription(ParameterDescription)
  case parameterStatus(ParameterStatus)
  case parseComplete
  case portalSuspended
  case readyForQuery(TransactionStatus)
  case rowDescription(RowDescription)
  case unrecognized(UnrecognizedMessage)

  public static func decode(tag: UInt8, _ body: ByteBuffer) throws(ProtocolError) -> BackendMessage {
    switch tag {
    case BackendTag.authentication: return .authentication(try AuthenticationRequest.decode(body))
    case BackendTag.backendKeyData: return .backendKeyData(try BackendKeyData.decode(body))
    case BackendTag.bindComplete: return try empty(.bindComplete, body, "BindComplete")
    case BackendTag.closeComplete: return try empty(.closeComplete, body, "CloseComplete")
    case BackendTag.commandComplete: return .commandComplete(try CommandTag.decode(body))
    case BackendTag.copyData: return .copyData(CopyData.decode(body))
    case BackendTag.copyDone: return try empty(.copyDone, body, "CopyDone")
    case BackendTag.copyInResponse: return .copyInResponse(try CopyResponse.decode(body, message: "CopyInResponse"))
    case BackendTag.copyOutResponse: return .copyOutResponse(try CopyResponse.decode(body, message: "CopyOutResponse"))
    case BackendTag.copyBothResponse:
      return .copyBothResponse(try CopyResponse.decode(body, message: "CopyBothResponse"))
    case BackendTag.dataRow: return .dataRow(try DataRow.decode(body))
    case BackendTag.emptyQueryResponse: return try empty(.emptyQueryResponse, body, "EmptyQueryResponse")
    case BackendTag.errorResponse: return .errorResponse(try ErrorFields.decode(body, from: .backend))
    case BackendTag.functionCallResponse: return .functionCallResponse(try FunctionCallResponse.decode(body))
    case BackendTag.negotiateProtocolVersion:
      return .negotiateProtocolVersion(try NegotiateProtocolVersion.decode(body))
    case BackendTag.noData: return try empty(.noData, body, "NoData")
    case BackendTag.noticeResponse: return .noticeResponse(try ErrorFields.decode(body, from: .backend))
    case BackendTag.notificationResponse: return .notificationResponse(try NotificationResponse.decode(body))
    case BackendTag.parameterDescription: return .parameterDescription(try ParameterDescription.decode(body))
    case BackendTag.parameterStatus: return .parameterStatus(try ParameterStatus.decode(body))
    case BackendTag.parseComplete: return try empty(.parseComplete, body, "ParseComplete")
    case BackendTag.portalSuspended: return try empty(.portalSuspended, body, "PortalSuspended")
    case BackendTag.readyForQuery: return .readyForQuery(try TransactionStatus.decode(body))
    case BackendTag.rowDescription: return .rowDescription(try RowDescription.decode(body))
    case _: return .unrecognized(UnrecognizedMessage(tag: tag, payload: body))
    }
  }

  private static func empty(
    _ message: BackendMessage, _ body: ByteBuffer, _ name: StaticString
  ) throws(ProtocolError) -> BackendMessage {
    try EmptyMessage.decode(body, from: .backend, message: name)
    return message
  }

  /// Appends the whole message.
  public func encode(into buffer: inout ByteBuffer) {
    switch self {
    case .authentication(let message): message.encode(into: &buffer)
    case .backendKeyData(let message): message.encode(into: &buffer)
    case .bindComplete: EmptyMessage.encode(tag: BackendTag.bindComplete, into: &buffer)
    case .closeComplete: EmptyMessage.encode(tag: BackendTag.closeComplete, into: &buffer)
    case .commandComplete(let message): message.encode(into: &buffer)
    case .copyData(let message): message.encode(into: &buffer)
    case .copyDone: EmptyMessage.encode(tag: BackendTag.copyDone, into: &buffer)
    case .copyInResponse(let message): message.encode(tag: BackendTag.copyInResponse, into: &buffer)
    case .copyOutResponse(let message): message.encode(tag: BackendTag.copyOutResponse, into: &buffer)
    case .copyBothResponse(let message): message.encode(tag: BackendTag.copyBothResponse, into: &buffer)
    case .dataRow(let message): message.encode(into: &buffer)
    case .emptyQueryResponse: EmptyMessage.encode(tag: BackendTag.emptyQueryResponse, into: &buffer)
    case .errorResponse(let fields): fields.encodeError(into: &buffer)
    case .functionCallResponse(let message): message.encode(into: &buffer)
    case .negotiateProtocolVersion(let message): message.encode(into: &buffer)
    case .noData: EmptyMessage.encode(tag: BackendTag.noData, into: &buffer)
    case .noticeResponse(let fields): fields.encodeNotice(into: &buffer)
    case .notificationResponse(let message): message.encode(into: &buffer)
    case .parameterDescription(let message): message.encode(into: &buffer)
    case .parameterStatus(let message): message.encode(into: &buffer)
    case .parseComplete: EmptyMessage.encode(tag: BackendTag.parseComplete, into: &buffer)
    case .portalSuspended: EmptyMessage.encode(tag: BackendTag.portalSuspended, into: &buffer)
    case .readyForQuery(let status): status.encode(into: &buffer)
    case .rowDescription(let message): message.encode(into: &buffer)
    case .unrecognized(let message): message.encode(into: &buffer)
    }
  }
}
