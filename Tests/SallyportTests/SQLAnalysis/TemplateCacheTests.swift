import AccessModel
import Testing

@testable import SQLAnalysis

extension Analysis {
  /// All that a template lends to other texts, so that two can be compared.
  fileprivate func isLike(_ other: Analysis) -> Bool {
    effects == other.effects && footprint == other.footprint && detail == other.detail && settings == other.settings
      && isTransactionControl == other.isTransactionControl && isTemplate == other.isTemplate
      && forgets == other.forgets && unsafeSetting == other.unsafeSetting && traits == other.traits
      && endsTransactions == other.endsTransactions && isOrdinary == other.isOrdinary
  }
}

@Suite("Analyses by normal form")
struct TemplateCacheTests {
  private func find(_ text: String, in cache: inout TemplateCache) -> Analysis? {
    Array(text.utf8).withUnsafeBytes { cache.find($0) }
  }

  private func insert(_ text: String, into cache: inout TemplateCache) {
    cache.insert(SQLAnalyzer.analyze(text), weight: 1_000)
  }

  @Test func oneAnalysisServesAllTextsOfAForm() {
    var cache = AnalysisCache()
    func find(_ text: String) -> Analysis? { Array(text.utf8).withUnsafeBytes { cache.find($0) } }
    cache.insert(SQLAnalyzer.analyze("SELECT abalance FROM pgbench_accounts WHERE aid = 1;"), epoch: 0)
    let found = find("SELECT abalance FROM pgbench_accounts WHERE aid = 99999;")
    #expect(found?.text == "SELECT abalance FROM pgbench_accounts WHERE aid = 99999;")
    #expect(found?.footprint.description == "pgbench_accounts:read")
    #expect(cache.count == 1, "what is found by form is not kept by text")
    for other in ["'1'", "1.5", "3000000000", "-1", "1::int", "aid", "$1", "1 OR true", "NULL"] {
      #expect(find("SELECT abalance FROM pgbench_accounts WHERE aid = \(other);") == nil, "\(other)")
    }
    #expect(find("SELECT abalance FROM pgbench_accounts WHERE aid =  1;") == nil)
    #expect(find("SELECT Abalance FROM pgbench_accounts WHERE aid = 1;") == nil)
    cache.advance()
    #expect(find("SELECT abalance FROM pgbench_accounts WHERE aid = 99999;") == nil)
  }

  private static let plain = [
    "SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE 1 < b AND t.c <> 'x' OR d >= 2.5",
    "DELETE FROM t WHERE b != 1",
    "SELECT a FROM t WHERE b IN (1, 2) AND c NOT IN ('x')",
    "SELECT a FROM t WHERE b BETWEEN 1 AND 2 AND c NOT BETWEEN SYMMETRIC -1 AND - 2",
    "SELECT a FROM t WHERE b IS NULL AND c = 1 AND d = TRUE", "SELECT a FROM t ORDER BY a LIMIT 10 OFFSET 20",
    "SELECT a FROM t FETCH FIRST 5 ROWS ONLY", "INSERT INTO t VALUES (1, 'x', NULL), (2, 'y', DEFAULT) RETURNING a",
    "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 2, 3, -4, CURRENT_TIMESTAMP);",
    "UPDATE t SET a = 1, b = 'x' WHERE c = 2", "UPDATE pgbench_accounts SET abalance = abalance + -1234 WHERE aid = 5;",
    "UPDATE t SET a = 5 - a WHERE c = -2147483649", "UPDATE t SET a = -1 WHERE b = 2; SELECT a FROM t WHERE b = 2",
    "WITH x AS (SELECT a FROM t WHERE b = 1) SELECT x.a FROM x JOIN u ON u.c = 2 AND u.a = x.a",
    "SELECT count(*) FILTER (WHERE a = 1) FROM t GROUP BY b HAVING c > 10", "SELECT a FROM t WHERE e = 1 AND f(a)",
    "SELECT set_config(a, b, c) FROM t WHERE d = 1", "SELECT a INTO x FROM t WHERE b = 1",
  ]

