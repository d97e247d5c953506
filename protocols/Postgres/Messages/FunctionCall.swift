import AccessModel
import NIOCore

/// FunctionCall (F): runs a function by the number that the catalogue has for it.
///
/// A view: formats and arguments stay the bytes that the client sent, checked for their lengths.
public struct FunctionCallMessage: Hashable, Sendable {
  /// OID of the function.
  public var function: UInt32
  public var argumentCount: Int
  /// From the argument format codes to the last argument.
  public var arguments: ByteBuffer
  /// 0 text, 1 binary.
  public var resultFormat: Int16

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> FunctionCallMessage {
    var reader = MessageReader(body, from: .client, message: "FunctionCall")
    let function = try reader.uint32()
    let start = reader.rest
    let count = try reader.skipFormatsAndValues()
    let consumed = start.readableBytes - reader.remaining
    guard let arguments = start.getSlice(at: start.readerIndex, length: consumed) else {
      throw reader.early()
    }
    let resultFormat = try reader.int16()
    try reader.end()
    return FunctionCallMessage(
      function: function, argumentCount: count, arguments: arguments, resultFormat: resultFormat)
  }

  /// What the front of a long body tells; `arguments` is then as much of them as is here, `resultFormat` 0.
  static func decodeFront(_ front: ByteBuffer) throws(ProtocolError) -> FunctionCallMessage {
    var reader = MessageReader(front, from: .client, message: "FunctionCall")
    let function = try reader.uint32()
    let arguments = reader.rest
    let count = try reader.skipFormats()
    return FunctionCallMessage(function: function, argumentCount: count, arguments: arguments, resultFormat: 0)
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(FrontendTag.functionCall) { body in
      body.writeInteger(function)
      body.writeImmutableBuffer(arguments)
      body.writeInteger(resultFormat)
    }
  }
}
