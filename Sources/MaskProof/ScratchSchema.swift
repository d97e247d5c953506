/// The schema that a proof plants: a table with canaries, and all that leads to them.
public struct ScratchSchema: Sendable {
  public var name: String
  public var canaries: Canaries
  /// Views and the like that were made of generated queries.
  private(set) var generated: [Grammar.Relation] = []
  /// How those were made, by name.
  private var definitions: [String: String] = [:]

  public init(name: String, canaries: Canaries) {
    self.name = name
    self.canaries = canaries
  }

  /// How many views, materialized views and functions are made of generated queries.
  private static let generatedCount = 30

  /// Definitions over generated queries, which the backend may refuse; on what was made before, too.
  ///
  /// - Parameter make: runs a statement; false when it fails.
  public mutating func generate(seed: UInt64, _ make: (String) throws -> Bool) rethrows {
    for number in 1...ScratchSchema.generatedCount {
      let choices = Choices(seed: seed ^ 0x5EED_0F0F, number: number)
      let (sql, relation) = Grammar.definition(choices, named: "g\(number)", in: self)
      guard try make(sql) else { continue }
      generated.append(relation)
      definitions[relation.name] = sql
    }
  }

  /// The definitions of all generated relations that a statement names, and that those name.
  public func definitions(behind statement: String) -> [String] {
    var found: [String: String] = [:]
    var texts = [statement]
    while let text = texts.popLast() {
      for word in Set(text.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)) {
        guard found[word] == nil, let definition = definitions[word] else { continue }
        found[word] = definition
        texts.append(definition)
      }
    }
    return found.sorted { $0.key < $1.key }.map(\.value)
  }

  /// What a rule has to mask, as `schema.table.column`.
  public var maskedColumns: [String] {
    ["code", "pin", "blob", "list", "doc", "pair"].map { "\(name).people.\($0)" } + ["\(name).ledger.code"]
  }

  private func values(_ row: Canaries.Row) -> String {
    """
    '\(row.code)', \(row.pin), pg_catalog.convert_to('\(row.blob)', 'UTF8'), ARRAY['\(row.list)', 'plain'], \
    '{"k": "\(row.document)"}', ROW('\(row.pair)', 7)
    """
  }

  /// Statements that make it, in order; names in them are found by a search_path of it alone.
  public var plant: [String] {
    // What rows and values are told apart by stands in values, too.
    let labels = ["alpha", "be\tt\na", "g\"am\\ma,'';", "\\N"]
    let rows = canaries.people.enumerated().map { index, row in
      "(\(index + 1), '\(labels[index % 4])', \(10 * (index + 1)), \(values(row)))"
    }
    return [
      "CREATE SCHEMA \(name)", "SET search_path = \(name)",
      "CREATE TYPE pair AS (a text, b int)",
      """
      CREATE TABLE people (id int PRIMARY KEY, gone text, label text NOT NULL, amount int, code text NOT NULL, \
      pin bigint, blob bytea, list text[], doc jsonb, pair pair)
      """,
      "ALTER TABLE people DROP COLUMN gone",
      "INSERT INTO people VALUES \(rows.joined(separator: ", "))",
      "CREATE TABLE notes (id int PRIMARY KEY, note text, amount int)",
      "INSERT INTO notes SELECT i, 'note ' || i, i * 10 FROM generate_series(1, 5) i",
      "CREATE TABLE people_child (extra int) INHERITS (people)",
      "INSERT INTO people_child VALUES (50, 'epsilon', 500, \(values(canaries.child)), 1)",
      "CREATE TABLE ledger (id int, amount int, code text) PARTITION BY RANGE (id)",
      "CREATE TABLE ledger_1 PARTITION OF ledger FOR VALUES FROM (0) TO (3)",
      // Its columns have other numbers than its parent's.
      "CREATE TABLE ledger_2 (junk int, code text, more int, id int, amount int)",
      "ALTER TABLE ledger_2 DROP COLUMN junk, DROP COLUMN more",
      "ALTER TABLE ledger ATTACH PARTITION ledger_2 FOR VALUES FROM (3) TO (9)",
      """
      INSERT INTO ledger VALUES \
      \(canaries.ledger.enumerated().map { "(\($0 + 1), \($0 * 5), '\($1)')" }.joined(separator: ", "))
      """,
      "CREATE VIEW v_renamed AS SELECT id, label, code AS secret FROM people",
      "CREATE VIEW v_again AS SELECT r.id, r.secret AS s FROM (SELECT * FROM v_renamed) r",
      "CREATE VIEW v_computed AS SELECT id, code || ':' || label AS both_texts FROM people",
      "CREATE VIEW v_clean AS SELECT p.id, p.label FROM people p JOIN notes USING (id)",
      "CREATE VIEW v_union AS SELECT id, label AS v FROM people UNION ALL SELECT id, code FROM people",
      "CREATE VIEW v_grouped AS SELECT label, max(code) AS v, count(*) AS n FROM people GROUP BY label",
      "CREATE MATERIALIZED VIEW m_stored AS SELECT id, code AS secret FROM people",
      "CREATE MATERIALIZED VIEW m_names AS SELECT id, label FROM people",
      "CREATE FUNCTION code_of(int) RETURNS text LANGUAGE sql AS 'SELECT code FROM \(name).people WHERE id = $1'",
      "CREATE FUNCTION label_of(int) RETURNS text LANGUAGE sql AS 'SELECT label FROM \(name).people WHERE id = $1'",
      "CREATE FUNCTION row_of(int) RETURNS people LANGUAGE sql AS 'SELECT * FROM ONLY \(name).people WHERE id = $1'",
      """
      CREATE FUNCTION everybody() RETURNS TABLE (a int, b text) LANGUAGE sql \
      AS 'SELECT id, code FROM \(name).people ORDER BY id'
      """,
      "CREATE FUNCTION pl_code(int) RETURNS text LANGUAGE plpgsql AS "
        + "'BEGIN RETURN (SELECT code FROM \(name).people WHERE id = $1 LIMIT 1); END'",
      "ANALYZE people", "ANALYZE notes",
    ]
  }

  /// Statements that let an account use it.
  public func grant(to account: String) -> [String] {
    let role = "\"" + account.replacing("\"", with: "\"\"") + "\""
    return [
      "GRANT USAGE ON SCHEMA \(name) TO \(role)",
      "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA \(name) TO \(role)",
      "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA \(name) TO \(role)",
    ]
  }

  public var remove: String { "DROP SCHEMA IF EXISTS \(name) CASCADE" }
}
