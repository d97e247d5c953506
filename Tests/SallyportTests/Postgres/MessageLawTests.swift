import AccessModel
import NIOCore
import Testing

@testable import Postgres

/// One message as bytes, and what decoding and encoding makes of it.
private struct Sample: CustomTestStringConvertible, Sendable {
  var line: String
  var side: Side
  var again: @Sendable (ByteBuffer) throws -> ByteBuffer

  var testDescription: String { line }

  init(_ line: String, from side: Side, _ again: @escaping @Sendable (ByteBuffer, inout ByteBuffer) throws -> Void) {
    self.line = line
    self.side = side
    self.again = { body in
      var buffer = ByteBuffer()
      try again(body, &buffer)
      return buffer
    }
  }

  static let all: [Sample] = [
    Sample("Query \"select 'é'\"", from: .client) { try QueryMessage.decode($0).encode(into: &$1) },
    Sample("Parse \"s\" \"select $1\" 23 0 4294967295", from: .client) {
      try ParseMessage.decode($0).encode(into: &$1)
    },
    Sample("Bind \"p\" \"s\" 2 0 1 2 \"x\" NULL 1 1", from: .client) { try BindMessage.decode($0).encode(into: &$1) },
    Sample("Bind \"\" \"\" 0 0 0", from: .client) { try BindMessage.decode($0).encode(into: &$1) },
    Sample("Execute \"p\" 7", from: .client) { try ExecuteMessage.decode($0).encode(into: &$1) },
    Sample("Describe S \"s\"", from: .client) {
      try StatementReference.decode($0, message: "Describe").encode(tag: FrontendTag.describe, into: &$1)
    },
    Sample("Close P \"\"", from: .client) {
      try StatementReference.decode($0, message: "Close").encode(tag: FrontendTag.close, into: &$1)
    },
    Sample("Raw p \"secret\\x00\"", from: .client) {
      PasswordMessage.password(try PasswordMessage.decodePassword($0)).encode(into: &$1)
    },
    Sample("Raw p \"SCRAM-SHA-256\\x00\\x00\\x00\\x00\\x03n,,\"", from: .client) {
      let (mechanism, data) = try PasswordMessage.decodeSASLInitialResponse($0)
      PasswordMessage.saslInitialResponse(mechanism: mechanism, data: data).encode(into: &$1)
    },
    Sample("Raw p \"SCRAM-SHA-256\\x00\\xff\\xff\\xff\\xff\"", from: .client) {
      let (mechanism, data) = try PasswordMessage.decodeSASLInitialResponse($0)
      PasswordMessage.saslInitialResponse(mechanism: mechanism, data: data).encode(into: &$1)
    },
    Sample("RowDescription \"ssn\" 16384 3 1043 -1 14 0 \"?\" 0 0 23 4 -1 1", from: .backend) {
      try RowDescription.decode($0).encode(into: &$1)
    },
    Sample("CommandComplete \"INSERT 0 3\"", from: .backend) { try CommandTag.decode($0).encode(into: &$1) },
    Sample("ReadyForQuery E", from: .backend) { try TransactionStatus.decode($0).encode(into: &$1) },
    Sample("ParameterStatus \"TimeZone\" \"UTC\"", from: .backend) { try ParameterStatus.decode($0).encode(into: &$1) },
    Sample("ErrorResponse S \"ERROR\" C \"42601\" M \"no\" P \"3\"", from: .backend) {
      try ErrorFields.decode($0, from: .backend).encodeError(into: &$1)
    },
    Sample("NoticeResponse", from: .backend) { try ErrorFields.decode($0, from: .backend).encodeNotice(into: &$1) },
    Sample("Raw K \"\\x00\\x00\\x00\\x07\\xff\\xff\\xff\\xff\"", from: .backend) {
      try BackendKeyData.decode($0).encode(into: &$1)
    },
    Sample("Raw v \"\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01_pq_.x\\x00\"", from: .backend) {
      try NegotiateProtocolVersion.decode($0).encode(into: &$1)
    },
    Sample("Raw R \"\\x00\\x00\\x00\\x00\"", from: .backend) { try AuthenticationRequest.decode($0).encode(into: &$1) },
    Sample("Raw R \"\\x00\\x00\\x00\\x03\"", from: .backend) { try AuthenticationRequest.decode($0).encode(into: &$1) },
    Sample("Raw R \"\\x00\\x00\\x00\\x05abcd\"", from: .backend) {
      try AuthenticationRequest.decode($0).encode(into: &$1)
    },
    Sample("Raw R \"\\x00\\x00\\x00\\x0aSCRAM-SHA-256\\x00\\x00\"", from: .backend) {
      try AuthenticationRequest.decode($0).encode(into: &$1)
    },
    Sample("Raw R \"\\x00\\x00\\x00\\x0br=x\"", from: .backend) {
      try AuthenticationRequest.decode($0).encode(into: &$1)
    },
    Sample("Raw R \"\\x00\\x00\\x00\\x0cv=x\"", from: .backend) {
      try AuthenticationRequest.decode($0).encode(into: &$1)
    },
  ]

