import Foundation
import Testing

/// What a cursor brings is masked like the result of its query, and not more.
@Suite("End to end: masked cursors")
struct EndToEndCursorTests {
  @Test("psycopg's server-side cursors (text, binary, WITH HOLD, SCROLL) and asyncpg's portals, fetched piece by piece")
  func pieces() throws {
    let database = try MaskDatabase.create()
    try withGateway(try database.configuration()) { gateway in
      let token = try gateway.token("ana")
      let seen = try python(
        gateway.dsn("ana", token),
        """
        import asyncio, asyncpg
        query = "SELECT id, name, upper(name) AS n, ssn, upper(ssn) AS u FROM people WHERE id < 10 ORDER BY id"
        wanted = [(i, n, n.upper(), "****", "****") for i, n in enumerate(["Kim", "Lou", "Max", "Noa"], 1)]
        connection = psycopg.connect(dsn)
        for binary in (False, True):
            for more in ({}, {"withhold": True}, {"scrollable": True}):
                with connection.cursor(name="walk", **more) as cursor:
                    cursor.itersize = 2
                    cursor.execute(query, binary=binary)
                    found = cursor.fetchmany(1)
                    if more.get("withhold"):
                        connection.commit()
                    found += cursor.fetchmany(2) + cursor.fetchall()
                    expect(found == wanted, f"{more} {binary}: {found}")
                    if more.get("scrollable"):
                        cursor.scroll(-2)
                        expect(cursor.fetchone() == wanted[3], "scroll")
                connection.commit()
        # A name that stands for another cursor by now, and one that nobody knows.
        connection.autocommit = True
        with connection.transaction():
            connection.execute("DECLARE c CURSOR FOR SELECT upper(name) FROM people ORDER BY id")
            expect(connection.execute("FETCH 1 FROM c").fetchall() == [("KIM",)], "computed")
            connection.execute("CLOSE c")
            connection.execute("DECLARE c CURSOR FOR SELECT upper(ssn) FROM people ORDER BY id")
            expect(connection.execute("FETCH 1 FROM c").fetchall() == [("****",)], "declared again")
        with connection.transaction():
            connection.execute("DECLARE c CURSOR FOR SELECT upper(name) FROM people ORDER BY id")
            try:
                with connection.transaction():
                    connection.execute("DECLARE c CURSOR FOR SELECT upper(ssn) FROM people ORDER BY id")
            except psycopg.errors.DuplicateCursor:
                pass
            # Which of them the name stands for is not asked: it is masked.
            expect(connection.execute("FETCH 1 FROM c").fetchall() == [("****",)], "in doubt")

        async def other():
            c = await asyncpg.connect(host="127.0.0.1", port=int(sys.argv[2]), user="ana", password=sys.argv[3], database="shop", ssl=False)
            async with c.transaction():
                found = []
                async for row in c.cursor(query, prefetch=1):
                    found.append(tuple(row))
                expect(found == wanted, f"asyncpg: {found}")
                walk = await c.cursor(query)
                found = await walk.fetch(1) + await walk.fetch(2)
                found += await walk.fetch(9)
                expect([tuple(r) for r in found] == wanted, f"asyncpg, by hand: {found}")
            await c.close()
        asyncio.run(other())
        """, ["\(gateway.port)", token])
      #expect(database.leaks(in: seen) == [])
    }
  }
}
