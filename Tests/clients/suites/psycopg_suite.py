"""psycopg 3 as programs use it: sync and async, pipelines, server cursors, COPY, binary, prepared statements, notifies, cancel."""

import asyncio
import datetime
import select
import threading

import psycopg
from psycopg import pq, rows, sql
from psycopg.types.json import Jsonb
from psycopg.types.range import Range
from suite import case, digest, error_of, main, say, wait_for


def connect(dsn, **more):
    return psycopg.connect(dsn, **{"autocommit": True, **more})


def told(error):
    return f"{type(error).__name__} {error.sqlstate} {error}"


@case
def set_up(dsn):
    with connect(dsn) as conn:
        conn.execute("SET client_min_messages = error; DROP SCHEMA IF EXISTS suite_psycopg CASCADE; CREATE SCHEMA suite_psycopg")
        conn.execute("CREATE TABLE suite_psycopg.t (id int PRIMARY KEY, name text, doc jsonb)")
        say(conn.execute("INSERT INTO suite_psycopg.t SELECT g, 'row ' || g, jsonb_build_object('n', g) FROM generate_series(1, 500) g").rowcount)
        say(conn.info.server_version, conn.info.encoding, conn.info.timezone, conn.info.transaction_status.name)


@case
def pipeline_of_everything(dsn):
    with connect(dsn) as conn:
        with conn.pipeline() as pipeline, conn.cursor() as cursor:
            first = conn.execute("SELECT %s::int", [1])
            conn.execute("INSERT INTO suite_psycopg.t VALUES (%s, %s)", [1000, "in the pipeline"])
            cursor.executemany("INSERT INTO suite_psycopg.t VALUES (%s, %s)", [(n, "many") for n in range(1001, 1051)])
            second = conn.execute("SELECT count(*) FROM suite_psycopg.t WHERE id >= 1000")
            pipeline.sync()
            say(first.fetchone(), second.fetchone(), cursor.rowcount)
        say(conn.execute("DELETE FROM suite_psycopg.t WHERE id >= 1000").rowcount)


@case
def pipeline_with_an_error(dsn):
    with connect(dsn) as conn:
        def run():
            with conn.pipeline():
                conn.execute("INSERT INTO suite_psycopg.t VALUES (2000)")
                conn.execute("INSERT INTO suite_psycopg.t VALUES (1)")
                conn.execute("SELECT 'aborted'")
        say(told(error_of(run, psycopg.Error)))
        say(conn.info.transaction_status.name, conn.execute("SELECT count(*) FROM suite_psycopg.t WHERE id = 2000").fetchone())


@case
def pipeline_in_a_transaction(dsn):
    with psycopg.connect(dsn) as conn, conn.pipeline():
        with conn.transaction():
            conn.execute("INSERT INTO suite_psycopg.t VALUES (3000, 'kept for now')")
            inner = None
            try:
                with conn.transaction():
                    inner = conn.execute("SELECT 1 / 0")
                    inner.fetchone()
            except psycopg.errors.DivisionByZero as error:
                say(told(error))
            say(conn.execute("SELECT name FROM suite_psycopg.t WHERE id = 3000").fetchone())
        conn.execute("DELETE FROM suite_psycopg.t WHERE id = 3000")


@case
def pipeline_of_two_thousand(dsn):
    with connect(dsn) as conn, conn.pipeline():
        cursors = [conn.execute("SELECT name FROM suite_psycopg.t WHERE id = %s", [n % 500 + 1]) for n in range(2000)]
        say(digest([cursor.fetchone() for cursor in cursors]))


@case
def server_cursors(dsn):
    with psycopg.connect(dsn) as conn:
        with conn.cursor("named", scrollable=True) as cursor:
            cursor.execute("SELECT id, name FROM suite_psycopg.t ORDER BY id")
            say(cursor.fetchone(), cursor.fetchmany(3), cursor.rownumber)
            cursor.scroll(-2)
            say(cursor.fetchone())
            cursor.scroll(400, mode="absolute")
            say(len(cursor.fetchall()))
        with conn.cursor("binary", withhold=True) as cursor:
            cursor.execute("SELECT id, doc FROM suite_psycopg.t ORDER BY id LIMIT 3", binary=True)
            conn.commit()
            say(cursor.fetchall())
        with conn.cursor("sized") as cursor:
            cursor.itersize = 33
            cursor.execute("SELECT id FROM suite_psycopg.t WHERE id > %s ORDER BY id", [100])
            say(sum(row[0] for row in cursor))


@case
def streaming(dsn):
    with connect(dsn) as conn, conn.cursor() as cursor:
        say(sum(row[0] for row in cursor.stream("SELECT id FROM suite_psycopg.t")))
        for row in cursor.stream("SELECT g, repeat('x', 1000) FROM generate_series(1, 100000) g"):
            if row[0] == 100:
                break
    with connect(dsn) as conn:
        say(conn.execute("SELECT 'another connection'").fetchone())


