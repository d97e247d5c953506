"""What a line of SQL cannot say: COPY, prepared statements, pipelines, cancel, notifications, large values.

All by libpq itself; driver_cases.py has what psycopg makes of it.

Each case is a function of one connection that yields lines; compare.py runs it on both sides and compares them.
"""

import hashlib
import select
import struct
import time

from psycopg import pq

INT4, INT8, TEXT, BYTEA = 23, 20, 25, 17
FIVE_MIB = 5 * 1024 * 1024
_cases = []


def case(name):
    def keep(function):
        _cases.append((name, function))
        return function
    return keep


def all_cases():
    import driver_cases  # noqa: F401  (its cases add themselves)
    return list(_cases)


def digest(data):
    return f"{len(data)} bytes sha256 {hashlib.sha256(data).hexdigest()[:16]}"


# --- COPY --------------------------------------------------------------------------------------------------------------

def copy_out(wire, text):
    yield from wire.simple(text)
    chunks = []
    while (found := wire.conn.get_copy_data(0))[0] > 0:
        chunks.append(bytes(found[1]))
    yield f"{len(chunks)} rows, {digest(b''.join(chunks))}"
    yield from (repr(chunk) for chunk in chunks[:5])
    yield from wire.answers()


def copy_in(wire, text, chunks, failure=None):
    yield from wire.simple(text)
    for chunk in chunks:
        wire.conn.put_copy_data(chunk)
    wire.conn.put_copy_end(failure)
    yield from wire.answers()


def binary_rows(rows):
    yield b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
    for number, label, payload in rows:
        yield struct.pack("!hii", 3, 4, number)
        for value in (label, payload):
            yield struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    yield struct.pack("!h", -1)


@case("COPY out, text")
def _(wire):
    yield from copy_out(wire, "COPY compare.person TO STDOUT")


@case("COPY out, CSV with header")
def _(wire):
    yield from copy_out(wire, "COPY (SELECT * FROM compare.person ORDER BY id) TO STDOUT (FORMAT csv, HEADER, NULL '-')")


@case("COPY out, binary")
def _(wire):
    yield from copy_out(wire, "COPY (SELECT id, name, score FROM compare.person ORDER BY id) TO STDOUT (FORMAT binary)")


@case("COPY out, 20,000 rows")
def _(wire):
    yield from copy_out(wire, "COPY (SELECT n, repeat('x', n % 200) FROM generate_series(1, 20000) n) TO STDOUT")


@case("COPY out that fails in the middle")
def _(wire):
    yield from copy_out(wire, "COPY (SELECT 100 / (50 - n) FROM generate_series(1, 90) n) TO STDOUT")


@case("COPY in, text, in uneven pieces")
def _(wire):
    data = b"1\tone\t\\\\x00ff\n2\t\\N\t\\N\n3\t\xc3\xbc\\tb\t\\\\x\n"
    yield from copy_in(wire, "COPY compare.bulk FROM STDIN", [data[i:i + 7] for i in range(0, len(data), 7)])
    yield from wire.simple("SELECT * FROM compare.bulk ORDER BY id; TRUNCATE compare.bulk")


@case("COPY in, binary, 5 MiB")
def _(wire):
    rows = [(n, b"row %d" % n, bytes([n % 256]) * 65536) for n in range(80)] + [(80, None, None)]
    yield from copy_in(wire, "COPY compare.bulk FROM STDIN (FORMAT binary)", binary_rows(rows))
    yield from wire.simple("SELECT count(*), count(payload), sum(length(payload)), md5(string_agg(payload, '' ORDER BY id)) FROM compare.bulk;"
                           " TRUNCATE compare.bulk")


@case("COPY in, refused row")
def _(wire):
    yield from copy_in(wire, "COPY compare.bulk FROM STDIN", [b"1\tgood\t\\N\n", b"two\tbad\t\\N\n", b"3\tgood\t\\N\n"])
    yield from wire.simple("SELECT count(*) FROM compare.bulk")


@case("COPY in, given up by the client")
def _(wire):
    yield from copy_in(wire, "COPY compare.bulk FROM STDIN", [b"1\tgood\t\\N\n"], failure=b"changed my mind")


@case("COPY in, empty")
def _(wire):
    yield from copy_in(wire, "COPY compare.bulk FROM STDIN (FORMAT csv)", [])


