"""Sequences of messages that a statement cannot say: portals, partial fetches, pipelines, formats, COPY, FunctionCall.

Each is a function of one connection that sends frames and returns all that came; corpus.py runs it on both sides and
compares.
"""

import struct

from frames import (COPY_DONE, FLUSH, SYNC, Peer, bind, close, copy_data, copy_fail, describe, execute, frame, function_call, parse,
                    query)

RESET = """DROP SCHEMA IF EXISTS corpus_exchange CASCADE; CREATE SCHEMA corpus_exchange;
CREATE TABLE corpus_exchange.t (id integer PRIMARY KEY, label text, data bytea);
INSERT INTO corpus_exchange.t SELECT n, 'row ' || n, decode(md5(n::text), 'hex') FROM generate_series(1, 50) n"""
INT4, INT8, TEXT, BYTEA, OID = 23, 20, 25, 17, 26
SERIES = "SELECT n, n * 2, 'x' || n FROM generate_series(1, 10) n"
PORTAL, STATEMENT = b"P", b"S"
_exchanges = []


def exchange(name, syncs=1, copy=None):
    """The function yields what is sent, in one piece or in several that each wait for one ReadyForQuery."""
    def keep(function):
        def run(peer, normalise, dsn):
            frames = []
            for sent in function(peer, dsn):
                count = syncs
                if isinstance(sent, tuple):
                    sent, count = sent
                peer.send(*sent)
                frames += peer.read(count, copy=copy)
            yield name, [normalise(found) for found in frames]
        _exchanges.append((name, run))
        return run
    return keep


def all_exchanges():
    return list(_exchanges)


def extended(text, values=(), results=(), formats=(), types=(), limit=0):
    return [parse(text, types=types), bind(values, formats=formats, results=results), describe(PORTAL), execute(limit=limit)]


@exchange("describe a statement and a portal")
def _(peer, dsn):
    yield [parse("SELECT id, label FROM corpus_exchange.t WHERE id = $1", "one"), describe(STATEMENT, "one"), SYNC]
    yield [bind([b"7"], "p", "one"), describe(PORTAL, "p"), execute("p"), close(PORTAL, "p"), SYNC]
    yield [close(STATEMENT, "one"), SYNC]
    yield [describe(STATEMENT, "one"), SYNC]


@exchange("describe what returns nothing")
def _(peer, dsn):
    yield [parse("INSERT INTO corpus_exchange.t (id) VALUES ($1)", "i"), describe(STATEMENT, "i"), bind([b"90"], "", "i"), describe(PORTAL), execute(), SYNC]
    yield [parse(""), bind(), describe(PORTAL), execute(), SYNC]


@exchange("no describe at all")
def _(peer, dsn):
    yield [parse(SERIES), bind(), execute(), SYNC]
    yield [parse(SERIES), bind(results=[1]), execute(), SYNC]


@exchange("a portal fetched in parts")
def _(peer, dsn):
    yield [parse(SERIES), bind(), execute(limit=3), execute(limit=3), execute(limit=1), execute(), execute(), SYNC]
    yield [query("BEGIN")]
    yield [parse(SERIES), bind(portal="far"), execute("far", 4), SYNC]
    yield [execute("far", 4), SYNC]
    yield [execute("far", 4), execute("far", 4), SYNC]
    yield [query("COMMIT")]
    yield [execute("far", 1), SYNC]


@exchange("a limit that is exactly the number of rows")
def _(peer, dsn):
    yield [parse(SERIES), bind(), execute(limit=10), execute(limit=10), SYNC]


@exchange("two portals interleaved")
def _(peer, dsn):
    yield [query("BEGIN")]
    yield [parse(SERIES, "s"), bind(portal="a", name="s"), bind(portal="b", name="s", results=[1]), execute("a", 2), execute("b", 3), execute("a", 2), describe(PORTAL, "b"), execute("b", 1), SYNC]
    yield [execute("b"), execute("a"), SYNC]
    yield [query("ROLLBACK")]


@exchange("the same portal name twice")
def _(peer, dsn):
    yield [query("BEGIN")]
    yield [parse(SERIES), bind(portal="dup"), bind(portal="dup"), SYNC]
    yield [query("ROLLBACK")]


@exchange("a statement name twice, a portal of nothing")
def _(peer, dsn):
    yield [parse("SELECT 1", "twice"), parse("SELECT 2", "twice"), SYNC]
    yield [bind(name="nobody"), execute(), SYNC]
    yield [execute("nobody"), SYNC]
    yield [describe(PORTAL, "nobody"), SYNC]
    yield [close(STATEMENT, "nobody"), close(PORTAL, "nobody"), SYNC]


