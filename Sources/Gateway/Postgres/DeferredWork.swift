import NIOConcurrencyHelpers
import NIOPosix

/// Work for the pool that waits until the gateway listens: making room for audit records that are to come takes time from
/// starting, and none of it is needed before the first segments fill.
final class DeferredWork: Sendable {
  private let pool: NIOThreadPool
  /// nil once nothing is held back any more.
  private let waiting = NIOLockedValueBox<[@Sendable () -> Void]?>([])

  init(_ pool: NIOThreadPool) { self.pool = pool }

  /// Has the pool do something, now or after `start`.
  func submit(_ work: @escaping @Sendable () -> Void) {
    let isHeld = waiting.withLockedValue { waiting in
      waiting?.append(work)
      return waiting != nil
    }
    if !isHeld { pool.submit { _ in work() } }
  }

  func start() {
    let held = waiting.withLockedValue { waiting in
      defer { waiting = nil }
      return waiting ?? []
    }
    for work in held { pool.submit { _ in work() } }
  }
}
