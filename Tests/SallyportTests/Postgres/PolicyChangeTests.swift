import AccessModel
import PolicyEngine
import Testing

@testable import Postgres

/// Another policy in the middle of a session: what is under way ends as it began, the next command meets the new one.
@Suite("Postgres: a policy that changes")
struct PolicyChangeTests {
  private static let row = #"RowDescription "ssn" 16384 1 25 -1 -1 0"#
  private static let customers = Transcript.Relation(
    oid: 16384, schema: "public", name: "customers", columns: ["ssn"])

  private func driver(_ policy: String, drips: Bool) throws -> SessionDriver {
    SessionDriver(policy: try TranscriptRun.policy(policy), relations: [Self.customers], drips: drips)
  }

  /// Sends messages to the gateway, and returns what comes of them on either side.
  private func play(_ driver: SessionDriver, _ side: Side, _ messages: String...) throws -> [String] {
    try driver.send(try messages.map { try WireFrame($0, from: side) }, from: side)
    return driver.leftovers().filter { !$0.hasPrefix("audit") }
  }

  @Test(
    "A running result is not masked by a later rule, the next one is; what was pipelined waits",
    arguments: [false, true])
  func simple(drips: Bool) throws {
    let driver = try driver("open.yaml", drips: drips)
    let query = #"Query "select ssn from customers""#
    #expect(try play(driver, .client, query) == ["backend < \(query)"])
    #expect(try play(driver, .backend, Self.row, #"DataRow "078-05-1120""#).count == 2)
    driver.adopt(try TranscriptRun.policy("masks.yaml"))
    #expect(try play(driver, .client, query) == [], "it would be answered under the old terms")
    let end = try play(driver, .backend, #"DataRow "219-09-9999""#, #"CommandComplete "SELECT 2""#, "ReadyForQuery I")
    #expect(end.first == #"client < DataRow "219-09-9999""# && end.last == "backend < \(query)", "\(end)")
    let masked = try play(
      driver, .backend, Self.row, #"DataRow "219-09-9999""#, #"CommandComplete "SELECT 1""#, "ReadyForQuery I")
    #expect(masked.contains(#"client < DataRow "*******9999""#), "\(masked)")
    driver.adopt(try TranscriptRun.policy("open.yaml"))
    _ = try play(driver, .client, query)
    let open = try play(
      driver, .backend, Self.row, #"DataRow "219-09-9999""#, #"CommandComplete "SELECT 1""#, "ReadyForQuery I")
    #expect(open.contains(#"client < DataRow "219-09-9999""#), "what was known of these columns is forgotten: \(open)")
  }

  @Test(
    "A portal that was described before is described again; a Flush makes the backend answer what it keeps back",
    arguments: [false, true])
  func portal(drips: Bool) throws {
    let driver = try driver("open.yaml", drips: drips)
    let ask = [#"Parse "" "select ssn from customers""#, #"Bind "" "" 0 0 0"#, #"Describe P """#, #"Execute "" 1"#]
    #expect(try play(driver, .client, ask[0], ask[1], ask[2], ask[3]) == ask.map { "backend < \($0)" })
    driver.adopt(try TranscriptRun.policy("masks.yaml"))
    #expect(try play(driver, .client, #"Execute "" 1"#, "Sync") == ["backend < Flush"])
    let first = try play(
      driver, .backend, "ParseComplete", "BindComplete", Self.row, #"DataRow "078-05-1120""#, "PortalSuspended")
    #expect(first.contains(#"client < DataRow "078-05-1120""#), "\(first)")
    #expect(first.suffix(3) == [#"backend < Describe P """#, #"backend < Execute "" 1"#, "backend < Sync"], "\(first)")
    let second = try play(driver, .backend, Self.row, #"DataRow "219-09-9999""#, "PortalSuspended", "ReadyForQuery I")
    #expect(second == [#"client < DataRow "*******9999""#, "client < PortalSuspended", "client < ReadyForQuery I"])
  }

  @Test(
    "A COPY from the client goes on to its end, and a command behind it meets the new policy", arguments: [false, true])
  func copyIn(drips: Bool) throws {
    let driver = try driver("open.yaml", drips: drips)
    _ = try play(driver, .client, #"Query "copy customers from stdin""#)
    _ = try play(driver, .backend, "CopyInResponse 0 1 0")
    driver.adopt(try TranscriptRun.policy("no-destructive.yaml"))
    #expect(try play(driver, .client, #"CopyData "1\n""#, "CopyDone").count == 2)
    let query = #"Query "delete from customers""#
    #expect(try play(driver, .client, query) == [])
    let end = try play(driver, .backend, #"CommandComplete "COPY 1""#, "ReadyForQuery I")
    #expect(end.count == 4 && end[2].contains("no-destructive") && end[3] == "client < ReadyForQuery I", "\(end)")
  }
}