@exchange("the unnamed statement is replaced and survives a Sync")
def _(peer, dsn):
    yield [parse("SELECT 1"), SYNC]
    yield [bind(), execute(), SYNC]
    yield [parse("SELECT 2"), SYNC]
    yield [bind(), execute(), bind(), execute(), SYNC]
    yield [query("SELECT 'gone'")]
    yield [bind(), execute(), SYNC]


@exchange("closed, then used")
def _(peer, dsn):
    yield [parse("SELECT 1", "c"), close(STATEMENT, "c"), bind(name="c"), execute(), SYNC]


@exchange("a portal ends with its statement's close")
def _(peer, dsn):
    yield [parse("SELECT 1", "c"), bind(portal="p", name="c"), close(STATEMENT, "c"), execute("p"), SYNC]


@exchange("flush instead of sync")
def _(peer, dsn):
    peer.send(parse("SELECT $1::int", "f"), FLUSH)
    frames = peer.read(until=b"1")
    peer.send(describe(STATEMENT, "f"), FLUSH)
    frames += peer.read(until=b"T")
    peer.send(bind([b"5"], "", "f"), execute(), FLUSH)
    frames += peer.read(until=b"C")
    yield [SYNC]


@exchange("flush and an error")
def _(peer, dsn):
    peer.send(parse("SELECT 1 / 0"), bind(), execute(), FLUSH)
    peer.read(until=b"E")
    peer.send(parse("SELECT 'skipped'"), bind(), execute(), FLUSH)
    yield [SYNC]
    yield [query("SELECT 'next'")]


@exchange("parameter types given, some, none")
def _(peer, dsn):
    for types in ([], [INT4], [INT8, TEXT], [0, BYTEA]):
        yield [parse("SELECT $1 + 1, $2 || 'x'" if types[1:] != [BYTEA] else "SELECT $1 + 1, $2", "t", types), describe(STATEMENT, "t"), close(STATEMENT, "t"), SYNC]


@exchange("types that cannot be inferred")
def _(peer, dsn):
    yield [parse("SELECT $1", "u"), describe(STATEMENT, "u"), SYNC]
    yield [parse("SELECT $1 = $1"), SYNC]
    yield [parse("SELECT $2::int"), SYNC]
    yield [parse("SELECT $1", types=[999999]), SYNC]


@exchange("formats: none, one for all, each its own")
def _(peer, dsn):
    text = "SELECT $1::int4, $2::text, $3::bytea"
    number = struct.pack("!i", 258)
    for formats, values in (((), [b"258", b"t", b"\\x01"]), ((1,), [number, b"t", b"\1"]), ((1, 0, 1), [number, b"t", b"\1"])):
        for results in ((), (1,), (0, 1, 0)):
            yield [*extended(text, values, results, formats), SYNC]


@exchange("formats that are wrong")
def _(peer, dsn):
    yield [*extended("SELECT 1, 2, 3", results=(0, 1)), SYNC]
    yield [*extended("SELECT $1::int", [b"1"], formats=(7,)), SYNC]
    yield [*extended("SELECT 1", results=(9,)), SYNC]


@exchange("too few and too many parameters")
def _(peer, dsn):
    yield [*extended("SELECT $1::int, $2::int", [b"1"]), SYNC]
    yield [*extended("SELECT $1::int", [b"1", b"2"]), SYNC]
    yield [*extended("SELECT 1", [b"1"]), SYNC]


@exchange("binary values that are broken")
def _(peer, dsn):
    yield [*extended("SELECT $1::int", [b"\0\1"], formats=(1,)), SYNC]
    yield [*extended("SELECT $1::timestamptz", [b"12345"], formats=(1,)), SYNC]
    yield [*extended("SELECT $1::int[]", [b"\0" * 11], formats=(1,)), SYNC]
    yield [*extended("SELECT $1::text", [b"\xff"], formats=(1,)), SYNC]
    yield [*extended("SELECT $1::text", [b"a\0b"]), SYNC]


@exchange("65,535 parameters are one too many of none")
def _(peer, dsn):
    body = b"\0\0" + struct.pack("!h", 0) + struct.pack("!H", 0) + struct.pack("!h", 0)
    yield [parse("SELECT 1"), frame(b"B", body), execute(), SYNC]