@case("COPY in the middle of a string")
def _(wire):
    yield from copy_out(wire, "SELECT 1; COPY (VALUES (1), (2)) TO STDOUT; SELECT 2")
    yield from wire.answers()


# --- prepared statements and parameters ----------------------------------------------------------------------------------

@case("prepared statement, run three times")
def _(wire):
    yield from wire.prepare("by_name", "SELECT id, name, score FROM compare.person WHERE id = $1")
    yield from wire.describe("by_name")
    for value, result_format in ((b"1", 0), (b"2", 1), (None, 0)):
        yield from wire.execute_prepared("by_name", [value], result_format=result_format)
    yield from wire.simple("DEALLOCATE by_name")


@case("statement names: taken, unknown, odd, unnamed")
def _(wire):
    yield from wire.prepare("twice", "SELECT 1")
    yield from wire.prepare("twice", "SELECT 2")
    yield from wire.execute_prepared("nobody")
    yield from wire.describe("nobody")
    odd = "näme with 'quotes' and \"more\" " + "x" * 200
    yield from wire.prepare(odd, "SELECT 'odd'")
    yield from wire.execute_prepared(odd)
    yield from wire.prepare("", "SELECT $1::int + 1")
    yield from wire.execute_prepared("", [b"41"])
    yield from wire.simple("SELECT 'a simple query drops the unnamed one'")
    yield from wire.execute_prepared("", [b"41"])
    yield from wire.simple("DEALLOCATE ALL")


@case("prepared by the protocol, run by SQL")
def _(wire):
    yield from wire.prepare("shared", "SELECT $1::text || '!'", [TEXT])
    yield from wire.simple("EXECUTE shared ('hey')")
    yield from wire.simple("SELECT name, statement, parameter_types, from_sql FROM pg_prepared_statements ORDER BY 1; DEALLOCATE ALL")


@case("binary parameters and results")
def _(wire):
    values = [struct.pack("!i", -7), struct.pack("!q", 2**40), b"t\xc3\xa9xt", b"\0\1\2", None]
    yield from wire.extended("SELECT $1 + 1, $2, $3 || '!', $4, $5::int", values, [INT4, INT8, TEXT, BYTEA, INT4], [1, 1, 0, 1, 1], 1)


@case("unknown types are inferred")
def _(wire):
    yield from wire.extended("SELECT * FROM compare.person WHERE id = ANY($1) AND name LIKE $2", [b"{1,2}", b"A%"])
    yield from wire.extended("SELECT $1", [b"what am I"])


@case("wrong parameters")
def _(wire):
    yield from wire.extended("SELECT $1::int", [b"not a number"])
    yield from wire.extended("SELECT $1::int + $2", [b"1"])
    yield from wire.extended("SELECT $1::int", [b"\0\1"], [INT4], [1])
    yield from wire.extended("SELECT $1::text", [b"\xff\xfe"])
    yield from wire.extended("SELECT nme FROM compare.person WHERE id = $1", [b"1"])


@case("a thousand parameters")
def _(wire):
    places = ", ".join(f"${n}::int" for n in range(1, 1001))
    yield from wire.extended(f"SELECT {places}", [str(n).encode() for n in range(1000)], result_format=1)


