import AccessModel
import Detection
import NIOCore
import Testing

@testable import Postgres

/// Values in which detectors find something: the rest of them stays, and they stay valid.
@Suite("Rows masked by content") struct ContentMaskTests {
  private static let key = MaskKey([UInt8](repeating: 7, count: 32))

  private func contents(_ kinds: DetectorKinds = .all, _ mask: Mask = .redact) throws -> ContentMasks {
    try #require(ContentMasks([ContentMask(rule: "r", detectors: DetectorSet(kinds), mask: mask)]))
  }

  private func column(_ type: UInt32, name: String = "c", format: Int16 = 0) -> RowDescription.Column {
    RowDescription.Column(
      name: ByteBuffer(string: name), table: 0, attribute: 0, type: type, typeSize: -1, typeModifier: -1, format: format
    )
  }

  /// What one value becomes; nil is NULL.
  private func masked(
    _ value: [UInt8], _ column: RowDescription.Column, _ contents: ContentMasks, _ plan: MaskPlan = .identity
  ) throws -> [UInt8]? {
    let description = RowDescription(columns: [column])
    guard let mask = RowMask(plan: plan, description: description, key: Self.key, contents: contents) else {
      return value
    }
    var row = ByteBuffer()
    row.writeInteger(Int16(1))
    row.writeInteger(Int32(value.count))
    row.writeBytes(value)
    var output = ByteBuffer()
    try mask.rewrite(row, into: &output)
    output.moveReaderIndex(forwardBy: 7)
    let read = output.readInteger(as: Int32.self)
    let length = try #require(read)
    #expect(output.readableBytes == max(0, Int(length)))
    return length < 0 ? nil : Array(output.readableBytesView)
  }

  private func masked(_ value: String, _ type: UInt32, name: String = "c", _ contents: ContentMasks) throws -> String? {
    try masked(Array(value.utf8), column(type, name: name), contents).map { String(decoding: $0, as: UTF8.self) }
  }

  private func masked(_ value: String, _ contents: ContentMasks) throws -> String? { try masked(value, 25, contents) }

