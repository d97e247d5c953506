/// Whole statements, and the ways to send them.
extension Grammar {
  mutating func statement() -> ProofStatement {
    let mode = choices.pick([ProofStatement.Mode.simple, .text, .binary, .portal, .joined])
    switch choices.next(100) {
    case 0..<56: return query(mode)
    case 56..<62: return returning(mode)
    case 62..<66: return copy()
    case 66..<70: return cursor(mode)
    case 70..<74: return prepared()
    case 74..<78: return explain(mode)
    case 78..<85: return failing(mode)
    case 85..<90: return telling()
    case 90..<95: return copying()
    case _: return clean(mode)
    }
  }

  private func made(
    _ steps: [ProofStatement.Step], _ mode: ProofStatement.Mode = .simple, isRolledBack: Bool = true,
    endsSession: Bool = false
  ) -> ProofStatement {
    ProofStatement(
      steps: steps, mode: mode, mayBeRefused: mayBeRefused, isRolledBack: isRolledBack, endsSession: endsSession,
      choices: [])
  }

  private mutating func query(_ mode: ProofStatement.Mode) -> ProofStatement {
    let query = select(4)
    return made([.init(sql: query.sql, columns: query.taints)], mode)
  }

  /// What has nothing to do with masked columns, and must come back as it is.
  private mutating func clean(_ mode: ProofStatement.Mode) -> ProofStatement {
    let sql = choices.pick([
      "SELECT count(*) FROM SCHEMA.people", "SELECT id, label, amount FROM SCHEMA.people ORDER BY id",
      "SELECT p.id, n.note FROM SCHEMA.people p JOIN SCHEMA.notes n USING (id) ORDER BY 1",
      "SELECT label, count(*) FROM SCHEMA.v_renamed GROUP BY label ORDER BY label",
      "SELECT s.id FROM (SELECT id, code FROM SCHEMA.people) s ORDER BY s.id",
      "WITH w AS (SELECT * FROM SCHEMA.people) SELECT id, upper(label) FROM w ORDER BY id",
      "SELECT * FROM SCHEMA.notes ORDER BY id", "SELECT id, label FROM SCHEMA.v_clean ORDER BY id",
      "SELECT sum(amount), max(label) FROM SCHEMA.people",
      "SELECT id FROM SCHEMA.people UNION SELECT id FROM SCHEMA.notes ORDER BY 1",
      "SELECT row_number() OVER (ORDER BY id), label FROM SCHEMA.people_child",
      "SELECT CASE WHEN id > 1 THEN label ELSE 'first' END FROM SCHEMA.people ORDER BY id",
      "SELECT l.x FROM SCHEMA.people p, LATERAL (SELECT p.label || p.id AS x) l ORDER BY 1",
      "SELECT jsonb_build_object('id', id, 'label', label) FROM SCHEMA.people ORDER BY id",
      "SELECT x.id, x.code IS NOT NULL IS NOT NULL FROM (SELECT id, label AS code FROM SCHEMA.people) x ORDER BY 1",
      "SELECT n FROM SCHEMA.v_grouped ORDER BY label", "SELECT label FROM SCHEMA.m_names ORDER BY id",
      "SELECT id, amount FROM SCHEMA.ledger ORDER BY id",
      "UPDATE SCHEMA.people SET label = 'z' WHERE id = 1 RETURNING id, label",
      "SELECT EXISTS (SELECT code FROM SCHEMA.people WHERE id = 1)",
      "SELECT array_agg(label ORDER BY id) FROM SCHEMA.people",
      "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, t)", "SELECT id FROM SCHEMA.v_again ORDER BY id",
    ]).replacing("SCHEMA", with: schema)
    return made([.init(sql: sql, columns: nil, isClean: true)], mode)
  }

