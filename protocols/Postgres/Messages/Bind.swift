import AccessModel
import NIOCore

/// Bind (B): gives a prepared statement its values and makes a portal of it.
///
/// A view: names are decoded, formats and values stay the bytes that the client sent, checked for their lengths.
public struct BindMessage: Hashable, Sendable {
  /// Empty for the unnamed portal.
  public var portal: String
  /// Empty for the unnamed statement.
  public var statement: String
  public var parameterCount: Int
  /// From the parameter format codes to the last value.
  public var parameters: ByteBuffer
  /// Result format codes as sent, two bytes each: none (all text), one for all, or one per column.
  public var resultFormats: ByteBuffer

  static func decode(_ body: ByteBuffer) throws(ProtocolError) -> BindMessage {
    var reader = MessageReader(body, from: .client, message: "Bind")
    let portal = try reader.cstring()
    let statement = try reader.cstring()
    let start = reader.rest
    let valueCount = try reader.skipFormatsAndValues()
    let consumed = start.readableBytes - reader.remaining
    guard let parameters = start.getSlice(at: start.readerIndex, length: consumed) else {
      throw reader.early()
    }
    let resultCount = try reader.count(ofItemsAtLeast: 2)
    let resultFormats = try reader.slice(resultCount * 2)
    try reader.end()
    return BindMessage(
      portal: portal, statement: statement, parameterCount: valueCount, parameters: parameters,
      resultFormats: resultFormats)
  }

  /// The names, and the values as a command carries them; no more than the session needs.
  static func decodeNamesAndValues(
    _ reader: consuming MessageReader
  ) throws(ProtocolError) -> (portal: String, statement: String, values: Parameters) {
    let portal = try reader.cstring()
    let statement = try reader.cstring()
    let start = copy reader
    let count = try reader.skipFormatsAndValues()
    let values = count == 0 ? Parameters.none : Parameters(count: count, encoded: reader.bytes(since: start))
    try reader.skip(try reader.count(ofItemsAtLeast: 2) * 2)
    try reader.end()
    return (portal, statement, values)
  }

  /// What the front of a long body tells; `parameters` is then as much of them as is here, `resultFormats` empty.
  static func decodeFront(_ front: ByteBuffer) throws(ProtocolError) -> BindMessage {
    var reader = MessageReader(front, from: .client, message: "Bind")
    let portal = try reader.cstring()
    let statement = try reader.cstring()
    let parameters = reader.rest
    let valueCount = try reader.skipFormats()
    return BindMessage(
      portal: portal, statement: statement, parameterCount: valueCount, parameters: parameters,
      resultFormats: ByteBuffer())
  }

  public func encode(into buffer: inout ByteBuffer) {
    buffer.writeFrame(FrontendTag.bind) { body in
      body.writeCString(portal)
      body.writeCString(statement)
      body.writeImmutableBuffer(parameters)
      body.writeInteger(UInt16(truncatingIfNeeded: resultFormats.readableBytes / 2))
      body.writeImmutableBuffer(resultFormats)
    }
  }
}

/// What Bind and FunctionCall share.
extension MessageReader {
  /// Steps over format codes, and returns the number of values that comes behind them.
  mutating func skipFormats() throws(ProtocolError) -> Int {
    let formatCount = try count(ofItemsAtLeast: 2)
    try skip(formatCount * 2)
    let valueCount = Int(UInt16(bitPattern: try int16()))
    guard formatCount <= 1 || formatCount == valueCount else {
      let words = "\(formatCount) parameter formats but \(valueCount) parameters"
      throw malformed(words, "bind message has \(words)")
    }
    return valueCount
  }

  /// Steps over format codes and values, and returns the number of values.
  mutating func skipFormatsAndValues() throws(ProtocolError) -> Int {
    let valueCount = try skipFormats()
    guard valueCount * 4 <= remaining else {
      throw malformed("a count exceeds its length", MessageReader.insufficient)
    }
    for _ in 0..<valueCount {
      let length = try int32()
      guard length >= -1 else { throw malformed("a value has a negative length", MessageReader.insufficient) }
      if length > 0 { try skip(Int(length)) }
    }
    return valueCount
  }
}
