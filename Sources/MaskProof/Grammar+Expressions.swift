/// Expressions of each kind over the columns in sight.
extension Grammar {
  /// A column of that kind, masked ones by preference; something that is no column where there is none.
  mutating func leaf(_ kind: Kind, _ scope: [Value], _ depth: Int) -> Value {
    let fitting = scope.filter { $0.kind == kind }
    let masked = fitting.filter { $0.taint == .masked }
    if !masked.isEmpty, !choices.chance(35) { return choices.pick(masked) }
    if !fitting.isEmpty { return choices.pick(fitting) }
    if deeper(depth, 50) { return scalar(kind, depth - 1) }
    let literal =
      switch kind {
      case .text: "'plain'"
      case .int: "7"
      case .bytes: "'\\x0102'::bytea"
      case .list: "ARRAY['plain']"
      case .json: "'{\"k\": 1}'::jsonb"
      case .row: "ROW('plain', 1)"
      }
    return Value(sql: literal, kind: kind, taint: .clean)
  }

  /// A subquery of one value.
  mutating func scalar(_ kind: Kind, _ depth: Int) -> Value {
    let item = relation(choices.pick([0, 5, 6, 11, 2]))
    let value = expression(kind, item.columns, depth)
    return Value(
      sql: "(SELECT \(value.sql) FROM \(item.sql) ORDER BY \(item.columns[0].sql) LIMIT 1)", kind: kind,
      taint: value.taint)
  }

  /// An expression that is well-typed, and mostly does not fail.
  mutating func expression(_ kind: Kind, _ scope: [Value], _ depth: Int) -> Value {
    guard deeper(depth) else { return leaf(kind, scope, depth) }
    switch kind {
    case .text: return text(scope, depth - 1)
    case .int: return int(scope, depth - 1)
    case .bytes: return bytes(scope, depth - 1)
    case .list: return list(scope, depth - 1)
    case .json: return json(scope, depth - 1)
    case .row: return leaf(.row, scope, depth)
    }
  }

  private mutating func made(_ kind: Kind, _ form: String, _ parts: Value...) -> Value {
    let taint = parts.map(\.taint).max() ?? .clean
    // Also where nobody reads the result: whether it fails, or how long it takes, tells something of the value.
    if taint != .clean, Grammar.tellingForms.contains(where: form.contains) { mayBeRefused = true }
    var sql = form.replacing("SCHEMA", with: schema)
    if parts.count > 1 { sql = sql.replacing("#", with: parts[1].sql) }
    return Value(sql: sql.replacing("@", with: parts[0].sql), kind: kind, taint: taint)
  }

  /// What forms have that fail on some values, compare them, or make as many rows as they say.
  private static let tellingForms = [
    "overlay(", "convert_", "regexp_", "xpath(", "path_query", "unistr(", "normalize(", "json_each_text(", "xmltable",
    "json_to_record", "jsonb_object(", "jsonb_set(", "chr(", "populate_record", "to_number(", "to_hex(", "set_byte(",
    "string_to_array(", "|| ARRAY[", "array_remove(", "array_append(", "array_cat(", "::numeric", "::float8",
    "::bigint", "::jsonb", "+ 0", "* 1",
    "-(@)",
    "abs(", "div(", "(SELECT u FROM unnest(@)",
  ]