  private mutating func returning(_ mode: ProofStatement.Mode) -> ProofStatement {
    let alias = fresh("t")
    let scope = Grammar.relations[0].columns.map { Value(sql: "\(alias).\($0.name)", kind: $0.kind, taint: $0.taint) }
    let value = expression(choices.pick([.text, .int, .json, .bytes]), scope, 3)
    let (a, b) = (fresh("o"), fresh("o"))
    let list = "\(value.sql) AS \(a), \(alias).id AS \(b)"
    let head = choices.pick([
      "UPDATE \(name("people")) \(alias) SET label = 'z' WHERE \(alias).id = 1",
      "DELETE FROM \(name("people")) \(alias) WHERE \(alias).id = 2",
      "UPDATE \(name("people")) \(alias) SET amount = n.amount FROM \(schema).notes n WHERE n.id = \(alias).id",
      "DELETE FROM \(name("people")) \(alias) USING \(schema).notes n WHERE n.id = \(alias).id",
      "UPDATE \(name("people")) \(alias) SET code = \(alias).code WHERE \(alias).id = 1",
    ])
    let sql = "\(head) RETURNING \(list)"
    guard choices.chance(40) else { return made([.init(sql: sql, columns: [value.taint, .clean])], mode) }
    let name = fresh("d")
    return made(
      [
        .init(
          sql:
            "WITH \(name) AS (\(sql)) SELECT \(choices.pick(["\(a)", "\(a)::text || ''", "to_jsonb(\(a))"])), \(b) FROM \(name)",
          columns: [value.taint, .clean])
      ], mode)
  }

  private mutating func copy() -> ProofStatement {
    let options = choices.pick([
      "", " (FORMAT csv)", " (FORMAT csv, HEADER, FORCE_QUOTE *)", " (FORMAT binary)", " (DELIMITER '|', NULL 'none')",
      " (FORMAT csv, QUOTE '^', ESCAPE '!', DELIMITER ';')",
    ])
    if choices.chance(40) {
      mayBeRefused = true
      let table = choices.pick(["people", "people (code)", "people (id, label)", "people_child", "ledger_1"])
      return made([.init(sql: "COPY \(schema).\(table) TO STDOUT\(options)", columns: nil)])
    }
    let query = select(3)
    // Only the plain form is read back.
    return made([.init(sql: "COPY (\(query.sql)) TO STDOUT\(options)", columns: options.isEmpty ? query.taints : nil)])
  }

  private mutating func cursor(_ mode: ProofStatement.Mode) -> ProofStatement {
    let query = select(3)
    let name = fresh("cur")
    let how = choices.pick(["CURSOR", "SCROLL CURSOR", "BINARY CURSOR", "NO SCROLL CURSOR"])
    return made(
      [
        .init(sql: "DECLARE \(name) \(how) FOR \(query.sql)", columns: nil),
        .init(
          sql: "FETCH \(choices.pick(["1", "2", "FORWARD 2"])) FROM \(name)",
          columns: how == "BINARY CURSOR" ? nil : query.taints),
        .init(sql: "FETCH ALL FROM \(name)", columns: nil),
      ], mode == .text ? .text : .simple, endsSession: true)
  }

  private mutating func prepared() -> ProofStatement {
    let query = select(3)
    let name = fresh("prep")
    var steps = [
      ProofStatement.Step(sql: "PREPARE \(name) AS \(query.sql)", columns: nil),
      .init(sql: "EXECUTE \(name)", columns: query.taints), .init(sql: "EXECUTE \(name)", columns: query.taints),
    ]
    if choices.chance(60) {
      let options = choices.pick(["ANALYZE VERBOSE", "", "(VERBOSE, FORMAT json)", "(ANALYZE, COSTS off)"])
      steps.append(.init(sql: "EXPLAIN \(options) EXECUTE \(name)", columns: nil))
    }
    if choices.chance(40) {
      // A copy to where no mask is, or a definition over a table with one (DECISIONS 18).
      mayBeRefused = true
      let table = fresh("tt")
      steps.append(.init(sql: "CREATE TEMP TABLE \(table) AS EXECUTE \(name)", columns: nil))
      // Columns that nobody has listed are not told apart until it is committed.
      steps.append(.init(sql: "TABLE \(table)", columns: query.taints.map { $0 == .clean ? .either : $0 }))
    }
    return made(steps, endsSession: true)
  }

  private mutating func explain(_ mode: ProofStatement.Mode) -> ProofStatement {
    let query = select(3)
    let options = choices.pick([
      "(ANALYZE, VERBOSE)", "(ANALYZE, VERBOSE, FORMAT json)", "(VERBOSE)", "", "(ANALYZE, FORMAT xml)",
      "(ANALYZE, FORMAT yaml)",
    ])
    return made([.init(sql: "EXPLAIN \(options) \(query.sql)", columns: nil)], mode)
  }

