import AccessModel
import NIOCore

/// The type byte of a message that a client sends (PostgreSQL, chapter 55.7).
public enum FrontendTag {
  static let bind = UInt8(ascii: "B")
  static let close = UInt8(ascii: "C")
  static let copyData = UInt8(ascii: "d")
  static let copyDone = UInt8(ascii: "c")
  static let copyFail = UInt8(ascii: "f")
  static let describe = UInt8(ascii: "D")
  static let execute = UInt8(ascii: "E")
  static let flush = UInt8(ascii: "H")
  static let functionCall = UInt8(ascii: "F")
  static let parse = UInt8(ascii: "P")
  static let password = UInt8(ascii: "p")
  static let query = UInt8(ascii: "Q")
  static let sync = UInt8(ascii: "S")
  static let terminate = UInt8(ascii: "X")
}

/// The type byte of a message that a backend sends (PostgreSQL, chapter 55.7).
public enum BackendTag {
  static let authentication = UInt8(ascii: "R")
  static let backendKeyData = UInt8(ascii: "K")
  static let bindComplete = UInt8(ascii: "2")
  static let closeComplete = UInt8(ascii: "3")
  static let commandComplete = UInt8(ascii: "C")
  static let copyData = UInt8(ascii: "d")
  static let copyDone = UInt8(ascii: "c")
  static let copyInResponse = UInt8(ascii: "G")
  static let copyOutResponse = UInt8(ascii: "H")
  static let copyBothResponse = UInt8(ascii: "W")
  static let dataRow = UInt8(ascii: "D")
  static let emptyQueryResponse = UInt8(ascii: "I")
  static let errorResponse = UInt8(ascii: "E")
  static let functionCallResponse = UInt8(ascii: "V")
  static let negotiateProtocolVersion = UInt8(ascii: "v")
  static let noData = UInt8(ascii: "n")
  static let noticeResponse = UInt8(ascii: "N")
  static let notificationResponse = UInt8(ascii: "A")
  static let parameterDescription = UInt8(ascii: "t")
  static let parameterStatus = UInt8(ascii: "S")
  static let parseComplete = UInt8(ascii: "1")
  static let portalSuspended = UInt8(ascii: "s")
  static let readyForQuery = UInt8(ascii: "Z")
  static let rowDescription = UInt8(ascii: "T")
}

/// The five bytes that open every message after start-up: a type and a length that counts itself.
public struct FrameHeader: Hashable, Sendable {
  public static let size = 5
  public var tag: UInt8
  /// Bytes of the body that follows the header; 0 to 2^31 - 5.
  public var bodyLength: Int

  /// Bytes of the whole frame, header included.
  public var frameLength: Int { bodyLength + FrameHeader.size }

  /// The header at `offset` bytes past the reader index; nil while it is incomplete.
  ///
  /// A length below 4, which could not even hold itself, is an error whatever follows.
  static func peek(
    _ buffer: ByteBuffer, offset: Int, from fault: ProtocolError.Fault
  ) throws(ProtocolError) -> FrameHeader? {
    guard buffer.readableBytes - offset >= size else { return nil }
    let (tag, length) = buffer.withUnsafeReadableBytes { bytes in
      (bytes[offset], Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 1, as: Int32.self)))
    }
    guard length >= 4 else {
      throw ProtocolError(fault: fault, code: "08P01", message: "invalid message length \(length)")
    }
    return FrameHeader(tag: tag, bodyLength: Int(length) - 4)
  }
}

extension ByteBuffer {
  /// Appends one message: its type, the length that results, and the body that `body` writes.
  @inline(__always)
  mutating func writeFrame(_ tag: UInt8, _ body: (inout ByteBuffer) -> Void) {
    writeInteger(tag)
    let lengthIndex = writerIndex
    writeInteger(Int32(0))
    body(&self)
    setInteger(Int32(truncatingIfNeeded: writerIndex - lengthIndex), at: lengthIndex)
  }

  /// Appends a string and its terminating zero byte. A zero inside the string ends it, as it would for any reader.
  mutating func writeCString(_ string: String) {
    writeBytes(string.utf8.prefix { $0 != 0 })
    writeInteger(UInt8(0))
  }
}

/// A message whose type this codec does not know: kept whole, never interpreted, refused by default.
public struct UnrecognizedMessage: Hashable, Sendable {
  public var tag: UInt8
  public var payload: ByteBuffer

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(tag) { $0.writeImmutableBuffer(payload) }
  }
}