@exchange("a pipeline of a hundred and one Sync")
def _(peer, dsn):
    yield [part for n in range(100) for part in extended("SELECT $1::int * 3", [str(n).encode()])] + [SYNC]


@exchange("a pipeline of a hundred Syncs", syncs=100)
def _(peer, dsn):
    yield [part for n in range(100) for part in [*extended("SELECT label FROM corpus_exchange.t WHERE id = $1", [str(n).encode()]), SYNC]]


@exchange("an error in a pipeline skips to its Sync", syncs=2)
def _(peer, dsn):
    yield [*extended("INSERT INTO corpus_exchange.t VALUES (200)"), *extended("SELECT 1 / 0"), *extended("SELECT 'skipped'"),
           parse("SELECT 1", "skipped"), SYNC, *extended("SELECT count(*) FROM corpus_exchange.t WHERE id = 200"), SYNC]


@exchange("BEGIN and COMMIT in a pipeline", syncs=3)
def _(peer, dsn):
    yield [*extended("BEGIN"), *extended("INSERT INTO corpus_exchange.t VALUES (201)"), SYNC, *extended("SELECT 1 / 0"), SYNC, *extended("COMMIT"), SYNC]


@exchange("simple and extended in one pipeline", syncs=4)
def _(peer, dsn):
    yield [query("SELECT 'a'"), *extended("SELECT 'b'"), SYNC, query("SELECT 1 / 0; SELECT 'never'"), query("SELECT 'c'")]


@exchange("simple queries sent at once", syncs=50)
def _(peer, dsn):
    yield [query(f"SELECT {n}, pg_sleep(0)") for n in range(50)]


@exchange("a simple query behind an unsynced error")
def _(peer, dsn):
    yield [*extended("SELECT 1 / 0"), query("SELECT 'dropped by the skip'"), SYNC]


@exchange("COPY in by the extended protocol", copy=copy_data(b"300\tone\t\\N\n301\ttwo\t\\N\n") + COPY_DONE + SYNC)
def _(peer, dsn):
    yield [parse("COPY corpus_exchange.t FROM STDIN"), bind(), describe(PORTAL), execute(), SYNC]
    yield [query("SELECT count(*) FROM corpus_exchange.t WHERE id >= 300")]


@exchange("COPY in, one byte a message", copy=b"".join(copy_data(bytes([c])) for c in b"310\tbytes\t\\N\n311\t\xc3\xbc\t\\N\n") + COPY_DONE)
def _(peer, dsn):
    yield [query("COPY corpus_exchange.t FROM STDIN; SELECT count(*) FROM corpus_exchange.t WHERE id >= 310")]


@exchange("COPY in, with empty messages, Flush and Sync in it", copy=copy_data(b"") + FLUSH + copy_data(b"320\ta\t\\N\n") + SYNC + COPY_DONE)
def _(peer, dsn):
    yield [query("COPY corpus_exchange.t FROM STDIN")]


@exchange("COPY in, given up", copy=copy_data(b"330\ta\t\\N\n") + copy_fail("changed my mind"))
def _(peer, dsn):
    yield [query("COPY corpus_exchange.t FROM STDIN")]
    yield [query("SELECT count(*) FROM corpus_exchange.t WHERE id = 330")]


@exchange("COPY in, refused in the middle", copy=copy_data(b"340\ta\t\\N\n") + copy_data(b"bad\ta\t\\N\n") + copy_data(b"341\ta\t\\N\n") + COPY_DONE)
def _(peer, dsn):
    yield [query("COPY corpus_exchange.t FROM STDIN")]
    yield [query("SELECT 'next'")]


@exchange("COPY twice in one string", copy=copy_data(b"350\ta\t\\N\n") + COPY_DONE)
def _(peer, dsn):
    yield [query("COPY corpus_exchange.t (id) FROM STDIN (DELIMITER '|'); COPY (SELECT 1) TO STDOUT")]
    yield [query("COPY (SELECT 1) TO STDOUT; COPY (SELECT 2, 3) TO STDOUT (FORMAT binary)")]


@exchange("COPY data outside of COPY")
def _(peer, dsn):
    yield [copy_data(b"nothing asked for this"), COPY_DONE, query("SELECT 'goes on'")]
    yield [copy_fail("nor this"), SYNC]


def binary_copy():
    rows = b"".join(struct.pack("!hii", 3, 4, n) + struct.pack("!i", 5) + b"b%04d" % n + struct.pack("!i", -1) for n in range(400, 600))
    return b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0) + rows + struct.pack("!h", -1)


