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

/// ParameterStatus (S): a setting's current value.
public struct ParameterStatus: Hashable, Sendable {
  public var name: String
  /// As sent: it may be in the client's encoding.
  public var rawValue: ByteBuffer
  public var value: String { String(buffer: rawValue) }

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> ParameterStatus {
    var reader = MessageReader(body, from: .backend, message: "ParameterStatus")
    let name = try reader.cstring()
    let value = try reader.cstringBytes()
    try reader.end()
    return ParameterStatus(name: name, rawValue: value)
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(BackendTag.parameterStatus) { body in
      body.writeCString(name)
      body.writeImmutableBuffer(rawValue)
      body.writeInteger(UInt8(0))
    }
  }
}

/// BackendKeyData (K): what a CancelRequest must show.
public struct BackendKeyData: Hashable, Sendable {
  public var process: Int32
  /// 4 bytes in protocol 3.0, 4 to 256 since 3.2.
  public var secret: [UInt8]

  public init(process: Int32, secret: [UInt8]) {
    self.process = process
    self.secret = secret
  }

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> BackendKeyData {
    var reader = MessageReader(body, from: .backend, message: "BackendKeyData")
    return BackendKeyData(process: try reader.int32(), secret: try reader.cancelSecret())
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(BackendTag.backendKeyData) { body in
      body.writeInteger(process)
      body.writeBytes(secret)
    }
  }
}

extension MessageReader {
  /// What is left of BackendKeyData or CancelRequest: a secret of 4 to 256 bytes (PostgreSQL 18, 54.7).
  mutating func cancelSecret() throws(ProtocolError) -> [UInt8] {
    guard (4...256).contains(remaining) else { throw malformed("a secret key of \(remaining) bytes") }
    return Array(try slice(remaining).readableBytesView)
  }
}

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
