import AccessModel
import NIOCore

/// NegotiateProtocolVersion (v): the version that is spoken from here on, and options that are not.
///
/// The version is whole, 3.2 as 0x00030002, as every PostgreSQL sends it and libpq reads it; that the field is the minor
/// version alone, as documented before version 18, is in no implementation.
public struct NegotiateProtocolVersion: Hashable, Sendable {
  public var major = 3
  public var minor: Int
  public var unrecognizedOptions: [String]

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> NegotiateProtocolVersion {
    var reader = MessageReader(body, from: .backend, message: "NegotiateProtocolVersion")
    let version = try reader.uint32()
    let count = try reader.int32()
    guard count >= 0, Int(count) <= reader.remaining else { throw reader.malformed("a count exceeds its length") }
    var options: [String] = []
    for _ in 0..<count { options.append(try reader.cstring()) }
    try reader.end()
    return NegotiateProtocolVersion(
      major: Int(version >> 16), minor: Int(version & 0xffff), unrecognizedOptions: options)
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(BackendTag.negotiateProtocolVersion) { body in
      body.writeMultipleIntegers(UInt16(truncatingIfNeeded: major), UInt16(truncatingIfNeeded: minor))
      body.writeInteger(Int32(truncatingIfNeeded: unrecognizedOptions.count))
      for option in unrecognizedOptions { body.writeCString(option) }
    }
  }
}
