import AccessModel
import NIOCore

/// ReadyForQuery's one byte (Z): where the session stands in a transaction.
public enum TransactionStatus: UInt8, Hashable, Sendable {
  case idle = 0x49
  case inTransaction = 0x54
  case failed = 0x45

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> TransactionStatus {
    try decode(MessageReader(body, from: .backend, message: name))
  }

  static var name: StaticString { "ReadyForQuery" }

  static func decode(_ reader: consuming MessageReader) throws(ProtocolError) -> TransactionStatus {
    guard let status = TransactionStatus(rawValue: try reader.byte()) else { throw reader.malformed("unknown status") }
    try reader.end()
    return status
  }

  /// Writes a whole ReadyForQuery.
  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(BackendTag.readyForQuery) { $0.writeInteger(rawValue) }
  }
}
