import AccessModel
import NIOCore

extension ProtocolError {
  /// The client broke the protocol: SQLSTATE 08P01.
  static func client(_ message: String, code: String = "08P01", hint: String? = nil) -> ProtocolError {
    ProtocolError(fault: .client, code: code, message: message, hint: hint)
  }
  /// The backend broke the protocol: SQLSTATE 08P01.
  static func backend(_ message: String, code: String = "08P01") -> ProtocolError {
    ProtocolError(fault: .backend, code: code, message: message)
  }
}

/// Reads the fields of one message's body; each step checks what is left before it takes it.
///
/// It reads in place: only what is asked for as bytes becomes a slice.
struct MessageReader {
  private let buffer: ByteBuffer
  /// Where the next field begins and where the body ends, as indices of `buffer`.
  private var position: Int
  private let limit: Int
  /// Whose fault a malformed body is.
  private let fault: ProtocolError.Fault
  /// The message's name in the specification, for the error.
  private let message: StaticString

  init(_ body: ByteBuffer, from fault: ProtocolError.Fault, message: StaticString) {
    self.init(body, body.readerIndex..<body.writerIndex, from: fault, message: message)
  }

  /// A body that is a part of the readable bytes, by their indices.
  init(_ buffer: ByteBuffer, _ body: Range<Int>, from fault: ProtocolError.Fault, message: StaticString) {
    self.buffer = buffer
    position = body.lowerBound
    limit = body.upperBound
    self.fault = fault
    self.message = message
  }

  var remaining: Int { limit - position }
  var name: String { "\(message)" }

  /// What is left, as bytes of its own.
  var rest: ByteBuffer { buffer.getSlice(at: position, length: remaining) ?? ByteBuffer() }

  /// `words` are PostgreSQL's own for it (pqformat.c), which clients hear.
  func malformed(
    _ what: String, _ words: String = "invalid message format", code: String = "08P01"
  ) -> ProtocolError {
    guard fault == .client else {
      return ProtocolError(fault: fault, code: code, message: "invalid \(message) message: \(what)")
    }
    return ProtocolError(fault: fault, code: code, message: words, isOfOneMessage: true)
  }

  func early() -> ProtocolError { malformed("it ends early", MessageReader.insufficient) }

  static let insufficient = "insufficient data left in message"

  @inline(__always)
  private mutating func integer<Number: FixedWidthInteger>(_: Number.Type) throws(ProtocolError) -> Number {
    guard remaining >= MemoryLayout<Number>.size else {
      throw malformed(
        "it ends early", MemoryLayout<Number>.size == 1 ? "no data left in message" : MessageReader.insufficient)
    }
    let offset = position - buffer.readerIndex
    let value = buffer.withUnsafeReadableBytes { $0.loadUnaligned(fromByteOffset: offset, as: Number.self) }
    position += MemoryLayout<Number>.size
    return Number(bigEndian: value)
  }

  mutating func byte() throws(ProtocolError) -> UInt8 { try integer(UInt8.self) }

  mutating func int16() throws(ProtocolError) -> Int16 { try integer(Int16.self) }

  mutating func int32() throws(ProtocolError) -> Int32 { try integer(Int32.self) }

  mutating func uint32() throws(ProtocolError) -> UInt32 { try integer(UInt32.self) }

  /// A count of items that take at least `width` bytes each; refused when the body cannot hold them.
  mutating func count(ofItemsAtLeast width: Int) throws(ProtocolError) -> Int {
    let count = Int(UInt16(bitPattern: try int16()))
    guard count * width <= remaining else {
      throw malformed("a count exceeds its length", MessageReader.insufficient)
    }
    return count
  }

  /// Gives what is left to `read`, in place.
  @inline(__always)
  private func withRest<Result>(_ read: (UnsafeRawBufferPointer) -> Result) -> Result {
    let range = (position - buffer.readerIndex)..<(limit - buffer.readerIndex)
    return buffer.withUnsafeReadableBytes { read(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }

  /// Bytes before the next zero byte, which is here; nil when none is.
  private var lengthOfCString: Int? { withRest { $0.firstIndex(of: 0) } }

  private func unterminated() -> ProtocolError {
    malformed("a string is not terminated", "invalid string in message")
  }

  /// Whether the next zero byte is here.
  var hasCString: Bool { lengthOfCString != nil }

  /// The bytes up to the next zero byte, which is consumed too.
  mutating func cstringBytes() throws(ProtocolError) -> ByteBuffer {
    guard let length = lengthOfCString else { throw unterminated() }
    let slice = try slice(length)
    position += 1
    return slice
  }

  /// A zero-terminated string; bytes that are no UTF-8 are an error.
  mutating func cstring() throws(ProtocolError) -> String {
    guard let length = lengthOfCString else { throw unterminated() }
    defer { position += length + 1 }
    if length == 0 { return "" }
    // Nearly all names are ASCII, which is always valid and need not be validated by way of generic code.
    let string: String? = withRest { rest in
      let bytes = UnsafeRawBufferPointer(rebasing: rest[..<length])
      return bytes.contains { $0 >= 0x80 }
        ? String(validating: bytes, as: UTF8.self) : String(decoding: bytes, as: UTF8.self)
    }
    guard let string else {
      throw malformed("a name is not valid UTF-8", "a name is not valid UTF-8", code: "22021")
    }
    return string
  }

  mutating func slice(_ length: Int) throws(ProtocolError) -> ByteBuffer {
    guard length >= 0, length <= remaining, let slice = buffer.getSlice(at: position, length: length) else {
      throw early()
    }
    position += length
    return slice
  }

  mutating func skip(_ length: Int) throws(ProtocolError) {
    guard length >= 0, length <= remaining else { throw early() }
    position += length
  }

  /// A copy of what lies between an earlier reader of the same body and this one.
  func bytes(since earlier: MessageReader) -> [UInt8] {
    let start = earlier.position - buffer.readerIndex
    let stop = position - buffer.readerIndex
    return buffer.withUnsafeReadableBytes { Array(UnsafeRawBufferPointer(rebasing: $0[start..<stop])) }
  }

  func end() throws(ProtocolError) {
    guard remaining == 0 else { throw malformed("\(remaining) bytes too many") }
  }
}
