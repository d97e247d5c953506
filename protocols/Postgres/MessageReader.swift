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
struct MessageReader {
  private(set) var body: ByteBuffer
  /// Whose fault a malformed body is.
  private let fault: ProtocolError.Fault
  /// The message's name in the specification, for the error.
  private let message: StaticString

  init(_ body: ByteBuffer, from fault: ProtocolError.Fault, message: StaticString) {
    self.body = body
    self.fault = fault
    self.message = message
  }

  var remaining: Int { body.readableBytes }

  func malformed(_ what: String) -> ProtocolError {
    ProtocolError(fault: fault, code: "08P01", message: "invalid \(message) message: \(what)")
  }

  mutating func byte() throws(ProtocolError) -> UInt8 {
    guard let value = body.readInteger(as: UInt8.self) else { throw malformed("it ends early") }
    return value
  }

  mutating func int16() throws(ProtocolError) -> Int16 {
    guard let value = body.readInteger(as: Int16.self) else { throw malformed("it ends early") }
    return value
  }

  mutating func int32() throws(ProtocolError) -> Int32 {
    guard let value = body.readInteger(as: Int32.self) else { throw malformed("it ends early") }
    return value
  }

  mutating func uint32() throws(ProtocolError) -> UInt32 {
    guard let value = body.readInteger(as: UInt32.self) else { throw malformed("it ends early") }
    return value
  }

  /// A count of items that take at least `width` bytes each; refused when the body cannot hold them.
  mutating func count(ofItemsAtLeast width: Int) throws(ProtocolError) -> Int {
    let count = Int(UInt16(bitPattern: try int16()))
    guard count * width <= body.readableBytes else { throw malformed("a count exceeds its length") }
    return count
  }

  /// Whether the next zero byte is here.
  var hasCString: Bool { body.readableBytesView.contains(0) }

  /// The bytes up to the next zero byte, which is consumed too.
  mutating func cstringBytes() throws(ProtocolError) -> ByteBuffer {
    let view = body.readableBytesView
    guard let zero = view.firstIndex(of: 0) else { throw malformed("a string is not terminated") }
    guard let slice = body.readSlice(length: zero - view.startIndex) else { throw malformed("it ends early") }
    body.moveReaderIndex(forwardBy: 1)
    return slice
  }

  /// A zero-terminated string; bytes that are no UTF-8 are an error.
  mutating func cstring() throws(ProtocolError) -> String {
    let bytes = try cstringBytes()
    if bytes.readableBytes == 0 { return "" }
    // Nearly all names are ASCII, which is always valid and need not be validated by way of generic code.
    let short: String? = bytes.withUnsafeReadableBytes { bytes in
      bytes.contains { $0 >= 0x80 } ? nil : String(decoding: bytes, as: UTF8.self)
    }
    if let short { return short }
    guard let string = String(validating: bytes.readableBytesView, as: UTF8.self) else {
      throw malformed("a name is not valid UTF-8")
    }
    return string
  }

  mutating func slice(_ length: Int) throws(ProtocolError) -> ByteBuffer {
    guard length >= 0, let slice = body.readSlice(length: length) else { throw malformed("it ends early") }
    return slice
  }

  mutating func skip(_ length: Int) throws(ProtocolError) {
    guard length >= 0, length <= body.readableBytes else { throw malformed("it ends early") }
    body.moveReaderIndex(forwardBy: length)
  }

  func end() throws(ProtocolError) {
    guard body.readableBytes == 0 else { throw malformed("\(body.readableBytes) bytes too many") }
  }
}
