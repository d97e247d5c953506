import AccessModel
import NIOCore

/// ParameterStatus (S): a setting's current value.
public struct ParameterStatus: Hashable, Sendable {
  public var name: String
  /// As sent: it may be in the client's encoding.
  public var rawValue: ByteBuffer
  public var value: String { String(buffer: rawValue) }

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> ParameterStatus {
    var reader = MessageReader(body, from: .backend, message: "ParameterStatus")
    let name = try reader.cstring()
    let value = try reader.cstringBytes()
    try reader.end()
    return ParameterStatus(name: name, rawValue: value)
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(BackendTag.parameterStatus) { body in
      body.writeCString(name)
      body.writeImmutableBuffer(rawValue)
      body.writeInteger(UInt8(0))
    }
  }
}
