"""asyncpg as programs use it: binary results, its own statement cache, introspection of types, cancellation."""

import asyncio
import datetime
import decimal
import uuid

import asyncpg
from psycopg.conninfo import conninfo_to_dict
from suite import case, digest, main, say


async def connect(dsn, **more):
    at = conninfo_to_dict(dsn)
    ssl = {"disable": False, "require": "require"}[at.get("sslmode", "disable")]
    return await asyncpg.connect(host=at["host"], port=int(at["port"]), user=at["user"], password=at["password"],
                                 database=at["dbname"], ssl=ssl, timeout=20, command_timeout=30, **more)


def told(error):
    return f"{type(error).__name__} {getattr(error, 'sqlstate', None)} {error}"


async def refused(awaitable):
    try:
        await awaitable
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncio.TimeoutError) as error:
        say(told(error))
        return
    raise AssertionError("it did not fail")


@case
async def set_up(dsn):
    conn = await connect(dsn)
    say(await conn.execute("SET client_min_messages = error; DROP SCHEMA IF EXISTS suite_asyncpg CASCADE; CREATE SCHEMA suite_asyncpg"))
    await conn.execute("""CREATE TABLE suite_asyncpg.t (id int PRIMARY KEY, name text, made timestamptz, n numeric, tags text[], doc jsonb);
        CREATE TYPE suite_asyncpg.mood AS ENUM ('sad', 'happy'); CREATE TYPE suite_asyncpg.pair AS (a int, b text);
        INSERT INTO suite_asyncpg.t SELECT n, 'row ' || n, timestamptz '2026-01-01 00:00+00' + n * interval '1 hour', n / 4.0, ARRAY['a', n::text], '{"k": 1}' FROM generate_series(1, 200) n""")
    say(conn.get_server_version(), conn.get_settings().TimeZone, conn.get_settings().client_encoding)
    await conn.close()


@case
async def fetching(dsn):
    conn = await connect(dsn)
    rows = await conn.fetch("SELECT * FROM suite_asyncpg.t WHERE id <= $1 ORDER BY id", 5)
    say(*(dict(row) for row in rows), sep="\n")
    say(await conn.fetchrow("SELECT id, name FROM suite_asyncpg.t WHERE id = $1", 7))
    say(await conn.fetchval("SELECT count(*) FROM suite_asyncpg.t"))
    say(await conn.fetchrow("SELECT 1 WHERE false"))
    say(await conn.execute("UPDATE suite_asyncpg.t SET name = name WHERE id < $1", 10))
    await conn.close()


@case
async def types_there_and_back(dsn):
    conn = await connect(dsn)
    values = {
        "int2": 7, "int4": -1, "int8": 2**60, "float8": 1.5, "numeric": decimal.Decimal("12.3400"), "text": "ünï 🦊", "bytea": b"\0\xff",
        "bool": True, "date": datetime.date(2026, 1, 31), "timestamptz": datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
        "interval": datetime.timedelta(days=1, seconds=5), "uuid": uuid.UUID(int=5), "int4[]": [1, None, 3], "text[]": ["a", None],
        "jsonb": '{"a": 1}', "int4range": asyncpg.Range(1, 5), "point": asyncpg.Point(1, 2), "inet": "10.0.0.1", "time": datetime.time(1, 2, 3),
        "suite_asyncpg.mood": "happy", "suite_asyncpg.pair": (1, "x"), "suite_asyncpg.mood[]": ["sad", "happy"], "suite_asyncpg.pair[]": [(1, "x")],
        "varbit": asyncpg.BitString("1011"), "money": "$1.00", "xml": "<a/>", "tsvector": "'a':1",
    }
    for kind, value in values.items():
        back = await conn.fetchval(f"SELECT $1::{kind}", value)
        say(kind, repr(back), type(back).__name__)
    say(repr(await conn.fetchval("SELECT ROW(1, 'a'::text, NULL::int)")))
    await conn.close()


@case
async def type_codecs(dsn):
    conn = await connect(dsn)
    import json
    await conn.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    say(await conn.fetchval("SELECT $1::jsonb", {"a": [1, {"b": None}]}))
    await conn.reset_type_codec("jsonb", schema="pg_catalog")
    say(await conn.fetchval("SELECT '[1]'::jsonb"))
    await conn.close()


@case
async def prepared_statements(dsn):
    conn = await connect(dsn)
    statement = await conn.prepare("SELECT id, name FROM suite_asyncpg.t WHERE id = ANY($1::int[]) ORDER BY id")
    say([(p.name, p.kind) for p in statement.get_parameters()], [(a.name, a.type.name) for a in statement.get_attributes()], statement.get_statusmsg())
    for ids in ([1, 2], [], [199, 500]):
        say(await statement.fetch(ids), statement.get_statusmsg())
    say(await statement.fetchval([3], column=1))
    say(await statement.explain([3]) is not None)
    say(await (await conn.prepare("INSERT INTO suite_asyncpg.t (id) VALUES ($1) ON CONFLICT DO NOTHING")).executemany([(1,), (2,)]))
    await conn.close()