  /// Expressions whose error would tell the value.
  private mutating func failing(_ mode: ProofStatement.Mode) -> ProofStatement {
    mayBeRefused = true
    let item = relation(choices.pick([0, 5, 6, 11, 2]))
    let value = expression(.text, item.columns, 2)
    let form = choices.pick([
      "(@)::int", "(@)::date", "(@)::regclass", "(@)::uuid", "(@)::json", "(@)::inet", "(@)::xml", "(@)::interval",
      "(@)::numeric",
      "(@)::bool", "(@)::point", "to_date(@, 'YYYY-MM-DD')", "to_number(@, '999')", "(@)::regtype",
      "has_table_privilege(@, 'select')",
      "decode(@, 'hex')", "decode(@, 'base64')", "jsonb_path_query('{}', (@)::jsonpath)", "(@)::int[]", "to_tsquery(@)",
      "regexp_replace('x', '(' || @, '')", "nextval(@)", "(@)::bit(8)", "convert_to('x', @)",
      "make_interval(secs => (@)::float8)",
      "date_trunc(@, now())", "extract(epoch FROM (@)::timestamptz)", "xmlparse(document @)", "chr((@)::int)",
      "(@)::pg_lsn",
      "json_populate_record(NULL::SCHEMA.pair, json_build_object('b', @))", "parse_ident(@ || '.')",
      "encode('x'::bytea, @)",
      "to_char(1, @)", "timezone(@, now())", "set_config(@, 'x', true)", "current_setting(@)",
      "pg_typeof(@)::text || 1/0",
      "(@)::money", "array_in((@)::cstring, 25, -1)", "lo_get((@)::oid)", "unistr('\\' || @)",
      "jsonb_set('1', ARRAY[@], '2')",
      "('{\"a\":1}'::jsonb)[@]", "format(@ || '%', 1)", "(ARRAY[1,2])[(@)::int]", "(@)::SCHEMA.pair", "(@)::int4range",
      "(@)::xid",
    ]).replacing("@", with: value.sql).replacing("SCHEMA", with: schema)
    return made(
      [.init(sql: "SELECT \(form) FROM \(item.sql)", columns: [value.taint == .masked ? .masked : .either])], mode)
  }

  /// Ways around the result: settings, notifications, notices, catalogues, text that is run.
  private mutating func telling() -> ProofStatement {
    mayBeRefused = true
    let secret = "(SELECT code FROM \(schema).people ORDER BY id LIMIT 1)"
    let steps = choices.pick([
      ["SELECT set_config('a.b', SECRET, false)", "SHOW a.b", "SELECT current_setting('a.b', true)"],
      ["SELECT set_config('application_name', SECRET, false)", "SELECT current_setting('application_name')"],
      ["LISTEN ch", "SELECT pg_notify('ch', SECRET)", "SELECT 1"],
      ["DO $$ BEGIN RAISE NOTICE '%', SECRET; END $$"],
      ["DO $$ BEGIN RAISE EXCEPTION '%', SECRET; END $$"],
      [
        "DO $$ BEGIN EXECUTE 'SELECT set_config(''a.b'', (SELECT code FROM SCHEMA.people LIMIT 1), false)'; END $$",
        "SHOW a.b",
      ],
      ["SELECT query_to_xml('SELECT code FROM SCHEMA.people', true, true, '')"],
      ["SELECT table_to_xml('SCHEMA.people', true, true, '')"], ["SELECT schema_to_xml('SCHEMA', true, true, '')"],
      ["SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats WHERE schemaname = 'SCHEMA'"],
      ["SELECT stavalues1::text FROM pg_statistic"],
      ["SELECT word FROM ts_stat('SELECT to_tsvector(''simple'', code) FROM SCHEMA.people')"],
      ["SELECT lo_from_bytea(0, convert_to(SECRET, 'UTF8'))"],
      ["SELECT SCHEMA.pl_code(1)"], ["SELECT * FROM SCHEMA.pl_code(1) f"],
      [
        "SELECT pg_advisory_lock(pin) FROM SCHEMA.people",
        "SELECT classid, objid FROM pg_locks WHERE locktype = 'advisory'",
      ],
      ["EXPLAIN SELECT * FROM SCHEMA.people WHERE code > SECRET"],
      ["SELECT 1 FROM SCHEMA.people ORDER BY code"], ["SELECT count(*) FROM SCHEMA.people GROUP BY code"],
      ["SELECT DISTINCT code FROM SCHEMA.people"], ["SELECT id FROM SCHEMA.people WHERE code LIKE 'k%'"],
      ["SELECT id, rank() OVER (ORDER BY code) FROM SCHEMA.people"],
      ["SELECT cursor_to_xml('c', 1, true, true, '')"], ["SELECT dblink('dbname=postgres', 'SELECT 1')"],
      ["SELECT pg_sleep(length(SECRET) * 0)"], ["SELECT generate_series(1, length(SECRET))"],
      ["SELECT xpath('//code/text()', query_to_xml('SELECT code FROM SCHEMA.people', true, true, ''))"],
      ["SELECT pg_get_viewdef('SCHEMA.v_renamed'::regclass)"], ["SELECT SECRET LIKE 'k%'"],
      ["SELECT width_bucket(pin, 0, 99999999999999, 1000) FROM SCHEMA.people"],
      ["SELECT error_code FROM (SELECT 1/(ascii(SECRET) - 104) AS error_code) s"],
      ["SET application_name = 'x'", "SELECT current_setting('application_name'), SECRET"],
      ["SELECT currval('SCHEMA.nothing'), SECRET"], ["SELECT format('%1$I', SECRET), format('%1$L', SECRET)"],
    ])
    let isNotify = steps[0] == "LISTEN ch"
    return made(
      steps.map {
        .init(sql: $0.replacing("SECRET", with: secret).replacing("SCHEMA", with: schema), columns: nil)
      }, isRolledBack: !isNotify, endsSession: true)
  }

