import AuditTrail
import Dispatch
import Foundation
import Logging
import NIOCore
import Synchronization
import Testing

@testable import Gateway

/// `durability: sync`: nothing of a command goes to the backend before the disk has its record.
@Suite("Group commit", .serialized)
struct GroupCommitTests {
  /// A gateway before a scripted backend, whose disk answers when the test says so.
  private final class SlowDisk: Sendable {
    let server: GatewayServer
    let data = FileManager.default.temporaryDirectory.path + "/sallyport-sync-\(UInt32.random(in: .min ... .max))"
    let backend: ScriptedBackend
    /// Counts the waits for the disk that began; each ends by one signal of `answers`.
    let asked = DispatchSemaphore(value: 0)
    let answers: Answers
    private let token: String

    final class Answers: Sendable {
      let go = DispatchSemaphore(value: 0)
      let fails = Mutex(false)
      let points = Mutex<[UInt64]>([])
    }

    init(durability: String = "sync") throws {
      backend = try ScriptedBackend(relations: [])
      let text = """
        gateway: { listen: { postgres: "127.0.0.1:0" }, threads: 1, audit: { durability: \(durability) } }
        users: { ana: { groups: [engineering], auth: token } }
        connections:
          shop: { protocol: postgres, address: "127.0.0.1:\(backend.port)", tls: disable, credentials: [{ user: app }] }
        access: [{ groups: [engineering], connections: [shop], allow: { postgres: all } }]
        """
      let answers = Answers()
      self.answers = answers
      var options = GatewayServer.Options()
      options.followsNames = false
      options.auditSync = { [asked] point in
        answers.points.withLock { $0.append(point.sequence) }
        asked.signal()
        guard answers.go.wait(timeout: .now() + 20) == .success else { throw GatewayFailure("nobody answered") }
        if answers.fails.withLock({ $0 }) { throw GatewayFailure("the disk is broken") }
        try point.synchronize()
      }
      server = try GatewayServer(
        try TranscriptRun.configuration(text, file: "sync.yaml"), data: data,
        logger: Logger(label: "sync") { _ in SwiftLogNoOpLogHandler() }, options: options)
      token = try SocketDriver.token("ana", data)
    }

    deinit {
      for _ in 0..<100 { answers.go.signal() }
      server.stop(reason: "end of test")
      backend.stop()
      try? FileManager.default.removeItem(atPath: data)
    }

    func client() throws -> (client: WireConnection, session: WireConnection) {
      let client = try SocketDriver.dial(server.address.port ?? 0)
      _ = try SocketDriver.signIn(client, token)
      return (client, try backend.session())
    }

    /// Texts of commands in the trail.
    func texts() throws -> [String] {
      var cursor = AuditReader(directory: AuditDirectory.path(data: data)).records(ofLane: "loop-0")
      var texts: [String] = []
      while let record = try cursor.next() { if let text = record.entry?.text { texts.append(text) } }
      return texts
    }
  }

  private func query(_ text: String) -> [UInt8] {
    WireFrame(tag: UInt8(ascii: "Q"), body: Array(text.utf8) + [0]).bytes
  }

  @Test("a statement waits for the disk, and goes when the disk has it; with durability process it does not wait")
  func waits() throws {
    let gateway = try SlowDisk()
    let (client, session) = try gateway.client()
    client.send(query("SELECT 1"))
    #expect(gateway.asked.wait(timeout: .now() + 10) == .success)
    #expect(try gateway.texts() == ["SELECT 1"])
    #expect(!session.hasInput(withinMilliseconds: 100), "the backend had it before the disk")
    gateway.answers.go.signal()
    #expect(session.nextFrame()?.tag == UInt8(ascii: "Q"))

    let fast = try SlowDisk(durability: "process")
    let (other, backend) = try fast.client()
    other.send(query("SELECT 1"))
    #expect(backend.nextFrame()?.tag == UInt8(ascii: "Q"))
    #expect(fast.answers.points.withLock { $0 }.isEmpty)
  }

  @Test("one wait for the disk serves all that came while the one before lasted")
  func groups() throws {
    let gateway = try SlowDisk()
    let pairs = try (0..<5).map { _ in try gateway.client() }
    pairs[0].client.send(query("SELECT 0"))
    #expect(gateway.asked.wait(timeout: .now() + 10) == .success)
    for (index, pair) in pairs.enumerated().dropFirst() { pair.client.send(query("SELECT \(index)")) }
    // All of them are recorded, and none is sent, while the disk is at the first.
    for _ in 0..<1_000 where try gateway.texts().count < 5 { usleep(5_000) }
    #expect(try gateway.texts().count == 5)
    gateway.answers.go.signal()
    #expect(gateway.asked.wait(timeout: .now() + 10) == .success)
    #expect(pairs[0].session.nextFrame()?.tag == UInt8(ascii: "Q"))
    #expect(!pairs[4].session.hasInput(withinMilliseconds: 50))
    gateway.answers.go.signal()
    for pair in pairs.dropFirst() { #expect(pair.session.nextFrame()?.tag == UInt8(ascii: "Q")) }
    #expect(gateway.answers.points.withLock { $0 }.count == 2)
  }

  @Test("a client that sends its last statement and goes: the statement waits for the disk, and runs")
  func terminates() throws {
    let gateway = try SlowDisk()
    let (client, session) = try gateway.client()
    client.send(query("SELECT 'last'") + WireFrame(tag: UInt8(ascii: "X"), body: []).bytes)
    #expect(gateway.asked.wait(timeout: .now() + 10) == .success)
    gateway.answers.go.signal()
    #expect(session.nextFrame()?.tag == UInt8(ascii: "Q"))
  }

  @Test("a disk that fails: the statement is not sent, the client hears why, and nothing runs afterwards")
  func fails() throws {
    let gateway = try SlowDisk()
    let (client, session) = try gateway.client()
    let (second, other) = try gateway.client()
    gateway.answers.fails.withLock { $0 = true }
    client.send(query("SELECT 1"))
    #expect(gateway.asked.wait(timeout: .now() + 10) == .success)
    gateway.answers.go.signal()
    let error = client.nextFrame()
    #expect(error?.tag == UInt8(ascii: "E") && error?.spelled(from: .backend).contains("58030") == true)
    // The backend's connection ends, and the statement never came.
    while let frame = session.nextFrame() { #expect(frame.tag != UInt8(ascii: "Q")) }
    second.send(query("SELECT 2"))
    #expect(second.nextFrame()?.spelled(from: .backend).contains("58030") == true)
    #expect(!other.hasInput(withinMilliseconds: 50))
  }
}
