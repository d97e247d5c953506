import NIOConcurrencyHelpers
import NIOCore
import Postgres

/// Which session a CancelRequest means. The secret is the gateway's own, so that one session's key ends no other.
final class CancelRegistry: Sendable {
  private struct Entry {
    var secret: Int32
    var connection: NIOLoopBound<PostgresConnection>
  }
  private let entries = NIOLockedValueBox<[Int32: [Entry]]>([:])

  /// Makes the key that a client is shown: the backend's process number, which clients compare with NOTIFY's, and a
  /// secret of 32 random bits.
  func register(process: Int32, _ connection: NIOLoopBound<PostgresConnection>) -> BackendKeyData {
    entries.withLockedValue { entries in
      var secret = Int32.random(in: .min ... .max)
      // Two backends can have one process number: the pair must still name one session.
      while entries[process]?.contains(where: { $0.secret == secret }) == true {
        secret = Int32.random(in: .min ... .max)
      }
      entries[process, default: []].append(Entry(secret: secret, connection: connection))
      return BackendKeyData(process: process, secret: secret)
    }
  }

  func remove(_ key: BackendKeyData) {
    entries.withLockedValue { entries in
      entries[key.process]?.removeAll { $0.secret == key.secret }
      if entries[key.process]?.isEmpty == true { entries[key.process] = nil }
    }
  }

  /// Tells the session that its person cancelled. A key that fits nothing is silently ignored, as PostgreSQL does.
  func cancel(process: Int32, secret: Int32) {
    let connection = entries.withLockedValue { entries in
      entries[process]?.first { $0.secret == secret }?.connection
    }
    guard let connection else { return }
    connection.eventLoop.execute { connection.value.cancelRequested() }
  }
}