  /// Copies, definitions, and reading those.
  private mutating func copying() -> ProofStatement {
    mayBeRefused = true
    let query = select(2)
    let name = fresh("tt")
    let steps = choices.pick([
      ["CREATE TEMP TABLE \(name) AS \(query.sql)", "SELECT * FROM \(name)"],
      ["CREATE TEMP VIEW \(name) AS \(query.sql)", "SELECT * FROM \(name)"],
      [
        "CREATE TEMP TABLE \(name) (v text)", "INSERT INTO \(name) SELECT code FROM SCHEMA.people",
        "SELECT upper(v) FROM \(name)",
      ],
      ["SELECT * INTO TEMP \(name) FROM (\(query.sql)) s", "TABLE \(name)"],
      ["UPDATE SCHEMA.people SET label = code", "SELECT label FROM SCHEMA.people"],
      [
        "UPDATE SCHEMA.notes n SET note = p.code FROM SCHEMA.people p WHERE p.id = n.id",
        "SELECT note FROM SCHEMA.notes",
      ],
      [
        "INSERT INTO SCHEMA.notes SELECT id + 100, code FROM SCHEMA.people RETURNING note",
        "SELECT note FROM SCHEMA.notes",
      ],
      [
        "MERGE INTO SCHEMA.notes n USING SCHEMA.people p ON p.id = n.id WHEN MATCHED THEN UPDATE SET note = p.code",
        "TABLE SCHEMA.notes",
      ],
      [
        "INSERT INTO SCHEMA.notes VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET note = (SELECT code FROM SCHEMA.people LIMIT 1) RETURNING note"
      ],
      [
        "CREATE FUNCTION pg_temp.\(name)() RETURNS text LANGUAGE sql AS 'SELECT code FROM SCHEMA.people LIMIT 1'",
        "SELECT pg_temp.\(name)()",
      ],
      ["ALTER TABLE SCHEMA.people RENAME COLUMN code TO plain", "SELECT plain FROM SCHEMA.people"],
      ["ALTER TABLE SCHEMA.people ADD COLUMN g text GENERATED ALWAYS AS (code) STORED", "SELECT g FROM SCHEMA.people"],
      ["CREATE TEMP TABLE \(name) (LIKE SCHEMA.people)", "INSERT INTO \(name) TABLE SCHEMA.people", "TABLE \(name)"],
      ["INSERT INTO SCHEMA.people SELECT id, label, amount, code, pin, blob, list, doc, pair FROM SCHEMA.people"],
      ["WITH w AS (INSERT INTO SCHEMA.notes SELECT id + 200, code FROM SCHEMA.people RETURNING note) SELECT * FROM w"],
      ["UPDATE SCHEMA.people SET label = NULL WHERE id = 1"],
      ["INSERT INTO SCHEMA.people (id, label, code) VALUES (1, 'a', 'b')"],
      ["UPDATE SCHEMA.notes SET note = (SELECT string_agg(code, '') FROM SCHEMA.people) RETURNING note"],
      ["CREATE TEMP TABLE \(name) (v text DEFAULT SECRETS)", "INSERT INTO \(name) DEFAULT VALUES RETURNING v"],
      ["UPDATE SCHEMA.people SET (label, amount) = (SELECT code, 1) RETURNING label"],
    ])
    return made(
      steps.map {
        .init(
          sql: $0.replacing("SECRETS", with: "'x'").replacing("SCHEMA", with: schema), columns: nil)
      }, endsSession: true)
  }
}
