"""Records what real clients and a real PostgreSQL say to each other, message by message, for the codec's laws.

    capture.py HOST:PORT USER DATABASE FOLDER

Clients connect through a relay of its own, without TLS, to a backend that trusts them (scripts/pg-cluster.sh makes
one). One file per client, with all its connections, each begun by `# connection`:
`> HEX` a message of the client, `< HEX` one of the backend, `> startup HEX` a packet without a type byte,
`< answer HEX` the one byte that answers SSLRequest and GSSENCRequest.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading

import psycopg
from psycopg import pq

PSQL = os.environ.get("SALLYPORT_TEST_PG_BIN", "/usr/lib/postgresql/15/bin") + "/psql"
PGBENCH = PSQL.removesuffix("psql") + "pgbench"
ENCRYPTION_REQUESTS = (80877103, 80877104)


class Recorder:
    """Takes the bytes of both sides in the order in which they pass, and writes whole messages."""

    def __init__(self):
        self.lock = threading.Lock()
        self.lines = []
        self.rest = {">": b"", "<": b""}
        self.answers_due = 0
        self.is_started = False

    def take(self, side, data):
        with self.lock:
            self.rest[side] += data
            while self.take_one(side):
                pass

    def take_one(self, side):
        data = self.rest[side]
        if side == "<" and self.answers_due and data:
            self.answers_due -= 1
            return self.write(side, "answer ", 1)
        if side == ">" and not self.is_started:
            if len(data) < 8 or len(data) < (size := int.from_bytes(data[:4], "big")):
                return False
            if int.from_bytes(data[4:8], "big") in ENCRYPTION_REQUESTS:
                self.answers_due += 1
            else:
                self.is_started = True
            return self.write(side, "startup ", size)
        if len(data) < 5 or len(data) < 1 + (size := int.from_bytes(data[1:5], "big")):
            return False
        return self.write(side, "", 1 + size)

    def write(self, side, label, size):
        data = self.rest[side]
        self.lines.append(f"{side} {label}{data[:size].hex()}")
        self.rest[side] = data[size:]
        return True


def pump(source, drain, side, recorder):
    try:
        while data := source.recv(65536):
            recorder.take(side, data)
            drain.sendall(data)
    except OSError:
        pass  # Who has gone away has nothing more to say.
    try:
        drain.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(listener, backend, recorders):
    while True:
        client, _ = listener.accept()
        peer = socket.create_connection(backend)
        recorder = Recorder()
        recorders.append(recorder)
        for arguments in ((client, peer, ">", recorder), (peer, client, "<", recorder)):
            threading.Thread(target=pump, args=arguments, daemon=True).start()


# --- Sessions --------------------------------------------------------------------------------------------------------

PSQL_SCRIPT = r"""
CREATE TEMP TABLE t (id int PRIMARY KEY, note text, data bytea);
\copy t (id, note) from stdin
1	one
2	\N
\.
\copy t to stdout
SELECT *, 1.5::numeric FROM t ORDER BY id;
INSERT INTO t VALUES (1, 'again');
SELECT
BEGIN; SAVEPOINT s; SELECT 1/0;
ROLLBACK;
DO $$BEGIN RAISE NOTICE 'look %', 1; END$$;
LISTEN jobs; NOTIFY jobs, 'now';
;
SET TimeZone = 'Europe/Berlin';
\lo_import :file
\set FETCH_COUNT 1
SELECT id FROM t;
\d nothing_*
COPY t FROM STDIN;
not a number
\.
"""


def run_psql(dsn):
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"a large object\n" * 200)
        file.flush()
        subprocess.run(
            [PSQL, "-X", "-q", "-v", f"file={file.name}", "-d", dsn], input=PSQL_SCRIPT.encode(),
            capture_output=True, timeout=30)


def run_psycopg(dsn):
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=0) as connection:
        connection.execute("CREATE TEMP TABLE t (id int, data bytea)")
        connection.execute("INSERT INTO t VALUES (%s, %b), (%s, NULL)", (1, b"\x00\xff", 2))
        connection.execute("SELECT * FROM t", binary=True).fetchall()
        with connection.pipeline(), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.execute("SELECT %s", ("é",))
        try:
            with connection.pipeline():
                connection.execute("SELECT 1/0")
                connection.execute("SELECT 2")
        except psycopg.Error:
            pass
        with connection.cursor().copy("COPY t FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["int4", "bytea"])
            copy.write_row((3, b"x"))
        with connection.cursor().copy("COPY t TO STDOUT (FORMAT BINARY)") as copy:
            list(copy)
        with connection.transaction(), connection.cursor("named", binary=True) as cursor:
            cursor.execute("SELECT generate_series(1, 5)")
            cursor.itersize = 2
            list(cursor)
        stream = connection.cursor().stream("SELECT generate_series(1, 3)")
        list(stream)


def run_libpq(dsn):
    """What higher layers seldom send: portals described and closed, wrong messages, a cancel request."""
    connection = pq.PGconn.connect(dsn.encode())
    connection.prepare(b"s", b"SELECT $1::int, $2::text", [23, 0])
    connection.describe_prepared(b"s")
    connection.exec_prepared(b"s", [b"\x00\x00\x00\x07", b"x"], [1, 0], 1)
    connection.exec_params(b"DECLARE c CURSOR WITH HOLD FOR SELECT 1", None)
    connection.describe_portal(b"c")
    connection.exec_params(b"", None)
    connection.exec_prepared(b"nothing", None)
    connection.exec_(b"COPY (SELECT 1) TO STDOUT")
    while connection.get_copy_data(0)[0] > 0:
        pass
    connection.get_cancel().cancel()
    connection.finish()


def run_pgbench(mode):
    def run(dsn):
        script = "SELECT abalance FROM (VALUES (1)) AS t (abalance) WHERE abalance = :client_id + 1;\n"
        subprocess.run(
            [PGBENCH, "-n", "-c", "1", "-t", "3", "-M", mode, "-f", "/dev/stdin", dsn], input=script.encode(),
            capture_output=True, timeout=30)
    return run


def run_libpq_beside(dsn):
    """libpq waits without letting other threads run."""
    subprocess.run([sys.executable, __file__, dsn], timeout=30)


SESSIONS = {"psql": run_psql, "psycopg": run_psycopg, "libpq": run_libpq_beside} | {
    f"pgbench-{mode}": run_pgbench(mode) for mode in ("simple", "extended", "prepared")
}


def main():
    if len(sys.argv) == 2:
        return run_libpq(sys.argv[1])
    address, user, database, folder = sys.argv[1:]
    host, port = address.rsplit(":", 1)
    listener = socket.create_server(("127.0.0.1", 0))
    recorders = []
    threading.Thread(target=serve, args=(listener, (host, int(port)), recorders), daemon=True).start()
    dsn = f"host=127.0.0.1 port={listener.getsockname()[1]} user={user} dbname={database} sslmode=disable"
    for name, run in SESSIONS.items():
        del recorders[:]
        run(dsn)
        with open(f"{folder}/{name}.hex", "w") as file:
            print(f"# {name}, PostgreSQL 15; made by Tests/clients/capture.py", file=file)
            for recorder in recorders:
                print("# connection", *recorder.lines, sep="\n", file=file)


main()
