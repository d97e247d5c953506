import AccessModel
import NIOCore
import PolicyEngine
import SQLAnalysis
import Testing

@testable import Postgres

/// Resolves names in a catalogue of three tables; `public` and `audit` have one of the same name.
private final class ResolvingAnalyses: StatementAnalyses {
  private let snapshot: CatalogSnapshot
  private var contexts: [NameContext.Scope: NameContext] = [:]

  init() {
    var contents = CatalogSnapshot.Contents()
    contents.user = "app"
    contents.usableSchemas = ["public", "audit"]
    for (oid, schema) in [(1, "public"), (2, "audit")] {
      contents.relations.append(CatalogSnapshot.Relation(oid: UInt32(oid), schema: schema, name: "orders"))
    }
    contents.routines = [
      CatalogSnapshot.Routine(oid: 9, schema: "public", name: "fine", body: .sql("SELECT 1"))
    ]
    snapshot = CatalogSnapshot(contents)
  }

  private func context(_ scope: SessionScope) -> NameContext {
    if let known = contexts[scope.names] { return known }
    let made = NameContext(snapshot, scope.names)
    contexts[scope.names] = made
    return made
  }

  func analysis(of text: UnsafeRawBufferPointer) -> Analysis? { nil }

  func analysis(of text: UnsafeRawBufferPointer, in scope: SessionScope) -> Analysis? {
    SQLAnalyzer.analyze(bytes: text, names: context(scope))
  }

  func isCurrent(_ analysis: Analysis, in scope: SessionScope) -> Bool {
    analysis.traits.context == context(scope).id
  }
}

@Suite("Names in a session") struct SessionNamesTests {
  private let driver: SessionDriver

  init() throws {
    driver = SessionDriver(
      policy: try TranscriptRun.policy("open.yaml"), analyses: ResolvingAnalyses(), followsNames: true)
  }

  private func client(_ lines: String...) throws {
    driver.feed(try lines.flatMap { try WireFrame($0, from: .client).bytes }, from: .client)
  }

  private func backend(_ lines: String...) throws {
    driver.feed(try lines.flatMap { try WireFrame($0, from: .backend).bytes }, from: .backend)
  }

  /// The messages that reach a side, spelled.
  private func sent(to side: Side) -> [String] {
    var lines: [String] = []
    while let frame = driver.nextFrame(to: side) {
      lines.append(frame.spelled(from: side == .client ? .backend : .client))
    }
    return lines
  }

  private func footprints() -> [String] {
    var lines: [String] = []
    while let record = driver.nextRecord() {
      if let range = record.range(of: "footprint=") { lines.append(String(record[range.upperBound...])) }
    }
    return lines
  }

  private static let question: [String] =
    ["search_path", "role", "session_authorization"].flatMap {
      [
        "Parse \"sallyport_names\" \"SHOW \($0)\"", "Bind \"sallyport_names\" \"sallyport_names\" 0 0 0",
        "Execute \"sallyport_names\" 0", "Close P \"sallyport_names\"", "Close S \"sallyport_names\"",
      ]
    } + ["Sync"]

  /// The gateway has asked, and is answered; nothing of it reaches the client.
  private func answer(_ path: String, role: String = "none", status: String = "I") throws {
    #expect(sent(to: .backend) == SessionNamesTests.question)
    for value in [path, role, "app"] {
      try backend(
        "ParseComplete", "BindComplete", "DataRow \"\(value)\"", "CommandComplete \"SHOW\"", "CloseComplete",
        "CloseComplete")
    }
    #expect(sent(to: .backend).isEmpty)
    try backend("ReadyForQuery \(status)")
    #expect(sent(to: .client).isEmpty)
  }

  private func complete(_ tag: String, status: String = "I") throws {
    try backend("CommandComplete \"\(tag)\"", "ReadyForQuery \(status)")
    _ = sent(to: .client)
  }

