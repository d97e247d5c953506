import AccessModel
import NIOCore

/// Execute (E): runs a portal, up to a number of rows.
public struct ExecuteMessage: Hashable, Sendable {
  public var portal: String
  /// 0 for all.
  public var maxRows: Int32

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> ExecuteMessage {
    try decode(MessageReader(body, from: .client, message: name))
  }

  static var name: StaticString { "Execute" }

  static func decode(_ reader: consuming MessageReader) throws(ProtocolError) -> ExecuteMessage {
    let portal = try reader.cstring()
    let maxRows = try reader.int32()
    try reader.end()
    return ExecuteMessage(portal: portal, maxRows: maxRows)
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(FrontendTag.execute) { body in
      body.writeCString(portal)
      body.writeInteger(maxRows)
    }
  }
}