  private static let other = [
    "SELECT 1", "SELECT a FROM t WHERE 1 = 1", "DELETE FROM t WHERE 1 = 1", "DELETE FROM t WHERE 1 = 1 OR b = 2",
    "DELETE FROM t WHERE 'x' = 'x' AND b = 1", "SELECT a FROM t WHERE b = 1 ORDER BY 1",
    "SELECT a, 'x' FROM t WHERE b = 1",
    "SELECT f('x') FROM t WHERE b = 1", "SELECT a FROM t WHERE f(1) = b", "SELECT a FROM t WHERE b = f(1)",
    "SELECT a FROM t WHERE b = 1 + 1", "SELECT a FROM t WHERE b + 1 = c", "SELECT a FROM t WHERE f(b) = 1",
    "SELECT a FROM t WHERE b = ANY ('{1}')", "SELECT a FROM t WHERE b LIKE 'x%'", "SELECT a->>'x' FROM t",
    "SELECT a FROM t WHERE (a->>'x') = b", "SELECT a FROM t WHERE b ~ 'x'", "SELECT a FROM t WHERE b OPERATOR(x.=) 1",
    "SELECT a FROM t WHERE b OPERATOR(pg_catalog.=) 1", "SELECT a FROM t WHERE b = date '2020-01-01'",
    "SELECT a FROM t WHERE b = interval '1' day", "SELECT a FROM t WHERE b = CAST('x' AS regclass)",
    "SELECT a FROM t WHERE CASE WHEN 'x' THEN b END", "DELETE FROM t WHERE coalesce('t', b)",
    "SELECT a FROM t WHERE (b, c) = (1, 2)", "SELECT a FROM t WHERE b IN (1, f(2))",
    "SELECT a FROM t WHERE 1 IN (b, 2)",
    "SELECT a FROM t WHERE b = ARRAY (SELECT 1)", "SELECT a FROM t LIMIT (1)::int", "SELECT a FROM t LIMIT f(1)",
    "INSERT INTO t VALUES (f('x'))", "INSERT INTO t VALUES (1 + 2)", "INSERT INTO t SELECT 1", "VALUES (1)",
    "INSERT INTO t SELECT * FROM (VALUES (1)) v", "INSERT INTO t VALUES ((SELECT a FROM u WHERE f(1)))",
    "UPDATE t SET a = f('x')", "UPDATE t SET (a, b) = (1, 2)", "UPDATE t SET a = a || 'x'", "UPDATE t SET a = a + 'x'",
    "UPDATE t SET a = a + 1 + 2", "UPDATE t SET a = a * 2", "SELECT a + 1 FROM t",
    "SELECT a FROM t TABLESAMPLE system (10)", "SELECT a FROM generate_series(1, 10) a", "SELECT a::varchar(10) FROM t",
    "SELECT set_config('role', 'x', false)", "SELECT nextval('s') FROM t WHERE a = 1", "SELECT dblink('x', 'y')",
    "SET search_path = 'x'", "DO 'x'", "EXECUTE p (1)", "FETCH 5 FROM c", "CALL p(1)",
    "EXPLAIN SELECT a FROM t WHERE b = 1",
    "PREPARE p AS SELECT a FROM t WHERE b = 1", "DECLARE c CURSOR FOR SELECT a FROM t WHERE b = 1",
    "COPY (SELECT a FROM t WHERE b = 1) TO STDOUT", "CREATE VIEW v AS SELECT a FROM t WHERE b = 1",
    "SELECT a FROM t WHERE b = 1; SET role = 'x'", "SELECT a FROM U&\"d!0061ta\" UESCAPE '!' WHERE b = 1",
    "MERGE INTO t USING u ON t.a = u.a AND t.b = 1 WHEN MATCHED THEN DELETE",
    "SELECT EXTRACT(year FROM a) FROM t WHERE b = 1",
    "SELECT a FROM t WHERE b = -(-1)", "SELECT a FROM t WHERE b = +1", "SELECT a[1] FROM t", "SELECT FROM t",
  ]

