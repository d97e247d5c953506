"""What masks cost: 200,000 rows of eight columns, two of them masked, beside the same rows for somebody who sees them."""

import struct
import time
from dataclasses import dataclass, field

from gateway import Gateway
from targets import Target, fail
from wire import Session, frame, text

ROWS, REPEATS, STATEMENTS = 200_000, 3, 3_000
SQL = "SELECT id, name, ssn, email, city, born, balance, note FROM people"
BY_KEY = "SELECT name, ssn, email FROM people WHERE id = 7"
# Rows of three columns that the nearest open relay masks in a second, on such a machine.
RELAY_ROWS_PER_SECOND = 43_000


@dataclass
class MaskedSample:
    """Rows per second, by "text" or "binary" and user; CPU microseconds of the gateway for a statement seen before, by user."""
    rows: dict = field(default_factory=dict)
    statement: dict = field(default_factory=dict)


class Reader(Session):
    def discard_binary(self, sql):
        """As `discard`, by the extended protocol with binary results."""
        parse = text("") + text(sql) + struct.pack("!h", 0)
        bind = text("") + text("") + struct.pack("!hhhh", 0, 0, 1, 1)
        execute = text("") + struct.pack("!i", 0)
        describe = b"P" + text("")
        return self.discard_answer_to(
            frame(b"P", parse) + frame(b"B", bind) + frame(b"D", describe) + frame(b"E", execute) + frame(b"S"))


def visit_masked(options):
    with Gateway(options, f"masked-{time.monotonic_ns()}") as gateway:
        people = {user: Reader(gateway.port, user, "bench", gateway.token(user)) for user in ("crowd", "clear")}
        check(people)
        sample = MaskedSample()
        for form in ("text", "binary"):
            took = {user: 0.0 for user in people}
            # Interleaved, so that what the machine does meanwhile hits both.
            for _ in range(REPEATS):
                for user, session in people.items():
                    began = time.monotonic()
                    length = session.discard(SQL) if form == "text" else session.discard_binary(SQL)
                    took[user] += time.monotonic() - began
                    if length < ROWS * 100:
                        fail(f"masked: {length} bytes are not {ROWS} rows")
            for user in people:
                sample.rows[form, user] = ROWS * REPEATS / took[user]
        process = Target("masked", gateway.pid, 0, "", "", "")
        spent = {user: 0.0 for user in people}
        for _ in range(3):
            for user, session in people.items():
                before = process.cpu_seconds()
                for _ in range(STATEMENTS):
                    session.simple(BY_KEY)
                spent[user] += process.cpu_seconds() - before
        for user in people:
            sample.statement[user] = spent[user] / (3 * STATEMENTS) * 1e6
            people[user].close()
        return sample


def check(people):
    """What is measured has to be what is meant."""
    masked, clear = (people[user].simple(BY_KEY)[0] for user in ("crowd", "clear"))
    if masked[0] != clear[0] or masked[1:] == clear[1:] or b"*" not in masked[1] or b"*" not in masked[2] or b"*" in clear[1]:
        fail(f"masked: {masked} beside {clear}")
