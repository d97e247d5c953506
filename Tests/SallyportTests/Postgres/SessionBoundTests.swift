import AccessModel
import NIOCore
import Testing

@testable import Postgres

/// What holds a session back: bounds, pauses and frames of which half has left.
@Suite("Session bounds") struct SessionBoundTests {
  private func client(_ lines: String...) throws -> [UInt8] {
    try lines.flatMap { try WireFrame($0, from: .client).bytes }
  }
  private func backend(_ lines: String...) throws -> [UInt8] {
    try lines.flatMap { try WireFrame($0, from: .backend).bytes }
  }

  private func driver(_ policy: String, _ change: (inout Limits) -> Void = { _ in }) throws -> SessionDriver {
    var limits = Limits()
    change(&limits)
    let relation = Transcript.Relation(oid: 16384, schema: "public", name: "customers", columns: ["id", "ssn"])
    return SessionDriver(policy: try TranscriptRun.policy(policy), relations: [relation], limits: limits)
  }

  /// DECISIONS 21: it is not cut, and nothing of it passes.
  @Test func aMaskedRowThatIsTooLongIsRefused() throws {
    let driver = try driver("masks.yaml") { $0.maskedRow = 1_000 }
    driver.feed(try client("Query \"select ssn from customers\""), from: .client)
    let columns = try backend("RowDescription \"ssn\" 16384 2 25 -1 -1 0")
    driver.feed(columns + (try backend("DataRow \"078-05-1120\"")), from: .backend)
    #expect(driver.takeBytes(to: .client) == columns + (try backend("DataRow \"*******1120\"")))
    // The header is enough: what a mask cannot be applied to is not waited for.
    driver.feed(Array(try backend("DataRow \"0123456789\"*200").prefix(500)), from: .backend)
    #expect(driver.hasEnded())
    let last = try #require(driver.nextFrame(to: .client)).spelled(from: .backend)
    #expect(last.contains("S \"FATAL\"") && last.contains("C \"54000\""), "\(last)")
    #expect(driver.takeBytes(to: .client).isEmpty)
  }

  @Test func theLongestMaskedRowPasses() throws {
    let driver = try driver("masks.yaml") { $0.maskedRow = 2_006 }
    driver.feed(try client("Query \"select ssn from customers\""), from: .client)
    driver.feed(
      try backend("RowDescription \"ssn\" 16384 2 25 -1 -1 0", "DataRow \"0123456789\"*200", "CommandComplete \"x\""),
      from: .backend)
    #expect(!driver.hasEnded())
    _ = driver.nextFrame(to: .client)
    #expect(driver.nextFrame(to: .client)?.body.count == 2_006)
  }

  /// Until the cancel request has done its work, nothing goes that it could hit (DECISIONS 29).
  @Test func aPauseHoldsCommandsBack() throws {
    let driver = try driver("open.yaml")
    driver.feed(try client("Query \"select pg_sleep(9)\""), from: .client)
    _ = driver.takeBytes(to: .backend)
    driver.session.pause()
    try driver.session.receive(ByteBuffer(bytes: try client("Query \"select 2\"")), from: .client)
    driver.feed(try backend("ErrorResponse S \"ERROR\" C \"57014\" M \"canceled\"", "ReadyForQuery I"), from: .backend)
    let early = driver.session.takeOutput(for: .backend)
    #expect(early == nil && driver.permitted.count == 1)
    try driver.session.resume()
    driver.feed([], from: .backend)
    #expect(driver.takeBytes(to: .backend) == (try client("Query \"select 2\"")))
    #expect(driver.permitted.count == 2)
  }

  /// A client that is far ahead of the answers is not read any more, until some have come.
  @Test func outstandingRepliesAreBounded() throws {
    let driver = try driver("open.yaml") { $0.outstandingReplies = 8 }
    for _ in 0..<20 { driver.feed(try client("Sync"), from: .client) }
    #expect(driver.takeBytes(to: .backend).count == 8 * 5)
    driver.feed(try backend("ReadyForQuery I", "ReadyForQuery I"), from: .backend)
    #expect(driver.takeBytes(to: .backend).count == 2 * 5)
    for _ in 0..<18 { driver.feed(try backend("ReadyForQuery I"), from: .backend) }
    #expect(driver.takeBytes(to: .backend).count == 10 * 5)
    #expect(driver.takeBytes(to: .client).count == 20 * 6 && !driver.hasEnded())
  }

  /// Half of a row is with the client: a notice of ours waits for its end.
  @Test func noticesWaitForTheEndOfARow() throws {
    let driver = try driver("open.yaml")
    driver.feed(try client("Query \"select big from blobs\""), from: .client)
    let row = try backend("DataRow \"0123456789\"*1000")
    driver.feed(try backend("RowDescription \"big\" 0 0 17 -1 -1 0") + row.prefix(700), from: .backend)
    driver.session.notify(ErrorFields(severity: "NOTICE", code: "01000", message: "look"))
    driver.feed(row[700...] + (try backend("CommandComplete \"SELECT 1\"", "ReadyForQuery I")), from: .backend)
    var tags: [UInt8] = []
    while let frame = driver.nextFrame(to: .client) { tags.append(frame.tag) }
    #expect(String(decoding: tags, as: UTF8.self) == "TDNCZ" && driver.takeBytes(to: .client).isEmpty)
  }

  /// Last words in the middle of a row would be read as a part of it.
  @Test func lastWordsAreUnsaidInMidRow() throws {
    let driver = try driver("open.yaml")
    driver.feed(try client("Query \"select big from blobs\""), from: .client)
    let row = try backend("DataRow \"0123456789\"*1000").prefix(700)
    driver.feed(try backend("RowDescription \"big\" 0 0 17 -1 -1 0") + row, from: .backend)
    driver.session.end(with: ErrorFields(severity: "FATAL", code: "57P01", message: "the end"))
    driver.feed([], from: .backend)
    #expect(driver.takeBytes(to: .client).suffix(700) == row && driver.hasEnded())
  }

  /// A refusal while a row is on its way comes behind it, in the order of the commands.
  @Test func refusalsComeBehindTheRowsOnTheirWay() throws {
    let driver = try driver("no-destructive.yaml")
    driver.feed(try client("Query \"select big from blobs\""), from: .client)
    let row = try backend("DataRow \"0123456789\"*1000")
    driver.feed(try backend("RowDescription \"big\" 0 0 17 -1 -1 0") + row.prefix(700), from: .backend)
    driver.feed(try client("Query \"delete from customers\""), from: .client)
    driver.feed(
      row[700...]
        + (try backend(
          "CommandComplete \"SELECT 1\"", "ReadyForQuery I", "ErrorResponse S \"ERROR\" C \"42601\" M \"syntax\"",
          "ReadyForQuery I")),
      from: .backend)
    var tags: [UInt8] = []
    while let frame = driver.nextFrame(to: .client) { tags.append(frame.tag) }
    #expect(String(decoding: tags, as: UTF8.self) == "TDCZEZ")
  }
}
