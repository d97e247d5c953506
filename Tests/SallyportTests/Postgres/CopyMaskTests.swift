import AccessModel
import NIOCore
import Testing

@testable import Postgres

@Suite("Masked COPY data") struct CopyMaskTests {
  private static let key = MaskKey([UInt8](repeating: 7, count: 32))

  private func mask(_ terms: CopyTerms, _ plan: [Mask?], type: UInt32 = 25) throws -> CopyMask {
    let columns = plan.indices.map { index in
      RowDescription.Column(
        name: ByteBuffer(string: "c\(index)"), table: 0, attribute: 0, type: type, typeSize: -1, typeModifier: -1,
        format: terms.format == .binary ? 1 : 0)
    }
    let row = RowMask(plan: .columns(plan), description: RowDescription(columns: columns), key: Self.key)
    return CopyMask(try #require(row), terms)
  }

  /// The stream as it comes out when it is cut behind each so many bytes.
  private func masked(_ stream: [UInt8], _ mask: CopyMask, every size: Int, limit: Int = 1 << 20) throws -> [UInt8] {
    var mask = mask
    var output = ByteBuffer()
    var input = ByteBuffer()
    for start in stride(from: 0, to: stream.count, by: size) {
      input.writeFrame(BackendTag.copyData) { $0.writeBytes(stream[start..<min(start + size, stream.count)]) }
    }
    let done = input.withUnsafeReadableBytes { bytes in
      Result { () throws(ProtocolError) in try mask.rewriteFrames(bytes, limit: limit, into: &output) }
    }
    #expect(try done.get().bytes == input.readableBytes)
    #expect(mask.isBetweenRows)
    var body: [UInt8] = []
    while let header = try FrameHeader.peek(output, offset: 0, from: .backend) {
      output.moveReaderIndex(forwardBy: FrameHeader.size)
      body += output.readBytes(length: header.bodyLength) ?? []
    }
    return body
  }

  private func agree(
    _ stream: String, _ wanted: String, _ terms: CopyTerms, _ plan: [Mask?], type: UInt32 = 25
  ) throws {
    let bytes = Array(stream.utf8)
    for size in [1, 2, 3, 5, 7, bytes.count] {
      let found = try masked(bytes, try mask(terms, plan, type: type), every: size)
      #expect(String(decoding: found, as: UTF8.self) == wanted, "cut behind \(size)")
    }
  }

  @Test("text: escapes, NULL, and the end of a row in whatever piece it comes")
  func text() throws {
    let last = Mask.partial(keepFirst: 0, keepLast: 2)
    try agree("1\tsecret\tx\n2\t\\N\t\\N\n", "1\t****et\tx\n2\t\\N\t\\N\n", CopyTerms(.text), [nil, last, nil])
    try agree("a\\tb\\\\c\tz\n", "***\\\\c\tz\n", CopyTerms(.text), [last, nil])
    try agree("ab\\n\\\\\tz\n", "**\\n\\\\\tz\n", CopyTerms(.text), [last, nil])
    try agree("1\ta\n", "1\t\\N\n", CopyTerms(.text), [nil, .null])
    var odd = CopyTerms(.text)
    odd.delimiter = UInt8(ascii: "|")
    odd.null = Array("nil".utf8)
    try agree("a\\|b|nil\nnil|xy\n", "*\\|b|nil\nnil|**\n", odd, [last, last])
    try agree("1\ta\n", "1\t\\N\n", CopyTerms(.text), [nil, .redact], type: 0)
  }

  @Test("CSV: quotes, line feeds inside them, another escape, header, forced quotes")
  func csv() throws {
    let last = Mask.partial(keepFirst: 0, keepLast: 2)
    try agree("1,secret,x\n2,,y\n3,\"\",z\n", "1,****et,x\n2,,y\n3,\"\",z\n", CopyTerms(.csv), [nil, last, nil])
    try agree("\"a,\"\"b\"\"\nc\",1\n", "\"*****\nc\",1\n", CopyTerms(.csv), [last, nil])
    try agree("\"ab,\"\"\",1\n", "\"**,\"\"\",1\n", CopyTerms(.csv), [last, nil])
    var other = CopyTerms(
      .csv, columns: [CopyTerms.Column(name: "a", isQuoted: true), CopyTerms.Column(name: "b")])
    other.escape = UInt8(ascii: "\\")
    other.quote = UInt8(ascii: "'")
    other.delimiter = UInt8(ascii: ";")
    other.hasHeader = true
    try agree("a;b\n'x\\'y\\\\z';1\n'q';2\n", "a;b\n'***\\\\z';1\n'*';2\n", other, [last, nil])
  }

  @Test("binary: the signature passes, values keep their lengths, the end is the end")
  func binary() throws {
    let head = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 2, 9, 9]
    let row: [UInt8] = [0, 2, 0, 0, 0, 1, 0x31, 0, 0, 0, 3, 0x61, 0x62, 0x63]
    let null: [UInt8] = [0, 2, 0, 0, 0, 1, 0x32, 0xFF, 0xFF, 0xFF, 0xFF]
    let wanted: [UInt8] = [0, 2, 0, 0, 0, 1, 0x31, 0, 0, 0, 4] + Array("****".utf8)
    for size in [1, 2, 3, 11, 1_000] {
      let found = try masked(
        head + row + null + [0xFF, 0xFF], try mask(CopyTerms(.binary), [nil, .redact]), every: size)
      #expect(found == head + wanted + null + [0xFF, 0xFF], "cut behind \(size)")
    }
  }