  /// The samples whose length is fixed by what is inside, so that no shorter body can be one too.
  var mustRefuseTruncation: Bool { !line.contains("\\x0br=") && !line.contains("\\x0cv=") }
}

@Suite("Messages") struct MessageLawTests {
  @Test(arguments: Sample.all) fileprivate func encodingUndoesDecoding(_ sample: Sample) throws {
    let frame = try WireFrame(sample.line, from: sample.side)
    let again = try sample.again(ByteBuffer(bytes: frame.body))
    #expect(Array(again.readableBytesView) == frame.bytes)
  }

  @Test(arguments: Sample.all) fileprivate func everyTruncationIsRefused(_ sample: Sample) throws {
    let frame = try WireFrame(sample.line, from: sample.side)
    guard sample.mustRefuseTruncation else { return }
    for length in 0..<frame.body.count {
      #expect(throws: ProtocolError.self, "\(length) bytes of \(sample.line)") {
        _ = try sample.again(ByteBuffer(bytes: frame.body[..<length]))
      }
    }
  }

  /// What is decoded from a changed message is either refused or the same again: nothing is lost on the way.
  @Test(arguments: Sample.all) fileprivate func everyOneByteChangeIsRefusedOrKept(_ sample: Sample) throws {
    let frame = try WireFrame(sample.line, from: sample.side)
    for index in frame.body.indices {
      for value in [UInt8(0), 1, 0x7f, 0x80, 0xff] where frame.body[index] != value {
        var body = frame.body
        body[index] = value
        guard let again = try? sample.again(ByteBuffer(bytes: body)) else { continue }
        // Two are read and never written again, so that they may lose something: what follows the number of a method
        // that is not spoken, and a setting's value that is not UTF-8.
        let request =
          frame.tag == BackendTag.authentication
          ? try? AuthenticationRequest.decode(ByteBuffer(bytes: body)) : nil
        if case .unsupported = request { continue }
        if frame.tag == BackendTag.parameterStatus, String(validating: body, as: UTF8.self) == nil { continue }
        #expect(Array(again.readableBytesView) == WireFrame(tag: frame.tag, body: body).bytes, "byte \(index)")
      }
    }
  }

  @Test func countsThatExceedTheBody() {
    let bind = ByteBuffer(bytes: [0, 0, 0x7f, 0xff])
    #expect(throws: ProtocolError.self) { try BindMessage.decode(bind) }
    #expect(throws: ProtocolError.self) { try ParseMessage.decode(ByteBuffer(bytes: [0, 0, 0xff, 0xff])) }
    #expect(throws: ProtocolError.self) { try RowDescription.decode(ByteBuffer(bytes: [0xff, 0xff])) }
    #expect(throws: ProtocolError.self) {
      try NegotiateProtocolVersion.decode(ByteBuffer(bytes: [0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]))
    }
    #expect(throws: ProtocolError.self) {
      try BindMessage.decode(ByteBuffer(bytes: [0, 0, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff, 0, 0]))
    }
  }
}
