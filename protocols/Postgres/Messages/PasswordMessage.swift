import AccessModel
import NIOCore

/// PasswordMessage, SASLInitialResponse, SASLResponse and GSSResponse (p): one type byte, told apart by what was asked.
public enum PasswordMessage: Hashable, Sendable {
  case password(String)
  case saslInitialResponse(mechanism: String, data: [UInt8]?)
  case saslResponse([UInt8])
  /// An answer to GSSAPI or SSPI; not spoken here.
  case gssResponse([UInt8])

  /// Decodes an answer to what the backend asked; nil when that asks for none.
  static func decode(
    _ body: ByteBuffer, answering request: AuthenticationRequest
  ) throws(ProtocolError) -> PasswordMessage? {
    switch request {
    case .ok, .saslFinal: return nil
    case .cleartextPassword, .md5Password: return .password(try decodePassword(body))
    case .sasl:
      let (mechanism, data) = try decodeSASLInitialResponse(body)
      return .saslInitialResponse(mechanism: mechanism, data: data)
    case .saslContinue: return .saslResponse(Array(body.readableBytesView))
    case .unsupported: return .gssResponse(Array(body.readableBytesView))
    }
  }

  /// Decodes an answer to a request for a password in clear or as md5.
  static func decodePassword(_ body: ByteBuffer) throws(ProtocolError) -> String {
    var reader = MessageReader(body, from: .client, message: "PasswordMessage")
    let password = try reader.cstring()
    try reader.end()
    return password
  }

  /// Decodes the first answer to a SASL request.
  static func decodeSASLInitialResponse(
    _ body: ByteBuffer
  ) throws(ProtocolError) -> (mechanism: String, data: [UInt8]?) {
    var reader = MessageReader(body, from: .client, message: "SASLInitialResponse")
    let mechanism = try reader.cstring()
    let length = try reader.int32()
    guard length >= 0 else {
      guard length == -1 else { throw reader.malformed("negative length") }
      try reader.end()
      return (mechanism, nil)
    }
    let data = try reader.slice(Int(length))
    try reader.end()
    return (mechanism, Array(data.readableBytesView))
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(FrontendTag.password) { body in
      switch self {
      case .password(let password): body.writeCString(password)
      case .saslInitialResponse(let mechanism, let data):
        body.writeCString(mechanism)
        body.writeInteger(Int32(truncatingIfNeeded: data?.count ?? -1))
        body.writeBytes(data ?? [])
      case .saslResponse(let data), .gssResponse(let data): body.writeBytes(data)
      }
    }
  }
}
