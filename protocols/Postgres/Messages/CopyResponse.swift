import AccessModel
import NIOCore

/// The body that CopyInResponse (G), CopyOutResponse (H) and CopyBothResponse (W) share: a COPY begins.
public struct CopyResponse: Hashable, Sendable {
  /// 0 lines of text, 1 binary.
  public var format: Int8
  /// 0 text, 1 binary, for each column.
  public var columnFormats: [Int16]

  static func decode(_ body: ByteBuffer, message: StaticString) throws(ProtocolError) -> CopyResponse {
    var reader = MessageReader(body, from: .backend, message: message)
    let format = Int8(bitPattern: try reader.byte())
    let count = try reader.count(ofItemsAtLeast: 2)
    var formats: [Int16] = []
    formats.reserveCapacity(count)
    for _ in 0..<count { formats.append(try reader.int16()) }
    try reader.end()
    return CopyResponse(format: format, columnFormats: formats)
  }

  /// `tag` is `BackendTag.copyInResponse`, `.copyOutResponse` or `.copyBothResponse`.
  public func encode(tag: UInt8, into buffer: inout ByteBuffer) {
    buffer.writeFrame(tag) { body in
      body.writeInteger(format)
      body.writeInteger(UInt16(truncatingIfNeeded: columnFormats.count))
      for format in columnFormats { body.writeInteger(format) }
    }
  }
}
