import AccessModel
import NIOCore

/// What a client sends first, and again after SSLRequest or GSSENCRequest: a packet without a type byte.
public enum StartupPacket: Hashable, Sendable {
  case sslRequest
  case gssEncryptionRequest
  /// `secret` is of 4 bytes in protocol 3.0, of 4 to 256 since 3.2.
  case cancelRequest(process: Int32, secret: [UInt8])
  case startup(StartupMessage)

  static let sslRequestCode: Int32 = 80_877_103
  static let gssEncryptionRequestCode: Int32 = 80_877_104
  static let cancelRequestCode: Int32 = 80_877_102

  /// Takes one packet off the front of `buffer`; nil while it is incomplete.
  ///
  /// The length is checked before anything else: 8 to `limits.startupPacket` bytes.
  static func take(from buffer: inout ByteBuffer, limits: Limits) throws(ProtocolError) -> StartupPacket? {
    guard let length = buffer.getInteger(at: buffer.readerIndex, as: Int32.self) else { return nil }
    guard length >= 8, Int(length) <= limits.startupPacket else {
      throw .client("invalid length of startup packet")
    }
    guard var packet = buffer.readSlice(length: Int(length)) else { return nil }
    packet.moveReaderIndex(forwardBy: 4)
    return try decode(packet)
  }

  /// Decodes a packet without its length field.
  static func decode(_ packet: ByteBuffer) throws(ProtocolError) -> StartupPacket {
    var reader = MessageReader(packet, from: .client, message: "startup")
    let code = try reader.int32()
    switch code {
    case sslRequestCode:
      try reader.end()
      return .sslRequest
    case gssEncryptionRequestCode:
      try reader.end()
      return .gssEncryptionRequest
    case cancelRequestCode:
      let process = try reader.int32()
      return .cancelRequest(process: process, secret: try reader.cancelSecret())
    case _:
      return .startup(try StartupMessage.decode(version: code, &reader))
    }
  }

  public func encode(into buffer: inout ByteBuffer) {
    let start = buffer.writerIndex
    buffer.writeInteger(Int32(0))
    switch self {
    case .sslRequest: buffer.writeInteger(StartupPacket.sslRequestCode)
    case .gssEncryptionRequest: buffer.writeInteger(StartupPacket.gssEncryptionRequestCode)
    case .cancelRequest(let process, let secret):
      buffer.writeMultipleIntegers(StartupPacket.cancelRequestCode, process)
      buffer.writeBytes(secret)
    case .startup(let message): message.encodeBody(into: &buffer)
    }
    buffer.setInteger(Int32(truncatingIfNeeded: buffer.writerIndex - start), at: start)
  }
}
