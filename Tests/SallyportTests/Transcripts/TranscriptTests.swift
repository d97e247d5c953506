import AccessModel
import Crypto
import Foundation
import PolicyEngine
import SallyportConfiguration
import Testing

/// Plays a transcript, and compares what comes out.
enum TranscriptRun {
  /// Throws at the first difference, with the line of the transcript.
  static func play(_ transcript: Transcript, on driver: some TranscriptDriver) throws {
    for (line, step) in transcript.steps {
      do {
        try play(step, on: driver)
      } catch { throw TranscriptMistake("\(transcript.name):\(line): \(error)") }
    }
    let rest = try driver.finish()
    guard rest.isEmpty else {
      throw TranscriptMistake("\(transcript.name) ends, but there is more:\n\(rest.joined(separator: "\n"))")
    }
  }

  private static func play(_ step: Transcript.Step, on driver: some TranscriptDriver) throws {
    switch step {
    case .send(let side, let frames):
      try requireNothing(driver)
      try driver.send(frames, from: side)
    case .people(let act):
      try requireNothing(driver)
      try driver.act(act)
    case .expect(let side, let expected):
      let sender: Side = side == .client ? .backend : .client
      let wanted = expected.spelled(from: sender)
      guard let found = try driver.nextFrame(to: side) else {
        let rest = try driver.leftovers().map { "\n  left: " + $0 }.joined()
        throw TranscriptMistake("nothing reached the \(side) where this was expected: \(wanted)\(rest)")
      }
      guard found == expected else {
        throw TranscriptMistake("the \(side) got\n  \(found.spelled(from: sender))\ninstead of\n  \(wanted)")
      }
    case .audit(let wanted):
      let found = try driver.nextRecord() ?? "nothing"
      guard found == wanted else { throw TranscriptMistake("the audit has\n  \(found)\ninstead of\n  \(wanted)") }
    case .closes:
      guard try driver.hasEnded() else { throw TranscriptMistake("the gateway did not end the connections") }
    }
  }

  private static func requireNothing(_ driver: some TranscriptDriver) throws {
    let rest = try driver.leftovers()
    guard rest.isEmpty else { throw TranscriptMistake("before this, there was also\n" + rest.joined(separator: "\n")) }
  }

  /// The configuration that the transcript's policy line names.
  static func configuration(_ text: String, file: String) throws -> GatewayConfiguration {
    try ConfigurationLoader.parse([ConfigurationSource(file: file, text: text)]) { bytes in
      SHA256.hash(data: bytes).map { String($0, radix: 16) }.joined()
    }.get()
  }

  /// What the policy says to ana on the connection `shop`.
  static func policy(_ name: String) throws -> ScopedPolicy { try policy(of: TranscriptFolder.policy(name), name) }

  /// Of a whole configuration, as Ana meets it on the shop.
  static func policy(of text: String, _ name: String = "policy.yaml") throws -> ScopedPolicy {
    let configuration = try configuration(text, file: name)
    guard let ana = configuration.subject(user: "ana", connection: "shop", clientAddress: "127.0.0.1") else {
      throw TranscriptMistake("\(name) has no user ana or no connection shop")
    }
    return Policy(configuration.policy, hash: configuration.policyHash).scoped(to: ana)
  }
}

@Suite("Transcripts") struct TranscriptTests {
  @Test func allCanBeRead() {
    let all = TranscriptFolder.all()
    #expect(all.count >= 25)
    for transcript in all {
      if case .failure(let error) = transcript { Issue.record("\(error)") }
    }
  }

  @Test(arguments: TranscriptFolder.readable) func whole(_ transcript: Transcript) throws {
    let policy = try TranscriptRun.policy(transcript.policy)
    try TranscriptRun.play(transcript, on: SessionDriver(policy: policy, relations: transcript.relations))
  }

  @Test(arguments: TranscriptFolder.readable) func oneByteAtATime(_ transcript: Transcript) throws {
    let policy = try TranscriptRun.policy(transcript.policy)
    try TranscriptRun.play(
      transcript, on: SessionDriver(policy: policy, relations: transcript.relations, drips: true))
  }

  /// Every message of every transcript is the one that its spelling spells, so that a difference is shown as it is.
  @Test(arguments: TranscriptFolder.readable) func spellingIsFaithful(_ transcript: Transcript) throws {
    for (line, step) in transcript.steps {
      let messages: [(WireFrame, Side)]
      switch step {
      case .send(let side, let frames): messages = frames.map { ($0, side) }
      case .expect(let side, let frame): messages = [(frame, side == .client ? .backend : .client)]
      case .audit, .people, .closes: messages = []
      }
      for (frame, side) in messages {
        let text = frame.spelled(from: side)
        if text.contains("…(") { continue }
        #expect(try WireFrame(text, from: side) == frame, "line \(line): \(text)")
      }
    }
  }
}
