import AccessModel
import NIOCore
import SQLAnalysis
import Testing

@testable import Postgres

@Suite("Replies that are owed") struct ReplyQueueTests {
  @Test func keepsItsOrder() {
    var queue = ReplyQueue()
    for id in 0..<1_000 {
      queue.append(.query(CommandID(UInt64(id))))
      queue.append(.sync)
    }
    #expect(queue.count == 2_000)
    for id in 0..<1_000 {
      #expect(queue.head == .query(CommandID(UInt64(id))))
      queue.removeHead()
      #expect(queue.head == .sync)
      queue.removeHead()
    }
    #expect(queue.isEmpty)
    #expect(queue.head == nil)
    queue.removeHead()
    #expect(queue.count == 0)
  }

  /// The ring turns, grows in the middle of a turn, and shrinks when a long pipeline is over.
  @Test func keepsItsOrderHoweverLongAPipelineIs() {
    var queue = ReplyQueue()
    var sent: UInt64 = 0
    var answered: UInt64 = 0
    for length in [1, 3, 15, 16, 17, 31, 5, 700, 2, 16, 64] as [UInt64] {
      for _ in 0..<length {
        queue.append(.query(CommandID(sent)))
        sent += 1
      }
      // Some stay outstanding, so that the ring's front moves.
      while sent - answered > length % 3 {
        #expect(queue.head == .query(CommandID(answered)))
        queue.removeHead()
        answered += 1
      }
      #expect(queue.count == Int(sent - answered) && queue.settled == answered)
    }
  }

  @Test func questionsOfOurOwnAreCounted() {
    var queue = ReplyQueue()
    #expect(!queue.owesCatalog)
    queue.append(.catalog)
    queue.append(.sync)
    queue.append(.catalog)
    #expect(queue.owesCatalog)
    queue.removeHead()
    #expect(queue.owesCatalog && queue.skipToSync().reachesSync)
    queue.removeHead()
    #expect(queue.owesCatalog)
    queue.removeHead()
    #expect(!queue.owesCatalog && queue.isEmpty)
  }

  @Test func anErrorSkipsToTheNextSync() {
    var queue = ReplyQueue()
    let one = CommandID(1)
    queue.append(.parse(one, statement: ""))
    queue.append(.bind(one, portal: ""))
    queue.append(.sync)
    queue.append(.execute(one, portal: ""))
    var (skipped, reachesSync) = queue.skipToSync()
    #expect(skipped == [.parse(one, statement: ""), .bind(one, portal: "")])
    #expect(reachesSync)
    #expect(queue.head == .sync)
    queue.removeHead()
    (skipped, reachesSync) = queue.skipToSync()
    #expect(skipped == [.execute(one, portal: "")])
    #expect(!reachesSync)
    #expect(queue.isEmpty)
  }
}

@Suite("What a prepared statement stands for") struct StatementRegistryTests {
  private let old = SQLAnalyzer.analyze("select 1")
  private let new = SQLAnalyzer.analyze("select 2")

  /// The text that a Bind of this segment would be decided by.
  private func text(_ registry: StatementRegistry, _ name: String, _ segment: Int) -> String {
    switch registry.lookUp(name, segment: segment) {
    case .known(let analysis): analysis.text
    case .unknown: "unknown"
    case .uncertain: "uncertain"
    }
  }

  /// What is remembered of the last Bind must not outlive what it was found by.
  @Test func whatWasBoundLastIsForgottenWithItsStatement() {
    func text(_ registry: inout StatementRegistry, _ name: String) -> String {
      switch registry.find(name, segment: 9) {
      case .known(let analysis): analysis.text
      case .unknown: "unknown"
      case .uncertain: "uncertain"
      }
    }
    func prepared() -> StatementRegistry {
      var registry = StatementRegistry()
      registry.parseSent("a", old, segment: 1)
      registry.parseCompleted("a")
      #expect(text(&registry, "a") == "select 1" && text(&registry, "a") == "select 1")
      #expect(text(&registry, "b") == "unknown" && text(&registry, "a") == "select 1")
      return registry
    }
    var registry = prepared()
    registry.closed("a")
    #expect(text(&registry, "a") == "unknown")
    registry = prepared()
    registry.forget(nil)
    #expect(text(&registry, "a") == "unknown")
    registry = prepared()
    registry.closed("a")
    registry.prepared("a", new)
    #expect(text(&registry, "a") == "select 2")
    registry = prepared()
    registry.parseSent("", old, segment: 1)
    registry.parseCompleted("")
    #expect(text(&registry, "") == "select 1")
    registry.parseSent("", new, segment: 2)
    #expect(text(&registry, "") == "uncertain")
    registry.parseCompleted("")
    #expect(text(&registry, "") == "select 2")
  }

  @Test func certainInItsSegmentAndOnceConfirmed() {
    var registry = StatementRegistry()
    #expect(text(registry, "s", 0) == "unknown")
    registry.parseSent("s", old, segment: 0)
    #expect(text(registry, "s", 0) == "select 1")
    #expect(text(registry, "s", 1) == "uncertain")
    registry.parseCompleted("s")
    #expect(text(registry, "s", 1) == "select 1")
    #expect(registry.isConfirmed("s"))
  }

