import AccessModel
import NIOCore

/// Authentication (R): what the backend asks of the client, or that it is satisfied.
public enum AuthenticationRequest: Hashable, Sendable {
  case ok
  case cleartextPassword
  case md5Password(salt: [UInt8])
  case sasl(mechanisms: [String])
  case saslContinue([UInt8])
  case saslFinal([UInt8])
  /// Kerberos (2), SCM (6), GSSAPI (7, 8) and SSPI (9): not spoken here, and kept with what follows the number.
  case unsupported(code: Int32, data: [UInt8] = [])

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> AuthenticationRequest {
    var reader = MessageReader(body, from: .backend, message: "Authentication")
    let code = try reader.int32()
    switch code {
    case 0:
      try reader.end()
      return .ok
    case 3:
      try reader.end()
      return .cleartextPassword
    case 5:
      let salt = try reader.slice(4)
      try reader.end()
      return .md5Password(salt: Array(salt.readableBytesView))
    case 10:
      var mechanisms: [String] = []
      while true {
        let mechanism = try reader.cstring()
        if mechanism.isEmpty { break }
        mechanisms.append(mechanism)
      }
      try reader.end()
      return .sasl(mechanisms: mechanisms)
    case 11: return .saslContinue(Array(reader.rest.readableBytesView))
    case 12: return .saslFinal(Array(reader.rest.readableBytesView))
    case _: return .unsupported(code: code, data: Array(reader.rest.readableBytesView))
    }
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(BackendTag.authentication) { body in
      switch self {
      case .ok: body.writeInteger(Int32(0))
      case .cleartextPassword: body.writeInteger(Int32(3))
      case .md5Password(let salt):
        body.writeInteger(Int32(5))
        body.writeBytes(salt)
      case .sasl(let mechanisms):
        body.writeInteger(Int32(10))
        for mechanism in mechanisms { body.writeCString(mechanism) }
        body.writeInteger(UInt8(0))
      case .saslContinue(let data):
        body.writeInteger(Int32(11))
        body.writeBytes(data)
      case .saslFinal(let data):
        body.writeInteger(Int32(12))
        body.writeBytes(data)
      case .unsupported(let code, let data):
        body.writeInteger(code)
        body.writeBytes(data)
      }
    }
  }
}
