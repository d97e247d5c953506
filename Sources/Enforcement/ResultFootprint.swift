import AccessModel

extension Command {
  /// What its result may come from: more than the text names where rows come from a cursor, which an earlier command
  /// declared over tables that this one does not mention. Masks of computed columns are to be asked for with this.
  public var resultFootprint: Footprint {
    switch detail {
    case .sql(let sql):
      return sql.statements.contains { $0.kinds.contains(.fetch) } ? .everything : footprint
    }
  }
}
