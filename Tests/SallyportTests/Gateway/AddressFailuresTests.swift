import Testing

@testable import Gateway

/// A cancel key of four bytes must not be found by trying (DECISIONS 29), nor the token of an approver.
@Suite("Wrong secrets of one address") struct AddressFailuresTests {
  @Test("an address that shows too many is not listened to for a while; others are")
  func limit() {
    var failures = AddressFailures(limit: 100)
    for count in 0..<failures.limit {
      #expect(!failures.areTooMany(from: "10.0.0.1", now: Int64(count)))
      failures.note("10.0.0.1", now: Int64(count))
    }
    #expect(failures.areTooMany(from: "10.0.0.1", now: 1_000))
    #expect(!failures.areTooMany(from: "10.0.0.2", now: 1_000))
    #expect(failures.areTooMany(from: "10.0.0.1", now: AddressFailures.window - 1))
    #expect(!failures.areTooMany(from: "10.0.0.1", now: AddressFailures.window))
    failures.note("10.0.0.1", now: AddressFailures.window)
    #expect(!failures.areTooMany(from: "10.0.0.1", now: AddressFailures.window + 1), "the count did not begin anew")
  }

  @Test("what is remembered of addresses is bounded; recent ones stay while old ones can go")
  func bound() {
    var failures = AddressFailures(limit: 100)
    for address in 0..<AddressFailures.addresses { failures.note("old \(address)", now: 0) }
    for _ in 0..<failures.limit { failures.note("hostile", now: AddressFailures.window + 1) }
    #expect(failures.areTooMany(from: "hostile", now: AddressFailures.window + 2))
    for address in 0..<AddressFailures.addresses { failures.note("new \(address)", now: AddressFailures.window + 3) }
    #expect(failures.remembered <= AddressFailures.addresses)
  }
}
