"""What idle sessions cost the gateway: 200 of them in clear, 200 over TLS, and 5,000 at once."""

import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway import Gateway
from speed import BULK_SQL, Sample, visit_statements
from targets import Memory, fail, free_port
from wire import Session, SessionError, without_checking

IDLE_SESSIONS, WARM_UP_SESSIONS, IDLE_BULK_ROWS = 200, 8, 50_000
CROWD, CROWD_REAL = 5_000, 1_000
PERSON = "crowd"
# Sign-ins under way at a time. Each is a thread that waits.
AT_ONCE = 32
BY_KEY = "SELECT abalance FROM accounts WHERE aid ="
# pgbench's arithmetic in tables.sql, so that an answer can be checked.
BALANCE = {aid: str(aid * 7919 % 100_000).encode() for aid in (1, 2, 3)}


@dataclass
class IdleSample:
    """The gateway's growth per session, in KiB."""
    small: Memory
    after_bulk: Memory


@dataclass
class CrowdSample:
    open_seconds: float
    answered: int
    growth: Memory
    alone: Sample
    in_crowd: Sample


def visit_idle(options, tls):
    """Sessions that ran a few small statements and wait; then the same sessions after a large result each."""
    context = without_checking() if tls else None
    with Gateway(options, f"idle-{time.monotonic_ns()}") as gateway, crowd_of(gateway, PERSON) as sign_in:
        # What the first sessions make the process load is not theirs. They stay, so that nothing is freed for others.
        warm_up = sign_in(["bench"] * WARM_UP_SESSIONS, context)
        each(run_small_statements, warm_up)
        before = Memory.settled(gateway.pid)
        sessions = sign_in(["bench"] * IDLE_SESSIONS, context)
        each(run_small_statements, sessions)
        small = Memory.settled(gateway.pid).growth_per(len(sessions), before)
        each(lambda session: session.discard(f"{BULK_SQL} LIMIT {IDLE_BULK_ROWS}"), sessions, at_once=4)
        after_bulk = Memory.settled(gateway.pid).growth_per(len(sessions), before)
    return IdleSample(small, after_bulk)


def visit_crowd(options):
    """5,000 sessions on one gateway of one thread, 1,000 of them on the real PostgreSQL, and a client among them."""
    raise_open_files(2 * CROWD + 1_000)
    with stand_in(options) as port, Gateway(options, "crowd", stand_in=port) as gateway, crowd_of(gateway, PERSON) as sign_in:
        warm_up = sign_in(["bench", "standin"] * (WARM_UP_SESSIONS // 2))
        each(run_small_statements, warm_up)
        measured = gateway.target("Sallyport")
        alone = visit_statements(measured, options, "prepared", 1)
        before, began = Memory.settled(gateway.pid), time.monotonic()
        sessions = sign_in(["bench" if n % (CROWD // CROWD_REAL) == 0 else "standin" for n in range(CROWD)])
        took = time.monotonic() - began
        each(run_small_statements, sessions)
        answered = sum(each(is_answered, sessions))
        growth = Memory.settled(gateway.pid).growth_per(len(sessions), before)
        in_crowd = visit_statements(measured, options, "prepared", 1)
        answered = min(answered, sum(each(is_answered, sessions)))
    return CrowdSample(took, answered, growth, alone, in_crowd)


def run_small_statements(session):
    """Both protocols, and one statement that stays prepared."""
    for aid in (1, 2, 3):
        expect(session.simple(f"{BY_KEY} {aid}"), aid)
    session.prepare("P0", f"{BY_KEY} $1")
    for aid in (1, 2):
        expect(session.execute("P0", aid), aid)


def is_answered(session):
    try:
        return session.execute("P0", 3) == [[BALANCE[3]]]
    except (OSError, SessionError):
        return False


def expect(found, aid):
    if found != [[BALANCE[aid]]]:
        raise SessionError(f"a wrong answer: {found}")


def each(work, sessions, at_once=AT_ONCE):
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(work, sessions))


@contextmanager
def crowd_of(gateway, person):
    """A function that signs sessions in to the connections named, and keeps them until the end."""
    token, opened = gateway.token(person), []

    def sign_in(connections, tls=None):
        sessions = each(lambda connection: Session(gateway.port, person, connection, token, tls), connections)
        opened.extend(sessions)
        return sessions
    try:
        yield sign_in
    except (OSError, SessionError) as error:
        fail(f"{len(opened)} sessions were open when one failed: {error}\n{gateway.last_words()}")
    finally:
        for session in opened:
            session.close()


@contextmanager
def stand_in(options):
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve().parent / "standin.py"), str(port), str(options.direct.port), PERSON],
        stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout.readline() != "ready\n":
            fail("the stand-in did not start")
        yield port
    finally:
        process.kill()
        process.wait()


def raise_open_files(needed):
    """For this process and those that it starts: the gateway holds two sockets for each session."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard if hard == resource.RLIM_INFINITY else max(needed, hard)))
        except (ValueError, OSError):
            fail(f"{CROWD:,} sessions need {needed:,} open files and this user may have {hard:,}: raise the hard limit "
                 f"(ulimit -Hn {needed}, or nofile in /etc/security/limits.conf), or leave them out: BENCH_ONLY='^(?!sessions)'")