@case
def copying(dsn, folder):
    with connect(dsn) as conn, conn.cursor() as cursor:
        cursor.execute("CREATE TABLE suite_psycopg.bulk (id int, label text, at timestamptz, data bytea)")
        with cursor.copy("COPY suite_psycopg.bulk FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text", "timestamptz", "bytea"])
            for n in range(2000):
                copy.write_row((n, f"wörd {n}", datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), bytes([n % 256]) * 20))
        say(cursor.rowcount)
        with cursor.copy("COPY suite_psycopg.bulk (id, label) FROM STDIN") as copy:
            for n in range(3):
                copy.write(f"{n}\tblock\n")
        with cursor.copy("COPY (SELECT * FROM suite_psycopg.bulk ORDER BY id, label) TO STDOUT (FORMAT binary)") as copy:
            say(digest(b"".join(bytes(part) for part in copy)))
        with cursor.copy("COPY (SELECT id, label FROM suite_psycopg.bulk WHERE id < 5 ORDER BY id, label) TO STDOUT") as copy:
            copy.set_types(["int4", "text"])
            say(list(copy.rows()))
        def broken():
            with cursor.copy("COPY suite_psycopg.bulk (id) FROM STDIN") as copy:
                copy.write("1\n")
                raise KeyError("mine")
        say(error_of(broken, KeyError))
        def refused():
            with cursor.copy("COPY suite_psycopg.bulk (id) FROM STDIN") as copy:
                copy.write("not a number\n")
        say(told(error_of(refused, psycopg.Error)))
        say(cursor.execute("SELECT count(*) FROM suite_psycopg.bulk").fetchone())
        def given_up():
            with cursor.copy("COPY (SELECT g FROM generate_series(1, 1000000) g) TO STDOUT") as copy:
                say(bytes(copy.read()))
                raise KeyError("enough")
        say(error_of(given_up, KeyError))
        say(cursor.execute("SELECT 'goes on'").fetchone())


@case
def binary_and_types(dsn):
    with connect(dsn) as conn:
        values = [1, 2**40, 1.25, "ü", b"\0", True, None, [1, 2], ["a", None], datetime.date(2026, 1, 1), datetime.timedelta(hours=3), Jsonb({"a": 1}),
                  Range(1, 5), (1, "x")]
        for binary in (False, True):
            cursor = conn.cursor(binary=binary)
            for value in values:
                cursor.execute("SELECT %s" if not isinstance(value, (Range,)) else "SELECT %s::int4range", [value])
                say(repr(cursor.fetchone()), cursor.description[0].type_code)
            cursor.execute("SELECT * FROM suite_psycopg.t WHERE id = ANY(%b) ORDER BY id", [[1, 2]])
            say(cursor.fetchall())


@case
def prepared(dsn):
    with connect(dsn, prepare_threshold=2) as conn:
        for n in range(6):
            say(conn.execute("SELECT name FROM suite_psycopg.t WHERE id = %s", [n + 1]).fetchone(), conn.execute("SELECT count(*) FROM pg_prepared_statements", prepare=False).fetchone())
        conn.prepared_max = 3
        for n in range(8):
            conn.execute(sql.SQL("SELECT {}").format(n), prepare=True)
        say(conn.execute("SELECT count(*) FROM pg_prepared_statements", prepare=False).fetchone())
        conn.execute("DISCARD ALL", prepare=False)


@case
def row_factories_and_types(dsn):
    with connect(dsn, row_factory=rows.dict_row) as conn:
        conn.execute("CREATE TYPE suite_psycopg.pair AS (a int, b text)")
        from psycopg.types.composite import CompositeInfo, register_composite
        register_composite(CompositeInfo.fetch(conn, "suite_psycopg.pair"), conn)
        say(conn.execute("SELECT ROW(1, 'x')::suite_psycopg.pair AS p, 2 AS n").fetchone())
        say(conn.execute("SELECT ROW(1, 'x')::suite_psycopg.pair AS p", binary=True).fetchone())


@case
def notifications(dsn):
    with connect(dsn) as conn, connect(dsn) as other:
        conn.execute("LISTEN suite_psycopg")
        other.execute("NOTIFY suite_psycopg, 'from afar'")
        for notify in conn.notifies(timeout=10, stop_after=1):
            say(notify.channel, notify.payload, notify.pid == other.info.backend_pid)
        conn.execute("NOTIFY suite_psycopg, 'own'")
        for notify in conn.notifies(timeout=10, stop_after=1):
            say(notify.payload, notify.pid == conn.info.backend_pid)


