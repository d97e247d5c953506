import AccessModel
import NIOCore

/// NotificationResponse (A): somebody said NOTIFY on a channel that the session listens to.
public struct NotificationResponse: Hashable, Sendable {
  /// The process that said it.
  public var process: Int32
  /// Channel and payload are in the client's encoding.
  public var channel: ByteBuffer
  public var payload: ByteBuffer

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> NotificationResponse {
    var reader = MessageReader(body, from: .backend, message: "NotificationResponse")
    let process = try reader.int32()
    let channel = try reader.cstringBytes()
    let payload = try reader.cstringBytes()
    try reader.end()
    return NotificationResponse(process: process, channel: channel, payload: payload)
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(BackendTag.notificationResponse) { body in
      body.writeInteger(process)
      for text in [channel, payload] {
        body.writeImmutableBuffer(text)
        body.writeInteger(UInt8(0))
      }
    }
  }
}
