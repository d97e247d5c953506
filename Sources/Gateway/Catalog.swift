import AccessModel
import NIOConcurrencyHelpers
import PolicyEngine
import Postgres

/// The relations of one database and their columns, as a look-up over a side connection found them.
struct Catalog: Sendable {
  var relations: [UInt32: RelationNames] = [:]
  /// OIDs by relation name, whatever the schema.
  var oids: [String: [UInt32]] = [:]
  /// When the look-up began, µs on the monotonic clock.
  var readAt: Int64 = 0

  /// How old a catalogue may be when a mask depends on it, in µs (DECISIONS 5, `catalog_max_age`).
  static let maxAge: Int64 = 5_000_000
  /// How old it may be to believe that a relation does not exist, in µs.
  static let maxAgeOfAbsence: Int64 = 200_000

  func isOlder(than age: Int64) -> Bool { Clock.monotonic() - readAt > age }

  mutating func add(oid: UInt32, schema: String, relation: String, attribute: Int16, column: String) {
    if relations[oid] == nil {
      relations[oid] = RelationNames(schema: schema, name: relation, columns: [:])
      oids[relation, default: []].append(oid)
    }
    relations[oid]?.columns[attribute] = column
  }

  /// What of a footprint may hold a column that this policy masks. Relations that the catalogue does not know stay.
  func maskable(_ footprint: Footprint, under policy: ScopedPolicy) -> Footprint {
    guard case .resources(let accesses) = footprint else { return .everything }
    return Footprint(
      accesses.filter { access in
        guard access.resource.kind == .relation, let name = access.resource.path.last ?? nil else { return true }
        let schema = access.resource.path.count > 1 ? access.resource.path[access.resource.path.count - 2] : nil
        let known = (oids[name] ?? []).compactMap { relations[$0] }
          .filter { schema == nil || $0.schema == schema }
        return known.isEmpty || known.contains { $0.isMasked(by: policy) }
      })
  }
}

extension RelationNames {
  fileprivate func isMasked(by policy: ScopedPolicy) -> Bool {
    let columns = columns.values.map { ResultColumn(name: $0, origin: .column([schema, name, $0])) }
    return policy.maskPlan(for: columns, touching: .nothing) != .identity
  }
}

/// The newest catalogue of each database, shared by all sessions on it.
final class CatalogCache: Sendable {
  /// Which database: two connections can lead to one, and are kept apart all the same.
  struct Key: Hashable, Sendable {
    var connection: String
    var database: String
    /// Two accounts can see different things.
    var user: String
  }
  private let catalogs = NIOLockedValueBox<[Key: Catalog]>([:])

  func find(_ key: Key) -> Catalog? { catalogs.withLockedValue { $0[key] } }
  func store(_ catalog: Catalog, for key: Key) { catalogs.withLockedValue { $0[key] = catalog } }
  /// The schema changed: what is known of the database is out of date.
  func invalidate(_ key: Key) { catalogs.withLockedValue { $0[key] = nil } }
}