  @Test func aFailedParseKeepsTheOldText() {
    var registry = StatementRegistry()
    registry.parseSent("", old, segment: 0)
    registry.parseCompleted("")
    registry.parseSent("", new, segment: 1)
    #expect(text(registry, "", 2) == "uncertain")
    registry.parseFailed("")
    #expect(text(registry, "", 2) == "select 1")
    registry.parseSent("t", new, segment: 2)
    registry.parseFailed("t")
    #expect(text(registry, "t", 2) == "unknown")
  }

  @Test func namedStatementsAreParsedOneAtATime() {
    var registry = StatementRegistry()
    #expect(!registry.mustWait(toParse: "s"))
    registry.parseSent("s", old, segment: 0)
    #expect(registry.mustWait(toParse: "s"))
    #expect(!registry.mustWait(toParse: ""))
  }

  /// An answer that was on its way when SQL text took the name away says nothing of what the name stands for now.
  @Test func forgettingOutlivesAnswers() {
    var registry = StatementRegistry()
    registry.parseSent("s", old, segment: 0)
    registry.forget("s")
    #expect(registry.mustWait(toParse: "s"))
    #expect(text(registry, "s", 0) == "unknown")
    registry.parseCompleted("s")
    #expect(text(registry, "s", 1) == "unknown")
    #expect(!registry.mustWait(toParse: "s"))
    registry.parseSent("a", old, segment: 0)
    registry.parseCompleted("a")
    registry.forget(nil)
    #expect(text(registry, "a", 1) == "unknown")
    #expect(registry.count == 0)
  }

  /// Close and Parse of the unnamed statement in one pipeline: the Parse came behind.
  @Test func closingLeavesWhatWasSentBehind() {
    var registry = StatementRegistry()
    registry.parseSent("", old, segment: 0)
    registry.parseCompleted("")
    registry.parseSent("", new, segment: 0)
    registry.closed("")
    #expect(text(registry, "", 0) == "select 2")
    registry.parseCompleted("")
    #expect(text(registry, "", 1) == "select 2")
  }

  @Test func aSecondCompletionIsNotBelieved() {
    var registry = StatementRegistry()
    registry.parseSent("s", old, segment: 0)
    registry.parseCompleted("s")
    registry.parseSent("s", new, segment: 1)
    registry.parseCompleted("s")
    #expect(text(registry, "s", 2) == "unknown")
  }
}

@Suite("One direction's bytes") struct FrameStreamTests {
  private func bytes(_ lines: String...) throws -> ByteBuffer {
    ByteBuffer(bytes: try lines.flatMap { try WireFrame($0, from: .client).bytes })
  }

  private func output(_ stream: inout FrameStream) -> [UInt8] {
    var all: [UInt8] = []
    while let bytes = stream.takeOutput() { all += bytes.readableBytesView }
    return all
  }

  @Test func passesDropsAndInjectsInOrder() throws {
    for step in [1, 2, 3, 7, 1_000] {
      var stream = FrameStream(from: .client)
      let input = Array(try bytes("CopyData \"one\"", "CopyData \"two\"", "CopyData \"three\"").readableBytesView)
      var count = 0
      var all: [UInt8] = []
      for start in stride(from: 0, to: input.count, by: step) {
        stream.append(ByteBuffer(bytes: input[start..<min(start + step, input.count)]))
        while let header = try stream.nextHeader() {
          if count == 1 { stream.drop(header) } else { stream.pass(header) }
          count += 1
          if count == 2 { stream.inject(try bytes("Sync")) }
        }
        all += output(&stream)
      }
      #expect(count == 3, "steps of \(step)")
      #expect(all == Array(try bytes("CopyData \"one\"", "Sync", "CopyData \"three\"").readableBytesView))
    }
  }

  @Test func framesThatPassLeaveAsOne() throws {
    var stream = FrameStream(from: .client)
    stream.append(try bytes("Sync", "Flush", "Sync"))
    while let header = try stream.nextHeader() { stream.pass(header) }
    #expect(stream.takeOutput()?.readableBytes == 15)
    #expect(stream.takeOutput() == nil)
  }

  @Test func aLongFramePassesAsItComes() throws {
    var stream = FrameStream(from: .backend)
    stream.append(ByteBuffer(bytes: [0x44, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3]))
    let header = try #require(try stream.nextHeader())
    #expect(header.bodyLength == Int(Int32.max) - 4)
    #expect(!stream.holds(header))
    stream.pass(header)
    #expect(stream.isInsideFrame)
    #expect(output(&stream).count == 8)
    stream.append(ByteBuffer(bytes: [4, 5]))
    #expect(try stream.nextHeader() == nil)
    #expect(output(&stream) == [4, 5])
  }

  @Test func lengthsThatDoNotHoldThemselves() {
    for length in [Int32(0), 3, -1, .min] {
      var stream = FrameStream(from: .backend)
      stream.append(ByteBuffer(bytes: [0x44] + WireFrame.integer(length)))
      #expect(throws: ProtocolError.self) { try stream.nextHeader() }
    }
  }

  @Test func rowsAreCountedUpToTheFirstOther() throws {
    var stream = FrameStream(from: .backend)
    let rows = try ["DataRow \"1\"", "DataRow NULL", "CommandComplete \"SELECT 2\""].map {
      try WireFrame($0, from: .backend).bytes
    }
    stream.append(ByteBuffer(bytes: rows.joined()))
    let passed = try stream.passRows()
    #expect(passed.rows == 2)
    #expect(passed.bytes == rows[0].count + rows[1].count)
    #expect(try stream.nextHeader()?.tag == BackendTag.commandComplete)
  }
}
