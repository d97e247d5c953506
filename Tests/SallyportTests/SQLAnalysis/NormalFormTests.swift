import CPgQuery
import Testing

@testable import SQLAnalysis

@Suite("Normal forms")
struct NormalFormTests {
  /// The form with its markers spelled, or nil.
  static func form(_ text: String) -> String? {
    var form = NormalForm()
    guard Array(text.utf8).withUnsafeBytes({ form.read($0) }) else { return nil }
    return form.withBytes { bytes in
      bytes.reduce(into: "") { spelled, byte in
        switch NormalForm.Marker(rawValue: byte) {
        case .string: spelled += "⟨string⟩"
        case .int4: spelled += "⟨int4⟩"
        case .int8: spelled += "⟨int8⟩"
        case .numeric: spelled += "⟨numeric⟩"
        case nil: spelled.unicodeScalars.append(Unicode.Scalar(byte))
        }
      }
    }
  }

  @Test func literalsGiveWayToTheirTypes() {
    let forms = [
      "SELECT abalance FROM pgbench_accounts WHERE aid = 12345;":
        "SELECT abalance FROM pgbench_accounts WHERE aid = ⟨int4⟩;",
      "x = 0": "x = ⟨int4⟩", "x=1": "x=⟨int4⟩", "x = 007": "x = ⟨int4⟩", "x = 2147483647": "x = ⟨int4⟩",
      "x = 2147483649": "x = ⟨int8⟩", "x = 999999999999999999": "x = ⟨int8⟩", "x = 1.50": "x = ⟨numeric⟩",
      "x - 5": "x - ⟨int4⟩", "x -5": "x -⟨int4⟩", "x = -5": "x = -⟨int4⟩", "x + -5": "x + -⟨int4⟩",
      "x = ''": "x = ⟨string⟩", "x = 'a'": "x = ⟨string⟩", "x = 'it''s'": "x = ⟨string⟩", "x = ''''": "x = ⟨string⟩",
      "(1,'a',2.5)": "(⟨int4⟩,⟨string⟩,⟨numeric⟩)", "x = 'a--b/*$1\u{1}\n'": "x = ⟨string⟩",
      "a1 = t2.b3": "a1 = t2.b3", "\"a 1\" = 1": "\"a 1\" = ⟨int4⟩", "\"a\"\" 1\" = 1": "\"a\"\" 1\" = ⟨int4⟩",
      "E 'a'": "E ⟨string⟩",
    ]
    for (text, form) in forms { #expect(NormalFormTests.form(text) == form, "\(text)") }
  }

  @Test func whatMightBeReadOtherwiseHasNone() {
    let texts = [
      "1", "'a'", "x = 2147483648", "x = 0002147483648", "x = 9999999999999999999", "x = 1a", "x = 1and y", "x = 1_000",
      "x = 0x1F", "x = 1e5", "x = 1.e5", "x = 1.", "x = 1.5e5", "x = 1.5a", "x = .5", "x = 1..2", "x = 1.5.5", "x = 1é",
      "x = $1", "x = $$a$$", "x = a$1", "x = 1::int", "x = 'a'::regclass", "x = 'a'b", "x = 'a'\"b\"", "x = 'a'1",
      "x = 'a'\n'b'", "x = 'a' 'b'", "x = 'a", "x = 'a''", "x = 'a\\'", "x = 'a\\n'", "x = E'a'", "x = e'a'",
      "x = B'1'",
      "x = X'1'", "x = N'a'", "x = U&'a'", "x & 'a' & U&\"a\"", "x = 1 -- y", "x = 1 /* y */", "x = 'a' --\n'b'",
      "x = \"a", "x = \"a\\\"", "x = \"a\u{1}\"", "x = \u{1}", "x = \u{2}", "x = 1\u{0}", "x = 'a\u{0}'", "x = 1\u{b}",
      "x\\ = 1", "x[1]", "x %1", "x ='a'='b'", "1=x", "x = @'a'",
    ]
    for text in texts { #expect(NormalFormTests.form(text) == nil, "\(text)") }
    #expect(NormalFormTests.form("x = " + String(repeating: "y", count: NormalForm.textLimit - 4)) != nil)
    #expect(NormalFormTests.form("x = " + String(repeating: "y", count: NormalForm.textLimit - 3)) == nil)
    #expect(NormalFormTests.form("x" + String(repeating: " 1", count: NormalForm.literalLimit)) != nil)
    #expect(NormalFormTests.form("x" + String(repeating: " 1", count: NormalForm.literalLimit + 1)) == nil)
  }

  /// The longest text that has a form may hold as many signs in a string as the lexer is asked to bear.
  @Test func theLengthIsWithinTheLexersCost() {
    #expect(LexerCost.isBearable(String(repeating: "+", count: NormalForm.textLimit)))
    #expect(!LexerCost.isBearable(String(repeating: "+", count: NormalForm.textLimit + 1)))
  }

  /// The law of `NormalForm`, against PostgreSQL's own lexer, on texts made to confuse the two.
  @Test func theLexerSeesTheSameLiterals() throws {
    let seed = UInt64.random(in: .min ... .max)
    print("normal forms against the lexer: seed \(seed)")
    var random = SplitMix(state: seed)
    var form = NormalForm()
    var withForm = 0
    for _ in 0..<60_000 {
      let text = (0..<Int.random(in: 1...10, using: &random)).map { _ in
        NormalFormTests.pieces.randomElement(using: &random) ?? ""
      }.joined()
      guard Array(text.utf8).withUnsafeBytes({ form.read($0) }) else { continue }
      // What the lexer refuses gets no analysis that could be shared.
      guard let tokens = LexerToken.all(of: text) else { continue }
      withForm += 1
      let literals = tokens.filter { $0.isLiteral }
      #expect(literals.map(\.start) == form.starts.map(Int.init), "\(text) seed \(seed)")
      let markers = form.withBytes { $0.compactMap(NormalForm.Marker.init(rawValue:)) }
      #expect(literals.map(\.kind) == markers.map(LexerToken.kind), "\(text) seed \(seed)")

      // Another text of the form: the same tokens, and the same form.
      var other = Array(text.utf8)
      for (token, marker) in zip(literals, markers).reversed() {
        let value = NormalFormTests.values(marker).randomElement(using: &random) ?? ""
        other.replaceSubrange(token.start..<token.end, with: value.utf8)
      }
      let twin = String(decoding: other, as: UTF8.self)
      #expect(NormalFormTests.form(twin) == NormalFormTests.form(text), "\(text) and \(twin), seed \(seed)")
      #expect(LexerToken.all(of: twin)?.map(\.kind) == tokens.map(\.kind), "\(text) and \(twin), seed \(seed)")
    }
    #expect(withForm > 2_000)
  }

  private static let pieces = [
    "a", "E", "e", "U&", "u&", "N", "n", "B", "X", "x", "_", "é", "and", "UESCAPE", "'", "''", "'a'", "'b c'", "'\n'",
    "\"",
    "\"a\"", "1", "0", "9", "12", "2147483647", "2147483648", "3000000000", "1.5", ".", "-", "+", "=", "<", ">", "!",
    "@",
    "(", ")", ",", ";", " ", " ", " ", " ", "\n", "\t", "\r", "\u{c}", "/", "*", "&", "|", ":", "[", "]", "%", "$",
    "\\",
    " = ", ", ", " 'a' ", " 5 ", " 'é' ",
  ]

  static func values(_ marker: NormalForm.Marker) -> [String] {
    switch marker {
    case .string:
      ["''", "'x'", "''''", "'é'", "'; DELETE FROM t; --'", "'1'", "'a''b'", "'/*'", "'\n'", "'$1'", "'\u{1}'"]
    case .int4: ["0", "1", "42", "2147483647", "000000000000000001"]
    case .int8: ["2147483649", "999999999999999999", "00099999999999"]
    case .numeric: ["0.0", "1.5", "99999999999999999999.1", "2147483648.0"]
    }
  }
}

/// A token as libpg_query's lexer gives it.
private struct LexerToken {
  var start = 0
  var end = 0
  /// Of the enum Token in pg_query.proto.
  var kind = 0

  /// FCONST, SCONST, and, which no text with a form may hold: USCONST, BCONST, XCONST; ICONST; PARAM.
  var isLiteral: Bool { [260, 261, 262, 263, 264, 266, 267].contains(kind) }

  static func kind(_ marker: NormalForm.Marker) -> Int {
    switch marker {
    case .string: 261
    case .int4: 266
    case .int8, .numeric: 260
    }
  }

  /// All tokens, or nil when the lexer refuses the text.
  static func all(of text: String) -> [LexerToken]? {
    let result = text.withCString { pg_query_scan($0) }
    defer { pg_query_free_scan_result(result) }
    guard result.error == nil, let data = result.pbuf.data else { return nil }
    var bytes = UnsafeRawBufferPointer(start: data, count: Int(result.pbuf.len))[...]
    var tokens: [LexerToken] = []
    while let (field, value) = next(&bytes) {
      // ScanResult.tokens, each a ScanToken.
      guard field == 2 else { continue }
      var token = LexerToken()
      var inner = bytes.prefix(value)
      bytes = bytes.dropFirst(value)
      while let (field, value) = next(&inner) {
        if field == 1 { token.start = value }
        if field == 2 { token.end = value }
        if field == 4 { token.kind = value }
      }
      tokens.append(token)
    }
    return tokens
  }

  /// A field's number, and its value or length.
  private static func next(_ bytes: inout Slice<UnsafeRawBufferPointer>) -> (Int, Int)? {
    guard !bytes.isEmpty else { return nil }
    return (varint(&bytes) >> 3, varint(&bytes))
  }

  private static func varint(_ bytes: inout Slice<UnsafeRawBufferPointer>) -> Int {
    var value = 0
    var shift = 0
    while let byte = bytes.popFirst() {
      value |= Int(byte & 0x7f) << shift
      shift += 7
      if byte < 0x80 || shift > 56 { break }
    }
    return value
  }
}
