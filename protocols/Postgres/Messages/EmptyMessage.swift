import AccessModel
import NIOCore

/// A message that is all said by its type: Sync, Flush, Terminate, CopyDone, ParseComplete, BindComplete,
/// CloseComplete, NoData, EmptyQueryResponse, PortalSuspended.
enum EmptyMessage {
  static func decode(_ body: ByteBuffer, from fault: ProtocolError.Fault, message: StaticString) throws(ProtocolError) {
    try MessageReader(body, from: fault, message: message).end()
  }

  static func encode(tag: UInt8, into buffer: inout ByteBuffer) { buffer.writeFrame(tag) { _ in } }
}