@case
def notices(dsn):
    heard = []
    with connect(dsn) as conn:
        conn.add_notice_handler(lambda diag: heard.append((diag.severity, diag.sqlstate, diag.message_primary, diag.message_hint)))
        conn.execute("DO $$ BEGIN RAISE NOTICE 'n'; RAISE WARNING 'w' USING HINT = 'h'; END $$")
    say(heard)


@case
def cancelling(dsn):
    with connect(dsn) as conn, connect(dsn) as watch:
        for cancel in (lambda: conn.cancel_safe(timeout=10), conn.cancel):
            outcome = []
            thread = threading.Thread(target=lambda: outcome.append(error_of(lambda: conn.execute("SELECT pg_sleep(33)"), psycopg.Error)))
            thread.start()
            wait_for("the statement", lambda: watch.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND query LIKE '%%pg_sleep%%' AND state = 'active'", [conn.info.backend_pid]).fetchone())
            cancel()
            thread.join(10)
            say(told(outcome[0]), conn.execute("SELECT 'goes on'").fetchone())


@case
def two_phase_and_isolation(dsn):
    with psycopg.connect(dsn) as conn:
        conn.isolation_level, conn.deferrable, conn.read_only = psycopg.IsolationLevel.SERIALIZABLE, True, True
        say(conn.execute("SELECT current_setting('transaction_isolation'), current_setting('transaction_deferrable'), current_setting('transaction_read_only')").fetchone())
        conn.rollback()
        conn.isolation_level = conn.deferrable = conn.read_only = None
    conn = psycopg.connect(dsn)
    conn.tpc_begin("suite")
    conn.execute("SELECT 1")
    say(told(error_of(conn.tpc_prepare, psycopg.Error)), conn.info.transaction_status.name)
    conn.close()


@case
def encodings(dsn):
    with connect(dsn, client_encoding="latin1") as conn:
        say(conn.info.encoding, conn.execute("SELECT chr(252), %s, octet_length(%s)", ["é", "é"]).fetchone())
        say(told(error_of(lambda: conn.execute("SELECT chr(8364)"), psycopg.Error)))
    with connect(dsn, options="-c search_path=suite_psycopg -c statement_timeout=12345 -c geqo=off") as conn:
        say(conn.execute("SELECT current_setting('search_path'), current_setting('statement_timeout'), current_setting('geqo')").fetchone())


@case
async def asynchronous(dsn):
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
        async with conn.cursor() as cursor:
            await cursor.execute("SELECT id FROM suite_psycopg.t WHERE id < %s ORDER BY id", [4])
            say([row async for row in cursor])
        async with conn.pipeline():
            cursors = [await conn.execute("SELECT %s::int", [n]) for n in range(50)]
            say([(await cursor.fetchone())[0] for cursor in cursors])
        async with conn.transaction():
            async with conn.cursor("far") as cursor:
                await cursor.execute("SELECT id FROM suite_psycopg.t ORDER BY id")
                say(await cursor.fetchmany(3))
        async with conn.cursor() as cursor, cursor.copy("COPY (SELECT id FROM suite_psycopg.t ORDER BY id) TO STDOUT") as copy:
            say(digest(b"".join([bytes(part) async for part in copy])))
        task = asyncio.create_task(conn.execute("SELECT pg_sleep(33)"))
        await asyncio.sleep(0.2)
        task.cancel()
        try:
            await task
        except (asyncio.CancelledError, psycopg.errors.QueryCanceled):
            say("cancelled")


@case
async def many_at_once(dsn):
    async def work(n):
        async with await psycopg.AsyncConnection.connect(dsn) as conn:
            cursor = await conn.execute("SELECT sum(id) + %s FROM suite_psycopg.t", [n])
            return (await cursor.fetchone())[0]
    say(await asyncio.gather(*(work(n) for n in range(20))))


@case
def libpq_by_itself(dsn):
    conn = pq.PGconn.connect(dsn.encode())
    say(conn.protocol_version, conn.server_version, pq.TransactionStatus(conn.transaction_status).name, conn.needs_password)
    result = conn.exec_(b"SELECT 1 AS a; SELECT 'two' AS b")
    say(result.ntuples, result.fname(0), result.get_value(0, 0))
    say(conn.exec_params(b"SELECT $1::int4 + 1", [b"\0\0\0\5"], [23], [1], 1).get_value(0, 0))
    conn.nonblocking = 1
    conn.send_query(b"SELECT generate_series(1, 100)")
    conn.set_single_row_mode()
    count = 0
    while True:
        while conn.flush():
            select.select([], [conn.socket], [], 10)
        while conn.is_busy():
            select.select([conn.socket], [], [], 10)
            conn.consume_input()
        if (result := conn.get_result()) is None:
            break
        count += result.ntuples
    say(count)
    conn.reset()
    say(conn.exec_(b"SELECT 'after a reset'").get_value(0, 0))
    conn.finish()


main()
