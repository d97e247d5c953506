import AccessModel
import NIOCore

/// CopyData (d): a piece of a COPY, in either direction; where it is cut means nothing.
public struct CopyData: Hashable, Sendable {
  public var data: ByteBuffer

  static func decode(_ body: ByteBuffer) -> CopyData { CopyData(data: body) }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(FrontendTag.copyData) { $0.writeImmutableBuffer(data) }
  }
}

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
