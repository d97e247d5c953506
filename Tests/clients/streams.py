"""Messages longer than anybody keeps, and peers that stop reading; by the wire, with little memory of its own.

    streams.py CASE DSN MEBIBYTES [DIRECT_DSN]
"""

import faulthandler
import hashlib
import os
import select
import signal
import socket
import ssl
import struct
import sys
import time

import psycopg

MIB = 1 << 20
CHUNK = bytes(range(256)) * 4096
SILENCE_SECONDS = 60


def frame(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


def expect(condition, words):
    if not condition:
        sys.exit(f"line {sys._getframe(1).f_lineno}: {words}")


class Peer:
    """A signed-in session."""

    def __init__(self, dsn):
        at = psycopg.conninfo.conninfo_to_dict(dsn)
        self.socket = socket.create_connection((at["host"], int(at["port"])), timeout=SILENCE_SECONDS)
        if at.get("sslmode") == "require":
            self.socket.sendall(struct.pack("!ii", 8, 80877103))
            expect(self.socket.recv(1) == b"S", "no TLS")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        body = struct.pack("!i", 196608) + b"".join(
            word.encode() + b"\0" for word in ("user", at["user"], "database", at["dbname"])) + b"\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        kind, _ = self.read()
        expect(kind == b"R", f"not asked for a password: {kind}")
        self.send(frame(b"p", at["password"].encode() + b"\0"))
        while (message := self.read())[0] != b"Z":
            expect(message[0] != b"E", message[1])
            if message[0] == b"K":
                self.backend = struct.unpack("!i", message[1][:4])[0]

    def send(self, data):
        self.socket.sendall(data)

    def exactly(self, size):
        data = bytearray()
        while len(data) < size:
            more = self.socket.recv(min(size - len(data), MIB))
            expect(more, "the connection ended")
            data += more
        return bytes(data)

    def header(self):
        kind, size = struct.unpack("!ci", self.exactly(5))
        return kind, size - 4

    def read(self):
        kind, size = self.header()
        return kind, self.exactly(size)

    def until_ready(self):
        """The kinds of the messages up to ReadyForQuery, and the status in it."""
        kinds = b""
        while True:
            kind, body = self.read()
            kinds += kind
            if kind == b"E":
                kinds += body.split(b"\0C")[1][:5]
            if kind == b"Z":
                return kinds, body

    def digest(self, size):
        digest = hashlib.md5()
        while size > 0:
            more = self.socket.recv(min(size, MIB))
            expect(more, "the connection ended in mid-frame")
            digest.update(more)
            size -= len(more)
        return digest.hexdigest()

    def bind(self, size):
        """The front of a Bind of one binary value, and what asks for its result in binary."""
        head = b"\0\0" + struct.pack("!hhhi", 1, 1, 1, size)
        tail = struct.pack("!hh", 1, 1)
        return b"B" + struct.pack("!i", 4 + len(head) + size + len(tail)) + head, tail

    def send_value(self, count):
        """`count` MiB; their digest."""
        digest = hashlib.md5()
        for _ in range(count):
            digest.update(CHUNK)
            self.send(CHUNK)
        return digest.hexdigest()


# --- Cases -----------------------------------------------------------------------------------------------------------


def echo(dsn, count):
    """A parameter goes in as one message and comes back as one row."""
    peer = Peer(dsn)
    head, tail = peer.bind(count * MIB)
    peer.send(frame(b"P", b"\0SELECT $1::bytea\0\0\0") + head)
    sent = peer.send_value(count)
    peer.send(tail + frame(b"E", bytes(5)) + frame(b"S"))
    expect([peer.read()[0], peer.read()[0]] == [b"1", b"2"], "the value was not taken")
    kind, size = peer.header()
    expect(kind == b"D" and size == count * MIB + 6, f"{kind} of {size} bytes")
    peer.exactly(6)
    expect(peer.digest(count * MIB) == sent, "other bytes came back")
    expect(peer.until_ready() == (b"CZ", b"I"), "no good end")


def denied(dsn, count):
    """A value whose statement may not run is dropped as it comes, and the session goes on."""
    peer = Peer(dsn)
    head, tail = peer.bind(count * MIB)
    peer.send(frame(b"P", b"\0DELETE FROM nothing WHERE data = $1\0\0\0") + head)
    peer.send_value(count)
    peer.send(tail + frame(b"E", bytes(5)) + frame(b"S"))
    expect(peer.until_ready() == (b"E42501Z", b"I"), "it was not refused")
    peer.send(frame(b"Q", b"SELECT 1\0"))
    expect(peer.until_ready() == (b"TDCZ", b"I"), "the session does not go on")


def large_object(dsn, count):
    """lowrite and loread by FunctionCall, as libpq has it, in one piece each."""
    peer = Peer(dsn)

    def call(function, *arguments):
        body = struct.pack("!ihhh", function, 1, 1, len(arguments))
        for value in arguments:
            body += struct.pack("!i", len(value)) + value
        peer.send(frame(b"F", body + struct.pack("!h", 1)))

    def result():
        kind, size = peer.header()
        expect(kind == b"V", f"{kind} of {size} bytes")
        return struct.unpack("!i", peer.exactly(4))[0], size - 4

    def number(function, *arguments):
        call(function, *(struct.pack("!i", value) for value in arguments))
        size = result()[1]
        found = struct.unpack("!i", peer.exactly(size))[0]
        expect(peer.until_ready()[0] == b"Z", "no good end")
        return found

    peer.send(frame(b"Q", b"BEGIN\0"))
    peer.until_ready()
    descriptor = number(952, number(957, 0x60000), 0x60000)  # lo_open of lo_creat, INV_READ | INV_WRITE
    call(955, struct.pack("!i", descriptor), CHUNK * count)
    expect(result() == (4, 4) and struct.unpack("!i", peer.exactly(4))[0] == count * MIB, "not all was written")
    peer.until_ready()
    number(956, descriptor, 0, 0)  # lo_lseek to its begin
    call(954, struct.pack("!i", descriptor), struct.pack("!i", count * MIB))
    expect(result()[1] == count * MIB, "not all was read")
    expect(peer.digest(count * MIB) == hashlib.md5(CHUNK * count).hexdigest(), "other bytes came back")
    peer.until_ready()
    peer.send(frame(b"Q", b"ROLLBACK\0"))
    expect(peer.until_ready() == (b"CZ", b"I"), "no good end")


def wait_event(direct, backend):
    return direct.execute("SELECT wait_event FROM pg_stat_activity WHERE pid = %s", (backend,)).fetchone()[0]


def slow_reader(dsn, count, direct_dsn):
    """A client that asks for much and does not read: the backend has to wait, and nobody keeps the rows."""
    with psycopg.connect(direct_dsn, autocommit=True) as direct:
        peer = Peer(dsn)
        peer.send(frame(b"Q", f"SELECT repeat('x', 8192) FROM generate_series(1, {count * 128})\0".encode()))
        end = time.monotonic() + 30
        while wait_event(direct, peer.backend) != "ClientWrite":
            expect(time.monotonic() < end, "the backend never waits for the client")
            time.sleep(0.01)
        kinds, _ = peer.until_ready()
        expect(kinds == b"T" + b"D" * (count * 128) + b"CZ", "rows were lost")


def slow_backend(dsn, count, direct_dsn):
    """A backend that does not read: the client has to wait, and nobody keeps the value."""
    peer = Peer(dsn)
    head, tail = peer.bind(count * MIB)
    os.kill(peer.backend, signal.SIGSTOP)
    try:
        peer.send(frame(b"P", b"\0SELECT length($1::bytea)\0\0\0") + head)
        peer.socket.setblocking(False)
        sent = 0
        # Until nothing more is taken for a while: then everything on the way is full.
        while sent < count * MIB and select.select([], [peer.socket], [], 2)[1]:
            try:
                sent += peer.socket.send(CHUNK[sent % MIB:])
            except BlockingIOError:
                pass
        expect(sent < count * MIB, "somebody took the whole value")
    finally:
        os.kill(peer.backend, signal.SIGCONT)
    peer.socket.settimeout(SILENCE_SECONDS)
    while sent < count * MIB:
        sent += peer.socket.send(CHUNK[sent % MIB:])
    peer.send(tail + frame(b"E", bytes(5)) + frame(b"S"))
    expect(peer.until_ready() == (b"12DCZ", b"I"), "no good end")


faulthandler.dump_traceback_later(280, exit=True)
case, arguments = sys.argv[1], sys.argv[2:]
globals()[case](arguments[0], int(arguments[1]), *arguments[2:])