@exchange("COPY in, binary", copy=copy_data(binary_copy()[:1000]) + copy_data(binary_copy()[1000:]) + COPY_DONE)
def _(peer, dsn):
    yield [query("COPY corpus_exchange.t FROM STDIN (FORMAT binary)")]
    yield [query("COPY (SELECT * FROM corpus_exchange.t WHERE id >= 400 ORDER BY id) TO STDOUT (FORMAT binary)")]


@exchange("COPY in, binary with a bad header", copy=copy_data(b"PGCOPX\n\xff\r\n\0" + bytes(8)) + COPY_DONE)
def _(peer, dsn):
    yield [query("COPY corpus_exchange.t FROM STDIN (FORMAT binary)")]


@exchange("FunctionCall: text and binary, NULL, unknown, wrong")
def _(peer, dsn):
    sqrt, upper = 1344, 871  # pg_proc: dsqrt(float8), upper(text)
    yield [function_call(sqrt, [struct.pack("!d", 2.0)])]
    yield [function_call(sqrt, [b"2"], formats=(), result=0)]
    yield [function_call(upper, ["grüße".encode()], formats=(0,), result=0)]
    yield [function_call(upper, [None])]
    yield [function_call(99999999, [])]
    yield [function_call(sqrt, [])]
    yield [function_call(sqrt, [b"2"], formats=(1,))]
    yield [query("SELECT 'goes on'")]


@exchange("a large object by FunctionCall")
def _(peer, dsn):
    create, open_, write, seek, read, close_, unlink, tell = 715, 952, 955, 956, 954, 953, 964, 958
    number = struct.pack("!I", 424243)
    descriptor = struct.pack("!i", 0)
    data = bytes(range(256)) * 200
    yield [query("BEGIN")]
    yield [function_call(create, [number])]
    yield [function_call(open_, [number, struct.pack("!i", 0x60000)])]
    yield [function_call(write, [descriptor, data])]
    yield [function_call(tell, [descriptor])]
    yield [function_call(seek, [descriptor, struct.pack("!i", 100), struct.pack("!i", 0)])]
    yield [function_call(read, [descriptor, struct.pack("!i", 60000)])]
    yield [function_call(close_, [descriptor])]
    yield [function_call(close_, [descriptor])]
    yield [query("ROLLBACK")]
    yield [function_call(unlink, [number])]


@exchange("NOTIFY between two connections")
def _(peer, dsn):
    yield [query("LISTEN exchange_news")]
    other = Peer(dsn)
    other.send(query("NOTIFY exchange_news, 'from afar'"))
    other.read()
    yield [query("BEGIN; SELECT 1")]
    yield [query("COMMIT")]
    other.close()
    yield [query("NOTIFY exchange_news, 'mine'")]
    yield [query("UNLISTEN *")]


@exchange("a notification that arrives while nothing runs")
def _(peer, dsn):
    yield [query("LISTEN exchange_idle")]
    other = Peer(dsn)
    other.send(query("NOTIFY exchange_idle"))
    other.read()
    other.close()
    peer.read(until=b"A")
    yield [query("UNLISTEN *")]


@exchange("an error that is FATAL ends the connection")
def _(peer, dsn):
    yield [query("SELECT 1")]
    yield [query("SELECT pg_terminate_backend(pg_backend_pid())")]


@exchange("an odd name of 5,000 bytes")
def _(peer, dsn):
    name = "ü 'q' \"d\" \\ ;" * 300
    yield [parse("SELECT 'odd'", name), bind(portal=name, name=name), describe(PORTAL, name), execute(name), close(PORTAL, name), close(STATEMENT, name), SYNC]


@exchange("a value of 8 MiB each way, text and binary")
def _(peer, dsn):
    value = bytes(range(1, 128)) * (8 * 8192)
    yield [*extended("SELECT $1::text", [value]), SYNC]
    yield [*extended("SELECT $1", [value], results=(1,), formats=(1,), types=[BYTEA]), SYNC]


@exchange("2,000 prepared statements", syncs=1)
def _(peer, dsn):
    yield [parse(f"SELECT {n}", f"s{n}") for n in range(2000)] + [SYNC]
    yield [part for n in range(0, 2000, 7) for part in (bind(name=f"s{n}"), execute())] + [SYNC]
    yield [query("DEALLOCATE ALL")]
    yield [bind(name="s7"), execute(), SYNC]