@case
async def statement_cache(dsn):
    conn = await connect(dsn, statement_cache_size=3)
    for n in range(12):
        say(await conn.fetchval(f"SELECT {n % 5} + $1::int", n))
    say(await conn.fetchval("SELECT count(*) FROM pg_prepared_statements"))
    await conn.close()
    conn = await connect(dsn, statement_cache_size=0)
    for n in range(3):
        say(await conn.fetchval("SELECT $1::int * 2", n))
    await conn.close()


@case
async def a_cached_plan_that_is_invalid(dsn):
    conn = await connect(dsn)
    await conn.execute("CREATE TABLE suite_asyncpg.shape (a int); INSERT INTO suite_asyncpg.shape VALUES (1)")
    say(await conn.fetch("SELECT * FROM suite_asyncpg.shape"))
    await conn.execute("ALTER TABLE suite_asyncpg.shape ADD COLUMN b text DEFAULT 'x'")
    say(await conn.fetch("SELECT * FROM suite_asyncpg.shape"))
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute("ALTER TABLE suite_asyncpg.shape DROP COLUMN b")
    await refused(conn.fetch("SELECT * FROM suite_asyncpg.shape"))
    await refused(conn.fetch("SELECT 1"))
    await transaction.rollback()
    say(await conn.fetch("SELECT * FROM suite_asyncpg.shape"))
    await conn.close()


@case
async def transactions(dsn):
    conn = await connect(dsn)
    try:
        async with conn.transaction(isolation="serializable"):
            await conn.execute("INSERT INTO suite_asyncpg.t (id) VALUES (1000)")
            try:
                async with conn.transaction():
                    await conn.execute("INSERT INTO suite_asyncpg.t (id) VALUES (1000)")
            except asyncpg.UniqueViolationError as error:
                say(told(error), error.constraint_name, error.detail)
            say(conn.is_in_transaction(), await conn.fetchval("SELECT count(*) FROM suite_asyncpg.t WHERE id = 1000"))
            raise KeyError("roll back")
    except KeyError:
        pass
    say(conn.is_in_transaction(), await conn.fetchval("SELECT count(*) FROM suite_asyncpg.t WHERE id = 1000"))
    transaction = conn.transaction(readonly=True)
    await transaction.start()
    await refused(conn.execute("DELETE FROM suite_asyncpg.t"))
    await transaction.rollback()
    await conn.close()


@case
async def cursors(dsn):
    conn = await connect(dsn)
    async with conn.transaction():
        found = [row["id"] async for row in conn.cursor("SELECT id FROM suite_asyncpg.t ORDER BY id", prefetch=7)]
        say(len(found), sum(found))
        cursor = await conn.cursor("SELECT id FROM suite_asyncpg.t WHERE id > $1 ORDER BY id", 150)
        say(await cursor.fetch(3), await cursor.forward(10), await cursor.fetchrow(), len(await cursor.fetch(100)), await cursor.fetch(1))
    await conn.close()


@case
async def copying(dsn):
    conn = await connect(dsn)
    await conn.execute("CREATE TABLE suite_asyncpg.bulk (id int, label text, data bytea)")
    records = [(n, f"wörd {n}" if n % 5 else None, bytes([n % 256]) * (n % 50)) for n in range(3000)]
    say(await conn.copy_records_to_table("bulk", records=records, schema_name="suite_asyncpg", columns=["id", "label", "data"]))
    parts = []
    async def keep(data):
        parts.append(bytes(data))
    say(await conn.copy_from_table("bulk", schema_name="suite_asyncpg", output=keep, format="csv", header=True))
    say(digest(b"".join(parts)))
    parts.clear()
    say(await conn.copy_from_query("SELECT id, label FROM suite_asyncpg.bulk WHERE id < $1 ORDER BY id", 10, output=keep))
    say(b"".join(parts))
    parts.clear()
    say(await conn.copy_from_query("SELECT * FROM suite_asyncpg.bulk ORDER BY id", output=keep, format="binary"), digest(b"".join(parts)))
    async def source():
        for n in range(100):
            yield f"{n},csv {n}\n".encode()
    say(await conn.copy_to_table("bulk", source=source(), schema_name="suite_asyncpg", columns=["id", "label"], format="csv"))
    async def broken():
        yield b"1,a\n"
        raise ValueError("the source broke")
    try:
        await conn.copy_to_table("bulk", source=broken(), schema_name="suite_asyncpg", columns=["id", "label"], format="csv")
    except ValueError as error:
        say(error)
    await refused(conn.copy_records_to_table("bulk", records=[(1, "a")], schema_name="suite_asyncpg", columns=["id", "nope"]))
    say(await conn.fetchval("SELECT count(*) FROM suite_asyncpg.bulk"))
    await conn.close()


