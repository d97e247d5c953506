import AccessModel
import Foundation
import Testing

@testable import SQLAnalysis

@Suite("SQL analyser")
struct SQLAnalyzerTests {
  @Test func whatIsNotTextIsNotUnderstood() {
    for bytes in [[0x53, 0xff], [0x53, 0x00, 0x45], [0xc0, 0x80], [0xed, 0xa0, 0x80]] as [[UInt8]] {
      let analysis = bytes.withUnsafeBytes { SQLAnalyzer.analyze(bytes: $0) }
      #expect(analysis.detail.misunderstood == .notText)
      #expect(analysis.effects.isUnknown && analysis.footprint == .everything)
    }
  }

  @Test func aSyntaxErrorCountsCharacters() {
    #expect(
      SQLAnalyzer.analyze("SELECT 'é' frm x y").detail.misunderstood
        == .syntax(message: "syntax error at or near \"x\"", position: 16))
    #expect(
      SQLAnalyzer.analyze("SELEC 1").detail.misunderstood
        == .syntax(message: "syntax error at or near \"SELEC\"", position: 1))
  }

  @Test func tooLongIsRefusedUnread() {
    let text = String(repeating: " ", count: SQLAnalyzer.textLimit + 1)
    #expect(SQLAnalyzer.analyze(text).detail.misunderstood == .tooLong(limit: 1 << 20))
  }

  @Test func commandsCarryTheText() {
    let analysis = SQLAnalyzer.analyze("SELECT $1")
    let command = analysis.command(stage: .prepare)
    #expect(command.text == "SELECT $1" && command.stage == .prepare && command.effects == .read)
    #expect(command.detail == .sql(analysis.detail))
  }

  @Test func transactionControl() {
    #expect(SQLAnalyzer.analyze("BEGIN; SAVEPOINT a; COMMIT").isTransactionControl)
    #expect(!SQLAnalyzer.analyze("BEGIN; SELECT 1").isTransactionControl)
    #expect(!SQLAnalyzer.analyze("").isTransactionControl)
  }

  @Test func eachStatementHasItsOwnFacts() throws {
    let statements = SQLAnalyzer.analyze("SELECT 1 FROM a; DELETE FROM b; DELETE FROM c WHERE x = 1").detail.statements
    #expect(statements.map(\.kind) == [.select, .delete, .delete])
    #expect(statements.map(\.effects) == [.read, .write, .write])
    #expect(statements.map(\.predicate) == [.notApplicable, .absent, .present])
    #expect(statements.map(\.footprint.description) == ["a:read", "b:write", "c:write"])
  }

  @Test func namesAreUnescaped() {
    let analysis = SQLAnalyzer.analyze("SELECT * FROM \"a\"\"b\\c\nd\u{1}é<\"")
    #expect(analysis.footprint == Footprint([ResourceAccess(.relation(schema: nil, "a\"b\\c\nd\u{1}é<"), .read)]))
  }

  @Test func manyRelationsAreEverything() {
    let list = (0...StatementWalk.accessLimit).map { "t\($0)" }.joined(separator: ",")
    let analysis = onStack(8 << 20) { SQLAnalyzer.analyze("SELECT FROM \(list)") }
    #expect(analysis?.footprint == .everything)
    #expect(analysis?.effects == .read)
  }
}

@Suite("Functions of the configuration")
struct FunctionCatalogTests {
  private let catalog = FunctionCatalog(
    [("public.calc_*", Effects.read), ("audit_log", .write), ("calc_dirty", .administer), ("wild", .unknown)]
      .compactMap { text, effects in
        NamePattern(text).map { FunctionCatalog.Entry(name: $0, effects: effects) }
      })

  private func analyze(_ text: String) -> Analysis { SQLAnalyzer.analyze(text, functions: catalog) }

  @Test func aDeclaredFunctionHasItsEffectsAndIsInTheFootprint() {
    let analysis = analyze("SELECT public.calc_tax(total) FROM orders")
    #expect(analysis.effects == [.read, .call])
    #expect(analysis.footprint.description == "orders:read public.calc_tax:read,call")
  }

  @Test func anUnresolvedSchemaIsNoMatchForANamedOne() {
    #expect(analyze("SELECT calc_tax(1)").effects.isUnknown)
    #expect(analyze("SELECT audit_log(1)").effects == [.read, .write, .call])
    #expect(analyze("SELECT evil.audit_log(1)").effects == [.read, .write, .call])
  }

