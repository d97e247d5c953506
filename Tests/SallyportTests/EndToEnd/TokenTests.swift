import Foundation
import Testing

/// `with: tokenize`, as drivers see it, and who may turn tokens back.
@Suite("End to end: tokens")
struct EndToEndTokenTests {
  private static let schema = """
    CREATE TABLE cards (id int PRIMARY KEY, number varchar(19), holder text, code char(8), account bigint, pin int,
      balance numeric(14,2), key uuid, small text, day date, raw bytea);
    INSERT INTO cards VALUES
      (1, '4111-1111-1111-1111', 'Ana Lopez Garcia', 'AB1234', 987654321012, 1987654321, 1234567.80,
       '19876543-2101-4234-8567-89abcdef0123', 'x7', '1987-06-05', '\\x0102030405'),
      (2, '4111-1111-1111-1111', 'Bo Nielsen Holm', 'CD5678', 987654321013, -1987654321, -1234567.80,
       '29876543-2101-4234-8567-89abcdef0123', 'x7', '1987-06-05', '\\x0102030406');
    CREATE TABLE payments (id int, card varchar(19)); INSERT INTO payments VALUES (1, '4111-1111-1111-1111');
    GRANT SELECT ON cards, payments TO app;
    """

  private func configuration(_ database: String) throws -> String {
    try TestConfiguration.open(database).replacingOccurrences(
      of: "dora: { groups: [dba] }", with: "dora: { groups: [dba] }\n  rita: { groups: [fraud] }")
        + """

        roles: { revealer: [fraud] }
        rules:
          - name: cards
            then:
              mask:
                columns: ["cards.number", "cards.holder", "cards.code", "cards.account", "cards.pin", "cards.balance",
                          "cards.key", "cards.small", "cards.day", "cards.raw", "payments.card"]
                with: tokenize

        """
  }

  @Test("drivers decode tokens in text and binary, joins on them hold, and those who may turn them back")
  func tokens() throws {
    let cluster = try TestCluster.shared()
    let database = try cluster.createDatabase("tokens")
    try cluster.direct(database, Self.schema)
    try withGateway(try configuration(database)) { gateway in
      let token = try gateway.token("ana")
      let output = try python(
        gateway.dsn("ana", token),
        """
        import asyncio, asyncpg, datetime, re
        from psycopg.rows import dict_row
        query = "SELECT * FROM cards ORDER BY id"
        connection = connect()
        rows = [connection.cursor(row_factory=dict_row, binary=binary).execute(query).fetchall() for binary in (False, True)]
        expect(rows[0] == rows[1], f"text {rows[0]} binary {rows[1]}")

        async def other():
            pool = await asyncpg.connect(host="127.0.0.1", port=int(sys.argv[2]), user="ana", password=sys.argv[3],
                                         database="shop", ssl=False)
            found = [dict(row) for row in await pool.fetch(query)]
            expect(found == rows[0], f"asyncpg {found}")
            await pool.close()
        asyncio.run(other())
        one, two = rows[0]
        expect(one["number"] == two["number"] != "4111-1111-1111-1111", one["number"])
        expect(re.fullmatch(r"\\d{4}-\\d{4}-\\d{4}-\\d{4}", one["number"]), one["number"])
        expect(re.fullmatch(r"[A-Z][a-z]{2} [A-Z][a-z]{4} [A-Z][a-z]{5}", one["holder"]), one["holder"])
        expect(re.fullmatch(r"[A-Z]{2}\\d{4}  ", one["code"]), one["code"])
        expect(one["pin"] > 0 > two["pin"] and one["balance"] > 0 > two["balance"], str(one))
        expect(one["balance"].as_tuple().exponent == -2, str(one["balance"]))
        expect(one["small"] == "****", str(one))
        expect(one["day"] == two["day"] != datetime.date(1987, 6, 5), str(one))
        expect(len(one["raw"]) == 5 and one["raw"] != two["raw"], str(one))
        expect((one["id"], two["id"]) == (1, 2), "ids are touched")
        payment = connection.execute("SELECT card FROM payments").fetchone()[0]
        expect(payment == one["number"], f"{payment} is another token")
        for text in ("4111", "Lopez", "1987654321", "987654321012", "1234567.8"):
            expect(text not in str(rows), f"{text} came out")
        try:
            connection.execute("SELECT 1 FROM cards WHERE number = %s", [one["number"]])
            expect(False, "a token in a predicate passed")
        except psycopg.errors.InsufficientPrivilege:
            pass
        print(one["number"], one["pin"], one["key"], one["balance"], one["day"], sep=";")
        """, ["\(gateway.port)", token])
      let shown = output.trimmingCharacters(in: .whitespacesAndNewlines).split(separator: ";").map(String.init)
      try #require(shown.count == 5)
      let rita = try gateway.token("rita")
      for (value, type, expected) in [
        (shown[0], "varchar", "4111-1111-1111-1111"), (shown[1], "int4", "1987654321"),
        (shown[2], "uuid", "19876543-2101-4234-8567-89abcdef0123"), (shown[3], "numeric", "1234567.80"),
        (shown[4], "date", "1987-06-05"),
      ] {
        let end = try gateway.command(
          "mask", "reveal", value, "--type", type, "--reason", "case 17", as: rita)
        #expect(end.output == expected + "\n", "\(end.errors)")
      }
      for (who, words) in [(token, "role revealer"), ("", "needs a person")] {
        let end = try gateway.command("mask", "reveal", "--reason", "curious", shown[0], as: who)
        #expect(end.status == 1 && end.errors.contains(words), "\(end.output)\(end.errors)")
      }
      for (arguments, words) in [(["Ana"], "no token"), (["--type", "money", "1"], "no tokens of type")] {
        let end = try ChildProcess.run(
          try TestRun.binary(), ["mask", "reveal", "--data", gateway.data, "--reason", "x"] + arguments,
          environment: ["SALLYPORT_TOKEN": rita])
        #expect(end.status == 1 && end.errors.contains(words), "\(end.errors)")
      }
      let trail = try gateway.command("audit", "tail", "--json").output
      #expect(trail.contains("mask.reveal") && trail.contains("case 17") && trail.contains("rita"))
      #expect(!trail.contains("4111-1111-1111-1111"), "what was revealed is in the trail")
    }
  }
}
