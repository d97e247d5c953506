import AccessModel
import Logging
import NIOConcurrencyHelpers
import NIOPosix
import PolicyEngine
import Postgres
import Store

/// Columns that a mask rule has met, by their numbers: they stay what the rule meant, whatever they are called later
/// (DECISIONS 5). Kept in the store. A column that is dropped is forgotten; one of that name is another column.
final class ColumnBindings: Sendable {
  typealias FormerNames = [UInt32: [Int16: [StoredColumn]]]

  /// Accounts see the same tables, so that they share them.
  struct Database: Hashable, Sendable {
    var connection: String
    var name: String
  }

  private let known: NIOLockedValueBox<[Database: [UInt32: [Int16: Set<StoredColumn>]]]>
  private let store: any Store
  private let pool: NIOThreadPool
  private let logger: Logger

  /// Blocks on the store.
  init(_ store: any Store, pool: NIOThreadPool, logger: Logger) throws(StoreError) {
    var known: [Database: [UInt32: [Int16: Set<StoredColumn>]]] = [:]
    for binding in try store.columnBindings() {
      known[Database(connection: binding.connection, name: binding.database), default: [:]][
        binding.relation, default: [:]][
          binding.attribute, default: []
        ].insert(StoredColumn(binding.path))
    }
    self.known = NIOLockedValueBox(known)
    self.store = store
    self.pool = pool
    self.logger = logger
  }

  /// Takes a reading of the catalogue: columns that a rule of the policy names are bound, those that are gone forgotten.
  /// Returns what bound columns went by before, where that is not what they are called now.
  func bind(_ relations: [UInt32: RelationNames], of database: Database, by policy: PolicyDocument) -> FormerNames {
    let patterns = policy.maskedColumns
    let (former, made, gone) = known.withLockedValue { known -> (FormerNames, [ColumnBinding], [ColumnBinding]) in
      var mine = known[database] ?? [:]
      if mine.isEmpty, patterns.isEmpty { return ([:], [], []) }
      var former: FormerNames = [:]
      var made: [ColumnBinding] = []
      var gone: [ColumnBinding] = []
      for (relation, columns) in mine {
        for (attribute, paths) in columns where relations[relation]?.columns[attribute] == nil {
          mine[relation]?[attribute] = nil
          gone += paths.map { ColumnBinding(database, relation, attribute, $0) }
        }
      }
      for (relation, names) in relations where names.schema != "pg_catalog" && names.schema != "information_schema" {
        for (attribute, column) in names.columns where attribute > 0 {
          let path = [names.schema, names.name, column]
          if patterns.contains(where: { $0.mayMatch(path) }),
            mine[relation, default: [:]][attribute, default: []].insert(StoredColumn(path)).inserted
          {
            made.append(ColumnBinding(database, relation, attribute, StoredColumn(path)))
          }
          guard var paths = mine[relation]?[attribute] else { continue }
          paths.remove(StoredColumn(path))
          if !paths.isEmpty { former[relation, default: [:]][attribute] = paths.sorted() }
        }
      }
      known[database] = mine
      return (former, made, gone)
    }
    if !made.isEmpty || !gone.isEmpty { save(made, gone) }
    return former
  }

  private func save(_ made: [ColumnBinding], _ gone: [ColumnBinding]) {
    pool.submit { [store, logger] state in
      guard state == .active else { return }
      do { try store.changeColumnBindings(adding: made, removing: gone) } catch {
        logger.error("masked columns could not be kept", metadata: ["reason": "\(error)"])
      }
    }
  }
}

extension ColumnBinding {
  fileprivate init(
    _ database: ColumnBindings.Database, _ relation: UInt32, _ attribute: Int16, _ path: StoredColumn
  ) {
    self.init(
      connection: database.connection, database: database.name, relation: relation, attribute: attribute,
      path: path.path)
  }
}

extension PolicyDocument {
  /// Patterns of all columns that some rule masks, for whomever.
  fileprivate var maskedColumns: [NamePattern] {
    rules.flatMap { rule -> [NamePattern] in
      if case .mask(let mask) = rule.action { return mask.columns }
      return []
    }
  }
}
