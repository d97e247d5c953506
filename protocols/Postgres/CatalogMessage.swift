import AccessModel
import NIOCore

/// What a look-up of the gateway's own gets from the backend: rows of text, an error, the end.
public enum CatalogMessage: Hashable, Sendable {
  /// Values as text; NULL as the empty string.
  case row([String])
  case error(String)
  case ready
  case other

  /// A row of a catalogue is short; what is longer is none.
  private static let bodyLimit = 1 << 20

  /// Takes the next message off the front of `buffer`; nil while it is incomplete.
  public static func take(from buffer: inout ByteBuffer) throws(ProtocolError) -> CatalogMessage? {
    guard let header = try FrameHeader.peek(buffer, offset: 0, from: .backend) else { return nil }
    guard header.bodyLength <= bodyLimit else { throw .backend("message too long") }
    guard var body = buffer.readSlice(length: header.frameLength) else { return nil }
    body.moveReaderIndex(forwardBy: FrameHeader.size)
    switch header.tag {
    case BackendTag.dataRow: return .row(try values(of: body))
    case BackendTag.errorResponse:
      let fields = try ErrorFields.decode(body, from: .backend)
      return .error(fields[ErrorFields.message] ?? "error without a message")
    case BackendTag.readyForQuery: return .ready
    case _: return .other
    }
  }

  private static func values(of body: ByteBuffer) throws(ProtocolError) -> [String] {
    var reader = MessageReader(body, from: .backend, message: "DataRow")
    let count = try reader.count(ofItemsAtLeast: 4)
    var values: [String] = []
    for _ in 0..<count {
      let length = try reader.int32()
      values.append(length < 0 ? "" : String(buffer: try reader.slice(Int(length))))
    }
    try reader.end()
    return values
  }
}
