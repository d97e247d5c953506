import Dispatch
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Residency
import SallyportConfiguration
import Testing

@testable import Gateway

/// Refuses some addresses, and remembers what it was asked.
private final class RecordingRegions: RegionPolicy {
  let asked = NIOLockedValueBox<[String]>([])
  private let refused: Set<String>
  init(refusing refused: Set<String>) { self.refused = refused }

  func allows(_ address: String, region: String?) -> RegionVerdict {
    asked.withLockedValue { $0.append(address) }
    return refused.contains(address) ? .refused(reason: "outside the region") : .allowed
  }
}

@Suite("Pinned dialler", .serialized)
struct PinnedDiallerTests {
  /// A reactor that dials, and a port on which another listens, with how many came.
  private func withListener(_ body: (Reactor, NIOThreadPool, UInt16, NIOLockedValueBox<Int>) throws -> Void) throws {
    let reactor = try Reactor(name: "dialler-test")
    let pool = NIOThreadPool(numberOfThreads: 1)
    pool.start()
    defer {
      reactor.stop()
      try? pool.syncShutdownGracefully()
    }
    let accepted = NIOLockedValueBox(0)
    let (descriptor, address) = try SocketCalls.listen(on: SocketAddress(ipAddress: "127.0.0.1", port: 0))
    try reactor.submit {
      _ = StreamListener(descriptor, on: reactor) { descriptor, _ in
        accepted.withLockedValue { $0 += 1 }
        close(descriptor)
      }
    }.wait()
    let port = try #require(address.port.flatMap { UInt16(exactly: $0) })
    try body(reactor, pool, port, accepted)
  }

  @Test("Every address is checked as a number before it is dialled")
  func checksNumbers() throws {
    try withListener { reactor, pool, port, _ in
      let regions = RecordingRegions(refusing: [])
      let dialler = PinnedDialler(pool: pool, regions: regions, timeout: .seconds(5))
      let stream = try dialler.dial(Endpoint(host: "localhost", port: port), region: "eu", on: reactor).wait()
      let peer = try reactor.submit {
        defer { stream.value.close() }
        return stream.value.peer?.ipAddress
      }.wait()
      #expect(peer == "127.0.0.1")
      let asked = regions.asked.withLockedValue { $0 }
      #expect(asked.contains("127.0.0.1"))
      #expect(asked.allSatisfy { NetworkAddress($0) != nil })
    }
  }

  @Test("What the region policy refuses is not dialled")
  func refuses() throws {
    try withListener { reactor, pool, port, accepted in
      let regions = RecordingRegions(refusing: ["127.0.0.1"])
      let dialler = PinnedDialler(pool: pool, regions: regions, timeout: .seconds(5))
      #expect(throws: DialFailure(message: "outside the region")) {
        _ = try dialler.dial(Endpoint(host: "127.0.0.1", port: port), region: nil, on: reactor).wait()
      }
      #expect(throws: DialFailure(message: "outside the region")) {
        _ = try dialler.redial(
          SocketAddress(ipAddress: "127.0.0.1", port: Int(port)), region: nil, on: reactor
        ).wait()
      }
      #expect(accepted.withLockedValue { $0 } == 0)
    }
  }

  @Test("A resolver that does not answer is not waited for")
  func silentResolver() throws {
    try withListener { reactor, pool, _, _ in
      let release = DispatchSemaphore(value: 0)
      let dialler = PinnedDialler(
        pool: pool, regions: .allowAll, timeout: .milliseconds(50),
        lookUp: { _ in
          // Its answer comes too late, and does no harm.
          release.wait()
          return []
        })
      let future = dialler.dial(Endpoint(host: "slow.invalid", port: 5432), region: nil, on: reactor)
      let error = #expect(throws: DialFailure.self) { _ = try future.wait() }
      #expect(error?.message == "resolving \"slow.invalid\" took too long")
      release.signal()
      // The thread of the pool is free again, so it has answered.
      let isFree = try pool.runIfActive(eventLoop: reactor) { true }.wait()
      #expect(isFree)
    }
  }

  @Test("A name without an address fails with the name in the message")
  func unknownName() throws {
    try withListener { reactor, pool, _, _ in
      let dialler = PinnedDialler(pool: pool, regions: .allowAll, timeout: .seconds(5))
      let future = dialler.dial(Endpoint(host: "no-such-host.invalid", port: 5432), region: nil, on: reactor)
      let error = #expect(throws: DialFailure.self) { _ = try future.wait() }
      #expect(error?.message.contains("no-such-host.invalid") == true)
    }
  }
}
