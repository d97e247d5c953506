import AccessModel
import NIOCore
import SQLAnalysis
import Testing

@testable import Postgres

/// Answers nothing: every text has to be asked for.
private final class NoAnalyses: StatementAnalyses {
  func analysis(of text: UnsafeRawBufferPointer) -> Analysis? { nil }
}

/// A session driven step by step, where a transcript cannot say when a fact arrives.
@Suite("Facts that come late") struct LateFactTests {
  private func session(_ analyses: any StatementAnalyses = NoAnalyses()) -> PostgresSession {
    PostgresSession(
      ready: BackendHandshake.Ready(greeting: ByteBuffer(), settings: [:], key: nil, status: .idle),
      analyses: analyses, maskable: false)
  }

  private func bytes(_ line: String, _ side: Side) throws -> ByteBuffer {
    ByteBuffer(bytes: try WireFrame(line, from: side).bytes)
  }

  private func nextCommand(_ session: inout PostgresSession) -> Command? {
    while let event = session.nextEvent() {
      if case .command(_, let command) = event { return command }
    }
    return nil
  }

  /// An error skips the text while it is being analysed. Its analysis must not be taken for that of the next text.
  @Test func anAnalysisNeverServesAnotherText() throws {
    var session = session()
    try session.receive(bytes("Parse \"\" \"select bad\"", .client), from: .client)
    try session.supply(SQLAnalyzer.analyze("select bad"))
    guard case .needs = session.nextEvent(), case .command(let id, _) = session.nextEvent() else {
      Issue.record("the first text was not asked for")
      return
    }
    try session.resolve(id, .refuse(Refusal(.denied, Denial(rule: "r", reason: ""))))
    try session.receive(bytes("Sync", .client), from: .client)
    try session.receive(bytes("Bind \"\" \"none\" 0 0 0", .client), from: .client)
    _ = nextCommand(&session)
    var late = PostgresSession(
      ready: BackendHandshake.Ready(greeting: ByteBuffer(), settings: [:], key: nil, status: .idle),
      analyses: NoAnalyses(), maskable: false)
    // A Describe opens a segment that can fail; the harmless text waits for its analysis meanwhile.
    try late.receive(bytes("Describe S \"none\"", .client), from: .client)
    try late.receive(bytes("Parse \"\" \"select 1\"", .client), from: .client)
    try late.receive(bytes("ErrorResponse S \"ERROR\" C \"26000\" M \"no such statement\"", .backend), from: .backend)
    try late.supply(SQLAnalyzer.analyze("select 1"))
    try late.receive(bytes("Sync", .client), from: .client)
    try late.receive(bytes("ReadyForQuery I", .backend), from: .backend)
    try late.receive(bytes("Query \"delete from customers\"", .client), from: .client)
    if let command = nextCommand(&late) { #expect(command.text == "delete from customers") }
    try late.supply(SQLAnalyzer.analyze("delete from customers"))
    #expect(nextCommand(&late)?.text ?? "delete from customers" == "delete from customers")
  }

  /// Mended text is not the text that the backend gets: a name in LATIN1 would be another name.
  @Test func longTextThatIsNotUTF8IsNotMended() throws {
    var session = session()
    let text = Array("select * from kund".utf8) + [0xe9] + Array(" -- ".utf8) + Array(repeating: 0x20, count: 9_000)
    let frame = WireFrame(tag: FrontendTag.query, body: text + [0])
    try session.receive(ByteBuffer(bytes: frame.bytes), from: .client)
    guard case .command(_, let command) = session.nextEvent(), case .sql(let detail) = command.detail else {
      Issue.record("the text was given away to be analysed")
      return
    }
    #expect(detail.misunderstood == .notText)
  }

  /// Bytes that come one by one cost what they cost, not their square.
  @Test(.timeLimit(.minutes(1))) func aLongMessageInSmallPieces() throws {
    var session = session(DirectAnalyses())
    let frame = WireFrame(tag: FrontendTag.query, body: Array(repeating: 0x20, count: 1_000_000) + [0])
    for byte in frame.bytes { try session.receive(ByteBuffer(bytes: [byte]), from: .client) }
    guard case .needs(.analysis(let text)) = session.nextEvent() else {
      Issue.record("the text did not arrive")
      return
    }
    #expect(text.utf8.count == 1_000_000)
  }

  /// A verdict for a command that no longer waits sends nothing.
  @Test func aLateVerdictIsVoid() throws {
    var session = session(DirectAnalyses())
    try session.receive(bytes("Query \"select 1\"", .client), from: .client)
    try session.resolve(CommandID(99), .refuse(Refusal(.denied, Denial(rule: "r", reason: ""))))
    #expect(session.takeOutput(for: .client) == nil)
    #expect(session.takeOutput(for: .backend) == nil)
  }
}
