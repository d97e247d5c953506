"""pg8000, both faces: the native one and DB-API. All in Python, text results, extended protocol throughout."""

import datetime
import decimal
import io
import ssl
import uuid

import pg8000.dbapi
import pg8000.native
from psycopg.conninfo import conninfo_to_dict
from suite import case, digest, error_of, main, say, wait_for


def options(dsn):
    at = conninfo_to_dict(dsn)
    secure = None
    if at.get("sslmode", "disable") != "disable":
        secure = ssl.create_default_context()
        secure.check_hostname, secure.verify_mode = False, ssl.CERT_NONE
    return dict(user=at["user"], password=at["password"], host=at["host"], port=int(at["port"]), database=at["dbname"], ssl_context=secure, timeout=30)


def native(dsn, **more):
    return pg8000.native.Connection(**options(dsn), **more)


def told(error):
    return f"{type(error).__name__} {error.args}"


@case
def set_up(dsn):
    with native(dsn) as conn:
        conn.run("SET client_min_messages = error")
        conn.run("DROP SCHEMA IF EXISTS suite_pg8000 CASCADE")
        conn.run("CREATE SCHEMA suite_pg8000")
        conn.run("CREATE TABLE suite_pg8000.t (id serial PRIMARY KEY, name text, n numeric, at timestamptz)")
        conn.run("INSERT INTO suite_pg8000.t (name, n) SELECT 'row ' || g, g / 3.0 FROM generate_series(1, 40) g")
        say(conn.row_count, {name: value for name, value in sorted(conn.parameter_statuses.items()) if name != "application_name"})


@case
def native_run(dsn):
    with native(dsn) as conn:
        say(conn.run("SELECT * FROM suite_pg8000.t WHERE id < :top ORDER BY id", top=4))
        say([(column["name"], column["type_oid"], column["column_attrnum"]) for column in conn.columns])
        say(conn.run("SELECT :a::int + :b::int, :c", a=1, b=2, c="ünï 🦊"), conn.run("SELECT 1 WHERE false"), conn.run("SELECT"), conn.run(""))
        say(conn.run("UPDATE suite_pg8000.t SET n = 0 WHERE id = 1"), conn.row_count)
        say(conn.run("SELECT 1; SELECT 2, 'x'; SELECT 3"))


@case
def types_there_and_back(dsn):
    with native(dsn) as conn:
        values = [5, 2**40, 2**70, 1.5, decimal.Decimal("1.20"), "text", None, True, b"\0\xff", datetime.date(2026, 1, 2), datetime.time(3, 4, 5),
                  datetime.datetime(2026, 1, 2, 3, 4), datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc), datetime.timedelta(days=2, seconds=1),
                  uuid.UUID(int=9), [1, 2, None], ["a", "b,c"], [[1], [2]], {"k": [1]}]
        for value in values:
            back = conn.run("SELECT :v", v=value)[0][0]
            say(repr(value), repr(back), type(back).__name__)
        say(conn.run("SELECT '[1,5)'::int4range, '10.0.0.0/8'::cidr, '{1,2}'::int[], 'x'::char(3), '1.5'::money, B'101', '(1,2)'::point, '<a/>'::xml, '1 year'::interval, 'NaN'::numeric"))


@case
def prepared(dsn):
    with native(dsn) as conn:
        statement = conn.prepare("SELECT name FROM suite_pg8000.t WHERE id = :id")
        say([statement.run(id=n) for n in (1, 2, 40, 41)], [column["name"] for column in statement.columns])
        say(conn.run("SELECT count(*) FROM pg_prepared_statements"))
        statement.close()
        say(conn.run("SELECT count(*) FROM pg_prepared_statements"))


@case
def transactions(dsn):
    with native(dsn) as conn:
        conn.run("START TRANSACTION")
        conn.run("INSERT INTO suite_pg8000.t (id, name) VALUES (500, 'x')")
        conn.run("SAVEPOINT s")
        say(told(error_of(lambda: conn.run("INSERT INTO suite_pg8000.t (id) VALUES (500)"), pg8000.native.DatabaseError)))
        say(told(error_of(lambda: conn.run("SELECT 1"), pg8000.native.DatabaseError)))
        conn.run("ROLLBACK TO s")
        say(conn.run("SELECT name FROM suite_pg8000.t WHERE id = 500"))
        conn.run("ROLLBACK")
        say(conn.run("SELECT name FROM suite_pg8000.t WHERE id = 500"))


@case
def errors(dsn):
    with native(dsn) as conn:
        for text in ("SELEC", "SELECT * FROM nothing", "SELECT 1/0", "SELECT 'a'::int", "SELECT 1, 2 FROM", "INSERT INTO suite_pg8000.t (id) VALUES (1)"):
            say(told(error_of(lambda: conn.run(text), pg8000.native.DatabaseError)))
        say(conn.run("SELECT 'goes on'"))


