import AccessModel
import Synchronization
import Testing

@testable import Gateway

@Suite("Comparisons with masked columns, by the hour")
struct HourlyComparisonsTests {
  @Test("of one person and rule no more than the limit within any hour")
  func window() {
    let now = Mutex<Int64>(0)
    let budget = HourlyComparisons { now.withLock { $0 } }
    func take(_ count: Int, at minute: Int64, by user: String = "ana", rule: String = "pii") -> Bool {
      now.withLock { $0 = minute * 60_000_000 }
      return budget.take(Obligations.Comparison(rule: rule, constants: count, perHour: 10), by: user)
    }
    #expect(take(6, at: 0) && take(4, at: 30) && !take(1, at: 31))
    #expect(take(10, at: 31, by: "bo") && take(10, at: 31, rule: "other"))
    // What came in minute 0 may have come at its end.
    #expect(!take(1, at: 60) && take(6, at: 61) && !take(1, at: 61))
    #expect(take(4, at: 91) && !take(1, at: 91) && !take(11, at: 10_000) && take(10, at: 20_000))
  }
}
