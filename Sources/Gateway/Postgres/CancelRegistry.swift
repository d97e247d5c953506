import NIOConcurrencyHelpers
import NIOCore
import Postgres

/// Which session a CancelRequest means. The secret is the gateway's own, so that one session's key ends no other.
final class CancelRegistry: Sendable {
  private struct Entry {
    var secret: [UInt8]
    var connection: NIOLoopBound<PostgresConnection>
  }
  private struct State {
    var entries: [Int32: [Entry]] = [:]
    /// A secret of four bytes must not be found by trying (DECISIONS 29). A person who cancels too late shows one.
    var failures = AddressFailures(limit: 100)
  }
  private let state = NIOLockedValueBox(State())

  /// Makes the key that a client is shown: the backend's process number, which clients compare with NOTIFY's, and a
  /// secret of `length` random bytes: 4 in protocol 3.0, more since 3.2.
  func register(process: Int32, length: Int, _ connection: NIOLoopBound<PostgresConnection>) -> BackendKeyData {
    state.withLockedValue { state in
      var secret = CancelRegistry.random(length)
      // Two backends can have one process number: the pair must still name one session.
      while state.entries[process]?.contains(where: { $0.secret == secret }) == true {
        secret = CancelRegistry.random(length)
      }
      state.entries[process, default: []].append(Entry(secret: secret, connection: connection))
      return BackendKeyData(process: process, secret: secret)
    }
  }

  private static func random(_ length: Int) -> [UInt8] {
    var source = SystemRandomNumberGenerator()
    return (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &source) }
  }

  func remove(_ key: BackendKeyData) {
    state.withLockedValue { state in
      state.entries[key.process]?.removeAll { $0.secret == key.secret }
      if state.entries[key.process]?.isEmpty == true { state.entries[key.process] = nil }
    }
  }

  /// Tells the session that its person cancelled. A key that fits nothing is silently ignored, as PostgreSQL does; and
  /// so is every key of an address that has shown too many of those.
  func cancel(process: Int32, secret: [UInt8], from address: String, now: Int64) {
    let connection = state.withLockedValue { state -> NIOLoopBound<PostgresConnection>? in
      guard !state.failures.areTooMany(from: address, now: now) else { return nil }
      // Every secret is compared to its end, so that time does not tell how much of one was right.
      let fits = (state.entries[process] ?? []).filter { $0.secret.isEqualInConstantTime(to: secret) }
      if fits.isEmpty { state.failures.note(address, now: now) }
      return fits.first?.connection
    }
    guard let connection else { return }
    connection.eventLoop.execute { connection.value.cancelRequested() }
  }
}

extension [UInt8] {
  /// How long it takes depends on the lengths only.
  fileprivate func isEqualInConstantTime(to other: [UInt8]) -> Bool {
    guard count == other.count else { return false }
    return zip(self, other).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
  }
}
