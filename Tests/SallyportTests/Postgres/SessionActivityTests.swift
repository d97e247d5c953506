import AccessModel
import NIOCore
import SQLAnalysis
import Testing

@testable import Postgres

/// What limits of time go by, and what is said when they are met.
@Suite("What a session does") struct SessionActivityTests {
  private func driver() throws -> SessionDriver { SessionDriver(policy: try TranscriptRun.policy("open.yaml")) }

  private func client(_ driver: SessionDriver, _ lines: String...) throws {
    try driver.send(lines.map { try WireFrame($0, from: .client) }, from: .client)
  }

  private func backend(_ driver: SessionDriver, _ lines: String...) throws {
    try driver.send(lines.map { try WireFrame($0, from: .backend) }, from: .backend)
  }

  private func answers(_ driver: SessionDriver) -> [String] {
    var lines: [String] = []
    while let frame = driver.nextFrame(to: .client) { lines.append(frame.spelled(from: .backend)) }
    return lines
  }

  private static let words = ErrorFields(severity: "ERROR", code: "57014", message: "over its time")
  private static let ours = "ErrorResponse S \"ERROR\" C \"57014\" M \"over its time\""
  private static let cancelled = "ErrorResponse S \"ERROR\" C \"57014\" M \"canceling statement due to user request\""

  @Test func simpleQueries() throws {
    let driver = try driver()
    #expect(driver.session.activity == .idle(commands: 0))
    try client(driver, "Query \"select 1\"")
    #expect(driver.session.activity == .running(replies: 0))
    try backend(driver, "CommandComplete \"SELECT 1\"")
    #expect(driver.session.activity == .running(replies: 0))
    try backend(driver, "ReadyForQuery I")
    #expect(driver.session.activity == .idle(commands: 1))
    try client(driver, "Query \"begin\"")
    try backend(driver, "CommandComplete \"BEGIN\"", "ReadyForQuery T")
    #expect(driver.session.activity == .idleInTransaction(commands: 2))
    try client(driver, "Query \"select 1/0\"")
    try backend(driver, "ErrorResponse S \"ERROR\" C \"22012\" M \"division by zero\"", "ReadyForQuery E")
    #expect(driver.session.activity == .idleInTransaction(commands: 3))
    try client(driver, "Sync")
    #expect(driver.session.activity == .running(replies: 3))
  }

  @Test func aTextThatWaitsForItsAnalysisIsNotIdle() throws {
    let driver = try driver()
    driver.session = PostgresSession(
      ready: BackendHandshake.Ready(greeting: ByteBuffer(), settings: [:], key: nil, status: .idle),
      analyses: WithoutAnalyses(), maskable: false)
    try driver.session.receive(
      ByteBuffer(bytes: try WireFrame("Query \"select 1\"", from: .client).bytes), from: .client)
    #expect(driver.session.activity == .waiting)
  }

  @Test func aCancelOfOurOwnIsExplained() throws {
    let driver = try driver()
    try client(driver, "Query \"select 1\"")
    driver.session.explainCancel(with: Self.words)
    try backend(driver, Self.cancelled, "ReadyForQuery I")
    #expect(answers(driver) == [Self.ours, "ReadyForQuery I"])
    // It was for that one statement: the next one's person cancelled it.
    try client(driver, "Query \"select 2\"")
    try backend(driver, Self.cancelled, "ReadyForQuery I")
    #expect(answers(driver) == [Self.cancelled, "ReadyForQuery I"])
  }

  @Test func anExplanationNeverServesAnotherErrorOrStatement() throws {
    let driver = try driver()
    let other = "ErrorResponse S \"ERROR\" C \"22012\" M \"division by zero\""
    try client(driver, "Query \"select 1\"")
    driver.session.explainCancel(with: Self.words)
    try backend(driver, other, "ReadyForQuery I")
    #expect(answers(driver) == [other, "ReadyForQuery I"])
    // It ended by itself before the cancel reached it.
    try client(driver, "Query \"select 1\"")
    driver.session.explainCancel(with: Self.words)
    try backend(driver, "CommandComplete \"SELECT 1\"", "ReadyForQuery I")
    _ = answers(driver)
    try client(driver, "Query \"select 2\"")
    try backend(driver, Self.cancelled, "ReadyForQuery I")
    #expect(answers(driver) == [Self.cancelled, "ReadyForQuery I"])
    // With nothing under way there is nothing to explain.
    driver.session.explainCancel(with: Self.words)
    try client(driver, "Query \"select 3\"")
    try backend(driver, Self.cancelled, "ReadyForQuery I")
    #expect(answers(driver) == [Self.cancelled, "ReadyForQuery I"])
  }

  @Test func inAPipeline() throws {
    let driver = try driver()
    try client(
      driver, "Parse \"\" \"select 1\"", "Bind \"\" \"\" 0 0 0", "Execute \"\" 0", "Sync")
    #expect(driver.session.activity == .running(replies: 0))
    // PostgreSQL keeps what it has to say until the Sync, so the Execute is cancelled before its Parse is answered.
    driver.session.explainCancel(with: Self.words)
    try backend(driver, "ParseComplete", "BindComplete")
    #expect(driver.session.activity == .running(replies: 2))
    try backend(driver, Self.cancelled, "ReadyForQuery I")
    #expect(answers(driver) == ["ParseComplete", "BindComplete", Self.ours, "ReadyForQuery I"])
  }
}

/// Every text has to be asked for.
private final class WithoutAnalyses: StatementAnalyses {
  func analysis(of text: UnsafeRawBufferPointer) -> Analysis? { nil }
}
