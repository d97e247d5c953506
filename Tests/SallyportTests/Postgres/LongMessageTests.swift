import AccessModel
import NIOCore
import Testing

@testable import Postgres

/// Messages that are longer than what is kept: decided by their front, never kept, never sent undecided.
@Suite("Long messages") struct LongMessageTests {
  private static let whole = 1_000
  private static let held = 5_000

  /// The bounds are small here, so that each case can be played byte by byte.
  private func driver(_ policy: String = "open.yaml", drips: Bool = false) throws -> SessionDriver {
    var limits = Limits()
    limits.wholeValues = LongMessageTests.whole
    limits.heldValues = LongMessageTests.held
    limits.backendMessage = 2_000
    limits.shortMessage = 1_000
    return SessionDriver(policy: try TranscriptRun.policy(policy), drips: drips, limits: limits)
  }

  private func client(_ line: String) throws -> [UInt8] { try WireFrame(line, from: .client).bytes }
  private func backend(_ lines: String...) throws -> [UInt8] {
    try lines.flatMap { try WireFrame($0, from: .backend).bytes }
  }

  private func bind(_ size: Int, statement: String = "s") throws -> [UInt8] {
    try client("Bind \"\" \"\(statement)\" 1 1 1 \"\u{1}\"*\(size) 0")
  }

  private func frames(_ driver: SessionDriver, to side: Side) -> [String] {
    var lines: [String] = []
    while let frame = driver.nextFrame(to: side) {
      lines.append(frame.spelled(from: side == .client ? .backend : .client))
    }
    return lines
  }

  /// A session that has the statement `s`.
  private func prepared(_ text: String, _ driver: SessionDriver) throws -> SessionDriver {
    driver.feed(try client("Parse \"s\" \"\(text)\"") + client("Sync"), from: .client)
    driver.feed(try backend("ParseComplete", "ReadyForQuery I"), from: .backend)
    _ = driver.takeBytes(to: .backend)
    _ = driver.takeBytes(to: .client)
    while driver.nextRecord() != nil {}
    return driver
  }

  @Test(arguments: [false, true]) func aLongBindPassesAsItComes(_ drips: Bool) throws {
    let driver = try prepared("insert into blobs values ($1)", driver(drips: drips))
    let message = try bind(4_000)
    let edge = FrameHeader.size + LongMessageTests.whole
    driver.feed(Array(message[..<(edge - 1)]), from: .client)
    #expect(driver.takeBytes(to: .backend).isEmpty && driver.nextRecord() == nil, "it passed before it was decided")
    driver.feed([message[edge - 1]], from: .client)
    #expect(driver.nextRecord() == "permit action=write footprint=blobs:write")
    #expect(driver.takeBytes(to: .backend) == Array(message[..<edge]))
    for start in stride(from: edge, to: message.count, by: 700) {
      let piece = Array(message[start..<min(start + 700, message.count)])
      driver.feed(piece, from: .client)
      #expect(driver.takeBytes(to: .backend) == piece, "bytes are kept back")
      #expect(driver.session.client.pending == 0)
    }
    driver.feed(try client("Execute \"\" 0") + client("Sync"), from: .client)
    #expect(frames(driver, to: .backend) == ["Execute \"\" 0", "Sync"])
    driver.feed(try backend("BindComplete", "CommandComplete \"INSERT 0 1\"", "ReadyForQuery I"), from: .backend)
    #expect(frames(driver, to: .client).count == 3)
    #expect(driver.nextRecord() == "completed tag=\"INSERT 0 1\"")
    let values = try #require(driver.permitted.values.first { $0.parameters.count == 1 }).parameters
    #expect(values.byteCount == message.count - FrameHeader.size - 3 && !values.isWhole)
  }

  @Test(arguments: [LongMessageTests.held + 1_000, 100_000]) func aRefusedBindIsDroppedAsItComes(_ size: Int) throws {
    let driver = try prepared("delete from orders where id = $1", driver("reviewed.yaml"))
    let message = try bind(size)
    for start in stride(from: 0, to: message.count, by: 999) {
      driver.feed(Array(message[start..<min(start + 999, message.count)]), from: .client)
      #expect(driver.session.client.pending <= FrameHeader.size + LongMessageTests.whole, "bytes are kept")
    }
    #expect(driver.takeBytes(to: .backend).isEmpty)
    #expect(driver.nextRecord() == "deny rule=deletes-are-reviewed action=write footprint=orders:write")
    let answer = frames(driver, to: .client)
    #expect(answer.count == 1 && answer[0].contains("C \"42501\"") && answer[0].contains("too long to be approved"))
    driver.feed(try client("Execute \"\" 0") + client("Sync"), from: .client)
    #expect(frames(driver, to: .client) == ["ReadyForQuery I"] && frames(driver, to: .backend).isEmpty)
    driver.feed(try client("Query \"select 1\""), from: .client)
    #expect(frames(driver, to: .backend) == ["Query \"select 1\""])
  }

