import AccessModel
import Testing

@testable import SQLAnalysis

@Suite("Parse trees")
struct TapeTests {
  private func read(_ json: String) -> Analysis { read(Array(json.utf8)) }

  private func read(_ json: [UInt8]) -> Analysis {
    json.withUnsafeBufferPointer { SQLAnalyzer.analyze("x", tree: $0, .empty) }
  }

  private func statement(_ json: String) -> String { "{\"version\":150001,\"stmts\":[{\"stmt\":\(json)}]}" }

  @Test func aKnownTreeIsRead() {
    let analysis = read(statement("{\"SelectStmt\":{\"fromClause\":[{\"RangeVar\":{\"relname\":\"a\\u003eb\"}}]}}"))
    #expect(analysis.footprint.description == "a>b:read")
  }

  @Test(arguments: [
    "{\"FutureStmt\":{}}", "{\"SelectStmt\":{\"targetList\":[{\"FutureExpr\":{}}]}}",
    "{\"SelectStmt\":{\"newClause\":{\"relname\":\"a\"}}}", "{\"SelectStmt\":{\"fromClause\":[{\"relname\":\"a\"}]}}",
    "{\"Query\":{}}", "{\"SelectStmt\":{\"fromClause\":[{\"RangeVar\":{}}]}}", "{\"InsertStmt\":{}}",
    "{\"SelectStmt\":{\"targetList\":[{\"FuncCall\":{}}]}}", "{\"relname\":\"a\"}",
  ]) func whatIsNotKnownMayDoEverything(_ tree: String) {
    let analysis = read(statement(tree))
    #expect(analysis.effects.isUnknown && analysis.footprint == .everything)
  }

  @Test(arguments: [
    "", "{", "{}x", "[]", "{\"stmts\":[}", "{\"stmts\":[{\"stmt\":{\"A\":{},\"B\":{}}}]}", "{\"a\" :1}", "{\"a\":tru}",
    "{\"a\":\"", "{\"a\":\"\\", "{\"a\":1,}", "{,\"a\":1}", "{\"stmts\":[1 2]}", "{\"A\":{\"B\":{}}}", "{\"A\":1}",
  ]) func whatIsNoTreeIsNotUnderstood(_ json: String) {
    let analysis = read(json)
    #expect(analysis.detail.misunderstood != nil || analysis.detail.statements.isEmpty && json.hasSuffix("}"))
    if json != "{\"A\":{}}" { #expect(analysis.effects.isUnknown || json == "{\"a\":1}") }
  }

  @Test func depthHasALimit() {
    let open = String(repeating: "[", count: Tape.depthLimit), close = String(repeating: "]", count: Tape.depthLimit)
    #expect(read("{\"a\":\(open)\(close)}").detail.misunderstood == .tooDeep)
    #expect(read("{\"a\":\(open)").detail.misunderstood == .tooDeep)
  }

  @Test func damagedTreesAreBorne() {
    let seed = UInt64.random(in: .min ... .max)
    print("damaged trees: seed \(seed)")
    var random = SplitMix(state: seed)
    for entry in CorpusEntry.all {
      let json = SQLAnalyzer.withParserOutput(entry.text) { tree, _ in Array(tree) }
      if json.isEmpty { continue }
      for _ in 0..<20 {
        var damaged = json
        if Bool.random(using: &random) {
          damaged.removeLast(Int.random(in: 1...damaged.count, using: &random))
          #expect(read(damaged).effects.isUnknown, "seed \(seed)")
        } else {
          damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
          _ = read(damaged)
        }
      }
    }
  }
}
