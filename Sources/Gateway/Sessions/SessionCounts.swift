import NIOConcurrencyHelpers
import SallyportConfiguration

/// How many sessions there are, of each person, on each connection, and of each person on each connection.
final class SessionCounts: Sendable {
  /// A limit that is reached.
  enum Excess: Hashable {
    case ofUser(Int)
    case ofConnection(Int)
    case ofUserOnConnection(Int)
  }
  private enum Key: Hashable {
    case user(String)
    case connection(String)
    case both(user: String, connection: String)
  }
  private let counts = NIOLockedValueBox<[Key: Int]>([:])

  /// Counts a session, or says which limit keeps it out.
  func begin(user: String, connection: String, _ limits: SessionLimits, perUser: Int?) -> Excess? {
    counts.withLockedValue { counts in
      func isFull(_ key: Key, _ limit: Int?) -> Bool { limit.map { counts[key, default: 0] >= $0 } ?? false }
      if let perUser, isFull(.user(user), perUser) { return .ofUser(perUser) }
      if let limit = limits.sessionsPerUser, isFull(.both(user: user, connection: connection), limit) {
        return .ofUserOnConnection(limit)
      }
      if let limit = limits.sessions, isFull(.connection(connection), limit) { return .ofConnection(limit) }
      for key in SessionCounts.keys(user, connection) { counts[key, default: 0] += 1 }
      return nil
    }
  }

  func end(user: String, connection: String) {
    counts.withLockedValue { counts in
      for key in SessionCounts.keys(user, connection) {
        let left = counts[key, default: 1] - 1
        counts[key] = left > 0 ? left : nil
      }
    }
  }

  /// Keys with a session; for tests.
  var tracked: Int { counts.withLockedValue { $0.count } }

  private static func keys(_ user: String, _ connection: String) -> [Key] {
    [.user(user), .connection(connection), .both(user: user, connection: connection)]
  }
}
