import AccessModel
import Enforcement
import NIOConcurrencyHelpers

/// Constants that people compared masked columns with in the last hour, by person and rule; in memory, so that a restart
/// begins anew.
final class HourlyComparisons: ComparisonBudget {
  private struct Key: Hashable {
    var user: String
    var rule: String
  }
  /// So many within one minute.
  private struct Minute {
    var number: Int64
    var count: Int
  }
  /// µs on a monotonic clock.
  private let clock: @Sendable () -> Int64
  private let spent = NIOLockedValueBox<[Key: [Minute]]>([:])
  private static let minute: Int64 = 60_000_000
  /// People and rules that are kept before those are looked for of whom nothing counts any more.
  private static let limit = 10_000

  init(clock: @escaping @Sendable () -> Int64 = { Clock.monotonic() }) { self.clock = clock }

  func take(_ comparison: Obligations.Comparison, by user: String) -> Bool {
    let now = clock() / HourlyComparisons.minute
    return spent.withLockedValue { spent in
      if spent.count >= HourlyComparisons.limit {
        spent = spent.filter { ($0.value.last?.number ?? .min) > now - 60 }
      }
      let key = Key(user: user, rule: comparison.rule)
      // The minute that began an hour ago counts still.
      var minutes = (spent[key] ?? []).filter { $0.number >= now - 60 }
      let before = minutes.reduce(0) { $0 + $1.count }
      guard before + comparison.constants <= comparison.perHour else { return false }
      if let last = minutes.last, last.number == now {
        minutes[minutes.count - 1].count += comparison.constants
      } else {
        minutes.append(Minute(number: now, count: comparison.constants))
      }
      spent[key] = minutes
      return true
    }
  }
}
