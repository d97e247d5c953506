import AccessModel
import NIOCore

/// FunctionCallResponse (V): what the function of a FunctionCall returned.
public struct FunctionCallResponse: Hashable, Sendable {
  /// nil for NULL.
  public var value: ByteBuffer?

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> FunctionCallResponse {
    var reader = MessageReader(body, from: .backend, message: "FunctionCallResponse")
    let value = try reader.value()
    try reader.end()
    return FunctionCallResponse(value: value)
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(BackendTag.functionCallResponse) { $0.writeValue(value) }
  }
}