  private func run(_ text: String, _ tag: String, status: String = "I") throws {
    try client("Query \"\(text)\"")
    #expect(sent(to: .backend) == ["Query \"\(text)\""])
    try complete(tag, status: status)
  }

  @Test func theFirstNameAsksForThePath() throws {
    try run("begin", "BEGIN", status: "T")
    try run("select 1", "SELECT 1", status: "T")
    try client("Query \"select * from orders\"")
    try answer("public", status: "T")
    #expect(sent(to: .backend) == ["Query \"select * from orders\""])
    try complete("SELECT 0", status: "T")
    try run("select * from orders", "SELECT 0", status: "T")
    #expect(footprints() == ["nothing", "nothing", "public.orders:read", "public.orders:read"])
    #expect(driver.audit.events.contains(.control(session: "s", purpose: .catalog)))
  }

  @Test func whatMayChangeThePathMakesItUnknown() throws {
    try client("Query \"select * from orders\"")
    try answer("\\\"$user\\\", public")
    _ = sent(to: .backend)
    try complete("SELECT 0")
    try run("set search_path to audit", "SET")
    try client("Query \"select * from orders\"")
    try answer("audit")
    _ = sent(to: .backend)
    try complete("SELECT 0")
    #expect(footprints() == ["public.orders:read", "nothing", "audit.orders:read"])
  }

  @Test func aRollbackTakesAPathBack() throws {
    try run("begin", "BEGIN", status: "T")
    try run("set local search_path to audit", "SET", status: "T")
    try client("Query \"select * from orders\"")
    try answer("audit", status: "T")
    _ = sent(to: .backend)
    try complete("SELECT 0", status: "T")
    try run("rollback", "ROLLBACK")
    try client("Query \"select * from orders\"")
    try answer("public")
    _ = sent(to: .backend)
    #expect(footprints().suffix(3) == ["audit.orders:read", "nothing", "public.orders:read"])
  }

  /// A cursor runs its query when it is fetched from, not when it is declared.
  @Test func aCursorMayChangeThePathLater() throws {
    try run("begin", "BEGIN", status: "T")
    try run("declare c cursor for select set_config('search_path', 'audit', false)", "DECLARE CURSOR", status: "T")
    try client("Query \"select * from orders\"")
    try answer("public", status: "T")
    _ = sent(to: .backend)
    try complete("SELECT 0", status: "T")
    try run("fetch c", "FETCH 1", status: "T")
    try client("Query \"select * from orders\"")
    try answer("audit", status: "T")
    _ = sent(to: .backend)
    // Unknown code has run: there may be a temporary table of that name.
    #expect(footprints().last == "orders:read")
  }

  @Test func anotherRoleSeesOtherSchemas() throws {
    try client("Query \"select * from orders\"")
    try answer("public", role: "somebody")
    #expect(sent(to: .backend) == ["Query \"select * from orders\""])
    #expect(footprints() == ["orders:read"])
  }

