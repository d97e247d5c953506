"""One session of the benchmark's crowd, speaking PostgreSQL's protocol 3.0 over a blocking socket."""

import socket
import ssl
import struct

from gateway import SSL_REQUEST

READY = b"Z\x00\x00\x00\x05I"
CLEARTEXT_PASSWORD, AUTHENTICATED = 3, 0
SILENCE_SECONDS = 60


class SessionError(Exception):
    pass


def frame(tag, body=b""):
    return tag + struct.pack("!i", len(body) + 4) + body


def text(value):
    return value.encode() + b"\0"


def without_checking():
    """The gateway's certificate is its own authority's; what is measured is memory, on loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Session:
    """Signs in with a token as password (`auth: token`), which costs neither side a key derivation."""

    def __init__(self, port, user, database, token, tls=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SILENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = bytearray()
        if tls:
            self.socket.sendall(SSL_REQUEST)
            if self.socket.recv(1) != b"S":
                raise SessionError("no TLS is offered")
            self.socket = tls.wrap_socket(self.socket)
        startup = struct.pack("!i", 196608) + text("user") + text(user) + text("database") + text(database) + b"\0"
        self.socket.sendall(struct.pack("!i", len(startup) + 4) + startup)
        tag, body = self.read()
        if tag != b"R" or struct.unpack("!i", body[:4]) != (CLEARTEXT_PASSWORD,):
            raise SessionError("a password in clear is not what it asks for; the user needs auth: token")
        self.socket.sendall(frame(b"p", text(token)))
        self.replies()

    def close(self):
        try:
            self.socket.sendall(frame(b"X"))
        except OSError:
            pass
        self.socket.close()

    def simple(self, sql):
        """The rows, each a list of bytes, of a simple Query."""
        self.socket.sendall(frame(b"Q", text(sql)))
        return rows(self.replies())

    def prepare(self, name, sql):
        self.socket.sendall(frame(b"P", text(name) + text(sql) + struct.pack("!h", 0)) + frame(b"S"))
        self.replies()

    def execute(self, name, value):
        """Bind with one value, Describe, Execute, Sync: as pgbench's prepared mode has it."""
        value = str(value).encode()
        bind = text("") + text(name) + struct.pack("!hhi", 0, 1, len(value)) + value + struct.pack("!h", 0)
        execute = text("") + struct.pack("!i", 0)
        self.socket.sendall(frame(b"B", bind) + frame(b"D", b"P" + text("")) + frame(b"E", execute) + frame(b"S"))
        return rows(self.replies())

    def discard(self, sql):
        """A large result, thrown away unseen; how many bytes it had. It ends with a ReadyForQuery, and no row ends like one."""
        return self.discard_answer_to(frame(b"Q", text(sql)))

    def discard_answer_to(self, messages):
        self.socket.sendall(messages)
        length, tail = 0, b""
        while not tail.endswith(READY):
            chunk = self.receive()
            length += len(chunk)
            tail = (tail + chunk)[-6:]
        return length

    def replies(self):
        """All messages up to ReadyForQuery; an ErrorResponse among them raises."""
        found, error = [], None
        while not found or found[-1][0] != b"Z":
            found.append(self.read())
            if found[-1][0] == b"E":
                error = found[-1][1].replace(b"\0", b" ").decode(errors="replace")
                if " SFATAL" in " " + error:
                    break
        if error:
            raise SessionError(error)
        return found

    def read(self):
        while len(self.input) < 5 or len(self.input) < 1 + (length := struct.unpack_from("!i", self.input, 1)[0]):
            self.input += self.receive()
        tag, body = bytes(self.input[:1]), bytes(self.input[5:1 + length])
        del self.input[:1 + length]
        return tag, body

    def receive(self):
        chunk = self.socket.recv(1 << 16)
        if not chunk:
            raise SessionError("the gateway closed the connection")
        return chunk


def rows(messages):
    return [values(body) for tag, body in messages if tag == b"D"]


def values(body):
    """The columns of one DataRow."""
    found, offset = [], 2
    for _ in range(struct.unpack_from("!h", body)[0]):
        length = struct.unpack_from("!i", body, offset)[0]
        found.append(body[offset + 4:offset + 4 + length] if length >= 0 else None)
        offset += 4 + max(length, 0)
    return found
