import AccessModel

extension Command {
  /// These columns, with where the computed ones among them come from, and those of relations that the catalogue does not
  /// have, as far as the statements' lineage tells.
  ///
  /// A text of several statements does not say which of them a result belongs to: a column may then come from wherever
  /// any of them has one in its place. Where lineage and backend disagree on a stored column, lineage is not believed.
  public func sourced(_ columns: [ResultColumn]) -> [ResultColumn] {
    guard let sources = sources(columns) else { return columns }
    let isDoubtful = disagreements(columns)
    return columns.indices.map { index in
      var column = columns[index]
      switch column.origin {
      case .computed, .unresolved: if column.source == nil { column.source = sources[index] }
      case .column:
        // It is what the backend says, or whatever else the statement may touch.
        if isDoubtful[index] { column.source = ValueSource((column.source?.columns ?? .none).union(.footprint)) }
      }
      return column
    }
  }

  /// For each column whether the backend says that it is stored, and lineage says that it comes from elsewhere. What a text
  /// of several statements returns is not told apart.
  private func disagreements(_ columns: [ResultColumn]) -> [Bool] {
    guard case .sql(let detail) = detail, detail.statements.count == 1,
      let outputs = detail.statements[0].lineage.outputs
    else { return columns.map { _ in false } }
    guard outputs.count == columns.count else { return columns.map { _ in true } }
    return zip(columns, outputs).map { column, output in
      guard case .column(let path) = column.origin else { return false }
      return output.columns.extent == .listed && !output.columns.columns.contains { $0.isSame(as: path) }
    }
  }

  private func sources(_ columns: [ResultColumn]) -> [ValueSource]? {
    guard case .sql(let detail) = detail, !detail.statements.isEmpty, detail.misunderstood == nil else { return nil }
    var sources: [ValueSource]?
    var more = ColumnSet.none
    for statement in detail.statements {
      guard let outputs = statement.lineage.outputs else {
        more.formUnion(statement.lineage.result)
        continue
      }
      guard outputs.count == columns.count, agree(columns, outputs) else {
        // Another statement's result, unless it is the only one.
        if detail.statements.count == 1 || outputs.count == columns.count { more.formUnion(.footprint) }
        continue
      }
      guard let known = sources else {
        sources = outputs
        continue
      }
      sources = zip(known, outputs).map { ValueSource($0.columns.union($1.columns), isCopy: $0.isCopy && $1.isCopy) }
    }
    guard let sources else {
      return [ValueSource](repeating: ValueSource(more.union(.footprint)), count: columns.count)
    }
    if more.isEmpty { return sources }
    return sources.map { ValueSource($0.columns.union(more)) }
  }

  private func agree(_ columns: [ResultColumn], _ outputs: [ValueSource]) -> Bool {
    zip(columns, outputs).allSatisfy { column, output in
      guard case .column(let path) = column.origin else { return true }
      return output.columns.extent != .listed || output.columns.columns.contains(StoredColumn(path))
    }
  }

  /// What its result may come from: more than the text names where rows come from a cursor that is not known, over tables
  /// that this command does not mention. Masks of computed columns are to be asked for with this.
  public var resultFootprint: Footprint {
    guard facts.shape.summary.kinds.contains(KindSet(.fetch)), case .sql(let detail) = detail else { return footprint }
    let isKnown = detail.statements.allSatisfy { !$0.kinds.contains(.fetch) || $0.lineage.outputs != nil }
    return isKnown ? footprint : .everything
  }
}

extension StoredColumn {
  /// True for the same path. The schema of a session's temporary relations has a number, which a text need not name.
  fileprivate func isSame(as other: [String]) -> Bool {
    if path == other { return true }
    guard path.count == 3, other.count == 3, path[0].hasPrefix("pg_temp"), other[0].hasPrefix("pg_temp") else {
      return false
    }
    return path.dropFirst() == other.dropFirst()
  }
}