  @Test func onlyPlainPlacesAreShared() {
    for text in TemplateCacheTests.plain { #expect(SQLAnalyzer.analyze(text).isTemplate, "\(text)") }
    for text in TemplateCacheTests.other { #expect(!SQLAnalyzer.analyze(text).isTemplate, "\(text)") }
    for text in TemplateCacheTests.plain + TemplateCacheTests.other {
      #expect(SQLAnalyzer.analyze(text).detail.misunderstood == nil, "\(text)")
    }
    #expect(!SQLAnalyzer.analyze("SELEC a FROM t WHERE b = 1").isTemplate)
  }

  @Test func textThatIsNotUTF8IsNotLentAnAnalysis() {
    var cache = TemplateCache()
    insert("SELECT a FROM t WHERE b = 'é'", into: &cache)
    #expect(find("SELECT a FROM t WHERE b = 'ü'", in: &cache) != nil)
    for bytes in [[0xff], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xed, 0xa0, 0x80], [0xc0, 0xa7]] as [[UInt8]] {
      let text = Array("SELECT a FROM t WHERE b = '".utf8) + bytes + [0x27]
      #expect(text.withUnsafeBytes { cache.find($0) } == nil, "\(bytes)")
    }
  }

  @Test func entriesAndBytesHaveBounds() {
    var cache = TemplateCache(entryLimit: 16, byteLimit: 1 << 20)
    for number in 0..<200 {
      insert("SELECT a\(number) FROM t WHERE b = 1", into: &cache)
      #expect(find("SELECT a\(number) FROM t WHERE b = 2", in: &cache) != nil, "the newest is there")
      #expect(cache.count <= 16)
    }
    #expect(cache.count > 8)
    var small = TemplateCache(entryLimit: 1_024, byteLimit: 10_000)
    for number in 0..<200 {
      insert("SELECT a\(number) FROM t WHERE b = 1", into: &small)
      #expect(small.bytes <= 10_000)
    }
    #expect(small.count > 3 && small.count < 10)
    small.insert(SQLAnalyzer.analyze("SELECT a FROM t WHERE b = 1"), weight: 5_000)
    #expect(find("SELECT a FROM t WHERE b = 1", in: &small) == nil)
    small.removeAll()
    #expect(small.count == 0 && small.bytes == 0)
  }

  /// The law of `PlainLiterals`: whatever stands in a text, the form's analysis is the one that the text has itself.
  @Test func aLentAnalysisIsTheTextsOwn() {
    #expect(Mirror(reflecting: SQLAnalyzer.analyze("x")).children.count == 9, "compare the new field in isLike too")
    let seed = UInt64.random(in: .min ... .max)
    print("analyses by normal form: seed \(seed)")
    var random = SplitMix(state: seed)
    let sources =
      (CorpusEntry.all.map(\.text).filter { $0.utf8.count < 400 } + TemplateCacheTests.plain + TemplateCacheTests.other)
      .map(LiteralSlots.init).filter { !$0.slots.isEmpty }
    var cache = TemplateCache(entryLimit: 1 << 14, byteLimit: 64 << 20)
    var lent = 0
    var templates = 0
    for round in 0..<10_000 {
      guard let source = sources.randomElement(using: &random) else { break }
      // Half of the texts get harmless values only, so that forms are met again; the others any.
      let text = source.filled(using: &random, isHostile: round % 2 == 1)
      let fresh = SQLAnalyzer.analyze(text)
      if let found = find(text, in: &cache) {
        lent += 1
        #expect(found.text == text && found.isLike(fresh), "\(text), seed \(seed)")
      }
      if fresh.isTemplate {
        templates += 1
        cache.insert(fresh, weight: 1_000)
        #expect(find(text, in: &cache) != nil, "\(text), seed \(seed)")
      }
    }
    #expect(lent > 600 && templates > lent)
  }
}

/// A text cut where numbers and strings stand, by a reading much simpler than the one that is tested.
private struct LiteralSlots {
  var slots: [Range<Int>] = []
  var bytes: [UInt8]

