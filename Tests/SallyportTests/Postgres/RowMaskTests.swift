import AccessModel
import NIOCore
import Testing

@testable import Postgres

@Suite("Masked rows") struct RowMaskTests {
  private static let key = MaskKey([UInt8](repeating: 7, count: 32))

  private func column(
    _ type: UInt32, modifier: Int32 = -1, name: String = "c", format: Int16 = 0
  ) -> RowDescription.Column {
    RowDescription.Column(
      name: ByteBuffer(string: name), table: 1, attribute: 1, type: type, typeSize: -1, typeModifier: modifier,
      format: format)
  }

  /// The values of a row as they come out, spelled.
  private func masked(_ row: String, _ columns: [RowDescription.Column], _ plan: MaskPlan) throws -> String {
    let mask = try #require(RowMask(plan: plan, description: RowDescription(columns: columns), key: Self.key))
    var output = ByteBuffer()
    try mask.rewrite(ByteBuffer(bytes: try WireFrame(row, from: .backend).body), into: &output)
    let frame = try #require(WireFrame(prefixOf: Array(output.readableBytesView)))
    #expect(frame.bytes.count == output.readableBytes)
    return frame.spelled(from: .backend)
  }

  @Test func partialKeepsCharactersNotBytes() throws {
    let last = MaskPlan.columns([.partial(keepFirst: 0, keepLast: 4)])
    for (value, wanted) in [
      ("078-05-1120", "*******1120"), ("12345", "*2345"), ("1234", "****"), ("12", "**"), ("", ""),
    ] {
      #expect(try masked("DataRow \"\(value)\"", [column(25)], last) == "DataRow \"\(wanted)\"")
    }
    #expect(try masked("DataRow \"Z\\xc3\\xbcrich\"", [column(25)], last) == "DataRow \"**rich\"")
    let both = MaskPlan.columns([.partial(keepFirst: 1, keepLast: 1)])
    #expect(
      try masked("DataRow \"\\xc3\\xa4bc\\xe2\\x82\\xac\"", [column(25)], both)
        == "DataRow \"\\xc3\\xa4**\\xe2\\x82\\xac\"")
    let greedy = MaskPlan.columns([.partial(keepFirst: .max, keepLast: .max)])
    #expect(try masked("DataRow \"abc\"", [column(25)], greedy) == "DataRow \"***\"")
  }

  @Test func whatIsNoUTF8IsReplacedWhole() throws {
    let plan = MaskPlan.columns([.partial(keepFirst: 0, keepLast: 2)])
    #expect(try masked("DataRow \"ab\\xffcdef\"", [column(25)], plan) == "DataRow \"****\"")
  }

  @Test func boundsOfVarcharHold() throws {
    #expect(
      try masked("DataRow \"x\"", [column(1043, modifier: 9)], .columns([.fixed("hidden")])) == "DataRow \"hidde\"")
    #expect(try masked("DataRow \"x\"", [column(1042, modifier: 6)], .columns([.redact])) == "DataRow \"**\"")
    #expect(try masked("DataRow \"x\"", [column(25, modifier: 6)], .columns([.redact])) == "DataRow \"****\"")
    #expect(
      try masked("DataRow \"x\"", [column(1043, modifier: 6)], .columns([.fixed("\u{fc}\u{fc}\u{fc}")]))
        == "DataRow \"\\xc3\\xbc\\xc3\\xbc\"")
  }

  @Test("what no valid value can be made up for becomes NULL: enums, composites, extensions' types")
  func otherTypesBecomeNull() throws {
    for mask in [Mask.null, .redact, .fixed("x"), .hash, .partial(keepFirst: 0, keepLast: 4)] {
      #expect(try masked("DataRow \"12345678\"", [column(60_001)], .columns([mask])) == "DataRow NULL")
    }
  }

  @Test func nullStaysNullAndOthersPass() throws {
    #expect(
      try masked(
        "DataRow NULL \"open\" \"shut\"", [column(25), column(25), column(25)], .columns([.redact, nil, .null]))
        == "DataRow NULL \"open\" NULL")
  }

  /// A plan that says less than the row has columns hides the rest.
  @Test func aShortPlanHidesTheRest() throws {
    #expect(
      try masked("DataRow \"a\" \"b\"", [column(25), column(25)], .columns([.redact])) == "DataRow \"****\" NULL")
  }

  @Test func identityIsNoMask() {
    let description = RowDescription(columns: [column(25)])
    #expect(RowMask(plan: .identity, description: description, key: Self.key) == nil)
    #expect(RowMask(plan: .columns([nil]), description: description, key: Self.key) == nil)
  }

  @Test func malformedRowsAreRefused() throws {
    for row in [
      "DataRow", "DataRow \"a\" \"b\"", "Raw D \"\\x00\\x01\\x00\\x00\\x00\\x09a\"",
      "Raw D \"\\x00\\x01\\xff\\xff\\xff\\xfe\"", "Raw D \"\\x00\\x01\\x00\\x00\\x00\\x01ab\"", "Raw D \"\\x00\"",
    ] {
      #expect(throws: ProtocolError.self, "\(row)") {
        _ = try masked(row, [column(25)], .columns([.redact]))
      }
    }
  }
}

