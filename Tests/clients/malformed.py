"""Messages whose length is right and whose contents are not: what PostgreSQL answers with an ERROR, on a connection that goes on.

corpus.py runs each on both sides and compares all frames; of an error its severity, code and message, as it is the
gateway that says it (no file, line and routine of PostgreSQL's source).
"""

from frames import SYNC, bind, describe, execute, frame, parse, query

ONE = [parse("SELECT $1::int + $2::int", "two", types=(23, 23)), SYNC]
BIND_TWO = b"\0two\0"

# What is sent; by its type it is known whether PostgreSQL skips to Sync behind it.
MESSAGES = {
    "query without an end": frame(b"Q", b"SELECT 1"),
    "query with more behind its end": frame(b"Q", b"SELECT 1\0x"),
    "query without anything": frame(b"Q"),
    "parse without a name": frame(b"P", b"name"),
    "parse without a text": frame(b"P", b"\0SELECT 1"),
    "parse without a count": frame(b"P", b"\0SELECT 1\0"),
    "parse with types that are not there": frame(b"P", b"\0SELECT 1\0\0\5\0\0\0\x17"),
    "parse with half a type": frame(b"P", b"\0SELECT 1\0\0\1\0\0"),
    "parse with more behind": frame(b"P", b"\0SELECT 1\0\0\0\0"),
    "bind with a name that does not end": frame(b"B", b"portal"),
    "bind without a count": frame(b"B", BIND_TWO),
    "bind with formats that are not there": frame(b"B", BIND_TWO + b"\0\7\0\0"),
    "bind with two formats for three values": frame(b"B", BIND_TWO + b"\0\2\0\0\0\0\0\3"),
    "bind with a value that is not there": frame(b"B", BIND_TWO + b"\0\0\0\2\0\0\0\1" + b"1"),
    "bind with a value that is longer than the message": frame(b"B", BIND_TWO + b"\0\0\0\2\0\0\0\x7f" + b"1"),
    "bind with a value of length -2": frame(b"B", BIND_TWO + b"\0\0\0\2\xff\xff\xff\xfe\xff\xff\xff\xff\0\0"),
    "bind without result formats": frame(b"B", BIND_TWO + b"\0\0\0\2\0\0\0\1" + b"1" + b"\0\0\0\1" + b"2"),
    "bind with result formats that are not there": frame(b"B", BIND_TWO + b"\0\0\0\2\0\0\0\1" + b"1" + b"\0\0\0\1" + b"2" + b"\0\7\0\0"),
    "bind with more behind": frame(b"B", BIND_TWO + b"\0\0\0\2\0\0\0\1" + b"1" + b"\0\0\0\1" + b"2" + b"\0\0\0"),
    "describe of nothing": frame(b"D"),
    "describe without a name": frame(b"D", b"P"),
    "describe of something else": frame(b"D", b"X\0"),
    "describe with more behind": frame(b"D", b"P\0\0"),
    "close of something else": frame(b"C", b"a\0"),
    "close of a name that does not end": frame(b"C", b"Stwo"),
    "execute without a count": frame(b"E", b"\0"),
    "execute with half a count": frame(b"E", b"\0\0\0"),
    "execute with more behind": frame(b"E", b"\0\0\0\0\0\0"),
    "flush with something in it": frame(b"H", b"\0"),
}
BEFORE, BEHIND = [parse("SELECT 7"), bind(), describe(b"P"), execute()], [parse("SELECT 8"), bind(), execute()]


def plain(found):
    """An error's severity, code and message; other frames as they are."""
    kind, body = found
    if kind != b"E":
        return found
    return kind, b"\0".join(sorted(field for field in body.split(b"\0") if field[:1] in (b"S", b"C", b"M")))


def all_malformed():
    return [(f"malformed: {name}", runner(f"malformed: {name}", message)) for name, message in MESSAGES.items()]


def runner(name, message):
    ends = [] if message[:1] == b"Q" else [SYNC]

    def run(peer, normalise, dsn):
        frames = []

        def ask(*sent, ready=1):
            peer.send(*sent)
            frames.extend(peer.read(ready))
        ask(*ONE)
        # By itself; in a transaction, which it fails; in a pipeline, of which what is behind is skipped.
        ask(message, *ends)
        ask(query("SELECT 'goes on'"))
        ask(query("BEGIN"))
        ask(message, *ends)
        ask(query("SELECT 'failed'"))
        ask(query("ROLLBACK"))
        if ends:
            ask(*BEFORE, message, *BEHIND, SYNC)
        else:
            ask(*BEFORE, SYNC, message, *BEHIND, SYNC, ready=3)
        ask(query("DEALLOCATE two"))
        yield name, [plain(normalise(found)) for found in frames]
    return run