  init(_ text: String) {
    bytes = Array(text.utf8)
    var at = 0
    while at < bytes.count {
      let start = at
      let before = at == 0 ? 0x20 : bytes[at - 1]
      if bytes[at] == 0x27 {
        repeat { at += 1 } while at < bytes.count && bytes[at] != 0x27
        at = min(at + 1, bytes.count)
        slots.append(start..<at)
      } else if LiteralSlots.isDigit(bytes[at]), !LiteralSlots.isWord(before) {
        while at < bytes.count, LiteralSlots.isDigit(bytes[at]) || bytes[at] == 0x2e { at += 1 }
        slots.append(start..<at)
      } else {
        at += 1
      }
    }
  }

  func filled(using random: inout SplitMix, isHostile: Bool) -> String {
    var filled = bytes
    for slot in slots.reversed() where Int.random(in: 0..<4, using: &random) > 0 {
      let isString = bytes[slot.lowerBound] == 0x27
      let markers: [NormalForm.Marker] = isString ? [.string] : [.int4, .int4, .int8, .numeric]
      let plain = NormalFormTests.values(markers.randomElement(using: &random) ?? .string)
      let isPlain = !isHostile || Int.random(in: 0..<3, using: &random) == 0
      let value = (isPlain ? plain : LiteralSlots.hostile).randomElement(using: &random) ?? ""
      filled.replaceSubrange(slot, with: value.utf8)
    }
    return String(decoding: filled, as: UTF8.self)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
  private static func isWord(_ byte: UInt8) -> Bool {
    isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7a) || byte == 0x5f || byte == 0x24 || byte == 0x2e
  }

  private static let hostile = [
    "2147483648", "-2147483648", "9223372036854775807", "9223372036854775808", "99999999999999999999", "1e400", ".5",
    "1.",
    "1.e5", "1..2", "0x1F", "0b1", "0o7", "1_000", "1a", "1and", "$1", "-1", "- 1", "-\n1", "--1\n1", "+1", "-(1)",
    "- -1",
    "(1)", "'a'\n'b'", "'a' 'b'", "'a'--x\n'b'", "'a'/**/", "E'a\\'b'", "e'\\''", "B'101'", "X'1F'", "N'x'",
    "U&'\\0027'",
    "u&'x' UESCAPE '!'", "$$a$$", "$a$x$a$", "'\\'", "'a\\''", "'a''", "'", "'x'::regclass", "1::int", "'1'::text",
    "date '2020-01-01'", "interval '1' day", "interval(3) '1'", "bool 't'", "NULL", "TRUE", "false", "ALL", "DEFAULT",
    "now()", "(SELECT 1)", "1 OR 1=1", "1 OR TRUE", "1 OR 1 = 1", "'x' OR 'a'='a'", "'x' OR 'a' = 'a'",
    "1; DELETE FROM t",
    "1; DELETE FROM t WHERE 1 = 1", "1 --", "1 /*", "''; DROP TABLE t; --'", "'a'||'b'", "1+1", "a", "t.a", "ARRAY[1]",
    "CAST(1 AS int)", "1 COLLATE \"C\"", "@-1", "1=1", "1 = 1", "a = 1", "a = a", "1 = a", "nextval('s')",
    "set_config('role','x',false)", "dblink('a','b')", "\u{1}", "\u{2}", "\u{a0}1", "1é", "2e5", "1)", "(1", "", " ",
  ]
}
