import AccessModel
import Foundation
import NIOCore
import Testing

@testable import Postgres

/// Numbers that look random and come again from the same seed (splitmix64).
struct LawRandom: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}

/// How often the laws about changed messages are tried; the seed is printed, so that a failure can be had again.
enum LawSamples {
  static let count = Int(ProcessInfo.processInfo.environment["SALLYPORT_LAW_SAMPLES"] ?? "") ?? 60
  static let seed: UInt64 = {
    let given = UInt64(ProcessInfo.processInfo.environment["SALLYPORT_LAW_SEED"] ?? "")
    let chosen = given ?? UInt64.random(in: .min ... .max)
    print("SALLYPORT_LAW_SEED=\(chosen) SALLYPORT_LAW_SAMPLES=\(count)")
    return chosen
  }()
}

/// What a peer does to one message of a conversation.
private enum Damage {
  case change(byte: Int, to: UInt8)
  case truncate(to: Int)
}

@Suite("Session laws") struct SessionLawTests {
  /// Transcripts with messages short enough to be played thousands of times.
  static let short = TranscriptFolder.readable.filter { transcript in
    transcript.steps.allSatisfy { _, step in
      if case .send(_, let frames) = step { frames.allSatisfy { $0.body.count < 10_000 } } else { true }
    }
  }

  private func play(_ transcript: Transcript, _ target: Int, _ damage: Damage?) throws -> SessionDriver {
    let driver = SessionDriver(policy: try TranscriptRun.policy(transcript.policy), relations: transcript.relations)
    var index = 0
    for (_, step) in transcript.steps {
      switch step {
      case .send(let side, let frames):
        for frame in frames {
          var bytes = frame.bytes
          if index == target, let damage {
            switch damage {
            case .change(let byte, let value): bytes[byte % bytes.count] = value
            case .truncate(let length): bytes.removeLast(bytes.count - length % bytes.count)
            }
          }
          driver.feed(bytes, from: side)
          index += 1
        }
      case .people(let act): try? driver.act(act)
      case .expect, .audit, .closes: break
      }
    }
    return driver
  }

  /// No command without a permit: every Query, Parse, Bind and FunctionCall that the backend saw was decided, with
  /// exactly its text, and recorded.
  private func requirePermits(_ driver: SessionDriver, _ what: String) throws {
    var commands = 0
    while let frame = driver.nextFrame(to: .backend) {
      let body = ByteBuffer(bytes: frame.body)
      switch frame.tag {
      case FrontendTag.query:
        let text = String(buffer: try QueryMessage.decode(body).text)
        if text == PostgresSession.failingStatement { continue }
        #expect(driver.permitted.values.contains { Array($0.text.utf8) == Array(text.utf8) }, "\(what): \(text)")
        commands += 1
      case FrontendTag.parse:
        let message = try ParseMessage.decode(body)
        if message.statement == "sallyport_refused" { continue }
        let text = String(buffer: message.text)
        #expect(driver.permitted.values.contains { Array($0.text.utf8) == Array(text.utf8) }, "\(what): \(text)")
        commands += 1
      case FrontendTag.bind, FrontendTag.functionCall: commands += 1
      case _: break
      }
    }
    #expect(commands <= driver.permitted.count, "\(what)")
    let recorded = driver.audit.events.count { event in
      if case .decided(let record) = event { record.action == .permit } else { false }
    }
    #expect(recorded == driver.permitted.count, "\(what)")
    // Only data of a COPY, which was decided before, may leave before it is here whole.
    let rest = driver.leftovers().filter {
      $0.hasPrefix("backend < the front") && !$0.hasPrefix("backend < the front of d,")
    }
    #expect(rest.isEmpty, "\(what): a command left in part")
  }

  private func messages(_ transcript: Transcript) -> [(side: Side, frame: WireFrame)] {
    var all: [(side: Side, frame: WireFrame)] = []
    for (_, step) in transcript.steps {
      if case .send(let side, let frames) = step { all += frames.map { (side, $0) } }
    }
    return all
  }

  @Test(arguments: short) func undamaged(_ transcript: Transcript) throws {
    let driver = try play(transcript, -1, nil)
    try requirePermits(driver, transcript.name)
  }

  /// A message that breaks off: the session waits or ends; nothing traps, nothing passes undecided.
  @Test(arguments: short) func everyTruncation(_ transcript: Transcript) throws {
    var random = LawRandom(seed: LawSamples.seed)
    for (index, message) in messages(transcript).enumerated() {
      let lengths = message.frame.bytes.count
      for _ in 0..<min(lengths, max(2, LawSamples.count / 10)) {
        let length = Int.random(in: 0..<lengths, using: &random)
        let driver = try play(transcript, index, .truncate(to: length))
        try requirePermits(driver, "\(transcript.name), message \(index) cut to \(length) bytes")
      }
    }
  }

