"""psycopg as people use it: what a driver makes of the answers must not change either. Cases as in cases.py."""

import psycopg
from cases import case, digest
from psycopg import sql


def driver(wire, **options):
    return psycopg.connect(wire.dsn, **options)


@case("psycopg: many types, both formats")
def _(wire):
    with driver(wire, autocommit=True) as conn:
        for binary in (False, True):
            row = conn.execute("SELECT 1, 2.50::numeric, 'x', NULL, true, '2026-01-01'::date, ARRAY[1,2], '{\"a\":1}'::jsonb, '1 day'::interval,"
                               " '\\x00'::bytea, int4range(1,5), '10.0.0.1'::inet", binary=binary).fetchone()
            yield repr(row)


@case("psycopg: parameters adapted")
def _(wire):
    with driver(wire, autocommit=True) as conn:
        values = [7, 2**40, 1.5, "ü", b"\0\1", None, True, [1, None, 3], ["a", "b,c"]]
        yield repr(conn.execute("SELECT %s, %s, %s, %s, %s, %s::int, %s, %s, %s", values).fetchone())
        yield repr(conn.execute("SELECT %b::int, %t", [1, "t"]).fetchone())


@case("psycopg: the sixth run is prepared")
def _(wire):
    with driver(wire, autocommit=True) as conn:
        for n in range(8):
            yield repr(conn.execute("SELECT name FROM compare.person WHERE id = %s", [n % 3 + 1]).fetchall())
        yield repr(conn.execute("SELECT name, statement FROM pg_prepared_statements").fetchall())


@case("psycopg: cursor on the backend")
def _(wire):
    with driver(wire) as conn, conn.cursor(name="far", scrollable=True) as cursor:
        cursor.itersize = 7
        cursor.execute("SELECT n FROM generate_series(1, 30) n")
        yield repr([row[0] for row in cursor])
        cursor.scroll(5, mode="absolute")
        yield repr(cursor.fetchmany(4))


@case("psycopg: nested transactions")
def _(wire):
    with driver(wire, autocommit=True) as conn:
        with conn.transaction():
            conn.execute("INSERT INTO compare.bulk VALUES (31, 'outer', NULL)")
            try:
                with conn.transaction():
                    conn.execute("INSERT INTO compare.bulk VALUES (32, 'inner', NULL)")
                    conn.execute("SELECT 1 / 0")
            except psycopg.errors.DivisionByZero as error:
                yield f"{error.sqlstate} {error}"
        yield repr(conn.execute("DELETE FROM compare.bulk WHERE id IN (31, 32) RETURNING id, label").fetchall())


@case("psycopg: executemany returning")
def _(wire):
    with driver(wire, autocommit=True) as conn, conn.cursor() as cursor:
        cursor.executemany("INSERT INTO compare.bulk VALUES (%s, %s, NULL) RETURNING id", [(n, f"many {n}") for n in range(40, 60)], returning=True)
        found = [cursor.fetchone()]
        while cursor.nextset():
            found.append(cursor.fetchone())
        yield repr(found)
        yield repr(conn.execute("DELETE FROM compare.bulk").rowcount)


@case("psycopg: pipeline")
def _(wire):
    with driver(wire, autocommit=True) as conn, conn.pipeline():
        cursors = [conn.execute("SELECT %s::int + 1", [n]) for n in range(30)]
        yield repr([cursor.fetchone() for cursor in cursors])


@case("psycopg: COPY both ways")
def _(wire):
    with driver(wire, autocommit=True) as conn, conn.cursor() as cursor:
        with cursor.copy("COPY compare.bulk (id, label) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            for n in range(200):
                copy.write_row((n, f"wörd {n}" if n % 7 else None))
        with cursor.copy("COPY (SELECT id, label FROM compare.bulk ORDER BY id) TO STDOUT") as copy:
            yield digest(repr(list(copy.rows())).encode())
        cursor.execute("TRUNCATE compare.bulk")


@case("psycopg: errors keep their classes")
def _(wire):
    with driver(wire, autocommit=True) as conn:
        for text in ("SELECT * FROM compare.nobody", "INSERT INTO compare.person VALUES (1, 'twin')", "SELECT 'x'::int", "SELECT compare.complain('a')"):
            try:
                conn.execute(text)
            except psycopg.Error as error:
                diag = error.diag
                yield f"{type(error).__name__} {diag.sqlstate} {diag.message_primary} {diag.message_detail} {diag.constraint_name} {diag.statement_position}"


@case("psycopg: composed identifiers")
def _(wire):
    with driver(wire, autocommit=True) as conn:
        statement = sql.SQL("SELECT {} FROM {} ORDER BY 1").format(sql.Identifier("name"), sql.Identifier("compare", "person"))
        cursor = conn.execute(statement)
        yield repr([(column.name, column.type_code) for column in cursor.description])
        yield repr(cursor.fetchall())


@case("psycopg: isolation and read only")
def _(wire):
    with driver(wire) as conn:
        conn.isolation_level, conn.read_only = psycopg.IsolationLevel.SERIALIZABLE, True
        yield repr(conn.execute("SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only')").fetchone())
        try:
            conn.execute("DELETE FROM compare.bulk")
        except psycopg.Error as error:
            yield f"{error.sqlstate} {conn.info.transaction_status.name}"


@case("startup parameters")
def _(wire):
    with driver(wire, options="-c search_path=compare -c DateStyle=German", client_encoding="UTF8", autocommit=True) as conn:
        yield repr(conn.execute("SELECT current_schemas(false), to_char(date '2026-01-31', 'DD'), current_setting('DateStyle')").fetchone())
        yield repr(conn.execute("SELECT name FROM person ORDER BY id").fetchall())
