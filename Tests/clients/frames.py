"""One connection by a socket of its own, without any client library: what the backend sent is kept frame by frame.

A frame is (type, body): one byte and everything behind the length.
"""

import base64
import hashlib
import hmac
import json
import os
import socket
import ssl
import struct

from psycopg.conninfo import conninfo_to_dict

SILENCE_SECONDS = 30
TERMINATE = b"X\0\0\0\4"


def frame(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


def zero(text):
    return (text if isinstance(text, bytes) else text.encode()) + b"\0"


def counted(values):
    """Values with their lengths, as Bind and FunctionCall have them; None is NULL."""
    parts = [struct.pack("!h", len(values))]
    for value in values:
        parts.append(struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value)
    return b"".join(parts)


def shorts(values):
    return struct.pack(f"!h{len(values)}h", len(values), *values)


def query(text):
    return frame(b"Q", zero(text))


def parse(text, name="", types=()):
    return frame(b"P", zero(name) + zero(text) + struct.pack(f"!h{len(types)}I", len(types), *types))


def bind(values=(), portal="", name="", formats=(), results=()):
    return frame(b"B", zero(portal) + zero(name) + shorts(formats) + counted(values) + shorts(results))


def describe(kind, name=""):
    return frame(b"D", kind + zero(name))


def execute(portal="", limit=0):
    return frame(b"E", zero(portal) + struct.pack("!i", limit))


def close(kind, name=""):
    return frame(b"C", kind + zero(name))


def function_call(routine, values, formats=(1,), result=1):
    return frame(b"F", struct.pack("!I", routine) + shorts(formats) + counted(values) + struct.pack("!h", result))


def copy_data(data):
    return frame(b"d", data)


def copy_fail(words):
    return frame(b"f", zero(words))


SYNC, FLUSH, COPY_DONE = frame(b"S"), frame(b"H"), frame(b"c")


class Peer:
    """A signed-in connection; `startup` holds the frames that came before the first ReadyForQuery."""

    def __init__(self, dsn, **parameters):
        at = conninfo_to_dict(dsn)
        self.socket = socket.create_connection((at.get("hostaddr") or at["host"], int(at["port"])), timeout=SILENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if at.get("sslmode", "disable") != "disable":
            self._secure(at["host"], at.get("sslrootcert"))
        self.reader = self.socket.makefile("rb", buffering=1 << 16)
        self.pid = None
        self.is_over = False
        words = {"user": at["user"], "database": at["dbname"], **parameters}
        body = struct.pack("!i", 196608) + b"".join(zero(name) + zero(value) for name, value in words.items()) + b"\0"
        self.socket.sendall(struct.pack("!i", len(body) + 4) + body)
        self._sign_in(at.get("password", ""))
        self.startup = self.read()

    def _secure(self, host, authority):
        self.socket.sendall(struct.pack("!ii", 8, 80877103))
        if self.socket.recv(1) != b"S":
            raise RuntimeError("no TLS here")
        context = ssl.create_default_context(cafile=authority)
        if not authority:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket, server_hostname=host)

    def _sign_in(self, password):
        while True:
            kind, body = self._frame()
            if kind == b"E":
                raise RuntimeError(f"no sign-in: {body!r}")
            method = struct.unpack("!i", body[:4])[0]
            if method == 0:
                return
            if method == 3:
                self.send(frame(b"p", zero(password)))
            elif method == 10:
                self._scram(password)
            else:
                raise RuntimeError(f"authentication {method} is not spoken here")

    def _scram(self, password):
        """RFC 5802 without channel binding."""
        nonce = base64.b64encode(os.urandom(18)).decode()
        bare = f"n=,r={nonce}"
        first = ("n,," + bare).encode()
        self.send(frame(b"p", zero("SCRAM-SHA-256") + struct.pack("!i", len(first)) + first))
        challenge = self._frame()[1][4:].decode()
        given = dict(part.split("=", 1) for part in challenge.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(given["s"]), int(given["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        last = f"c=biws,r={given['r']}"
        signature = hmac.digest(hashlib.sha256(key).digest(), f"{bare},{challenge},{last}".encode(), "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        self.send(frame(b"p", f"{last},p={proof}".encode()))
        kind, body = self._frame()
        if kind == b"E":
            raise RuntimeError(f"no sign-in: {body!r}")

    def send(self, *frames):
        self.socket.sendall(b"".join(frames))

    def _frame(self):
        head = self.reader.read(5)
        if len(head) < 5:
            self.is_over = True
            return b"", b"connection closed"
        kind, size = struct.unpack("!ci", head)
        if kind == b"K":
            self.pid = self.reader.read(size - 4)[:4]
            return kind, b"(key)"
        return kind, self.reader.read(size - 4)

    def read(self, ready=1, until=b"", copy=None):
        """Frames up to the `ready`th ReadyForQuery, or one of the types in `until`.

        A CopyInResponse is answered with the messages in `copy`.
        """
        frames = []
        while ready and not self.is_over:
            kind, body = self._frame()
            frames.append((kind, body))
            if kind == b"G" and copy is not None:
                self.socket.sendall(copy)
            ready -= kind == b"Z"
            if kind and kind in until:
                break
        return frames

    def close(self):
        try:
            self.socket.sendall(TERMINATE)
        except OSError:
            pass
        self.reader.close()
        self.socket.close()


class Normaliser:
    """Replaces what cannot be equal in two runs, and nothing else.

    own-pid      NotificationResponse: the sender's process number becomes 1 when it is the connection's own, else 2
    created      RowDescription, ParameterDescription: the number of a table or type made during the run becomes its
                 rank among those
    person       ParameterStatus application_name: through the gateway it is the person's name
    """

    def __init__(self, pid, created_after):
        self.pid, self.created_after = pid, created_after
        self.created = {}

    def __call__(self, found):
        kind, body = found
        if kind == b"A":
            return kind, struct.pack("!i", 1 if body[:4] == self.pid else 2) + body[4:]
        if kind == b"T":
            return kind, self._columns(body)
        if kind == b"t":
            count = struct.unpack("!h", body[:2])[0]
            return kind, body[:2] + b"".join(struct.pack("!I", self._rank(oid)) for oid in struct.unpack(f"!{count}I", body[2:]))
        if kind == b"S" and body.startswith(b"application_name\0"):
            return kind, b"application_name\0(person)\0"
        return kind, body

    def _rank(self, oid):
        if oid <= self.created_after:
            return oid
        return self.created.setdefault(oid, 0xF0000000 + len(self.created))

    def _columns(self, body):
        parts, at = [body[:2]], 2
        while at < len(body):
            end = body.index(b"\0", at) + 1
            table, column, kind, size, modifier, form = struct.unpack("!IhIhih", body[end:end + 18])
            parts.append(body[at:end] + struct.pack("!IhIhih", self._rank(table), column, self._rank(kind), size, modifier, form))
            at = end + 18
        return b"".join(parts)


def shown(found, limit=160):
    """A frame for people."""
    kind, body = found
    text = json.dumps(body[:limit].decode("latin-1"))
    return f"{kind.decode('latin-1')}({len(body)}) {text}" + (f" sha256 {hashlib.sha256(body).hexdigest()[:12]}" if len(body) > limit else "")