  @Test(arguments: short) func oneByteChanges(_ transcript: Transcript) throws {
    var random = LawRandom(seed: LawSamples.seed)
    let messages = messages(transcript)
    for _ in 0..<LawSamples.count {
      let index = Int.random(in: 0..<messages.count, using: &random)
      let byte = Int.random(in: 0..<messages[index].frame.bytes.count, using: &random)
      let value = UInt8.random(in: .min ... .max, using: &random)
      let driver = try play(transcript, index, .change(byte: byte, to: value))
      try requirePermits(driver, "\(transcript.name), message \(index), byte \(byte) = \(value)")
    }
  }

  /// CVE-2026-6664: lengths that overflow, or that do not even hold themselves.
  @Test(arguments: [Int32(0), 3, -1, .min, .max]) func badLengths(_ length: Int32) throws {
    let policy = try TranscriptRun.policy("open.yaml")
    for side in [Side.client, .backend] {
      for tag in UInt8(0x20)...0x7e {
        let driver = SessionDriver(policy: policy)
        driver.feed([tag] + WireFrame.integer(length) + [0, 0, 0, 0], from: side)
        if length < 4 { #expect(driver.hasEnded(), "\(side) \(tag)") }
        try requirePermits(driver, "\(side) \(tag) \(length)")
      }
    }
  }

  @Test func countsThatExceedTheirMessageEndTheSession() throws {
    let policy = try TranscriptRun.policy("masks.yaml")
    let hostile: [(Side, String)] = [
      (.client, "Raw S \"x\""),
      (.backend, "Raw T \"\\xff\\xff\""), (.backend, "Raw Z \"?\""), (.backend, "Raw Z \"\""),
      (.backend, "Raw E \"Sx\""), (.backend, "Raw S \"x\\x00\""), (.backend, "Raw W \"\\x00\\x00\\x00\""),
    ]
    for (side, line) in hostile {
      let driver = SessionDriver(policy: policy)
      if side == .backend { driver.feed(try WireFrame("Query \"select 1\"", from: .client).bytes, from: .client) }
      driver.feed(try WireFrame(line, from: side).bytes, from: side)
      #expect(driver.hasEnded(), "\(line)")
    }
  }

  /// Where PostgreSQL has an ERROR for it so do we, and nothing of the message reaches the backend.
  @Test(arguments: [
    ("Raw B \"\\x00\\x00\\x7f\\xff\"", "insufficient data left in message"),
    ("Raw P \"\\x00\\x00\\xff\\xff\"", "insufficient data left in message"),
    ("Raw E \"\\x00\"", "insufficient data left in message"),
    ("Raw D \"X\\x00\"", "invalid DESCRIBE message subtype 88"),
    ("Raw H \"x\"", "invalid message format"), ("Raw Q \"no end\"", "invalid string in message"),
  ]) func malformedContentsAreRefused(_ line: String, _ words: String) throws {
    let driver = SessionDriver(policy: try TranscriptRun.policy("masks.yaml"))
    driver.feed(try WireFrame(line, from: .client).bytes, from: .client)
    if !line.hasPrefix("Raw Q") { driver.feed(try WireFrame("Sync", from: .client).bytes, from: .client) }
    #expect(!driver.hasEnded() && driver.nextFrame(to: .backend) == nil)
    #expect(
      driver.nextFrame(to: .client)?.spelled(from: .backend)
        == "ErrorResponse S \"ERROR\" C \"08P01\" M \"\(words)\"")
    #expect(driver.nextFrame(to: .client)?.spelled(from: .backend) == "ReadyForQuery I")
  }

  @Test func rowsWithTheWrongNumberOfValuesEndTheSession() throws {
    for row in [
      "DataRow", "DataRow \"1\"", "DataRow \"1\" \"2\" \"3\"", "Raw D \"\\x7f\\xff\"",
      "Raw D \"\\x00\\x02\\xff\\xff\\xff\\xfe\\x00\\x00\\x00\\x00\"",
    ] {
      let policy = try TranscriptRun.policy("masks.yaml")
      let relation = Transcript.Relation(oid: 16384, schema: "public", name: "customers", columns: ["id", "ssn"])
      let driver = SessionDriver(policy: policy, relations: [relation])
      driver.feed(try WireFrame("Query \"select id, ssn from customers\"", from: .client).bytes, from: .client)
      driver.feed(
        try WireFrame("RowDescription \"id\" 16384 1 23 4 -1 0 \"ssn\" 16384 2 25 -1 -1 0", from: .backend).bytes
          + WireFrame(row, from: .backend).bytes, from: .backend)
      #expect(driver.hasEnded(), "\(row)")
    }
  }
}
