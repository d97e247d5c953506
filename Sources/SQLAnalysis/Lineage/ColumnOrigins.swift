import AccessModel

/// What the columns of relations come from: those of views, partitions and parents besides themselves.
extension CatalogSnapshot {
  /// PostgreSQL's own relations that hold values out of other tables: samples of what ANALYZE has seen.
  private static let samples: Set<String> = [
    "pg_statistic", "pg_stats", "pg_stats_ext", "pg_stats_ext_exprs", "pg_statistic_ext_data",
  ]
  /// Their columns that say what the samples are of.
  private static let sampleNames: Set<String> = [
    "schemaname", "tablename", "attname", "inherited", "starelid", "staattnum", "stainherit", "statistics_schemaname",
    "statistics_name", "statistics_owner", "stxoid", "stxdinherit", "attnames", "kinds", "exprs", "expr",
  ]

  /// Single columns that quote what others have sent.
  private static let quotes: Set<String> = ["pg_stat_activity.query", "pg_stat_statements.query"]

  /// Where the values of a relation's columns come from, by attribute number; each column is among its own sources.
  /// nil when nothing is known of the relation.
  public func sources(of oid: UInt32) -> [Int16: ValueSource]? {
    if let known = origins.withLock({ $0[oid] }) { return known }
    guard columns(of: oid) != nil else { return nil }
    var finder = OriginFinder(catalog: self)
    let found = finder.sources(of: oid)
    origins.withLock { $0[oid] = found }
    return found
  }

  /// True when a column of the relation is known by what it was called before.
  public func hasFormerNames(_ oid: UInt32) -> Bool { formerNames[oid] != nil }

  /// True when a column of the relation went by this path before.
  public func isFormerName(_ path: [String], of oid: UInt32) -> Bool {
    formerNames[oid]?.values.contains { $0.contains(StoredColumn(path)) } ?? false
  }

  /// True when values of the column come from nowhere but itself.
  public func isItsOwnSource(_ oid: UInt32) -> Bool {
    guard standsAlone(oid), viewTrees[oid] == nil, formerNames[oid] == nil, generated[oid] == nil,
      let relation = relationsByOID[oid]
    else {
      return false
    }
    return relation.schema != "pg_catalog"
  }

  /// The columns in which a foreign key looks for what is stored in this one: a write tells whether it is there.
  func references(of column: StoredColumn) -> ColumnSet {
    guard !references.isEmpty, column.path.count == 3 else { return .none }
    var found = ColumnSet.none
    for relation in relations(named: column.path[1]) where relation.schema == column.path[0] {
      for number in columns(of: relation.oid) ?? [] where number.name == column.path[2] {
        for referred in references[relation.oid]?[number.attribute] ?? [] {
          found.formUnion(sources(of: referred.relation)?[referred.attribute]?.columns ?? .everything)
        }
      }
    }
    return found
  }

  /// True when a unique index covers the column, so that a write can tell whether a value is there.
  func isUnique(_ column: StoredColumn) -> Bool {
    guard column.path.count == 3 else { return true }
    return relations(named: column.path[1]).contains { relation in
      relation.schema == column.path[0]
        && (columns(of: relation.oid) ?? []).contains {
          $0.name == column.path[2] && uniqueColumns(of: relation.oid).contains($0.attribute)
        }
    }
  }

  /// The column itself, or anything where it holds samples of others.
  fileprivate func itself(_ relation: Relation, _ column: Column) -> ValueSource {
    let path = StoredColumn(schema: relation.schema, relation: relation.name, column: column.name)
    let isSample =
      relation.schema == "pg_catalog" && CatalogSnapshot.samples.contains(relation.name)
      && !CatalogSnapshot.sampleNames.contains(column.name)
    guard isSample || CatalogSnapshot.quotes.contains("\(relation.name).\(column.name)") else {
      let former = formerNames[relation.oid]?[column.attribute] ?? []
      return ValueSource(ColumnSet(Set(former + [path])), isCopy: true)
    }
    return ValueSource(ColumnSet([path], .everything))
  }
}

/// Follows columns to where they come from. Bounded: what is not followed to its end may be anything.
private struct OriginFinder {
  let catalog: CatalogSnapshot
  private var known: [UInt32: [Int16: ValueSource]] = [:]
  private var open: Set<UInt32> = []

  /// Views on views, and levels of partitions, that are followed.
  private static let depthLimit = 32

  init(catalog: CatalogSnapshot) { self.catalog = catalog }