@case
async def listening(dsn):
    conn, other = await connect(dsn), await connect(dsn)
    heard = asyncio.Queue()
    def hear(connection, pid, channel, payload):
        heard.put_nowait((pid == other.get_server_pid(), pid == conn.get_server_pid(), channel, payload))
    await conn.add_listener("suite_news", hear)
    await other.execute("NOTIFY suite_news, 'from the other'")
    say(await asyncio.wait_for(heard.get(), 10))
    await conn.execute("SELECT pg_notify('suite_news', 'own')")
    say(await asyncio.wait_for(heard.get(), 10))
    async with other.transaction():
        await other.execute("NOTIFY suite_news, 'a'; NOTIFY suite_news, 'b'")
    say(await asyncio.wait_for(heard.get(), 10), await asyncio.wait_for(heard.get(), 10))
    await conn.remove_listener("suite_news", hear)
    await conn.close()
    await other.close()


@case
async def cancelled_by_a_timeout(dsn):
    conn = await connect(dsn)
    for _ in range(3):
        try:
            await conn.fetch("SELECT pg_sleep(20)", timeout=0.2)
        except asyncio.TimeoutError:
            say("timeout", await conn.fetchval("SELECT 'goes on'"))
    task = asyncio.ensure_future(conn.fetch("SELECT pg_sleep(20)"))
    await asyncio.sleep(0.1)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        say("cancelled", await conn.fetchval("SELECT 'goes on'"))
    transaction = conn.transaction()
    await transaction.start()
    try:
        await conn.execute("SELECT pg_sleep(20)", timeout=0.2)
    except asyncio.TimeoutError:
        await refused(conn.fetch("SELECT 1"))
    await transaction.rollback()
    say(conn.is_closed(), conn.is_in_transaction())
    await conn.close()


@case
async def errors(dsn):
    conn = await connect(dsn)
    for text in ("SELECT * FROM nothing", "SELEC", "SELECT 1/0", "SELECT $1::int", "INSERT INTO suite_asyncpg.t VALUES (1)", "SELECT 'x'::suite_asyncpg.mood", "SELECT 1; SELECT 2"):
        await refused(conn.fetch(text, *([] if "$" not in text else ["not a number"])))
    await refused(conn.execute("SELECT 1; SELECT * FROM nothing"))
    await refused(conn.executemany("INSERT INTO suite_asyncpg.t (id) VALUES ($1)", [(3000,), (3001,), (1,)]))
    say(await conn.fetchval("SELECT count(*) FROM suite_asyncpg.t WHERE id >= 3000"))
    await conn.close()


@case
async def notices_and_log(dsn):
    conn = await connect(dsn)
    heard = []
    conn.add_log_listener(lambda connection, message: heard.append(f"{message.severity} {message.sqlstate} {message} {message.detail} {message.hint}"))
    await conn.execute("DO $$ BEGIN RAISE NOTICE 'n'; RAISE WARNING 'w' USING DETAIL = 'd', HINT = 'h'; END $$")
    await asyncio.sleep(0)
    say(*heard, sep="\n")
    await conn.close()


@case
async def many_at_once(dsn):
    at = conninfo_to_dict(dsn)
    pool = await asyncpg.create_pool(host=at["host"], port=int(at["port"]), user=at["user"], password=at["password"], database=at["dbname"],
                                     ssl=False if at.get("sslmode", "disable") == "disable" else "require", min_size=2, max_size=6)
    async def work(n):
        async with pool.acquire() as conn, conn.transaction():
            await conn.execute("SET LOCAL work_mem = '3MB'")
            return await conn.fetchval("SELECT sum(id) + $1 FROM suite_asyncpg.t WHERE id <= 200", n)
    say(await asyncio.gather(*(work(n) for n in range(60))))
    await pool.close()


@case
async def large_values(dsn):
    conn = await connect(dsn)
    value = "0123456789ü" * 500_000
    say(digest(await conn.fetchval("SELECT $1::text", value)), digest(await conn.fetchval("SELECT repeat('x', 10000000)")))
    rows = await conn.fetch("SELECT n, repeat('y', 100) FROM generate_series(1, 20000) n")
    say(len(rows), digest(str(rows[-1])))
    await conn.close()


@case
async def resetting(dsn):
    conn = await connect(dsn, server_settings={"search_path": "suite_asyncpg", "DateStyle": "German"})
    say(await conn.fetchval("SHOW search_path"), await conn.fetchval("SHOW DateStyle"), await conn.fetchval("SELECT count(*) FROM t WHERE id <= 200"))
    await conn.execute("SET search_path = public; CREATE TEMP TABLE x (a int); SELECT pg_advisory_lock(1)")
    await conn.reset()
    say(await conn.fetchval("SHOW search_path"))
    await conn.close()


main()
