import AccessModel
import Enforcement
import Foundation
import PolicyEngine
import Testing

@testable import Gateway
@testable import SQLAnalysis

/// What lineage says of the columns of a result, beside what PostgreSQL says in RowDescription.
@Suite("Lineage and the backend agree")
struct LineageAgreementTests {
  /// A statement that PostgreSQL could prepare, with the table and column numbers that it gave, 0 for expressions.
  private struct Described: Decodable {
    var text: String
    var columns: [[Int]]
  }
  private struct Answer: Decodable {
    var catalog: [[String]]
    var statements: [Described]
  }

  /// Every statement of the corpora that can be prepared, and the catalogue by the gateway's own questions.
  private func ask(_ database: MaskDatabase) throws -> Answer {
    let cluster = try TestCluster.shared()
    let list = TestRun.newPath("statements")
    let corpora = ["mask-evasions.sql", "mask-keeps.sql", "mask-oracles.sql", "ordinary.sql", "evasions.sql"]
    try corpora.map { try String(contentsOfFile: "\(TestRun.root())/fixtures/sql/\($0)", encoding: .utf8) }
      .joined(separator: "\n").write(toFile: list, atomically: true, encoding: .utf8)
    let output = try python(
      "host=127.0.0.1 port=\(cluster.port) dbname=\(database.name) user=app password=\(cluster.password("app"))",
      """
      import json
      connection = connect()
      catalog = []
      for question in sys.argv[3].split("; "):
          for row in connection.execute(question.encode()).fetchall():
              catalog.append(["" if v is None else str(v) for v in row])
      statements = []
      for line in open(sys.argv[2]):
          text = line.strip().rstrip(";")
          if not text or text.startswith(("--", "\\\\")) or "; " in text:
              continue
          prepared = connection.pgconn.prepare(b"", text.encode())
          if prepared.status != psycopg.pq.ExecStatus.COMMAND_OK:
              continue
          found = connection.pgconn.describe_prepared(b"")
          statements.append({"text": text, "columns": [[found.ftable(i), found.ftablecol(i)] for i in range(found.nfields)]})
      print(json.dumps({"catalog": catalog, "statements": statements}))
      """, [list, CatalogQuery.contents])
    return try JSONDecoder().decode(Answer.self, from: Data(output.utf8))
  }

  @Test("for every statement of the corpora: as many columns, and each stored one is among those that it may come from")
  func corpora() throws {
    let answer = try ask(try MaskDatabase.create())
    var builder = CatalogBuilder(readAt: 0)
    for row in answer.catalog { try builder.add(row) }
    let catalog = builder.finished()
    let names = NameContext(
      catalog.snapshot, NameContext.Scope(path: SearchPath(setting: "\"$user\", public", user: "app")))
    var compared = 0
    for statement in answer.statements where !statement.columns.isEmpty {
      let analysis = SQLAnalyzer.analyze(statement.text, names: names)
      guard let described = analysis.detail.statements.first, let outputs = described.lineage.outputs,
        ![.fetch, .execute, .explain, .show, .call].contains(described.kind)
      else { continue }
      #expect(outputs.count == statement.columns.count, "\(statement.text)")
      for (output, numbers) in zip(outputs, statement.columns) where numbers[0] != 0 {
        guard let relation = catalog.relations[UInt32(numbers[0])], let column = relation.columns[Int16(numbers[1])]
        else { continue }
        let path = StoredColumn(schema: relation.schema, relation: relation.name, column: column)
        #expect(output.columns.extent != .listed || output.columns.columns.contains(path), "\(statement.text): \(path)")
        compared += 1
      }
    }
    #expect(compared > 120, "\(compared) columns of \(answer.statements.count) statements were compared")
  }

  /// The backend says name, lineage says id: whatever the reason, the statement reads a table with a masked column.
  @Test("where the two disagree the column is masked, if the statement may touch a masked one")
  func forged() {
    func plan(_ origin: [String], _ lineage: String, _ footprint: String) -> MaskPlan {
      let rule = Rule(
        name: "pii",
        then: .mask(ColumnMask(columns: [NamePattern("public.people.ssn")].compactMap { $0 }, mask: .redact)))
      let policy = Policy(PolicyDocument(rules: [rule]), hash: "").scoped(
        to: Subject(user: "ana", groups: [], connection: "shop"))
      let source = ValueSource(ColumnSet([StoredColumn(["public", "people", lineage])]), isCopy: true)
      let reads = Footprint([ResourceAccess(.relation(schema: "public", footprint), .read)])
      let statement = SQLStatement(
        kind: .select, effects: .read, footprint: reads, lineage: StatementLineage(outputs: [source]))
      let command = Command(
        effects: .read, footprint: reads, text: "x", detail: .sql(SQLDetail(statements: [statement])))
      return policy.maskPlan(
        for: command.sourced([ResultColumn(name: "c", origin: .column(origin))]), touching: command.resultFootprint)
    }
    #expect(plan(["public", "people", "name"], "name", "people") == .identity)
    #expect(plan(["public", "people", "name"], "id", "people") == .columns([.conceal]))
    #expect(plan(["public", "notes", "name"], "id", "notes") == .identity)
    #expect(plan(["public", "people", "ssn"], "ssn", "people") == .columns([.redact]))
  }
}
