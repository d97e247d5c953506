/// How many wrong secrets each address has shown lately, so that none is found by trying. Bounded.
struct AddressFailures: Sendable {
  /// Wrong ones of one address within a window before it is not listened to.
  let limit: Int
  /// µs.
  static let window: Int64 = 60_000_000
  /// Addresses that are remembered; beyond, all are forgotten, which costs an attacker more than it gives.
  static let addresses = 10_000

  private var counts: [String: (count: Int, since: Int64)] = [:]

  init(limit: Int) { self.limit = limit }

  var remembered: Int { counts.count }

  func areTooMany(from address: String, now: Int64) -> Bool {
    guard let known = counts[address], now - known.since < AddressFailures.window else { return false }
    return known.count >= limit
  }

  mutating func note(_ address: String, now: Int64) {
    if counts.count >= AddressFailures.addresses, counts[address] == nil {
      counts = counts.filter { now - $0.value.since < AddressFailures.window }
      if counts.count >= AddressFailures.addresses { counts.removeAll() }
    }
    if let known = counts[address], now - known.since < AddressFailures.window {
      counts[address] = (known.count + 1, known.since)
    } else {
      counts[address] = (1, now)
    }
  }
}
