import AccessModel
import NIOCore

/// DataRow (D): the values of one row.
///
/// For tests and tools: a session passes rows by their frames, and rewrites masked ones without this.
public struct DataRow: Hashable, Sendable {
  /// nil for NULL.
  public var values: [ByteBuffer?]

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> DataRow {
    var reader = MessageReader(body, from: .backend, message: "DataRow")
    let count = try reader.count(ofItemsAtLeast: 4)
    var values: [ByteBuffer?] = []
    values.reserveCapacity(count)
    for _ in 0..<count { values.append(try reader.value()) }
    try reader.end()
    return DataRow(values: values)
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(BackendTag.dataRow) { body in
      body.writeInteger(UInt16(truncatingIfNeeded: values.count))
      for value in values { body.writeValue(value) }
    }
  }
}

extension MessageReader {
  /// A length and so many bytes; nil for the length -1, which is NULL.
  mutating func value() throws(ProtocolError) -> ByteBuffer? {
    let length = try int32()
    guard length >= -1 else { throw malformed("a value has a negative length") }
    return length < 0 ? nil : try slice(Int(length))
  }
}

extension ByteBuffer {
  /// Appends the length of a value and its bytes; -1 for NULL.
  mutating func writeValue(_ value: ByteBuffer?) {
    writeInteger(Int32(truncatingIfNeeded: value?.readableBytes ?? -1))
    if let value { writeImmutableBuffer(value) }
  }
}