@case("5 MiB there and back, text")
def _(wire):
    value = ("0123456789abcdeü" * (FIVE_MIB // 17)).encode()
    lines = wire.extended("SELECT $1::text, length($1::text)", [value])
    yield from (digest(line.encode()) if len(line) > 1000 else line for line in lines)


@case("5 MiB there and back, binary")
def _(wire):
    value = bytes(range(256)) * (FIVE_MIB // 256)
    lines = wire.extended("SELECT $1, md5($1)", [value], [BYTEA], [1], 1)
    yield from (digest(line.encode()) if len(line) > 1000 else line for line in lines)


@case("five parameters of 1 MiB")
def _(wire):
    yield from wire.extended("SELECT md5($1), md5($2), md5($3), md5($4), md5($5)", [bytes([65 + n]) * 2**20 for n in range(5)],
                             [TEXT] * 5)


# --- one row at a time, pipelines ------------------------------------------------------------------------------------------

@case("row by row")
def _(wire):
    wire.conn.send_query_params(b"SELECT n, repeat('y', n) FROM generate_series(1, 300) n", None)
    wire.conn.set_single_row_mode()
    yield digest("\n".join(wire.answers()).encode())


def pipeline(wire, send):
    """Sends in pipeline mode, then reads everything up to the last Sync."""
    wire.conn.enter_pipeline_mode()
    syncs = send(wire.conn)
    while syncs:
        result = wire.next_result()
        if result is None:
            continue
        yield from wire.take_notices()
        if result.status == pq.ExecStatus.PIPELINE_SYNC:
            syncs -= 1
            yield "sync"
        elif result.status == pq.ExecStatus.PIPELINE_ABORTED:
            yield "aborted"
        else:
            yield from wire.lines_of(result)
    wire.conn.exit_pipeline_mode()


@case("pipeline of fifty")
def _(wire):
    def send(conn):
        for n in range(50):
            conn.send_query_params(b"SELECT $1::int * 2", [str(n).encode()])
        conn.pipeline_sync()
        return 1
    yield from pipeline(wire, send)


@case("pipeline with an error skips to its Sync")
def _(wire):
    def send(conn):
        conn.send_query_params(b"INSERT INTO compare.bulk VALUES (1, 'undone', NULL)", None)
        conn.send_query_params(b"SELECT 1 / $1::int", [b"0"])
        conn.send_query_params(b"SELECT 'skipped'", None)
        conn.pipeline_sync()
        conn.send_query_params(b"SELECT count(*) FROM compare.bulk", None)
        conn.pipeline_sync()
        return 2
    yield from pipeline(wire, send)


@case("pipeline with a transaction of its own")
def _(wire):
    def send(conn):
        for text in (b"BEGIN", b"INSERT INTO compare.bulk VALUES (2, 'kept', NULL)", b"SAVEPOINT s", b"SELECT 1 / 0"):
            conn.send_query_params(text, None)
        conn.pipeline_sync()
        conn.send_query_params(b"ROLLBACK TO s", None)
        conn.send_query_params(b"DELETE FROM compare.bulk WHERE id = 2", None)
        conn.send_query_params(b"COMMIT", None)
        conn.pipeline_sync()
        return 2
    yield from pipeline(wire, send)


@case("pipeline that prepares and runs")
def _(wire):
    def send(conn):
        conn.send_prepare(b"in_pipe", b"SELECT name FROM compare.person WHERE id = $1", [INT4])
        conn.send_describe_prepared(b"in_pipe")
        for n in (1, 2, 3):
            conn.send_query_prepared(b"in_pipe", [str(n).encode()])
        conn.send_flush_request()
        conn.send_query_params(b"DEALLOCATE in_pipe", None)
        conn.pipeline_sync()
        conn.pipeline_sync()
        return 2
    yield from pipeline(wire, send)


@case("pipeline of 2,000 syncs")
def _(wire):
    def send(conn):
        for _ in range(2000):
            conn.send_query_params(b"SELECT 1", None)
            conn.pipeline_sync()
        return 2000
    yield digest("\n".join(pipeline(wire, send)).encode())


# --- notifications and cancel ------------------------------------------------------------------------------------------------

@case("LISTEN and NOTIFY, own")
def _(wire):
    yield from wire.simple("LISTEN news; NOTIFY news, 'first'; SELECT pg_notify('news', 'second'); NOTIFY other")
    yield from wire.notifications()
    yield from wire.simple("UNLISTEN *; NOTIFY news, 'unheard'")
    yield from wire.notifications()


@case("NOTIFY from another connection")
def _(wire):
    yield from wire.simple("LISTEN news")
    other = type(wire)(wire.dsn)
    other.simple("NOTIFY news, 'from afar'")
    other.close()
    select.select([wire.conn.socket], [], [], 10)
    yield from wire.notifications()
    yield from wire.simple("UNLISTEN *")


@case("cancel of a running statement")
def _(wire):
    yield from wire.simple("BEGIN; SAVEPOINT before")
    wire.conn.send_query(b"SELECT pg_sleep(20)")
    cancel = wire.conn.get_cancel()
    # Sent again until it hits: the first can come before the statement has begun.
    began = time.monotonic()
    while wire.conn.is_busy():
        if not select.select([wire.conn.socket], [], [], 0.2)[0]:
            cancel.cancel()
        wire.conn.consume_input()
    yield from wire.answers()
    if time.monotonic() - began > 10:
        raise RuntimeError("the statement was not cancelled")
    yield from wire.simple("ROLLBACK TO before; SELECT 'and goes on'; COMMIT")
