import AccessModel
import Foundation
import NIOCore
import Testing

@testable import Postgres

/// What a real client and a real PostgreSQL said on one connection, as Tests/clients/capture.py wrote it down.
private struct Capture: CustomTestStringConvertible, Sendable {
  enum Entry: Sendable {
    case startup([UInt8])
    case message(Side, WireFrame)
  }
  var name: String
  var entries: [Entry] = []

  var testDescription: String { name }

  static let folder = SourceTree.root + "/fixtures/captures"

  static let all: [Capture] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { $0.hasSuffix(".hex") }.sorted().flatMap { read($0) }
  }()

  private static func read(_ file: String) -> [Capture] {
    guard let text = try? String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8) else { return [] }
    var captures: [Capture] = []
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      if line == "# connection" { captures.append(Capture(name: "\(file) \(captures.count + 1)")) }
      guard !captures.isEmpty, words[0] != "#", words[1] != "answer", let bytes = bytes(words[words.count - 1]) else {
        continue
      }
      captures[captures.count - 1].entries.append(entry(words, bytes))
    }
    return captures
  }

  private static func entry(_ words: [Substring], _ bytes: [UInt8]) -> Entry {
    switch words.count > 2 ? words[1] : "" {
    case "startup": return .startup(bytes)
    case _:
      return .message(words[0] == ">" ? .client : .backend, WireFrame(tag: bytes[0], body: Array(bytes[5...])))
    }
  }

  private static func bytes(_ hex: Substring) -> [UInt8]? {
    let digits = hex.compactMap(\.hexDigitValue)
    guard digits.count == hex.count, digits.count >= 10, digits.count.isMultiple(of: 2) else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }
}

/// Real traffic: nothing of it is lost in the codec, or changed by a session that has no rule to apply.
@Suite("Captured traffic") struct CaptureTests {
  /// Decodes and encodes a message; nil when it is refused.
  private func again(
    _ side: Side, _ frame: WireFrame, answering request: AuthenticationRequest?
  ) -> (bytes: [UInt8], isKnown: Bool)? {
    var buffer = ByteBuffer()
    let body = ByteBuffer(bytes: frame.body)
    switch side {
    case .client:
      guard let message = try? FrontendMessage.decode(tag: frame.tag, body, answering: request) else { return nil }
      message.encode(into: &buffer)
      if case .unrecognized = message { return (Array(buffer.readableBytesView), false) }
    case .backend:
      guard let message = try? BackendMessage.decode(tag: frame.tag, body) else { return nil }
      message.encode(into: &buffer)
      if case .unrecognized = message { return (Array(buffer.readableBytesView), false) }
    }
    return (Array(buffer.readableBytesView), true)
  }

  @Test func theCapturesAreThere() {
    #expect(Capture.all.count >= 9)
    var tags: [Side: Set<UInt8>] = [.client: [], .backend: []]
    for case .message(let side, let frame) in Capture.all.flatMap(\.entries) { tags[side]?.insert(frame.tag) }
    #expect(String(decoding: (tags[.client] ?? []).sorted(), as: UTF8.self) == "BDEFHPQSXcd")
    #expect(String(decoding: (tags[.backend] ?? []).sorted(), as: UTF8.self) == "12ACDEGHIKNRSTVZcdnt")
  }

  @Test(arguments: Capture.all) fileprivate func encodingUndoesDecoding(_ capture: Capture) throws {
    var request: AuthenticationRequest?
    for entry in capture.entries {
      switch entry {
      case .startup(let bytes):
        var input = ByteBuffer(bytes: bytes)
        var output = ByteBuffer()
        try #require(try StartupPacket.take(from: &input, limits: .standard)).encode(into: &output)
        #expect(Array(output.readableBytesView) == bytes)
      case .message(let side, let frame):
        if side == .backend, frame.tag == BackendTag.authentication {
          request = try AuthenticationRequest.decode(ByteBuffer(bytes: frame.body))
        }
        let found = again(side, frame, answering: request)
        #expect(found?.isKnown == true && found?.bytes == frame.bytes, "\(frame.spelled(from: side))")
      }
    }
  }

  /// Every truncation and every change of one byte of every message is refused, or kept as it is.
  @Test(arguments: Capture.all) fileprivate func damagedMessagesAreRefusedOrKept(_ capture: Capture) throws {
    var seen: Set<WireFrame> = []
    for case .message(let side, let frame) in capture.entries where seen.insert(frame).inserted {
      let bound = min(frame.body.count, 200)
      for length in 0..<bound {
        requireRefusedOrKept(side, WireFrame(tag: frame.tag, body: Array(frame.body[..<length])))
      }
      for index in 0..<bound {
        for value in [UInt8(0), 1, 0x7f, 0x80, 0xff] {
          var changed = frame
          changed.body[index] = value
          requireRefusedOrKept(side, changed)
        }
      }
    }
  }

