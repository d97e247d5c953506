import AccessModel
import NIOCore

/// Parse (P): makes a prepared statement of one SQL statement.
public struct ParseMessage: Hashable, Sendable {
  /// Empty for the unnamed statement.
  public var statement: String
  /// Exactly the bytes that the client sent, without the terminating zero.
  public var text: ByteBuffer
  /// OIDs of parameter types, 0 where left to the backend.
  public var parameterTypes: [UInt32]

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> ParseMessage {
    var reader = MessageReader(body, from: .client, message: "Parse")
    let statement = try reader.cstring()
    let text = try reader.cstringBytes()
    let count = try reader.count(ofItemsAtLeast: 4)
    var types: [UInt32] = []
    types.reserveCapacity(count)
    for _ in 0..<count { types.append(try reader.uint32()) }
    try reader.end()
    return ParseMessage(statement: statement, text: text, parameterTypes: types)
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(FrontendTag.parse) { body in
      body.writeCString(statement)
      body.writeImmutableBuffer(text)
      body.writeInteger(UInt8(0))
      body.writeInteger(UInt16(truncatingIfNeeded: parameterTypes.count))
      for type in parameterTypes { body.writeInteger(type) }
    }
  }
}