  /// An approval is bound to the values: they are gathered, and nothing leaves until people have decided.
  @Test(arguments: [false, true]) func aHeldBindIsKeptWhole(_ drips: Bool) throws {
    let driver = try prepared("delete from orders where id = $1", driver("reviewed.yaml", drips: drips))
    let message = try bind(3_000)
    driver.feed(Array(message.dropLast()), from: .client)
    #expect(driver.heldCommand == nil && driver.nextRecord() == nil)
    driver.feed([message[message.count - 1]] + (try client("Execute \"\" 0")), from: .client)
    let command = try #require(driver.heldCommand)
    #expect(command.parameters.isWhole && command.parameters.encoded.count > 3_000)
    #expect(driver.nextRecord() == "hold rule=deletes-are-reviewed action=write footprint=orders:write")
    #expect(driver.takeBytes(to: .backend).isEmpty)
    try driver.act(.approve(person: "dora"))
    #expect(driver.takeBytes(to: .backend).starts(with: message))
  }

  /// What is gathered for an approval is skipped when an earlier message of the segment fails.
  @Test func anErrorEndsTheGathering() throws {
    let driver = try prepared("delete from orders where id = $1", driver("reviewed.yaml"))
    driver.feed(try client("Describe S \"none\""), from: .client)
    let message = try bind(3_000)
    driver.feed(Array(message[..<2_000]), from: .client)
    driver.feed(try backend("ErrorResponse S \"ERROR\" C \"26000\" M \"no such statement\""), from: .backend)
    driver.feed(try Array(message[2_000...]) + client("Execute \"\" 0") + client("Sync"), from: .client)
    #expect(frames(driver, to: .backend) == ["Describe S \"none\"", "Sync"])
    #expect(driver.heldCommand == nil && driver.nextRecord() == nil)
    #expect(driver.session.client.pending == 0)
  }

  /// The backend answers an earlier message with an error while a Bind is on its way: it reads the rest of it and skips
  /// it, as all up to Sync.
  @Test func anErrorInMidFrameLeavesTheFrameWhole() throws {
    let driver = try prepared("insert into blobs values ($1)", driver())
    driver.feed(try client("Describe S \"none\""), from: .client)
    let message = try bind(3_000)
    driver.feed(Array(message[..<2_000]), from: .client)
    driver.feed(try backend("ErrorResponse S \"ERROR\" C \"26000\" M \"no such statement\""), from: .backend)
    #expect(frames(driver, to: .client).count == 1)
    driver.feed(try Array(message[2_000...]) + client("Execute \"\" 0") + client("Sync"), from: .client)
    #expect(frames(driver, to: .backend).map { $0.prefix(8) } == ["Describe", "Bind \"\" ", "Sync"])
    driver.feed(try backend("ReadyForQuery I"), from: .backend)
    #expect(frames(driver, to: .client) == ["ReadyForQuery I"])
    #expect(driver.nextRecord() == "permit action=write footprint=blobs:write")
    #expect(driver.nextRecord() == "skipped")
  }

  /// A notice reaches the client at once, and a pause holds the rest of the frame back.
  @Test func noticesAndPausesInMidFrame() throws {
    let driver = try prepared("insert into blobs values ($1)", driver())
    let message = try bind(3_000)
    driver.feed(Array(message[..<2_000]), from: .client)
    driver.session.notify(ErrorFields(severity: "NOTICE", code: "01000", message: "look"))
    driver.feed(try backend("ParameterStatus \"a\" \"b\""), from: .backend)
    #expect(frames(driver, to: .client).map { $0.prefix(9) } == ["NoticeRes", "Parameter"])
    driver.session.pause()
    let wantsMore = driver.session.wantsInput(from: .client)
    #expect(!wantsMore && driver.takeBytes(to: .backend).count == 2_000)
    try driver.session.receive(ByteBuffer(bytes: message[2_000...]), from: .client)
    let early = driver.session.takeOutput(for: .backend)
    #expect(early == nil)
    try driver.session.resume()
    let rest = driver.session.takeOutput(for: .backend)
    #expect(rest.map { Array($0.readableBytesView) } == Array(message[2_000...]))
  }

