import AccessModel
import NIOConcurrencyHelpers
import NIOCore
import PolicyEngine
import Postgres
import SQLAnalysis
import Synchronization

/// The relations of one database and their columns, as a look-up over a side connection found them, with what names
/// stand for in it.
struct Catalog: Sendable {
  var relations: [UInt32: RelationNames] = [:]
  /// OIDs by relation name, whatever the schema.
  var oids: [String: [UInt32]] = [:]
  /// What names may stand for, once the look-up is through.
  var snapshot = CatalogSnapshot.empty
  /// The same for look-ups that found the same; empty when that is not known.
  var stamp = ""
  /// When the look-up began, µs on the monotonic clock.
  var readAt: Int64 = 0

  /// How old a catalogue may be when a decision or a mask depends on it, in µs (DECISIONS 5, `catalog_max_age`).
  static let maxAge: Int64 = 5_000_000
  /// How old it is when it is looked up again while it still serves, in µs.
  static let refreshAge: Int64 = 2_500_000
  /// How old it may be to believe that something does not exist, in µs.
  static let maxAgeOfAbsence: Int64 = 200_000

  func isOlder(than age: Int64) -> Bool { Clock.monotonic() - readAt > age }

  mutating func add(oid: UInt32, schema: String, relation: String) {
    guard relations[oid] == nil else { return }
    relations[oid] = RelationNames(schema: schema, name: relation, columns: [:])
    oids[relation, default: []].append(oid)
  }

  mutating func add(oid: UInt32, schema: String, relation: String, attribute: Int16, column: String) {
    add(oid: oid, schema: schema, relation: relation)
    relations[oid]?.columns[attribute] = column
  }

  /// What of a footprint may hold a column that this policy masks. Relations that the catalogue does not know stay.
  func maskable(_ footprint: Footprint, under policy: ScopedPolicy) -> Footprint {
    guard case .resources(let accesses) = footprint else { return .everything }
    return Footprint(
      accesses.filter { access in
        guard access.resource.kind == .relation, let name = access.resource.path.last ?? nil else { return true }
        let schema = access.resource.path.count > 1 ? access.resource.path[access.resource.path.count - 2] : nil
        let known = (oids[name] ?? []).filter { schema == nil || relations[$0]?.schema == schema }
        // A column of another name may be one that a mask has met.
        return known.isEmpty
          || known.contains { snapshot.hasFormerNames($0) || relations[$0]?.isMasked(by: policy) ?? true }
      })
  }
}

extension RelationNames {
  fileprivate func isMasked(by policy: ScopedPolicy) -> Bool {
    let columns = columns.values.map { ResultColumn(name: $0, origin: .column([schema, name, $0])) }
    return policy.maskPlan(for: columns, touching: .nothing) != .identity
  }
}

/// The newest catalogue of one database as one account sees it, shared by all sessions that are on it.
final class CatalogSlot: Sendable {
  private struct State: Sendable {
    var catalog: Catalog?
    /// Begun while nothing newer was known to have happened.
    var reading: EventLoopFuture<Catalog>?
  }
  private let state = NIOLockedValueBox(State())
  private let changes = Atomic<UInt64>(0)

  /// Grows whenever what `catalog` gives is another one.
  var version: UInt64 { changes.load(ordering: .acquiring) }
  var catalog: Catalog? { state.withLockedValue { $0.catalog } }
  var isReading: Bool { state.withLockedValue { $0.reading != nil } }

  /// The schema changed: what is known, and what is being read, is out of date.
  func invalidate() {
    state.withLockedValue { $0 = State() }
    changes.wrappingAdd(1, ordering: .acquiringAndReleasing)
  }

  /// Reads it anew; whoever asks while it is being read waits for the same answer.
  func read(
    on loop: any EventLoop, _ start: (_ known: Catalog?) -> EventLoopFuture<Catalog>
  ) -> EventLoopFuture<Catalog> {
    if let reading = state.withLockedValue({ $0.reading }) { return reading.hop(to: loop) }
    let version = version
    let promise = loop.makePromise(of: Catalog.self)
    let future = promise.futureResult
    state.withLockedValue { $0.reading = future }
    start(catalog).whenComplete { [self] result in
      state.withLockedValue { state in
        if state.reading === future { state.reading = nil }
        guard case .success(let catalog) = result, version == self.version else { return }
        state.catalog = catalog
        changes.wrappingAdd(1, ordering: .acquiringAndReleasing)
      }
      promise.completeWith(result)
    }
    return future
  }
}

/// The catalogues of all databases in use.
final class CatalogCache: Sendable {
  /// Which database: two connections can lead to one, and are kept apart all the same.
  struct Key: Hashable, Sendable {
    var connection: String
    var database: String
    /// Two accounts can see different things.
    var user: String
  }
  private let slots = NIOLockedValueBox<[Key: CatalogSlot]>([:])

  func slot(_ key: Key) -> CatalogSlot {
    slots.withLockedValue { slots in
      if let slot = slots[key] { return slot }
      let slot = CatalogSlot()
      slots[key] = slot
      return slot
    }
  }

  /// Of all databases and accounts of a connection; nil when none was read, or it is out of date.
  func newest(of connection: String) -> Catalog? {
    slots.withLockedValue { slots in slots.filter { $0.key.connection == connection }.compactMap(\.value.catalog) }
      .max { $0.readAt < $1.readAt }
  }

  func find(_ key: Key) -> Catalog? { slots.withLockedValue { $0[key] }?.catalog }

  /// Another policy asks other things of it.
  func invalidateAll() {
    for slot in slots.withLockedValue({ Array($0.values) }) { slot.invalidate() }
  }

  /// The schema changed, by whatever account: what is known of the database is out of date.
  func invalidate(_ key: Key) {
    let all = slots.withLockedValue { slots in
      slots.filter { $0.key.connection == key.connection && $0.key.database == key.database }.map(\.value)
    }
    for slot in all { slot.invalidate() }
  }
}

extension Catalog {
  /// Columns that masks of this policy name whole, and that are not there in a relation that is.
  func missingColumns(of policy: ScopedPolicy) -> [MissingColumn] {
    policy.wholeColumns.filter { column in
      let found = (oids[column.path[1]] ?? []).filter { relations[$0]?.schema == column.path[0] }
      return found.contains { oid in
        !(relations[oid]?.columns.values.contains(column.path[2]) ?? true)
          && !snapshot.isFormerName(column.path, of: oid)
      }
    }
  }
}
