import AccessModel
import NIOCore

/// CommandComplete (C): the backend's words of success.
public struct CommandTag: Hashable, Sendable {
  public var text: String

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> CommandTag {
    try decode(MessageReader(body, from: .backend, message: name))
  }

  static var name: StaticString { "CommandComplete" }

  static func decode(_ reader: consuming MessageReader) throws(ProtocolError) -> CommandTag {
    let text = try reader.cstring()
    try reader.end()
    return CommandTag(text: text)
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(BackendTag.commandComplete) { $0.writeCString(text) }
  }
}
