import AccessModel
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import PolicyEngine
import Postgres
import Residency
import SQLAnalysis
import SallyportConfiguration
import Store
import Synchronization

/// What all connections of one gateway share; everything in it may be used from any thread.
final class GatewayContext: Sendable {
  private let governing: NIOLockedValueBox<Governing>
  /// The data folder.
  let data: String
  let store: Store
  let pool: NIOThreadPool
  let dialler: PinnedDialler
  let analyzer: LargeStackAnalyzer
  let deadlines: Deadlines
  let capacity: Capacity
  let limits: Limits
  let logger: Logger
  let cancels = CancelRegistry()
  let sessions = SessionCounts()
  let live = LiveSessions()
  let backendKeys = BackendKeys()
  let catalogs: CatalogCache
  /// Whether names are resolved where a policy depends on them; only tests without a backend do without.
  let followsNames: Bool
  let desk: ApprovalDesk
  /// Of values that masks hash.
  let maskKey: MaskKey
  /// Masked columns by their numbers.
  let bindings: ColumnBindings
  /// Of masked columns with constants.
  let comparisons = HourlyComparisons()
  /// What stored texts do not show.
  let texts: ConcealedTexts
  private let unauthenticated = NIOLockedValueBox(0)
  private let draining = Atomic(false)

  init(
    governing: Governing, data: String, store: Store, pool: NIOThreadPool, analyzer: LargeStackAnalyzer,
    desk: ApprovalDesk, maskKey: MaskKey, deadlines: Deadlines,
    capacity: Capacity, limits: Limits, bindings: ColumnBindings, followsNames: Bool = true, logger: Logger
  ) {
    self.bindings = bindings
    self.governing = NIOLockedValueBox(governing)
    self.data = data
    self.store = store
    self.pool = pool
    self.analyzer = analyzer
    self.desk = desk
    self.maskKey = maskKey
    texts = ConcealedTexts(secret: Array(store.secret))
    self.deadlines = deadlines
    self.capacity = capacity
    self.limits = limits
    self.followsNames = followsNames
    self.logger = logger
    dialler = PinnedDialler(pool: pool, regions: .allowAll, timeout: deadlines.connect)
    catalogs = CatalogCache()
  }

  /// What is in force. Asked for once in a step of a sign-in; a session under way is told when it changes.
  var current: Governing { governing.withLockedValue { $0 } }
  var configuration: GatewayConfiguration { current.configuration }
  var policy: Policy { current.policy }
  func govern(by next: Governing) { governing.withLockedValue { $0 = next } }

  /// Counts a connection that has not signed in; false when there are too many.
  func beginLogin() -> Bool {
    unauthenticated.withLockedValue { count in
      guard count < capacity.unauthenticated else { return false }
      count += 1
      return true
    }
  }

  /// No new sessions are taken; those that are there end when they are quiet.
  var isDraining: Bool { draining.load(ordering: .relaxed) }
  func startDraining() { draining.store(true, ordering: .relaxed) }

  func endLogin() { unauthenticated.withLockedValue { $0 -= 1 } }

  /// Whether connections from there begin with a PROXY header.
  func isBalancer(_ address: NetworkAddress) -> Bool {
    configuration.gateway.balancers.contains { $0.contains(address) }
  }

  /// The region that audit records name: the connection's, or the gateway's own.
  func region(of connection: ConnectionSettings) -> String {
    connection.region ?? configuration.gateway.region ?? ""
  }
}