  /// DECISIONS 6: what is pipelined behind a SET is read once that is answered, by the path that it made. Inside the
  /// client's pipeline the question ends with a Flush, as a Sync would end the client's transaction.
  @Test func behindASetInAPipelineThePathIsAskedForInside() throws {
    try client(
      "Parse \"\" \"set search_path to audit\"", "Bind \"\" \"\" 0 0 0", "Execute \"\" 0",
      "Parse \"\" \"select * from orders\"", "Bind \"\" \"\" 0 0 0", "Execute \"\" 0", "Sync")
    #expect(sent(to: .backend).suffix(2) == ["Execute \"\" 0", "Flush"])
    try backend("ParseComplete", "BindComplete", "CommandComplete \"SET\"")
    #expect(sent(to: .client).count == 3)
    #expect(sent(to: .backend) == SessionNamesTests.question.dropLast() + ["Flush"])
    try answers("audit")
    #expect(
      sent(to: .backend) == [
        "Parse \"\" \"select * from orders\"", "Bind \"\" \"\" 0 0 0", "Execute \"\" 0", "Sync",
      ])
    #expect(sent(to: .client).isEmpty)
    #expect(footprints().suffix(2) == ["audit.orders:read", "audit.orders:read"])
    try backend("ParseComplete", "BindComplete", "CommandComplete \"SELECT 0\"", "ReadyForQuery I")
    #expect(sent(to: .client).count == 4)
  }

  /// Our question is part of the client's pipeline then: if it fails, that has failed.
  @Test func aQuestionThatFailsInsideAPipelineFailsThePipeline() throws {
    try client(
      "Parse \"\" \"set search_path to audit\"", "Bind \"\" \"\" 0 0 0", "Execute \"\" 0",
      "Parse \"\" \"select * from orders\"", "Bind \"\" \"\" 0 0 0", "Execute \"\" 0", "Sync", "Query \"select 7\"")
    try backend("ParseComplete", "BindComplete", "CommandComplete \"SET\"")
    _ = (sent(to: .client), sent(to: .backend))
    try backend("ParseComplete", "ErrorResponse S \"ERROR\" C \"57014\" M \"canceling statement\"")
    #expect(sent(to: .client) == ["ErrorResponse S \"ERROR\" C \"57014\" M \"canceling statement\""])
    #expect(sent(to: .backend) == ["Sync", "Query \"select 7\""])
    try backend("ReadyForQuery I")
    #expect(sent(to: .client) == ["ReadyForQuery I"])
  }

  private func answers(_ path: String) throws {
    for value in [path, "none", "app"] {
      try backend(
        "ParseComplete", "BindComplete", "DataRow \"\(value)\"", "CommandComplete \"SHOW\"", "CloseComplete",
        "CloseComplete")
    }
  }

  /// DECISIONS 5: what the session made is its own; a name that is not, is the catalogue's.
  @Test func aTemporaryTableIsTheSessionsOwn() throws {
    try run("create temp table t (a int)", "CREATE TABLE")
    try client("Query \"insert into t select a from orders\"")
    try answer("public")
    _ = sent(to: .backend)
    try complete("INSERT 0 0")
    try run("begin", "BEGIN", status: "T")
    try run("create table fresh (a int)", "CREATE TABLE", status: "T")
    try run("select * from t, orders, fresh", "SELECT 0", status: "T")
    try run("rollback", "ROLLBACK")
    #expect(driver.session.definitions == 2)
    try run("select * from t, fresh", "SELECT 0")
    try run("discard all", "DISCARD ALL")
    try client("Query \"select * from t\"")
    try answer("public")
    _ = sent(to: .backend)
    #expect(
      footprints() == [
        "pg_temp.t:define", "pg_temp.t:write,public.orders:read", "nothing", "public.fresh:define",
        "pg_temp.t:read,public.fresh:read,public.orders:read", "nothing", "fresh:read,pg_temp.t:read", "nothing",
        "t:read",
      ])
  }

  /// One text is decided as a whole, before its first statement has done anything.
  @Test func aSetInTheSameTextLeavesNamesOpen() throws {
    try client("Query \"select * from orders\"")
    try answer("public")
    _ = sent(to: .backend)
    try complete("SELECT 0")
    try run("set search_path = audit; select * from orders", "SELECT 0")
    try client(
      "Query \"create temp table t as select 1; select * from t; create view v as select * from audit.orders\"")
    try answer("public")
    #expect(
      footprints().dropFirst() == ["orders:read", "audit.orders:read,pg_temp.t:read,write,define,public.v:define"])
  }

  @Test func nothingIsAskedInAFailedTransaction() throws {
    try client("Query \"select 1 / 0\"")
    try backend("ErrorResponse S \"ERROR\" C \"22012\" M \"no\"", "ReadyForQuery E")
    _ = sent(to: .backend)
    try client("Query \"select * from orders\"")
    #expect(sent(to: .backend) == ["Query \"select * from orders\""])
  }

  @Test func aQuestionThatFailsIsNotAskedAgain() throws {
    try client("Query \"select * from orders\"")
    #expect(sent(to: .backend) == SessionNamesTests.question)
    try backend("ErrorResponse S \"ERROR\" C \"57014\" M \"canceling statement\"", "ReadyForQuery I")
    #expect(sent(to: .client).isEmpty)
    #expect(sent(to: .backend) == ["Query \"select * from orders\""])
    try complete("SELECT 0")
    try run("select * from orders", "SELECT 0")
    #expect(footprints() == ["orders:read", "orders:read"])
  }

  @Test func aBackendThatLeavesIsHeard() throws {
    try client("Query \"select * from orders\"")
    _ = sent(to: .backend)
    try backend("ErrorResponse S \"FATAL\" C \"57P01\" M \"going\"")
    #expect(sent(to: .client) == ["ErrorResponse S \"FATAL\" C \"57P01\" M \"going\""])
  }

  /// PostgreSQL plans a prepared statement anew when the path has changed (plancache.c): so do we.
  @Test func aPreparedStatementMeansWhatItMeansNow() throws {
    try client("Parse \"s\" \"select * from orders\"", "Sync")
    try answer("public")
    #expect(sent(to: .backend).count == 2)
    try backend("ParseComplete", "ReadyForQuery I")
    _ = sent(to: .client)
    try run("set search_path to audit", "SET")
    try client("Bind \"\" \"s\" 0 0 0", "Execute \"\" 0", "Sync")
    _ = sent(to: .backend)
    try answerRest("audit")
    #expect(footprints().last == "audit.orders:read")
  }

  /// The question has been read already.
  private func answerRest(_ path: String) throws {
    for value in [path, "none", "app"] {
      try backend(
        "ParseComplete", "BindComplete", "DataRow \"\(value)\"", "CommandComplete \"SHOW\"", "CloseComplete",
        "CloseComplete")
    }
    try backend("ReadyForQuery I")
  }

  @Test func whatATransactionDefinesIsItsOwnUntilItEnds() throws {
    try client("Query \"select fine()\"")
    try answer("public")
    _ = sent(to: .backend)
    try complete("SELECT 1")
    try run("begin", "BEGIN", status: "T")
    try run("create or replace function fine() returns int language sql as 'select 2'", "CREATE FUNCTION", status: "T")
    #expect(driver.session.definitions == 0)
    try run("select fine()", "SELECT 1", status: "T")
    #expect(footprints() == ["nothing", "nothing", "everything", "everything"])
    try client("Query \"commit\"")
    _ = sent(to: .backend)
    try complete("COMMIT")
    #expect(driver.session.definitions == 1)
  }

  /// DECISIONS 6: behind unknown code nothing is read before that has run; ordinary pipelines do not wait.
  @Test func onlyUnknownCodeHoldsAPipelineUp() throws {
    // A rule asks what statements do and lets them pass; any other would catch unknown code.
    let reviewed = try TranscriptFolder.policy("reviewed.yaml")
    let driver = SessionDriver(policy: try TranscriptRun.policy(of: reviewed + "    mode: shadow\n"))
    func feed(_ lines: String...) throws -> Int {
      driver.feed(try lines.flatMap { try WireFrame($0, from: .client).bytes }, from: .client)
      var count = 0
      while driver.nextFrame(to: .backend) != nil { count += 1 }
      return count
    }
    #expect(
      try feed("Query \"insert into t values (1)\"", "Query \"set timezone to utc\"", "Query \"select now()\"") == 3)
    for _ in 0..<3 {
      driver.feed(
        try ["CommandComplete \"X\"", "ReadyForQuery I"].flatMap { try WireFrame($0, from: .backend).bytes },
        from: .backend)
    }
    #expect(try feed("Query \"select evil()\"", "Query \"select 1\"") == 1)
    #expect(try feed("Query \"do ''\"") == 0)
  }
}
