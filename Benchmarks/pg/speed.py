"""Visits: one target does one kind of work for a short while, and what that took is taken down."""

import glob
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from targets import fail, run

HERE = Path(__file__).resolve().parent
BULK_ROWS, BULK_REPEATS = 200_000, 5
BULK_SQL = "SELECT aid, bid, abalance, filler FROM accounts"
WARM_UP_SECONDS = 1.5


@dataclass
class Sample:
    """One visit to one target."""
    per_second: float
    cpu_per_unit: float
    latencies: list

    @property
    def p99(self):
        return percentile(self.latencies, 0.99)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def start(command, target, **streams):
    return subprocess.Popen(command, env=target.environment(), text=True, stdout=subprocess.PIPE, **streams)


def visit_statements(target, options, mode, clients):
    """One good visit: a machine with other things to do may need a second try to get all clients to work in time."""
    for _ in range(3):
        if sample := try_statements(target, options, mode, clients):
            return sample
    fail(f"{target.name}: {clients} clients are not at work after {WARM_UP_SECONDS} s")


def try_statements(target, options, mode, clients):
    """Statements per second, CPU seconds per 100,000 statements and latencies in ms, of one window within pgbench's run.

    Signing in is left out: the window opens when all clients are at work. SCRAM costs a proxy milliseconds for each
    connection, which would otherwise be spread over the statements of a short run.
    """
    prefix = Path(options.scratch) / "latency"
    command = [f"{options.pg_bin}/pgbench", "-n", "-f", str(HERE / "select.sql"), "-M", mode, "-c", str(clients), "-j", "1",
               "-T", str(options.seconds + 3), "-l", "--log-prefix", str(prefix)]
    process = start(command, target, stderr=subprocess.STDOUT)
    time.sleep(WARM_UP_SECONDS)
    cpu_before, opened = target.cpu_seconds(), time.time()
    time.sleep(options.seconds)
    cpu, closed = target.cpu_seconds() - cpu_before, time.time()
    out, _ = process.communicate(timeout=60)
    if process.returncode != 0 or "number of failed transactions: 0 " not in out:
        fail(f"{target.name}: {mode}, {clients} clients: pgbench failed\n{out[-1500:]}")
    latencies, early = read_log(prefix, opened, closed)
    if len(early) < clients or not latencies:
        return None
    return Sample(len(latencies) / (closed - opened), cpu / len(latencies) * 100_000, latencies)


def read_log(prefix, opened, closed):
    """Latencies in ms of the statements that ended within the window, and the clients that were at work before it."""
    latencies, early = [], set()
    for path in glob.glob(f"{prefix}.*"):
        # client, transaction, microseconds it took, script, second and microsecond at which it ended
        for line in open(path):
            client, _, took, _, second, fraction = line.split()[:6]
            ended = int(second) + int(fraction) / 1e6
            if ended < opened:
                early.add(client)
            elif ended <= closed:
                latencies.append(int(took) / 1000)
        os.unlink(path)
    return latencies, early


def visit_bulk(target, options):
    """A large result, several times on one connection: rows per second, CPU seconds per million rows, ms for each."""
    process = start([f"{options.pg_bin}/psql", "-X", "-q", "-A", "-t"], target, stdin=subprocess.PIPE)

    def ask(text):
        process.stdin.write(text + "\n\\echo done\n")
        process.stdin.flush()
        if process.stdout.readline() != "done\n":
            fail(f"{target.name}: psql failed")
    ask(f"\\set ON_ERROR_STOP on\n\\o /dev/null\n{BULK_SQL} LIMIT 1;")
    took, before = [], target.cpu_seconds()
    for _ in range(BULK_REPEATS):
        began = time.monotonic()
        ask(f"{BULK_SQL};")
        took.append((time.monotonic() - began) * 1000)
    cpu = target.cpu_seconds() - before
    process.communicate("", timeout=30)
    rows = BULK_ROWS * BULK_REPEATS
    return Sample(rows / sum(took) * 1000, cpu / rows * 1_000_000, took)


def check_equal(targets, options):
    """All targets must give the same answer before their speed means anything."""
    command = [f"{options.pg_bin}/psql", "-X", "-A", "-t", "-c", BULK_SQL + " WHERE aid % 10 = 0 ORDER BY aid"]
    answers = {target.name: run(command, target, 60) for target in targets}
    for name, answer in answers.items():
        if answer != answers[targets[0].name] or answer.count("\n") != BULK_ROWS // 10:
            fail(f"{name} gives another result than {targets[0].name}")