@case
def copying(dsn):
    with native(dsn) as conn:
        conn.run("CREATE TABLE suite_pg8000.bulk (id int, label text)")
        say(conn.run("COPY suite_pg8000.bulk FROM STDIN", stream=io.BytesIO(b"".join(b"%d\trow %d\n" % (n, n) for n in range(2000)))), conn.row_count)
        conn.run("COPY suite_pg8000.bulk FROM STDIN WITH (FORMAT csv)", stream=["1,from\n", "2,strings\n"])
        out = io.BytesIO()
        conn.run("COPY (SELECT * FROM suite_pg8000.bulk ORDER BY id, label) TO STDOUT (FORMAT csv, HEADER)", stream=out)
        say(digest(out.getvalue()))
        out = io.StringIO()
        conn.run("COPY (VALUES (1, 'ü'), (2, NULL)) TO STDOUT", stream=out)
        say(repr(out.getvalue()))
        say(told(error_of(lambda: conn.run("COPY suite_pg8000.bulk FROM STDIN", stream=io.BytesIO(b"x\ty\n")), pg8000.native.DatabaseError)))
        say(conn.run("SELECT count(*) FROM suite_pg8000.bulk"))


@case
def notices_and_notifications(dsn):
    with native(dsn) as conn, native(dsn) as other:
        conn.run("DO $$ BEGIN RAISE NOTICE 'a notice'; END $$")
        say([{key: value for key, value in notice.items() if key in (b"S", b"C", b"M")} for notice in conn.notices])
        conn.run("LISTEN suite_pg8000")
        other.run("NOTIFY suite_pg8000, 'from afar'")
        conn.run("NOTIFY suite_pg8000, 'own'")
        wait_for("both", lambda: conn.run("SELECT 1") and len(conn.notifications) >= 2)
        say([(channel, payload) for _, channel, payload in conn.notifications], len({pid for pid, _, _ in conn.notifications}))


@case
def db_api(dsn):
    conn = pg8000.dbapi.connect(**options(dsn))
    cursor = conn.cursor()
    cursor.execute("SELECT id, name, n FROM suite_pg8000.t WHERE id BETWEEN %s AND %s ORDER BY id", (2, 6))
    say([(column[0], column[1]) for column in cursor.description], cursor.rowcount, cursor.fetchone(), cursor.fetchmany(2), cursor.fetchall())
    cursor.executemany("INSERT INTO suite_pg8000.t (name, n) VALUES (%s, %s)", [(f"many {n}", n) for n in range(20)])
    say(cursor.rowcount)
    conn.commit()
    cursor.execute("DELETE FROM suite_pg8000.t WHERE name LIKE %s", ("many%",))
    say(cursor.rowcount)
    conn.rollback()
    cursor.execute("SELECT count(*) FROM suite_pg8000.t")
    say(cursor.fetchall())
    error = error_of(lambda: cursor.execute("SELECT 1 / %s", (0,)), pg8000.dbapi.Error)
    say(told(error))
    conn.rollback()
    conn.autocommit = True
    cursor.execute("VACUUM suite_pg8000.t")
    cursor.execute("CREATE OR REPLACE PROCEDURE suite_pg8000.twice(INOUT n int) LANGUAGE plpgsql AS 'BEGIN n := n * 2; END'")
    cursor.callproc("suite_pg8000.twice", (21,))
    say(cursor.fetchall())
    conn.close()
    say(told(error_of(lambda: cursor.execute("SELECT 1"), pg8000.dbapi.Error)))


@case
def two_phase(dsn):
    conn = pg8000.dbapi.connect(**options(dsn))
    xid = conn.xid(0, "suite", "pg8000")
    conn.tpc_begin(xid)
    conn.cursor().execute("SELECT 1")
    say(told(error_of(conn.tpc_prepare, pg8000.dbapi.Error)))
    conn.close()


@case
def wrong_password(dsn):
    wrong = options(dsn) | {"password": "wrong"}
    say(type(error_of(lambda: pg8000.native.Connection(**wrong), pg8000.native.DatabaseError)).__name__)


@case
def large_values(dsn):
    with native(dsn) as conn:
        value = "0123456789ü" * 200_000
        say(digest(conn.run("SELECT :v::text", v=value)[0][0]), digest(conn.run("SELECT repeat('x', 5000000)")[0][0]))
        rows = conn.run("SELECT g, repeat('z', 20) FROM generate_series(1, 5000) g")
        say(len(rows), rows[-1])


main()
