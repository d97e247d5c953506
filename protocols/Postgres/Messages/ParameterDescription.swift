import AccessModel
import NIOCore

/// ParameterDescription (t): which types a prepared statement's parameters have.
public struct ParameterDescription: Hashable, Sendable {
  /// OIDs.
  public var types: [UInt32]

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> ParameterDescription {
    var reader = MessageReader(body, from: .backend, message: "ParameterDescription")
    let count = try reader.count(ofItemsAtLeast: 4)
    var types: [UInt32] = []
    types.reserveCapacity(count)
    for _ in 0..<count { types.append(try reader.uint32()) }
    try reader.end()
    return ParameterDescription(types: types)
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(BackendTag.parameterDescription) { body in
      body.writeInteger(UInt16(truncatingIfNeeded: types.count))
      for type in types { body.writeInteger(type) }
    }
  }
}