  mutating func sources(of oid: UInt32, depth: Int = 0) -> [Int16: ValueSource] {
    if let found = known[oid] { return found }
    guard let relation = catalog.relationsByOID[oid], let columns = catalog.columns(of: oid) else { return [:] }
    var found: [Int16: ValueSource] = [:]
    for column in columns { found[column.attribute] = catalog.itself(relation, column) }
    guard depth < OriginFinder.depthLimit, open.insert(oid).inserted else {
      return found.mapValues { _ in ValueSource(.everything) }
    }
    addQuery(of: oid, columns, depth, &found)
    addKin(of: oid, columns, depth, &found)
    addGenerated(oid, &found)
    open.remove(oid)
    known[oid] = found
    return found
  }

  /// A view's query; without its tree, all that the view leans on.
  private mutating func addQuery(
    of oid: UInt32, _ columns: [CatalogSnapshot.Column], _ depth: Int, _ found: inout [Int16: ValueSource]
  ) {
    let bases = catalog.links(from: oid).filter { $0.kind == .view }.map(\.to)
    let tree = catalog.viewTrees[oid]
    if tree == nil, bases.isEmpty { return }
    if let tree, let outputs = StoredQuery.outputs(of: tree), outputs.count == columns.count {
      for (column, output) in zip(columns, outputs) {
        var source = found[column.attribute] ?? .unknown
        source.isCopy = source.isCopy && output.isCopy
        for base in output.bases { join(base, depth, &source) }
        // A function of the users' own may read whatever it likes.
        if !output.routinesAreOwn(in: catalog) || output.isOpen { source = ValueSource(.everything) }
        found[column.attribute] = source
      }
      return
    }
    var all = ValueSource(catalog.viewRoutines[oid] == nil ? .none : .everything)
    for base in bases {
      for source in sources(of: base, depth: depth + 1).values { all.columns.formUnion(source.columns) }
    }
    for column in columns {
      found[column.attribute] = ValueSource((found[column.attribute] ?? .unknown).columns.union(all.columns))
    }
  }

  /// Generated columns hold what is computed of others.
  private func addGenerated(_ oid: UInt32, _ found: inout [Int16: ValueSource]) {
    for (attribute, bases) in catalog.generated[oid] ?? [:] {
      var columns = (found[attribute] ?? .unknown).columns
      for base in bases { columns.formUnion((found[base] ?? .unknown).columns) }
      found[attribute] = ValueSource(columns)
    }
  }

  private mutating func join(_ base: StoredQuery.Base, _ depth: Int, _ source: inout ValueSource) {
    let columns = sources(of: base.relation, depth: depth + 1)
    guard base.attribute != 0 else {
      // The whole row.
      source.isCopy = false
      for column in columns.values { source.columns.formUnion(column.columns) }
      return
    }
    // System columns hold nothing of the row.
    if base.attribute < 0 { return }
    guard let column = columns[base.attribute] else {
      source = ValueSource(.everything)
      return
    }
    source.isCopy = source.isCopy && column.isCopy
    source.columns.formUnion(column.columns)
  }

  /// Partitions and children hold a parent's rows, and a rule about the parent is about theirs.
  private mutating func addKin(
    of oid: UInt32, _ columns: [CatalogSnapshot.Column], _ depth: Int, _ found: inout [Int16: ValueSource]
  ) {
    var seen: Set<UInt32> = [oid]
    var work = catalog.links(from: oid).filter { $0.kind == .child }.map { ($0.to, true) }
    work += catalog.parents(of: oid).map { ($0, false) }
    while let (kin, goesDown) = work.popLast() {
      guard seen.insert(kin).inserted, let relation = catalog.relationsByOID[kin] else { continue }
      if seen.count > StatementWalk.accessLimit {
        for column in columns { found[column.attribute] = ValueSource(.everything) }
        return
      }
      for theirs in catalog.columns(of: kin) ?? [] {
        guard let mine = columns.first(where: { $0.name == theirs.name }) else { continue }
        found[mine.attribute]?.columns.formUnion(catalog.itself(relation, theirs).columns)
      }
      if goesDown {
        work += catalog.links(from: kin).filter { $0.kind == .child }.map { ($0.to, true) }
      } else {
        work += catalog.parents(of: kin).map { ($0, false) }
      }
    }
  }
}

extension StoredQuery.Output {
  /// True when every routine that it calls is PostgreSQL's own: those have OIDs that no user's object gets.
  fileprivate func routinesAreOwn(in catalog: CatalogSnapshot) -> Bool {
    routines.allSatisfy { oid in
      if oid < 16_384 { return true }
      guard let routine = catalog.routine(oid) else { return false }
      return routine.body == .trusted
    }
  }
}