  private static let textForms = [
    "upper(@)", "lower(@)", "reverse(@)", "@ || ''", "substr(@, 1, 9)", "substr(@, 7)", "left(@, 8)", "right(@, -3)",
    "trim(@)", "format('%s', @)", "quote_literal(@)", "quote_ident(@)", "replace(@, 'zz', 'y')",
    "translate(@, '0123456789', '5678901234')", "overlay(@ PLACING 'x' FROM 1 FOR 1)", "lpad(@, 30, '.')",
    "repeat(@, 2)", "md5(@)", "encode(convert_to(@, 'UTF8'), 'hex')", "encode(convert_to(@, 'UTF8'), 'base64')",
    "encode(convert_to(@, 'UTF8'), 'escape')", "encode(sha256(convert_to(@, 'UTF8')), 'hex')", "@::varchar(200)",
    "CAST(@ AS name)::text", "split_part(@, '~', 1)", "regexp_replace(@, '^', '+')", "initcap(@)", "@ COLLATE \"C\"",
    "to_json(@)::text", "json_build_object('k', @) ->> 'k'", "jsonb_build_array(@, 1) ->> 0", "(ARRAY[@, 'x'])[1]",
    "array_to_string(ARRAY['a', @], ',')", "xmlelement(name e, @)::text",
    "xmlserialize(content xmlforest(@ AS f) AS text)",
    "convert_from(convert_to(@, 'UTF8'), 'UTF8')", "(SELECT @)", "concat(@, NULL)", "concat_ws('-', 'a', @)",
    "COALESCE(NULL, @)", "CASE WHEN true THEN @ END", "CASE 1 WHEN 1 THEN @ ELSE 'n' END", "unistr(@)", "normalize(@)",
    "to_jsonb(@) #>> '{}'", "(xpath('/e/text()', xmlelement(name e, @)))[1]::text", "(ROW(@, 1))::text",
    "row_to_json(ROW(@, 1)) ->> 'f1'", "string_to_array(@, NULL)::text", "btrim(@, '~')",
    "(SELECT max(v) FROM (SELECT @ AS v) s)", "(SELECT string_agg(v, '') FROM (VALUES (@)) AS t(v))",
    "(SELECT string_agg(ascii(substr(@, g, 1))::text, ' ' ORDER BY g) FROM generate_series(1, 16) g)",
    "(SELECT u FROM unnest(ARRAY[@]) u)", "(SELECT v FROM json_each_text(json_build_object('k', @)) AS j(k, v))",
    "(WITH w AS (SELECT @ AS v) SELECT v FROM w)", "jsonb_path_query_first(to_jsonb(@), '$') #>> '{}'",
    "(SELECT x.v FROM xmltable('/e' PASSING xmlelement(name e, @) COLUMNS v text PATH '.') x)",
    "(SELECT r.k FROM json_to_record(json_build_object('k', @)) AS r(k text))", "format('%2$s', 1, @)",
    "(regexp_match(@, '.+'))[1]", "jsonb_object(ARRAY['k', @]) ->> 'k'", "jsonb_set('{}', '{k}', to_jsonb(@)) ->> 'k'",
    "(SELECT string_agg(chr(ascii(substr(@, g, 1)) + 1), '' ORDER BY g) FROM generate_series(1, 16) g)",
    "ltrim(@)", "rtrim(@)", "(SELECT array_agg(@))[1]", "concat(VARIADIC ARRAY['a', @])", "jsonb_pretty(to_jsonb(@))",
    "(SELECT (jsonb_populate_record(NULL::SCHEMA.pair, jsonb_build_object('a', @))).a)", "substring(@ FROM 2)",
    "(SELECT json_agg(@)::text)", "quote_nullable(@)", "lower(@::bpchar)", "textcat(@, 'x')",
  ]

