import Foundation
import Testing

/// Every mask on every type, as real drivers decode it, in text and in binary.
@Suite("End to end: masks of all types")
struct EndToEndMaskTypeTests {
  /// Column types with two values that must not be seen; what stands in their place must decode.
  private static let columns = """
    c_text text 'CANARY-one' 'CANARY-two'; c_varchar varchar(12) 'CANARY-12345' 'CANARY-67890';
    c_char char(9) 'CANARY-ab' 'CANARY-cd'; c_name name 'CANARY-n' 'CANARY-m'; c_int2 int2 '31337' '-31338';
    c_int4 int4 '1987654321' '-1987654322'; c_int8 int8 '4111111111111111' '-5105105105105100';
    c_numeric numeric '1987654.321' '-0.1987654322'; c_money numeric(12,2) '1987654.32' '1987654.33';
    c_float4 float4 '19876.5' '-19876.75'; c_float8 float8 '1987654.321' '-1987654.3225'; c_bool bool 'true' 'true';
    c_date date '1987-06-05' '1988-07-06'; c_time time '19:52:07' '19:52:08'; c_timetz timetz '19:52:07+02' '19:52:08+02';
    c_ts timestamp '1987-06-05 19:52:07.25' '1988-07-06 19:52:08'; c_tstz timestamptz '1987-06-05 19:52:07+02' '1988-07-06 19:52:08+02';
    c_interval interval '19 days 52:07' '20 days 52:08'; c_uuid uuid '19876543-2101-4234-8567-89abcdef0123' '19876543-2101-4234-8567-89abcdef0124';
    c_bytea bytea '\\x43414e415259' '\\x43414e41525932'; c_json json '{"k":"CANARY"}' '{"k":"CANARY2"}';
    c_jsonb jsonb '{"k":"CANARY"}' '{"k":"CANARY2"}'; c_xml xml '<k>CANARY</k>' '<k>CANARY2</k>';
    c_inet inet '198.76.54.32' '198.76.54.33'; c_cidr cidr '198.76.54.0/24' '198.76.55.0/24';
    c_mac macaddr '19:87:65:43:21:01' '19:87:65:43:21:02'; c_texts text[] '{CANARY,b}' '{CANARY}'; c_ints int[] '{1987,2}' '{1988}';
    c_range int4range '[1987,1999)' '[1988,1999)'; c_enum mask_kind 'CANARY' 'CANARY'; c_row mask_pair '(CANARY,1987)' '(CANARY,1988)';
    c_domain mask_domain 'CANARY-d' 'CANARY-e'
    """

  private static let masks = [
    "redact": "redact", "nothing": "\"null\"", "fixed": "{ fixed: \"7\" }", "hash": "hash",
    "bucket": "{ bucket: { date: year, number: 1000000 } }", "partial": "{ partial: { keep_first: 1 } }",
    "format": "{ partial: { keep_last: 1, keep: format } }", "tokens": "tokenize",
  ]

  private func schema() -> (sql: String, names: [String]) {
    let parts = Self.columns.split(separator: ";").map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    let columns = parts.map { part -> (name: String, type: String, values: [String]) in
      let pieces = part.split(separator: "'", omittingEmptySubsequences: false).map(String.init)
      let words = pieces[0].split(separator: " ", maxSplits: 1).map(String.init)
      return (words[0], words[1].trimmingCharacters(in: .whitespaces), [pieces[1], pieces[3]])
    }
    var sql = """
      CREATE TYPE mask_kind AS ENUM ('CANARY', 'other'); CREATE TYPE mask_pair AS (a text, b int);
      CREATE DOMAIN mask_domain AS varchar(20);

      """
    for name in Self.masks.keys.sorted() {
      sql += "CREATE TABLE m_\(name) (id int, \(columns.map { "\($0.name) \($0.type)" }.joined(separator: ", ")));\n"
      // The third row repeats the first, the fourth is of NULLs.
      for (id, value) in [0, 1, 0].enumerated() {
        sql +=
          "INSERT INTO m_\(name) VALUES (\(id), \(columns.map { "'\($0.values[value])'" }.joined(separator: ", ")));\n"
      }
      sql += "INSERT INTO m_\(name) (id) VALUES (3);\nGRANT SELECT ON m_\(name) TO app;\n"
    }
    return (sql, columns.map(\.name))
  }

