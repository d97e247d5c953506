/// A column that a backend stores, by the path that rules name it with: `[schema, relation, column]`.
public struct StoredColumn: Hashable, Sendable {
  public var path: [String]

  public init(_ path: [String]) { self.path = path }

  public init(schema: String, relation: String, column: String) { path = [schema, relation, column] }
}

extension StoredColumn: Comparable, CustomStringConvertible {
  public var description: String { path.joined(separator: ".") }

  public static func < (a: StoredColumn, b: StoredColumn) -> Bool { a.path.lexicographicallyPrecedes(b.path) }
}

/// Stored columns that something may come from; an upper bound.
public struct ColumnSet: Hashable, Sendable {
  /// What else may be among them.
  public enum Extent: Int, Hashable, Sendable, Comparable {
    /// Nothing else.
    case listed
    /// Any column of what the statement's footprint names.
    case footprint
    /// Any column there is.
    case everything

    public static func < (a: Extent, b: Extent) -> Bool { a.rawValue < b.rawValue }
  }
  public private(set) var columns: Set<StoredColumn>
  public private(set) var extent: Extent

  public static let none = ColumnSet([])
  /// It could not be worked out: any column of what the statement names.
  public static let footprint = ColumnSet([], .footprint)
  /// It could not be worked out, and what the statement names says nothing.
  public static let everything = ColumnSet([], .everything)

  /// Columns that are listed; of more than these only the statement's footprint tells.
  public static let limit = 2_000

  public init(_ columns: Set<StoredColumn>, _ extent: Extent = .listed) {
    self.columns = columns
    self.extent = extent
  }

  public var isEmpty: Bool { columns.isEmpty && extent == .listed }

  public mutating func formUnion(_ other: ColumnSet) {
    if other.isEmpty { return }
    extent = max(extent, other.extent)
    if columns.isEmpty { columns = other.columns } else { columns.formUnion(other.columns) }
    guard columns.count > ColumnSet.limit else { return }
    columns = []
    extent = max(extent, .everything)
  }

  public func union(_ other: ColumnSet) -> ColumnSet {
    var joined = self
    joined.formUnion(other)
    return joined
  }

  public mutating func remove(_ column: StoredColumn) { columns.remove(column) }
}

extension ColumnSet: CustomStringConvertible {
  /// The columns in order, then `?` for what the footprint may add, or `*` for everything.
  public var names: [String] {
    columns.sorted().map(\.description) + (extent == .listed ? [] : [extent == .footprint ? "?" : "*"])
  }

  /// `public.customers.email public.customers.ssn`, with `?` for what the footprint may add and `*` for everything.
  public var description: String {
    names.joined(separator: " ")
  }
}

/// A value of a result, with the stored columns whose values it may carry.
public struct ValueSource: Hashable, Sendable {
  public var columns: ColumnSet
  /// It is the value of one of them as it is stored; false for what is computed.
  public var isCopy: Bool

  public init(_ columns: ColumnSet, isCopy: Bool = false) {
    self.columns = columns
    self.isCopy = isCopy
  }

  public static let constant = ValueSource(.none)
  public static let unknown = ValueSource(.footprint)
}

/// Where the values of a statement come from and go to, column by column.
public struct StatementLineage: Hashable, Sendable {
  /// One for each column of its result; nil when their number is not known, and empty without a result.
  public var outputs: [ValueSource]?
  /// What any column of its result may carry.
  public var result: ColumnSet
  /// What decides which rows there are, in which order, and what else can be told without seeing a value: WHERE, ON,
  /// GROUP BY, ORDER BY, DISTINCT, comparisons, CASE.
  public var predicates: ColumnSet
  /// What WHERE compares with constants for equality, and does nothing else with.
  public var tests: ColumnSet
  /// How many constants those are.
  public var testedConstants: Int
  /// What it stores, hands to functions that act, or tells others.
  public var copies: ColumnSet
  /// All columns that it reads or changes, by any way.
  public var touched: ColumnSet

  public init(
    outputs: [ValueSource]? = [], result: ColumnSet = .none, predicates: ColumnSet = .none, copies: ColumnSet = .none,
    touched: ColumnSet = .none, tests: ColumnSet = .none, testedConstants: Int = 0
  ) {
    self.outputs = outputs
    self.result = result
    self.predicates = predicates
    self.copies = copies
    self.touched = touched
    self.tests = tests
    self.testedConstants = testedConstants
  }

  /// Of what reads and changes no stored column.
  public static let none = StatementLineage()

  /// Nothing is known but the footprint.
  public static let unknown = StatementLineage(
    outputs: nil, result: .footprint, predicates: .footprint, copies: .footprint, touched: .footprint)

  /// Names were not resolved, so that nobody has asked: whoever masks has names resolved first. Results count as unknown.
  public static let unresolved = StatementLineage(outputs: nil, result: .footprint, touched: .footprint)

  /// That and something else, run by one statement.
  public mutating func formUnion(_ other: StatementLineage) {
    outputs = nil
    result.formUnion(other.result)
    predicates.formUnion(other.predicates)
    copies.formUnion(other.copies)
    touched.formUnion(other.touched)
    tests.formUnion(other.tests)
    testedConstants += other.testedConstants
  }

  /// How many columns are listed in it, for whoever bounds what is kept.
  public var weight: Int {
    let lists = [result, predicates, copies, touched, tests] + (outputs ?? []).map(\.columns)
    return lists.reduce((outputs ?? []).count) { $0 + $1.columns.count }
  }
}
