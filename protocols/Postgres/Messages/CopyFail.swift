import AccessModel
import NIOCore

/// CopyFail (f): the client gives a COPY up, and says why.
public struct CopyFail: Hashable, Sendable {
  /// In the client's encoding.
  public var reason: ByteBuffer

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> CopyFail {
    var reader = MessageReader(body, from: .client, message: "CopyFail")
    let reason = try reader.cstringBytes()
    try reader.end()
    return CopyFail(reason: reason)
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(FrontendTag.copyFail) { body in
      body.writeImmutableBuffer(reason)
      body.writeInteger(UInt8(0))
    }
  }
}
