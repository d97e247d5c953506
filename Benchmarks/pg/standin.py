"""A stand-in for PostgreSQL with thousands of sessions, whose processes would not fit the machine.

    standin.py PORT BACKEND_PORT PERSON

Sessions whose application_name is PERSON are the crowd's. A real PostgreSQL answers each different thing that they say
once; the stand-in repeats those bytes to all of them, with a cancel key of each session's own. So it fits what is read
and leaves the session as it was, not transactions and settings. Any other session, such as a catalogue look-up of the
gateway's, is passed through to the real one. The backend's account needs the method trust. Prints "ready" when it listens.
"""

import asyncio
import struct
import sys

SSL_REQUEST, CANCEL_REQUEST = 80877103, 80877102
# Different things that a crowd may say; more is a mistake in the benchmark.
ANSWER_LIMIT = 1_000


class Original:
    """One session on the real PostgreSQL, and its answers by what was asked."""

    def __init__(self, port):
        self.port, self.answers, self.lock = port, {}, asyncio.Lock()
        self.reader = self.writer = None

    async def answer(self, asked, is_startup):
        async with self.lock:
            if asked not in self.answers:
                if len(self.answers) >= ANSWER_LIMIT or is_startup != (self.writer is None):
                    raise RuntimeError("the crowd says too many different things, or starts in different ways")
                if is_startup:
                    self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
                self.writer.write(asked)
                self.answers[asked] = await self.until_ready()
        return self.answers[asked]

    async def until_ready(self):
        """The bytes of all messages up to ReadyForQuery, without BackendKeyData, which no session may share."""
        said, tag = bytearray(), b""
        while tag != b"Z":
            header = await self.reader.readexactly(5)
            tag, length = header[:1], struct.unpack("!i", header[1:])[0]
            body = await self.reader.readexactly(length - 4)
            if tag != b"K":
                said += header + body
        return bytes(said)


class Session(asyncio.Protocol):
    numbers = iter(range(100_000, 1 << 30))

    def __init__(self, original, person):
        self.original, self.person = original, person
        self.input, self.said, self.started = bytearray(), bytearray(), False
        # The side of the real PostgreSQL when the session is passed through; a task while something is awaited.
        self.relay = self.awaited = None

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _):
        if self.relay:
            self.relay.close()

    def data_received(self, data):
        if self.relay:
            return self.relay.write(data)
        self.input += data
        self.take()

    def take(self):
        while not self.awaited and (self.take_message() if self.started else self.take_startup()):
            pass

    def take_message(self):
        if len(self.input) < 5 or len(self.input) < (end := 1 + struct.unpack_from("!i", self.input, 1)[0]):
            return False
        tag = self.input[:1]
        self.said += self.input[:end]
        del self.input[:end]
        if tag == b"X":
            self.transport.close()
        # Query and Sync are what ReadyForQuery answers.
        elif tag in (b"Q", b"S"):
            asked, self.said = bytes(self.said), bytearray()
            self.reply(asked)
        return True

    def take_startup(self):
        if len(self.input) < 8 or len(self.input) < (length := struct.unpack_from("!i", self.input)[0]):
            return False
        packet = bytes(self.input[:length])
        del self.input[:length]
        code = struct.unpack_from("!i", packet, 4)[0]
        words = packet[8:].split(b"\0")
        if code == CANCEL_REQUEST:
            self.transport.close()
        elif code == SSL_REQUEST:
            self.transport.write(b"N")
        elif dict(zip(words[::2], words[1::2])).get(b"application_name") == self.person.encode():
            self.started = True
            self.reply(packet, key=next(self.numbers))
        else:
            self.wait_for(self.pass_through(packet))
        return True

    def reply(self, asked, key=None):
        known = self.original.answers.get(asked)
        if known is None:
            self.wait_for(self.learn(asked, key))
        else:
            self.say(known, key)

    async def learn(self, asked, key):
        self.say(await self.original.answer(asked, key is not None), key)

    def say(self, answer, key):
        if key is not None:
            # BackendKeyData stands before the ReadyForQuery, which is the last 6 bytes.
            answer = answer[:-6] + struct.pack("!ciii", b"K", 12, key, key ^ 0x5EC2E7) + answer[-6:]
        self.transport.write(answer)

    async def pass_through(self, packet):
        relay, _ = await asyncio.get_running_loop().create_connection(
            lambda: Back(self.transport), "127.0.0.1", self.original.port)
        relay.write(packet + self.input)
        self.relay = relay

    def wait_for(self, work):
        self.awaited = asyncio.ensure_future(work)
        self.awaited.add_done_callback(self.go_on)

    def go_on(self, task):
        self.awaited = None
        if task.exception():
            print(f"standin: {task.exception()!r}", file=sys.stderr, flush=True)
            self.transport.close()
        elif not self.relay:
            self.take()


class Back(asyncio.Protocol):
    """The real PostgreSQL's side of a session that is passed through."""

    def __init__(self, front):
        self.front = front

    def data_received(self, data):
        self.front.write(data)

    def connection_lost(self, _):
        self.front.close()


async def serve(port, backend, person):
    original = Original(backend)
    server = await asyncio.get_running_loop().create_server(lambda: Session(original, person), "127.0.0.1", port, backlog=1024)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