  @Test("Exactly what is found is replaced, by each mask")
  func masks() throws {
    let text = "pay 4111111111111111 now"
    for (mask, wanted) in [
      (Mask.redact, "pay **** now"), (.fixed("card"), "pay card now"),
      (.partial(keepFirst: 0, keepLast: 4), "pay ************1111 now"),
    ] {
      #expect(try masked(text, try contents([.init(.creditCard)], mask)) == wanted)
    }
    #expect(try masked(text, try contents(.all, .null)) == nil)
    let hashed = try #require(try masked(text, try contents(.all, .hash)))
    #expect(hashed.hasPrefix("pay ") && hashed.hasSuffix(" now") && hashed.count == text.count)
    #expect(
      try masked("card 4111111111111111", try contents(.all, .hash))?.suffix(16) == hashed.dropFirst(4).prefix(16))
    #expect(try masked("pay 4111111111111112 now", try contents()) == "pay 4111111111111112 now")
  }

  @Test("JSON stays JSON: parts of strings, whole numbers")
  func json() throws {
    let document = #"{"a": "x \" ana@example.com", "card": 4111111111111111, "n": [1, "4111 1111 1111 1111"]}"#
    let wanted = #"{"a": "x \" ****", "card": 0, "n": [1, "****"]}"#
    #expect(try masked(document, 114, try contents()) == wanted)
    for (escaped, hidden) in [
      (#"{"a": "x\nana@example.com\n"}"#, #"{"a": "x****\n"}"#), (#"["\u00e9ana@example.com"]"#, #"["****"]"#),
      (#"["\\ana@example.com"]"#, #"["\\****"]"#),
    ] {
      #expect(try masked(escaped, 114, try contents()) == hidden)
    }
    let binary = try masked([1] + Array(document.utf8), column(3802, format: 1), try contents())
    #expect(binary == [1] + Array(wanted.utf8))
  }

  @Test("The column's name counts as a word beside the value")
  func label() throws {
    #expect(try masked("111222333", 25, name: "bsn", try contents()) == "****")
    #expect(try masked("111222333", 25, name: "note", try contents()) == "111222333")
  }

  @Test("Numbers, addresses and bytes, in both formats")
  func types() throws {
    #expect(try masked("4111111111111111", 20, try contents()) == "0")
    #expect(
      try masked(bigEndian(Int64(4_111_111_111_111_111)), column(20, format: 1), try contents()) == bigEndian(Int64(0)))
    #expect(try masked(bigEndian(Int64(4_111_111_111_111_112)), column(20, format: 1), try contents())?.last != 0)
    #expect(try masked("10.1.2.3", 869, try contents()) == "0.0.0.0")
    #expect(
      try masked([2, 32, 0, 4, 10, 1, 2, 3], column(869, format: 1), try contents()) == [2, 32, 0, 4, 0, 0, 0, 0])
    #expect(
      try masked([2, 32, 0, 4, 10, 1, 2, 3], column(869, format: 1), try contents([.init(.email)])) == [
        2, 32, 0, 4, 10, 1, 2, 3,
      ])
    let mail = Array("to ana@example.com".utf8)
    #expect(try masked(mail, column(17, format: 1), try contents()) == Array("to ****".utf8))
    #expect(try masked(ValueType.hexText(mail), column(17), try contents()) == ValueType.hexText(Array("to ****".utf8)))
    let picture = [0xFF] + mail
    #expect(try masked(picture, column(17, format: 1), try contents()) == picture)
    // An enum, a composite, an extension's type: text keeps its form, binary becomes NULL.
    #expect(try masked("(1,ana@example.com)", 99_999, try contents()) == "(1,****)")
    #expect(try masked(mail, column(99_999, format: 1), try contents()) == nil)
  }

  @Test("Arrays keep their form")
  func arrays() throws {
    #expect(try masked("{ana@example.com,NULL,\"b c\"}", 1009, try contents()) == "{****,NULL,\"b c\"}")
    func array(_ elements: [String?]) -> [UInt8] {
      bigEndian(Int32(1)) + bigEndian(Int32(1)) + bigEndian(UInt32(25)) + bigEndian(Int32(elements.count))
        + bigEndian(Int32(1))
        + elements.flatMap { element in
          guard let element else { return bigEndian(Int32(-1)) }
          return bigEndian(Int32(element.utf8.count)) + Array(element.utf8)
        }
    }
    #expect(
      try masked(array(["ana@example.com", nil, "b"]), column(1009, format: 1), try contents())
        == array(["****", nil, "b"]))
  }

  @Test("Of a column's mask and a detector's the less revealing wins")
  func strongest() throws {
    let card = Array("4111111111111111".utf8)
    let last = MaskPlan.columns([.partial(keepFirst: 0, keepLast: 4)])
    #expect(try masked(card, column(25), try contents(.all, .redact), last) == Array("****".utf8))
    #expect(try masked(Array("nothing".utf8), column(25), try contents(.all, .redact), last) == Array("***hing".utf8))
    #expect(
      try masked(card, column(25), try contents(.all, .partial(keepFirst: 6, keepLast: 4)), .columns([.redact]))
        == Array("****".utf8))
  }

  @Test("Two rules about one kind: the less revealing; a surer one does not hide what is unsure")
  func rules() throws {
    let two = try #require(
      ContentMasks([
        ContentMask(
          rule: "a", detectors: DetectorSet([.init(.email)]),
          mask: .partial(keepFirst: 0, keepLast: 0, keeping: .domain)),
        ContentMask(rule: "b", detectors: DetectorSet(minimum: .high), mask: .fixed("x")),
      ]))
    #expect(try masked("ana@example.com, 4111111111111111", two) == "x, 4111111111111111")
  }

  @Test("Columns that cannot hold any are not looked at, and what is found is told by column")
  func cheap() throws {
    let columns = [column(23), column(16), column(1184, format: 1), column(2950)]
    #expect(
      RowMask(plan: .identity, description: RowDescription(columns: columns), key: Self.key, contents: try contents())
        == nil)
    let mask = try #require(
      RowMask(
        plan: .identity, description: RowDescription(columns: [column(23), column(25, name: "note")]), key: Self.key,
        contents: try contents()))
    var found = RowMask.Found()
    var output = ByteBuffer()
    let rows = ByteBuffer(
      bytes: try WireFrame("DataRow \"1\" \"plain\"", from: .backend).bytes
        + WireFrame("DataRow \"2\" \"ana@example.com\"", from: .backend).bytes)
    let done = rows.withUnsafeReadableBytes { bytes in
      Result { () throws(ProtocolError) in try mask.rewriteFrames(bytes, limit: 1000, into: &output, found: &found) }
    }
    #expect(try done.get().rows == 2)
    #expect(mask.names(of: found) == ["note"])
  }

  @Test("What is recorded of a result is looked at as well")
  func recorded() throws {
    var tap = ResultTap(ResultBounds(rows: 10, bytes: 1000), hiding: try contents())
    let description = RowDescription(columns: [column(25, name: "note")])
    var body = ByteBuffer()
    description.encode(into: &body)
    body.moveReaderIndex(forwardBy: FrameHeader.size)
    _ = tap.columns(body, of: CommandID(1))
    let row = try WireFrame("DataRow \"to ana@example.com\"", from: .backend).bytes
    guard
      case .result(_, .rows(let frames, count: 1)) = tap.rows(ByteBuffer(bytes: row), of: CommandID(1), portal: nil)
        .first
    else {
      throw TestFailure("no row")
    }
    let hidden = try WireFrame("DataRow \"to ****\"", from: .backend).bytes
    #expect(frames == hidden)
    let line = ByteBuffer(string: "7\tana@example.com\n")
    #expect(tap.stream(line, of: CommandID(1)) == [.result(CommandID(1), .stream(Array("7\t****\n".utf8)))])
  }
}