  /// Lengths inside that do not add up reach the backend as the one message that they came in.
  @Test func malformedValuesCannotBecomeAnotherMessage() throws {
    let driver = try prepared("insert into blobs values ($1)", driver())
    // The value claims two bytes; what follows looks like a Query.
    let hidden = try client("Query \"delete from customers\"")
    let body =
      [0] + Array("s".utf8) + [0, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1] + hidden + [UInt8](repeating: 0, count: 2_000)
    let message = WireFrame(tag: FrontendTag.bind, body: body)
    driver.feed(message.bytes, from: .client)
    #expect(driver.nextFrame(to: .backend) == message)
    #expect(driver.takeBytes(to: .backend).isEmpty && driver.permitted.count == 2)
  }

  /// CVE-2024-27304: a length that would wrap around, or that PostgreSQL would not take.
  @Test(arguments: [Int32.max, Int32.max - 4, 1 << 30, (1 << 30) - 1] as [Int32]) func impossibleLengths(
    _ length: Int32
  ) throws {
    for tag in [FrontendTag.bind, FrontendTag.functionCall, FrontendTag.copyData] {
      let driver = try driver()
      driver.feed([tag] + WireFrame.integer(length) + [UInt8](repeating: 0, count: 5_000), from: .client)
      #expect(driver.hasEnded() && driver.takeBytes(to: .backend).isEmpty, "\(tag)")
      #expect(frames(driver, to: .client).contains { $0.contains("C \"08P01\"") })
    }
  }

  @Test func theLongestPossibleLengthStreams() throws {
    let driver = try driver()
    let head = [FrontendTag.functionCall] + WireFrame.integer(Int32((1 << 30) - 2)) + WireFrame.integer(Int32(955))
    driver.feed(head + [UInt8](repeating: 0, count: 5_000), from: .client)
    #expect(!driver.hasEnded() && driver.takeBytes(to: .backend).count == head.count + 5_000)
  }

  @Test(arguments: [false, true]) func aLongFunctionCallPassesWithItsAnswer(_ drips: Bool) throws {
    let driver = try driver(drips: drips)
    let line = "FunctionCall 955 1 1 2 \"\\x00\\x00\\x00\\x01\" \"0123456789abcdef\"*4000 1"
    driver.feed(try client(line) + client("Query \"select 1\""), from: .client)
    #expect(driver.nextFrame(to: .backend) == (try WireFrame(line, from: .client)))
    // It may have run anything, so what is behind it is not looked at before its answer is in.
    #expect(frames(driver, to: .backend) == [])
    #expect(driver.permitted.values.contains { $0.text == "FunctionCall 955" && $0.parameters.count == 2 })
    let answer = try backend("FunctionCallResponse \"0123456789abcdef\"*4000", "ReadyForQuery I")
    driver.feed(answer, from: .backend)
    #expect(driver.takeBytes(to: .client) == answer)
    #expect(frames(driver, to: .backend) == ["Query \"select 1\""])
  }

  @Test func longNoticesAndErrorsPass() throws {
    let driver = try driver()
    driver.feed(try client("Parse \"\" \"select f()\"") + client("Sync"), from: .client)
    let answer = try backend(
      "NoticeResponse S \"NOTICE\" C \"00000\" M \"long\"*5000",
      "ErrorResponse S \"ERROR\" C \"P0001\" M \"long\"*5000",
      "ReadyForQuery I")
    driver.feed(answer, from: .backend)
    #expect(driver.takeBytes(to: .client) == answer)
    #expect(!driver.hasEnded())
    var records: [String] = []
    while let record = driver.nextRecord() { records.append(record) }
    #expect(records.contains("failed error=P0001"))
  }

  @Test func longMessagesThatMustBeSeenEndTheSession() throws {
    for line in [
      "RowDescription \"x\"*3000 0 0 23 4 -1 0", "FunctionCallResponse \"0123\"*1000", "CommandComplete \"x\"*3000",
    ] {
      let driver = try driver()
      driver.feed(try client("Query \"select 1\""), from: .client)
      driver.feed(try backend(line), from: .backend)
      #expect(driver.hasEnded(), "\(line.prefix(20))")
    }
  }
}
