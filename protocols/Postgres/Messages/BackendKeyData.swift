import AccessModel
import NIOCore

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
