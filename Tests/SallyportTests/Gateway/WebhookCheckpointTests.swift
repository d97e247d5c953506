import AuditTrail
import Foundation
import Logging
import NIOCore
import NIOPosix
import Store
import Testing

@testable import Gateway
@testable import SallyportConfiguration

/// Seals posted to a real HTTP server that fails or hangs, with little patience.
@Suite("Checkpoints by webhook")
struct WebhookCheckpointTests {
  private let fixture = TrailFixture()

  /// A trail of one lane whose seals are posted to `path`; `record` adds a record.
  private func withSealing(
    _ path: String, attempts: Int,
    _ body: (AuditSealing, HeadReceiver, _ record: (String) throws -> Void) throws -> Void
  ) throws {
    let receiver = try HeadReceiver()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    defer { try? group.syncShutdownGracefully() }
    let loop = group.next()
    let directory = try AuditDirectory(data: fixture.data)
    let log = try SealLog(directory, key: try SealKey(data: fixture.data), gateway: "test", now: 1)
    let lane = try loop.submit {
      NIOLoopBound(
        try AuditLane(directory: directory, name: "loop-0", segmentSize: 65_536, now: { 1 }), eventLoop: loop)
    }.wait()
    var patience = WebhookSender.Patience()
    patience.deadline = .milliseconds(300)
    patience.pauses = Array(repeating: .milliseconds(20), count: attempts - 1)
    let sender = WebhookSender(
      loop: loop, regions: .allowAll, directory: "", patience: patience, logger: Logger(label: "test"))
    defer { sender.stop() }
    let settings = WebhookSettings(
      url: receiver.url(path), host: "127.0.0.1", port: UInt16(receiver.port), secret: .file(receiver.secretFile))
    let sealing = AuditSealing(
      log, lanes: [lane], others: [], store: try SQLiteStore(data: fixture.data),
      outside: [.webhook(settings, sender)], logger: Logger(label: "test"))
    try body(sealing, receiver) { text in try loop.submit { try lane.value.append(decided(text)) }.wait() }
    receiver.stop()
  }

  @Test("a server that fails is tried a bounded number of times, told of once it is over, and then has the newest seal")
  func failing() throws {
    try withSealing("/broken", attempts: 3) { sealing, receiver, record in
      try record("SELECT 1")
      try sealing.seal()
      sealing.awaitOutside(seconds: 10)
      #expect(try receiver.requests().count == 3)
      #expect(sealing.troubles == ["audit checkpoint to webhook 127.0.0.1: it answered 500"])
      var status = GatewayStatus()
      status.sealing = sealing.numbers
      #expect(status.illnesses.isEmpty && status.warnings.count == 1 && status.sealing.troubles == 1)
      // Nothing new: the seal that it lacks is offered again.
      try receiver.mend()
      try record("SELECT 2")
      let newest = try sealing.seal()
      sealing.awaitOutside(seconds: 10)
      #expect(sealing.troubles == [] && sealing.numbers.keptAt[.webhook] != nil)
      #expect(receiver.heads == newest.map { "\($0.line)\n" })
      // What it has it is not told again.
      let count = try receiver.requests().count
      try sealing.seal()
      sealing.awaitOutside(seconds: 10)
      #expect(try receiver.requests().count <= count + 1)
    }
  }

  @Test("a server that hangs holds up no seal, and is given up within its bounds")
  func hanging() throws {
    try withSealing("/hang", attempts: 2) { sealing, receiver, record in
      let began = monotonicSeconds()
      for turn in 0..<20 {
        try record("SELECT \(turn)")
        try sealing.seal()
      }
      // Twenty that waited for both attempts would take twelve seconds.
      #expect(monotonicSeconds() - began < 3, "seals waited for the webhook")
      // Two attempts of 300 ms; what came meanwhile is not piled up.
      sealing.awaitOutside(seconds: 10)
      #expect(try receiver.requests().count == 2)
      #expect(sealing.troubles.first?.hasPrefix("audit checkpoint to webhook 127.0.0.1: ") == true)
      // Taken out of the configuration, it troubles nobody any more.
      sealing.keep(in: [])
      #expect(sealing.troubles == [])
    }
  }
}
