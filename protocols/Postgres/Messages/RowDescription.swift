import AccessModel
import NIOCore

/// RowDescription (T): the columns of the rows that follow.
public struct RowDescription: Hashable, Sendable {
  public struct Column: Hashable, Sendable {
    /// As sent: its encoding is the client's, not necessarily UTF-8.
    public var name: ByteBuffer
    /// OID of the table that it comes from, 0 for an expression.
    public var table: UInt32
    /// Its attribute number in that table, 0 for an expression.
    public var attribute: Int16
    public var type: UInt32
    /// Bytes of the type, negative for variable.
    public var typeSize: Int16
    public var typeModifier: Int32
    /// 0 text, 1 binary.
    public var format: Int16
  }
  public var columns: [Column]

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> RowDescription {
    var reader = MessageReader(body, from: .backend, message: "RowDescription")
    let count = try reader.count(ofItemsAtLeast: 19)
    var columns: [Column] = []
    columns.reserveCapacity(count)
    for _ in 0..<count {
      columns.append(
        Column(
          name: try reader.cstringBytes(), table: try reader.uint32(), attribute: try reader.int16(),
          type: try reader.uint32(), typeSize: try reader.int16(), typeModifier: try reader.int32(),
          format: try reader.int16()))
    }
    try reader.end()
    return RowDescription(columns: columns)
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(BackendTag.rowDescription) { body in
      body.writeInteger(UInt16(truncatingIfNeeded: columns.count))
      for column in columns {
        body.writeImmutableBuffer(column.name)
        body.writeInteger(UInt8(0))
        body.writeMultipleIntegers(column.table, column.attribute, column.type)
        body.writeMultipleIntegers(column.typeSize, column.typeModifier, column.format)
      }
    }
  }
}
