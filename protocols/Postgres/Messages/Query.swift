import AccessModel
import NIOCore

/// Query (Q): a string of statements, run at once.
public struct QueryMessage: Hashable, Sendable {
  /// Exactly the bytes that the client sent, without the terminating zero.
  public var text: ByteBuffer

  public init(text: ByteBuffer) { self.text = text }

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> QueryMessage {
    var reader = MessageReader(body, from: .client, message: "Query")
    let text = try reader.cstringBytes()
    try reader.end()
    return QueryMessage(text: text)
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(FrontendTag.query) { body in
      body.writeImmutableBuffer(text)
      body.writeInteger(UInt8(0))
    }
  }
}