@Suite("Start-up parameters") struct StartupPolicyTests {
  private func backendParameters(_ parameters: (String, String)...) throws -> [String] {
    try StartupPolicy.backendParameters(
      for: StartupMessage(parameters: parameters.map { .init($0.0, $0.1) }), user: "app", database: "db", person: "ana"
    ).map { "\($0.name)=\($0.value)" }
  }

  @Test func namesAreTheGatewaysOwn() throws {
    #expect(
      try backendParameters(
        ("user", "ana"), ("database", "shop"), ("application_name", "psql"), ("TimeZone", "UTC"), ("_pq_.x", "1"))
        == ["user=app", "database=db", "TimeZone=UTC", "application_name=ana"])
  }

  @Test(arguments: [
    "role", "ROLE", "session_authorization", "Replication", "standard_conforming_strings",
    "backslash_quote", "session_preload_libraries", "local_preload_libraries",
  ]) func refusedParameters(_ name: String) {
    #expect(throws: ProtocolError.self) { try backendParameters((name, "on")) }
    for options in ["-c \(name)=on", "-c\(name)=on", "--\(name.replacing("_", with: "-"))=on", "-c  \(name)=on"] {
      #expect(throws: ProtocolError.self, "\(options)") { try backendParameters(("options", options)) }
    }
  }

  @Test(arguments: ["-O", "-P", "-f s", "-d5", "role=x", "-c", "-c role", "--", "-W 10", "\\-O"])
  func refusedOptions(_ options: String) {
    #expect(throws: ProtocolError.self) { try backendParameters(("options", options)) }
  }

  @Test func optionsAreReadAsPostgreSQLReadsThem() throws {
    let settings = try StartupPolicy.settings(inOptions: " -c search_path=a\\ b\t--lock-timeout=5 -cx=\\\\ -c y=z=1 ")
    #expect(settings.map { "\($0.name)|\($0.value)" } == ["search_path|a b", "lock_timeout|5", "x|\\", "y|z=1"])
  }

  @Test(arguments: ["SJIS", "sjis", "shift-jis", "BIG5", "GBK", "GB18030", "UHC", "JOHAB", "S J_I-S", "SJ\u{301}IS"])
  func unsafeEncodings(_ name: String) {
    #expect(!StartupPolicy.isSafe(encoding: name))
    #expect(throws: ProtocolError.self) { try backendParameters(("client_encoding", name)) }
  }

  @Test(arguments: ["UTF8", "utf-8", "LATIN1", "SQL_ASCII", "EUC_JP", "WIN1252"]) func safeEncodings(_ name: String) {
    #expect(StartupPolicy.isSafe(encoding: name))
  }

  /// A combining mark joins "=" into one Character with itself; PostgreSQL reads bytes.
  @Test func combiningMarksHideNothing() {
    #expect(throws: ProtocolError.self) {
      try backendParameters(("options", "-cclient_encoding=\u{301}=SJIS"))
    }
    #expect(throws: ProtocolError.self) { try backendParameters(("options", "-crole=\u{301}=x")) }
  }
}
