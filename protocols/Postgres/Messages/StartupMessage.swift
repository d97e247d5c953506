import AccessModel
import NIOCore

/// StartupMessage: protocol version and parameters, in the order in which the client sent them.
public struct StartupMessage: Hashable, Sendable {
  public struct Parameter: Hashable, Sendable {
    public var name: String
    public var value: String
    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }
  public var major: Int
  public var minor: Int
  public var parameters: [Parameter]

  public init(major: Int = 3, minor: Int = 0, parameters: [Parameter]) {
    self.major = major
    self.minor = minor
    self.parameters = parameters
  }

  /// The value of a parameter; of several with one name the last, as PostgreSQL takes it.
  public subscript(name: String) -> String? { parameters.last { $0.name == name }?.value }

  static func decode(version: Int32, _ reader: inout MessageReader) throws(ProtocolError) -> StartupMessage {
    let bits = UInt32(bitPattern: version)
    var message = StartupMessage(major: Int(bits >> 16), minor: Int(bits & 0xffff), parameters: [])
    guard message.major == 3 else { return message }
    while true {
      let name = try reader.cstring()
      if name.isEmpty { break }
      message.parameters.append(Parameter(name, try reader.cstring()))
    }
    try reader.end()
    return message
  }

  func encodeBody(into buffer: inout ByteBuffer) {
    buffer.writeMultipleIntegers(UInt16(truncatingIfNeeded: major), UInt16(truncatingIfNeeded: minor))
    for parameter in parameters {
      buffer.writeCString(parameter.name)
      buffer.writeCString(parameter.value)
    }
    buffer.writeInteger(UInt8(0))
  }
}
