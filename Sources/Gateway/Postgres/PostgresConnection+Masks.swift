import AccessModel
import Enforcement
import NIOCore
import PolicyEngine
import Postgres
import SQLAnalysis

/// What masks need to know: where columns come from, by lineage and by the catalogue.
extension PostgresConnection {
  func plan(_ columns: [ResultColumn], of id: CommandID, _ relay: Relay) throws(ProtocolError) {
    guard let catalog = freshCatalog(relay) else {
      return readCatalog(relay.target) { connection, result in
        connection.act { relay throws(ProtocolError) in
          try relay.session.mask(id, with: connection.maskPlan(columns, of: id, relay, try? result.get()))
        }
      }
    }
    try relay.session.mask(id, with: maskPlan(columns, of: id, relay, catalog))
  }

  /// Without a catalogue every expression of which the lineage is not known may hold anything.
  private func maskPlan(
    _ columns: [ResultColumn], of id: CommandID, _ relay: Relay, _ catalog: Catalog?
  ) -> MaskPlan {
    let policy = relay.enforcer.policy
    guard let facts = relay.underWay.find(id)?.facts else { return policy.maskPlan(for: columns) }
    let command = Command(facts: facts)
    return policy.maskPlan(
      for: command.sourced(columns).map { catalog?.believed($0) ?? $0.withoutSource },
      touching: catalog?.maskable(command.resultFootprint, under: policy) ?? .everything)
  }

  /// Finds out which columns masks name that are not there, once for each reading of the catalogue.
  func lookForMaskedColumns(_ relay: Relay) {
    guard let version = relay.names?.columnsVersion, version != relay.columnsVersion,
      let catalog = context.catalogs.find(relay.target.catalogKey)
    else { return }
    relay.columnsVersion = version
    relay.enforcer.missing = catalog.missingColumns(of: relay.enforcer.policy)
  }

  private func freshCatalog(_ relay: Relay) -> Catalog? {
    guard let known = context.catalogs.find(relay.target.catalogKey), !known.isOlder(than: Catalog.maxAge) else {
      return nil
    }
    return known
  }

  /// Names of a relation: from a catalogue that is fresh enough, else from a new one. What is not found stays
  /// unresolved, and is masked.
  func supplyRelation(_ oid: UInt32, _ relay: Relay) throws(ProtocolError) {
    if let known = freshCatalog(relay) {
      let names = known.names(of: oid)
      if names != nil || !known.isOlder(than: Catalog.maxAgeOfAbsence) {
        return try relay.session.supply(relation: oid, names)
      }
    }
    readCatalog(relay.target) { connection, result in
      connection.act { relay throws(ProtocolError) in
        try relay.session.supply(relation: oid, (try? result.get())?.names(of: oid))
      }
    }
  }
}

extension ResultColumn {
  fileprivate var withoutSource: ResultColumn {
    origin == .unresolved ? ResultColumn(name: name, origin: origin) : self
  }
}

extension Catalog {
  /// What the backend stores in a relation that is not in here is one that the session made in its open transaction, if
  /// lineage says that it comes from such a one, and from nothing that is in here.
  fileprivate func believed(_ column: ResultColumn) -> ResultColumn {
    guard let source = column.source, source.columns.extent == .listed else { return column.withoutSource }
    let isKnown = source.columns.columns.contains { stored in
      guard stored.path.count == 3 else { return true }
      return (oids[stored.path[1]] ?? []).contains { relations[$0]?.schema == stored.path[0] }
    }
    return isKnown ? column.withoutSource : column
  }

  /// The relation's names, with what is behind its columns where that is more than themselves.
  func names(of oid: UInt32) -> RelationNames? {
    guard var names = relations[oid] else { return nil }
    if !snapshot.isItsOwnSource(oid) { names.sources = snapshot.sources(of: oid) ?? [:] }
    return names
  }
}

/// Says which errors and notices may hold masked values (DECISIONS 19). Confined to the session's event loop.
final class MaskedErrors: ErrorConcealment {
  private unowned let relay: PostgresConnection.Relay
  private let catalogs: CatalogCache

  init(_ relay: PostgresConnection.Relay, _ catalogs: CatalogCache) {
    self.relay = relay
    self.catalogs = catalogs
  }

  func rule(hiding id: CommandID?) -> String? {
    let policy = relay.enforcer.policy
    guard let facts = id.flatMap({ relay.underWay.find($0)?.facts }), !facts.endsTransaction else {
      // The end of a transaction brings what its statements left open.
      return policy.maskRule(reaching: .everything)
    }
    let footprint = Command(facts: facts).resultFootprint
    let catalog = catalogs.find(relay.target.catalogKey)
    return policy.maskRule(reaching: catalog?.maskable(footprint, under: policy) ?? footprint)
  }
}

extension CommandFacts {
  fileprivate var endsTransaction: Bool {
    !shape.summary.kinds.isDisjoint(with: KindSet(.commit)) || !shape.summary.kinds.isDisjoint(with: KindSet(.set))
  }
}
