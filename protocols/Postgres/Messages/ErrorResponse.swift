import AccessModel
import NIOCore

/// The body that ErrorResponse (E) and NoticeResponse (N) share: fields, each with a one-byte code.
public struct ErrorFields: Hashable, Sendable {
  public struct Field: Hashable, Sendable {
    public var code: UInt8
    public var value: ByteBuffer
  }
  /// In the order in which they were sent.
  public var fields: [Field]

  public static let severity = UInt8(ascii: "S")
  public static let severityNonLocalized = UInt8(ascii: "V")
  public static let sqlState = UInt8(ascii: "C")
  public static let message = UInt8(ascii: "M")
  public static let detail = UInt8(ascii: "D")
  public static let hint = UInt8(ascii: "H")
  public static let position = UInt8(ascii: "P")

  /// An error or notice of the gateway's own, with the fields that PostgreSQL always sends.
  public init(
    severity: String, code: String, message: String, detail: String? = nil, hint: String? = nil, position: Int? = nil
  ) {
    fields = []
    add(ErrorFields.severity, severity)
    add(ErrorFields.severityNonLocalized, severity)
    add(ErrorFields.sqlState, code)
    add(ErrorFields.message, message)
    if let detail { add(ErrorFields.detail, detail) }
    if let hint { add(ErrorFields.hint, hint) }
    if let position { add(ErrorFields.position, String(position)) }
  }

  private init(fields: [Field]) { self.fields = fields }

  private mutating func add(_ code: UInt8, _ value: String) {
    fields.append(Field(code: code, value: ByteBuffer(string: value)))
  }

  /// The text of a field, or nil when the sender left it out (CVE-2026-6666: any may be missing).
  public subscript(code: UInt8) -> String? {
    fields.first { $0.code == code }.map { String(buffer: $0.value) }
  }

  static func decode(_ body: ByteBuffer, from fault: ProtocolError.Fault) throws(ProtocolError) -> ErrorFields {
    var reader = MessageReader(body, from: fault, message: "ErrorResponse")
    var fields: [Field] = []
    while true {
      let code = try reader.byte()
      if code == 0 { break }
      fields.append(Field(code: code, value: try reader.cstringBytes()))
    }
    try reader.end()
    return ErrorFields(fields: fields)
  }

  /// The fields that are whole in the front of a body: severity and SQLSTATE come before any long text.
  static func decodeFront(_ front: ByteBuffer, from fault: ProtocolError.Fault) throws(ProtocolError) -> ErrorFields {
    var reader = MessageReader(front, from: fault, message: "ErrorResponse")
    var fields: [Field] = []
    while reader.remaining > 0 {
      let code = try reader.byte()
      guard code != 0 else { throw reader.malformed("bytes follow its end") }
      guard reader.hasCString else { break }
      fields.append(Field(code: code, value: try reader.cstringBytes()))
    }
    return ErrorFields(fields: fields)
  }

  /// `tag` is `BackendTag.errorResponse` or `.noticeResponse`.
  func encode(tag: UInt8, into buffer: inout ByteBuffer) {
    buffer.writeFrame(tag) { body in
      for field in fields {
        body.writeInteger(field.code)
        body.writeImmutableBuffer(field.value)
        body.writeInteger(UInt8(0))
      }
      body.writeInteger(UInt8(0))
    }
  }

  public func encodeError(into buffer: inout ByteBuffer) { encode(tag: BackendTag.errorResponse, into: &buffer) }
  public func encodeNotice(into buffer: inout ByteBuffer) { encode(tag: BackendTag.noticeResponse, into: &buffer) }
}
