import GRDB

extension SQLiteStore {
  public func columnBindings() throws(StoreError) -> [ColumnBinding] {
    try read { database in
      let rows = try Row.fetchAll(database, sql: "SELECT * FROM column_bindings")
      return rows.map { row in
        ColumnBinding(
          connection: row["connection"], database: row["database"],
          relation: UInt32(truncatingIfNeeded: row["relation"] as Int64),
          attribute: Int16(truncatingIfNeeded: row["attribute"] as Int64),
          path: [row["schema"], row["table_name"], row["column_name"]])
      }
    }
  }

  public func changeColumnBindings(adding made: [ColumnBinding], removing gone: [ColumnBinding]) throws(StoreError) {
    try write { database in
      for binding in gone {
        try database.execute(
          sql: """
            DELETE FROM column_bindings WHERE connection = ? AND database = ? AND relation = ? AND attribute = ?
              AND schema = ? AND table_name = ? AND column_name = ?
            """, arguments: try SQLiteStore.arguments(binding))
      }
      for binding in made {
        try database.execute(
          sql: "INSERT OR IGNORE INTO column_bindings VALUES (?, ?, ?, ?, ?, ?, ?)",
          arguments: try SQLiteStore.arguments(binding))
      }
    }
  }

  private static func arguments(_ binding: ColumnBinding) throws -> StatementArguments {
    guard binding.path.count == 3 else { throw StoreError.failed("a column has no whole name") }
    return [
      binding.connection, binding.database, Int64(binding.relation), Int64(binding.attribute), binding.path[0],
      binding.path[1], binding.path[2],
    ]
  }
}
