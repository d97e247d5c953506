import Testing

@testable import Gateway

/// A cancel key of four bytes must not be found by trying (DECISIONS 29).
@Suite("Wrong cancel keys") struct CancelFailuresTests {
  @Test("an address that shows too many is not listened to for a while; others are")
  func limit() {
    var failures = CancelFailures()
    for count in 0..<CancelFailures.limit {
      #expect(!failures.areTooMany(from: "10.0.0.1", now: Int64(count)))
      failures.note("10.0.0.1", now: Int64(count))
    }
    #expect(failures.areTooMany(from: "10.0.0.1", now: 1_000))
    #expect(!failures.areTooMany(from: "10.0.0.2", now: 1_000))
    #expect(failures.areTooMany(from: "10.0.0.1", now: CancelFailures.window - 1))
    #expect(!failures.areTooMany(from: "10.0.0.1", now: CancelFailures.window))
    failures.note("10.0.0.1", now: CancelFailures.window)
    #expect(!failures.areTooMany(from: "10.0.0.1", now: CancelFailures.window + 1), "the count did not begin anew")
  }

  @Test("what is remembered of addresses is bounded; recent ones stay while old ones can go")
  func bound() {
    var failures = CancelFailures()
    for address in 0..<CancelFailures.addresses { failures.note("old \(address)", now: 0) }
    for _ in 0..<CancelFailures.limit { failures.note("hostile", now: CancelFailures.window + 1) }
    #expect(failures.areTooMany(from: "hostile", now: CancelFailures.window + 2))
    for address in 0..<CancelFailures.addresses { failures.note("new \(address)", now: CancelFailures.window + 3) }
    #expect(failures.remembered <= CancelFailures.addresses)
  }
}
