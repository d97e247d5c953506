import NIOConcurrencyHelpers
import NIOPosix
import Testing

@testable import Gateway

@Suite("Work that waits until the gateway listens") struct DeferredWorkTests {
  @Test func waitsForTheStartAndNotAfterwards() throws {
    let pool = NIOThreadPool(numberOfThreads: 1)
    pool.start()
    let work = DeferredWork(pool)
    let done = NIOLockedValueBox<[Int]>([])
    work.submit { done.withLockedValue { $0.append(1) } }
    work.submit { done.withLockedValue { $0.append(2) } }
    #expect(done.withLockedValue { $0 } == [])
    work.start()
    work.submit { done.withLockedValue { $0.append(3) } }
    try pool.syncShutdownGracefully()
    #expect(done.withLockedValue { $0 } == [1, 2, 3])
  }
}
