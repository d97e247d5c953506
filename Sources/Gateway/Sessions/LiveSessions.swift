import Enforcement
import NIOConcurrencyHelpers
import NIOCore

/// The sessions that are open now, by name, for those who look at them and end them. Safe from any thread.
final class LiveSessions: Sendable {
  struct Entry: Sendable {
    var facts: SessionFacts
    /// µs since 1970.
    var openedAt: Int64
    /// Ends it, for somebody and a reason; false when it has ended before. Blocks, so never called on its loop.
    var kill: @Sendable (_ actor: String, _ reason: String) throws -> Bool
  }
  private let entries = NIOLockedValueBox<[String: Entry]>([:])

  func add(_ entry: Entry) { entries.withLockedValue { $0[entry.facts.session] = entry } }
  func remove(_ session: String) { _ = entries.withLockedValue { $0.removeValue(forKey: session) } }
  func find(_ session: String) -> Entry? { entries.withLockedValue { $0[session] } }
  /// The newest first.
  var all: [Entry] { entries.withLockedValue { $0.values.sorted { $0.openedAt > $1.openedAt } } }
}