  @Test("what is not as it should be is refused, and nothing of it comes out")
  func malformed() throws {
    for (stream, terms) in [
      ("1\n", CopyTerms(.text)), ("1\t2\t3\n", CopyTerms(.text)), ("\"a\"b,c\n", CopyTerms(.csv)),
      ("no signature, and longer than one", CopyTerms(.binary)),
    ] {
      let mask = try mask(terms, [.redact, nil])
      #expect(throws: ProtocolError.self) { try masked(Array(stream.utf8), mask, every: 100) }
    }
    var closed = CopyTerms(.text)
    closed.obstacle = "its options are not known"
    let blocked = try mask(closed, [.redact])
    #expect(throws: ProtocolError.self) { try masked(Array("a\n".utf8), blocked, every: 100) }
    let long = try mask(CopyTerms(.text), [.redact])
    #expect {
      try masked([UInt8](repeating: 0x61, count: 5_000), long, every: 500, limit: 1_000)
    } throws: { ($0 as? ProtocolError)?.code == "54000" }
  }

  /// Every cut of a stream of random values says what the whole says.
  @Test func cutsMeanNothing() throws {
    var seed = SystemRandomNumberGenerator()
    let alphabet = Array("ab,\"\\\n\t|'".utf8)
    for _ in 0..<40 {
      let values = (0..<12).map { _ in
        (0..<Int.random(in: 0...6, using: &seed)).map { _ in alphabet.randomElement(using: &seed) ?? 0 }
      }
      let lines = stride(from: 0, to: 12, by: 2).map { "\(quoted(values[$0])),\(quoted(values[$0 + 1]))\n" }
      let stream = Array(lines.joined().utf8)
      let plan: [Mask?] = [nil, .partial(keepFirst: 1, keepLast: 1)]
      let whole = try masked(stream, try mask(CopyTerms(.csv), plan), every: stream.count)
      let cut = try masked(stream, try mask(CopyTerms(.csv), plan), every: Int.random(in: 1...9, using: &seed))
      #expect(whole == cut, "\(stream)")
    }
  }

  private func quoted(_ value: [UInt8]) -> String {
    "\"" + String(decoding: value, as: UTF8.self).replacing("\"", with: "\"\"") + "\""
  }
}