  private mutating func text(_ scope: [Value], _ depth: Int) -> Value {
    switch choices.next(12) {
    case 7 where choices.chance(40):
      // A field of a row, however the row is come by.
      let form = choices.pick([
        "(SELECT (p).code FROM SCHEMA.people p ORDER BY (p).id LIMIT 1)", "(SCHEMA.row_of(1)).code",
        "(ROW(@, 2)::SCHEMA.pair).a",
        "(SELECT (array_agg(p))[1].code FROM SCHEMA.people p)",
        "(SELECT (x.p).code FROM (SELECT p FROM SCHEMA.people p LIMIT 1) x)",
        "(SELECT to_jsonb(p) ->> 'code' FROM SCHEMA.people p LIMIT 1)",
        "(SELECT (p.pair).a FROM SCHEMA.people p LIMIT 1)",
        "(SELECT (u).code FROM (SELECT unnest(array_agg(p)) AS u FROM SCHEMA.people p) y LIMIT 1)",
        "(SELECT value FROM jsonb_each_text((SELECT to_jsonb(p) FROM SCHEMA.people p LIMIT 1)) WHERE key = 'code')",
        "(SELECT max(e ->> 'code') FROM jsonb_array_elements((SELECT jsonb_agg(p) FROM SCHEMA.people p)) e)",
        "(SELECT r.code FROM jsonb_populate_recordset(NULL::SCHEMA.people, (SELECT jsonb_agg(p) FROM SCHEMA.people p)) r LIMIT 1)",
        "(SELECT z.b FROM ROWS FROM (generate_series(1, 2), unnest((SELECT array_agg(code) FROM SCHEMA.people))) WITH ORDINALITY AS z(a, b, c) LIMIT 1)",
        "(SELECT b FROM (VALUES (1, (SELECT max(code) FROM SCHEMA.people)), (2, 'x')) AS v(a, b) ORDER BY a LIMIT 1)",
        "(SELECT string_agg(t.c, '') FROM (TABLE SCHEMA.ledger) AS t(a, b, c))",
      ]).replacing("SCHEMA", with: schema)
      mayBeRefused = true
      let value = expression(.text, scope, depth)
      let taint: Taint = form.contains("@") ? value.taint == .masked ? .masked : .either : .masked
      return Value(sql: form.replacing("@", with: "(\(value.sql))"), kind: .text, taint: taint)
    case 8:
      let (a, b) = (expression(.text, scope, depth), expression(.text, scope, depth))
      let form = choices.pick([
        "concat(@, #)", "@ || #", "COALESCE(@, #)", "CASE WHEN true THEN @ ELSE # END", "format('%s/%s', @, #)",
      ])
      return made(.text, form, a, b)
    case 9:
      let value = expression(.int, scope, depth)
      let form = choices.pick([
        "(@)::text", "to_char(@, '99999999999999999')", "to_hex((@)::bigint)", "format('%s', @)",
      ])
      return made(.text, form, value)
    case 10:
      let value = expression(choices.pick([.bytes, .list, .json]), scope, depth)
      let form =
        switch value.kind {
        case .bytes: choices.pick(["encode(@, 'hex')", "encode(@, 'base64')", "encode(@, 'escape')", "(@)::text"])
        case .list:
          choices.pick(["(@)[1]", "array_to_string(@, ',')", "(@)::text", "(SELECT u FROM unnest(@) u LIMIT 1)"])
        case _:
          choices.pick(["(@) ->> 'k'", "(@)::text", "(@) #>> '{k}'", "jsonb_path_query_first(@, '$.k') #>> '{}'"])
        }
      return made(.text, form, value.enclosed)
    case 11:
      let function = choices.pick(["code_of", "label_of"])
      let argument = scope.first { $0.kind == .int && $0.taint == .clean }.map { "(\($0.sql))::int" } ?? "1"
      return Value(
        sql: "\(schema).\(function)(\(argument))", kind: .text, taint: function == "code_of" ? .masked : .either)
    case _:
      let value = expression(.text, scope, depth)
      return made(.text, choices.pick(Grammar.textForms), value.enclosed)
    }
  }

