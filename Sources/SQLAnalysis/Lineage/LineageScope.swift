import AccessModel

/// A column that a query can name, with where its values come from.
struct SourceColumn {
  /// Empty when it is not known what PostgreSQL calls it.
  var name: String
  var source: ValueSource
}

/// Columns of a table, subquery or function, in order.
struct SourceRows {
  var columns: [SourceColumn] = []
  /// Present when there are more, whose names and number are not known: where each of those may come from.
  var rest: RestOfColumns?

  static let empty = SourceRows()

  /// What any of them may carry.
  var all: ColumnSet {
    var all = columns.reduce(into: ColumnSet.none) { $0.formUnion($1.source.columns) }
    if let rest { all.formUnion(rest.all) }
    return all
  }

  /// The column of that name, and what it may be besides where not all names are known.
  func find(_ name: String) -> (found: ValueSource?, maybe: ColumnSet?) {
    var found: ValueSource?
    var maybe = rest.map { $0.column(name) }
    for column in columns {
      if column.name == name {
        if found == nil {
          found = column.source
        } else {
          // Ambiguous, which PostgreSQL refuses.
          found = ValueSource((found ?? .constant).columns.union(column.source.columns))
        }
      } else if column.name.isEmpty {
        maybe = (maybe ?? .none).union(column.source.columns)
      }
    }
    return (found, maybe)
  }

  /// With the names that an alias gives to the first of them.
  func renamed(_ names: [String]) -> SourceRows {
    var rows = self
    for (index, name) in names.enumerated() {
      if index < rows.columns.count {
        rows.columns[index].name = name
      } else if let rest {
        rows.columns.append(SourceColumn(name: name, source: ValueSource(rest.all)))
      }
    }
    return rows
  }
}

/// Columns of which only that much is known.
enum RestOfColumns {
  /// Any of them may carry these.
  case any(ColumnSet)
  /// They are the columns of a relation that the session has made itself.
  case own(schema: String, relation: String)

  func column(_ name: String) -> ColumnSet {
    switch self {
    case .any(let set): set
    case .own(let schema, let relation):
      ColumnSet([StoredColumn(schema: schema, relation: relation, column: name)])
    }
  }

  var all: ColumnSet {
    switch self {
    case .any(let set): set
    case .own: .footprint
    }
  }
}

/// What a FROM clause brings in sight: columns by their bare names, tables by theirs.
struct SourceTables {
  struct Table {
    var name: String
    /// Of a relation without an alias.
    var schema: String?
    var rows: SourceRows
  }
  var rows = SourceRows.empty
  var tables: [Table] = []

  mutating func append(_ other: SourceTables) {
    rows.columns += other.rows.columns
    switch (rows.rest, other.rows.rest) {
    case (_, nil): break
    case (nil, let rest?): rows.rest = rest
    case (let mine?, let theirs?): rows.rest = .any(mine.all.union(theirs.all))
    }
    tables += other.tables
  }
}

/// What can be named in one place of a statement: tables of the query and of those around it, and WITH queries.
final class LineageScope {
  let outer: LineageScope?
  let depth: Int
  var tables = SourceTables()
  var common: [String: SourceRows] = [:]

  /// Queries inside queries that are followed.
  static let depthLimit = 48

  init(inside outer: LineageScope?) {
    self.outer = outer
    depth = (outer?.depth ?? 0) + 1
  }

  /// The same without the tables: what a subquery in FROM sees of the query that it stands in.
  var withoutTables: LineageScope {
    let scope = LineageScope(inside: outer)
    scope.common = common
    return scope
  }

  func commonTable(_ name: String) -> SourceRows? {
    var scope: LineageScope? = self
    while let here = scope {
      if let found = here.common[name] { return found }
      scope = here.outer
    }
    return nil
  }

  /// What a bare name of a column stands for; nil when nothing here has it. Not certain when a table whose columns are
  /// not known may have it, or nobody.
  func column(_ name: String) -> (source: ValueSource, isCertain: Bool)? {
    var scope: LineageScope? = self
    var open: ColumnSet?
    while let here = scope {
      let (found, maybe) = here.tables.rows.find(name)
      if var found {
        if let open {
          found.columns.formUnion(open)
          found.isCopy = false
        }
        return (found, open == nil)
      }
      if let maybe { open = open?.union(maybe) ?? maybe }
      scope = here.outer
    }
    return open.map { (ValueSource($0), false) }
  }

  /// The tables that go by this name, the innermost first.
  func table(_ schema: String?, _ name: String) -> SourceRows? {
    var scope: LineageScope? = self
    while let here = scope {
      let found = here.tables.tables.filter { $0.name == name && (schema == nil || $0.schema == schema) }
      if let first = found.first {
        guard found.count > 1 else { return first.rows }
        return SourceRows(rest: .any(found.reduce(into: .none) { $0.formUnion($1.rows.all) }))
      }
      scope = here.outer
    }
    return nil
  }

  /// Everything in sight: what a name may stand for that was not found.
  var everything: ColumnSet {
    var all = ColumnSet.footprint
    var scope: LineageScope? = self
    while let here = scope {
      all.formUnion(here.tables.rows.all)
      for table in here.tables.tables { all.formUnion(table.rows.all) }
      scope = here.outer
    }
    return all
  }
}