  @Test(
    "psycopg (text, binary) and asyncpg decode every one; nothing of the values is left; hashes agree",
    .timeLimit(.minutes(2)))
  func decode() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("masktypes")
    let (sql, names) = schema()
    try cluster.direct(database, sql)
    let rules = Self.masks.sorted { $0.key < $1.key }.map { name, mask in
      "  - { name: mask-\(name), then: { mask: { columns: [\"public.m_\(name).c_*\"], with: \(mask) } } }"
    }
    let configuration = try TestConfiguration.open(database) + "\nrules:\n" + rules.joined(separator: "\n") + "\n"
    try withGateway(configuration) { gateway in
      let token = try gateway.token("ana")
      try python(
        gateway.dsn("ana", token),
        """
        import asyncio, asyncpg, datetime, decimal, json
        names = sys.argv[2].split(",")
        masks = sys.argv[3].split(",")
        hidden = ["CANARY", "43414e", "43414E", "1987", "1988", "31337", "31338", "4111", "5105", "198.76", "76.54", "19:87",
                  "19:52", "52:07", "19, 52", "19876543", "41111111", "51051051"]

        def check(mask, how, rows):
            first, second, third, empty = [dict(row) for row in rows]
            expect([r["id"] for r in (first, second, third, empty)] == [0, 1, 2, 3], f"{mask}: ids are touched")
            for name in names:
                where = f"{mask}, {how}, {name}"
                expect(empty[name] is None, f"{where}: NULL became {empty[name]!r}")
                expect(first[name] == third[name], f"{where}: equal values differ")
                for value in (first[name], second[name]):
                    shown = value.hex() if isinstance(value, bytes) else str(value)
                    shown += repr(value)
                    left = [part for part in hidden if part in shown]
                    # What a bucket is for.
                    if mask == "bucket" and isinstance(value, datetime.date):
                        left = [part for part in left if part not in ("1987", "1988")]
                        expect((value.month, value.day) == (1, 1), f"{where}: {value!r}")
                    # Hashes and tokens are made of digits, too, and have a few of them in this order by chance.
                    if mask in ("hash", "tokens"):
                        left = [part for part in left if any(c.isalpha() for c in part) or len(part) > 5]
                    if mask == "bucket" and isinstance(value, (int, float, decimal.Decimal)):
                        expect(value % 1000000 == 0, f"{where}: {value!r}")
                        left = []
                    expect(not left, f"{where}: {value!r} shows {left}")
                if mask in ("redact", "fixed", "nothing"):
                    expect(first[name] == second[name], f"{where}: {first[name]!r}, {second[name]!r}")
                if mask == "hash" and name in ("c_text", "c_varchar", "c_int4", "c_int8", "c_numeric", "c_float8", "c_date",
                                               "c_tstz", "c_uuid", "c_bytea", "c_jsonb", "c_domain"):
                    expect(first[name] != second[name], f"{where}: other values are equal")
                if mask == "tokens" and name in ("c_text", "c_varchar", "c_int4", "c_int8", "c_numeric", "c_money", "c_date", "c_ts",
                                                 "c_tstz", "c_uuid", "c_bytea", "c_float8", "c_domain"):
                    expect(first[name] != second[name], f"{where}: other values are equal")
                if mask == "nothing":
                    expect(first[name] is None, where)

        def agree(mask, one, other):
            # Text and binary of one driver: the same values.
            for left, right in zip(one, other):
                # psycopg has no loaders of its own for these in binary.
                for name in (name for name in names if name not in ("c_xml", "c_mac")):
                    expect(left[name] == right[name], f"{mask} {name}: {left[name]!r} in text, {right[name]!r} in binary")

        from psycopg.rows import dict_row
        connection = connect()
        connection.execute("SET TimeZone = 'UTC'")
        for mask in masks:
            query = f"SELECT id, {','.join(names)} FROM m_{mask} ORDER BY id"
            results = []
            for binary in (False, True):
                cursor = connection.cursor(row_factory=dict_row, binary=binary)
                results.append(cursor.execute(query).fetchall())
                check(mask, "psycopg " + ("binary" if binary else "text"), results[-1])
            if mask != "format":
                agree(mask, *results)
            check(mask, "simple", connection.cursor(row_factory=dict_row).execute(query, prepare=False).fetchall())

        async def other():
            pool = await asyncpg.connect(dsn=None, host="127.0.0.1", port=int(sys.argv[4]), user="ana", password=sys.argv[5],
                                         database="shop", ssl=False)
            for mask in masks:
                check(mask, "asyncpg", await pool.fetch(f"SELECT id, {','.join(names)} FROM m_{mask} ORDER BY id"))
            await pool.close()
        asyncio.run(other())
        """, [names.joined(separator: ","), Self.masks.keys.sorted().joined(separator: ","), "\(gateway.port)", token])
    }
  }
}
