import AccessModel
import NIOCore

/// The body that Describe (D) and Close (C) share: a statement or a portal, by name.
public struct StatementReference: Hashable, Sendable {
  public enum Kind: UInt8, Hashable, Sendable {
    case statement = 0x53
    case portal = 0x50
  }
  public var kind: Kind
  public var name: String

  static func decode(_ body: ByteBuffer, message: StaticString) throws(ProtocolError) -> StatementReference {
    try decode(MessageReader(body, from: .client, message: message))
  }

  static func decode(_ reader: consuming MessageReader) throws(ProtocolError) -> StatementReference {
    let byte = try reader.byte()
    let name = try reader.cstring()
    try reader.end()
    guard let kind = Kind(rawValue: byte) else {
      throw reader.malformed(
        "it names neither S nor P", "invalid \(reader.name.uppercased()) message subtype \(byte)")
    }
    return StatementReference(kind: kind, name: name)
  }

  /// `tag` is `FrontendTag.describe` or `.close`.
  public func encode(tag: UInt8, into buffer: inout ByteBuffer) {
    buffer.writeFrame(tag) { body in
      body.writeInteger(kind.rawValue)
      body.writeCString(name)
    }
  }
}
