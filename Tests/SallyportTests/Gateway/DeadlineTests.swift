import Foundation
import Gateway
import Glibc
import Logging
import NIOCore
import Testing

/// A gateway in this process with short deadlines, before a port that accepts connections and says nothing.
private final class ImpatientGateway {
  let server: GatewayServer
  let data: String
  private let mute: Int32

  init(login: TimeAmount = .milliseconds(300), unauthenticated: Int = 100) throws {
    let mute = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    self.mute = mute
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let port = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        _ = Glibc.bind(mute, pointer, length)
        // Never accepted: the kernel completes the handshake, and nobody reads.
        _ = listen(mute, 8)
        _ = getsockname(mute, pointer, &length)
      }
      return Int(UInt16(bigEndian: $0.pointee.sin_port))
    }
    let text = """
      gateway: { listen: { postgres: "127.0.0.1:0" }, threads: 1 }
      users: { ana: { groups: [engineering], auth: token } }
      connections: { shop: { protocol: postgres, address: "127.0.0.1:\(port)", tls: disable, credentials: [{ user: app }] } }
      access: [{ groups: [engineering], connections: [shop], allow: { postgres: [read] } }]
      """
    var options = GatewayServer.Options()
    options.deadlines.login = login
    options.capacity.unauthenticated = unauthenticated
    data = FileManager.default.temporaryDirectory.path + "/sallyport-deadline-\(UInt32.random(in: .min ... .max))"
    server = try GatewayServer(
      try TranscriptRun.configuration(text, file: "deadlines.yaml"), data: data,
      logger: Logger(label: "deadlines") { _ in SwiftLogNoOpLogHandler() }, options: options)
  }

  deinit {
    server.stop(reason: "end of test")
    close(mute)
    try? FileManager.default.removeItem(atPath: data)
  }

  func dial() throws -> WireConnection { try SocketDriver.dial(server.address.port ?? 0) }
}

@Suite("Deadlines", .serialized)
struct DeadlineTests {
  private static let startup: [UInt8] = {
    let body = WireFrame.integer(Int32(196_608)) + Array("user\0ana\0database\0shop\0\0".utf8)
    return WireFrame.integer(Int32(body.count + 4)) + body
  }()

  /// Waits for the end of the connection, which has ten seconds to come.
  private func endsInTime(_ connection: WireConnection) -> Bool {
    let begun = ContinuousClock.now
    while connection.nextFrame() != nil {}
    return begun.duration(to: .now) < .seconds(8)
  }

  @Test("Who says nothing is let go")
  func silent() throws {
    let gateway = try ImpatientGateway()
    #expect(endsInTime(try gateway.dial()))
  }

  @Test("Half a start-up packet is no start-up")
  func half() throws {
    let gateway = try ImpatientGateway()
    let client = try gateway.dial()
    client.send(Array(Self.startup.prefix(11)))
    #expect(endsInTime(client))
  }

  @Test("Who does not answer the request for a password is let go")
  func noPassword() throws {
    let gateway = try ImpatientGateway()
    let client = try gateway.dial()
    client.send(Self.startup)
    #expect(client.nextFrame()?.tag == UInt8(ascii: "R"))
    #expect(endsInTime(client))
  }

  @Test("A backend that says nothing does not keep a client for ever")
  func muteBackend() throws {
    let gateway = try ImpatientGateway(login: .milliseconds(700))
    let token = try SocketDriver.token("ana", gateway.data)
    let client = try gateway.dial()
    client.send(Self.startup)
    #expect(client.nextFrame()?.tag == UInt8(ascii: "R"))
    client.send(WireFrame(tag: UInt8(ascii: "p"), body: Array(token.utf8) + [0]).bytes)
    #expect(client.nextFrame()?.body == [0, 0, 0, 0])
    #expect(endsInTime(client))
  }

  @Test("Connections that have not signed in are bounded; one that ends makes room")
  func bounded() throws {
    let gateway = try ImpatientGateway(login: .seconds(60), unauthenticated: 2)
    let first = try gateway.dial()
    let second = try gateway.dial()
    // Answered, so both are counted.
    for client in [first, second] {
      client.send(Self.startup)
      #expect(client.nextFrame()?.tag == UInt8(ascii: "R"))
    }
    #expect(endsInTime(try gateway.dial()))
    second.finish()
    for _ in 0..<500 {
      let next = try gateway.dial()
      next.send(Self.startup)
      if next.nextFrame()?.tag == UInt8(ascii: "R") { return }
      usleep(10_000)
    }
    Issue.record("no room was made")
  }
}