  private mutating func int(_ scope: [Value], _ depth: Int) -> Value {
    if choices.chance(20) {
      let value = expression(.text, scope, depth)
      return made(.int, choices.pick(["length(@)", "ascii(@)", "octet_length(@)"]), value)
    }
    let value = expression(.int, scope, depth)
    let form = choices.pick([
      "(@) + 0", "(@) * 1", "-(@)", "abs(@)", "(@)::numeric", "(@)::float8", "(@)::bigint", "COALESCE(@, 0)",
      "CASE WHEN true THEN @ END", "(SELECT sum(v) FROM (SELECT @ AS v) s)",
      "to_number((@)::text, '99999999999999999')",
      "(ARRAY[@])[1]", "div((@)::numeric, 1)", "(SELECT v FROM (VALUES (@)) AS t(v))", "((@)::text)::numeric",
    ])
    return made(.int, form, value)
  }

  private mutating func bytes(_ scope: [Value], _ depth: Int) -> Value {
    if choices.chance(50) {
      let value = expression(.text, scope, depth)
      return made(.bytes, "convert_to(@, 'UTF8')", value)
    }
    let value = expression(.bytes, scope, depth)
    let form = choices.pick([
      "@ || '\\x00'::bytea", "substr(@, 2)", "overlay(@ PLACING '\\x00' FROM 1 FOR 1)", "set_byte(@, 0, 1)",
    ])
    return made(.bytes, form, value.enclosed)
  }

  private mutating func list(_ scope: [Value], _ depth: Int) -> Value {
    if choices.chance(50) {
      let value = expression(.text, scope, depth)
      return made(
        .list, choices.pick(["ARRAY[@::text, 'x']", "string_to_array(@, '~')", "regexp_split_to_array(@, '~')"]),
        value.enclosed)
    }
    let value = expression(.list, scope, depth)
    let form = choices.pick([
      "@ || ARRAY['x']", "array_append(@, 'x')", "array_cat(@, @)", "(@)[1:2]", "array_remove(@, 'plain')",
    ])
    return made(.list, form, value.enclosed)
  }

  private mutating func json(_ scope: [Value], _ depth: Int) -> Value {
    if choices.chance(60) {
      let value = expression(choices.pick([.text, .int, .list]), scope, depth)
      let form = choices.pick([
        "jsonb_build_object('k', @)", "to_jsonb(@)", "jsonb_build_array(@)", "json_build_object('a', @)::jsonb",
      ])
      return made(.json, form, value.enclosed)
    }
    let value = expression(.json, scope, depth)
    let form = choices.pick([
      "@ || '{}'::jsonb", "jsonb_strip_nulls(@)", "jsonb_build_object('o', @) -> 'o'", "jsonb_set(@, '{x}', '1')",
    ])
    return made(.json, form, value.enclosed)
  }

  // MARK: What decides

  /// A predicate over what is not masked; rarely one over what is.
  mutating func predicate(_ scope: [Value], oracle: Int = 6) -> String {
    if choices.chance(oracle), let value = scope.first(where: { $0.taint == .masked && $0.kind == .text }) {
      mayBeRefused = true
      return choices.pick([
        "@ LIKE 'k%'", "@ > 'm'", "length(@) > 3", "@ = (SELECT max(code) FROM \(schema).people)", "@ ~ '^[a-m]'",
        "@ IN ('a', 'b')", "starts_with(@, 'k')", "@ IS DISTINCT FROM 'x'", "(@ || 'x') BETWEEN 'a' AND 'z'",
        "EXISTS (SELECT 1 FROM \(schema).people p WHERE p.code = @)", "ascii(@) % 2 = 0", "NOT (@ < 'm')",
      ]).replacing("@", with: value.sql)
    }
    guard let value = scope.first(where: { $0.taint == .clean && $0.kind == .int }) else { return "true" }
    return choices.pick([
      "@ > 0", "@ IS NOT NULL", "@ BETWEEN 0 AND 900", "@ IN (SELECT id FROM \(schema).notes) OR @ > 0", "@ <> -1",
      "EXISTS (SELECT 1 FROM \(schema).notes n WHERE n.id <= @)",
      "NOT EXISTS (SELECT code FROM \(schema).people WHERE id = -@)",
    ]).replacing("@", with: value.sql)
  }
}