  @Test func allMatchingEntriesCount() {
    #expect(analyze("SELECT public.calc_dirty()").effects == [.read, .call, .administer])
  }

  @Test func aDeclarationCannotTameABuiltinFunction() {
    let all = FunctionCatalog(["*", "*.*"].compactMap(NamePattern.init).map { .init(name: $0, effects: .read) })
    #expect(SQLAnalyzer.analyze("SELECT pg_read_file('x')", functions: all).effects.isUnknown)
    #expect(SQLAnalyzer.analyze("SELECT pg_catalog.query_to_xml('x')", functions: all).effects.isUnknown)
    #expect(SQLAnalyzer.analyze("SELECT f()", functions: all).effects == [.read, .call])
  }

  @Test func proceduresAndUnknownDeclarations() {
    #expect(analyze("CALL audit_log(1)").effects == [.write, .call])
    #expect(analyze("CALL audit_log((SELECT 1 FROM t))").effects == [.read, .write, .call])
    #expect(analyze("SELECT wild()").footprint == .everything)
  }

  @Test func argumentsAreLookedInto() {
    #expect(analyze("SELECT public.calc_tax(evil())").effects.isUnknown)
    #expect(analyze("SELECT public.calc_tax((SELECT x FROM secrets))").footprint.description.contains("secrets:read"))
  }
}

@Suite("Setting changes")
struct SettingChangeTests {
  private func settings(_ text: String) -> [SettingChange] { SQLAnalyzer.analyze(text).settings }

  @Test func valuesAreLiteralAndInOrder() {
    #expect(
      settings("SET A.b = 1.5; SET LOCAL x = -15; SET y = 0; SET z TO true; SET search_path = a, \"B\"") == [
        SettingChange(name: "a.b", value: "1.5"), SettingChange(name: "x", value: "-15", isLocal: true),
        SettingChange(name: "y", value: "0"), SettingChange(name: "z", value: "true"),
        SettingChange(name: "search_path", value: "a, B"),
      ])
    #expect(settings("RESET x; DISCARD ALL; DISCARD TEMP").map(\.name) == ["x", "all"])
    #expect(settings("SELECT set_config('A', $1, false)") == [SettingChange(name: "a", value: nil)])
    #expect(settings("SELECT set_config('a', 'b', $1)") == [SettingChange(name: "a", value: "b", isLocal: true)])
    #expect(settings("SELECT set_config('a', '1', false), set_config('b', '2', false)").map(\.name) == ["a", "b"])
  }

  @Test func aSettingOfSomebodyElseIsNone() {
    #expect(settings("ALTER ROLE ana SET search_path = x").isEmpty)
    #expect(settings("CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = x AS 'select 1'").isEmpty)
  }

  @Test(arguments: ["off", "OFF", "f", "no", "0", "of", "banana", ""]) func stringsMustStayStandard(_ value: String) {
    #expect(SettingChange(name: "Standard_Conforming_Strings", value: value).danger == .backslashes)
  }

  @Test(arguments: ["on", "ON", "true", "t", "yes", "1"]) func standardStringsAreSafe(_ value: String) {
    #expect(!SettingChange(name: "standard_conforming_strings", value: value).isUnsafe)
  }

  @Test(arguments: [
    "SJIS", "shift_jis", "mskanji", "win932", "BIG5", "win950", "GBK", "windows936", "UHC", "win949", "GB18030",
    "johab", "SHIFT_JIS_2004", "future", "",
  ]) func encodingsUnsafeForScanning(_ name: String) {
    #expect(SettingChange(name: "client_encoding", value: name).danger == .encoding)
  }

  @Test(arguments: [
    "UTF8", "utf-8", "'unicode", "SQL_ASCII", "latin1", "ISO_8859_5", "WIN1252", "windows-1251", "KOI8R", "EUC_JP",
    "EUC_JIS_2004",
  ]) func encodingsSafeForScanning(_ name: String) {
    #expect(!SettingChange(name: "client_encoding", value: name).isUnsafe)
  }

  @Test func backToTheStartIsSafeAndTheUnsaidIsNot() {
    #expect(!SettingChange(name: "client_encoding", value: nil, isReset: true).isUnsafe)
    #expect(SettingChange(name: "client_encoding", value: nil).isUnsafe)
    #expect(!SettingChange(name: "work_mem", value: nil).isUnsafe)
  }
}