  private func requireRefusedOrKept(_ side: Side, _ frame: WireFrame) {
    guard let found = again(side, frame, answering: .cleartextPassword), found.bytes != frame.bytes else { return }
    Issue.record("\(frame.spelled(from: side)) became other bytes")
  }

  private func withoutFlush(_ bytes: [UInt8]) -> [WireFrame] {
    var rest = bytes[...]
    var frames: [WireFrame] = []
    while let frame = WireFrame(prefixOf: rest) {
      rest = rest.dropFirst(frame.bytes.count)
      if frame.tag != FrontendTag.flush { frames.append(frame) }
    }
    #expect(rest.isEmpty)
    return frames
  }

  /// A session without rules passes the whole conversation as it was.
  @Test(arguments: Capture.all) fileprivate func sessionsPassUnchanged(_ capture: Capture) throws {
    let driver = SessionDriver(policy: try TranscriptRun.policy("open.yaml"))
    var isReady = false
    var sent: [Side: [UInt8]] = [.client: [], .backend: []]
    for case .message(let side, let frame) in capture.entries {
      guard isReady else {
        isReady = side == .backend && frame.tag == BackendTag.readyForQuery
        continue
      }
      driver.feed(frame.bytes, from: side)
      sent[side]? += frame.bytes
    }
    #expect(driver.takeBytes(to: .client) == sent[.backend])
    // A Flush of the gateway's own makes the backend say what became of a command that may be a COPY.
    let client = driver.takeBytes(to: .backend)
    #expect(withoutFlush(client) == withoutFlush(sent[.client] ?? []))
    #expect(!driver.hasEnded() || sent[.client]?.last == 4, "it ended before Terminate")
  }

  /// The rest of the protocol, in what PostgreSQL 15 does not say to these clients.
  @Test(arguments: [
    (Side.client, "CopyFail \"no more\""), (.client, "Flush"), (.client, "Close S \"s\""),
    (.client, "Raw p \"secret\\x00\""), (.client, "FunctionCall 955 0 2 NULL \"x\" 1"),
    (.client, "Raw ~ \"what is this\""), (.backend, "Raw ~ \"what is this\""),
    (.backend, "Raw W \"\\x00\\x00\\x01\\x00\\x01\""), (.backend, "CopyInResponse 1 1 1 0"),
    (.backend, "Raw R \"\\x00\\x00\\x00\\x07\""), (.backend, "Raw R \"\\x00\\x00\\x00\\x08token\""),
    (.backend, "Raw R \"\\x00\\x00\\x00\\x09\""), (.backend, "Raw R \"\\x00\\x00\\x00\\x02\""),
    (.backend, "FunctionCallResponse NULL"), (.backend, "ParameterStatus \"a\" \"\\xe9\""),
    (.backend, "NotificationResponse 7 \"jobs\" \"\\xe9\""), (.backend, "DataRow \"a\" NULL \"\""),
    (.backend, "PortalSuspended"),
  ])
  func messagesThatAreSeldom(_ side: Side, _ line: String) throws {
    let frame = try WireFrame(line, from: side)
    let found = try #require(again(side, frame, answering: .cleartextPassword))
    #expect(found.bytes == frame.bytes && found.isKnown == (frame.tag != UInt8(ascii: "~")))
  }

  /// `p` is told apart by what was asked.
  @Test func answersToAuthentication() throws {
    let answers: [(AuthenticationRequest, [UInt8])] = [
      (.md5Password(salt: [1, 2, 3, 4]), Array("md5\0".utf8)),
      (.sasl(mechanisms: ["SCRAM-SHA-256"]), Array("SCRAM-SHA-256\0".utf8) + [0, 0, 0, 1, 0x6e]),
      (.saslContinue([1]), [1, 0, 2]), (.unsupported(code: 7), [3, 0, 4]), (.unsupported(code: 9), []),
    ]
    for (request, body) in answers {
      let frame = WireFrame(tag: FrontendTag.password, body: body)
      let found = try #require(again(.client, frame, answering: request))
      #expect(found.bytes == frame.bytes && found.isKnown, "\(request)")
    }
    for request in [nil, AuthenticationRequest.ok, .saslFinal([])] {
      let found = again(.client, WireFrame(tag: FrontendTag.password, body: [1]), answering: request)
      #expect(found?.isKnown == false)
    }
  }
}
