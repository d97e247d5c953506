"""Measures PostgreSQL behind several proxies, interleaved, and reports it as Markdown. bench.sh starts the proxies.

Every round visits every target in turn, so that what the machine does meanwhile hits all of them. Ratios are taken
within a round and their median and range are reported: absolute figures drift by a factor of two on shared machines.
"""

import argparse
import glob
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

HERE = Path(__file__).resolve().parent
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
MODES, CLIENTS = ("simple", "extended", "prepared"), (1, 16)
BULK_ROWS, BULK_REPEATS = 200_000, 5
BULK_SQL = "SELECT aid, bid, abalance, filler FROM accounts"
WARM_UP_SECONDS = 1.5
BEGIN, END = "<!-- bench:pg begin -->", "<!-- bench:pg end -->"


@dataclass
class Target:
    name: str
    pid: int | None
    port: str
    user: str
    database: str
    password: str

    def environment(self):
        return {"PATH": os.environ["PATH"], "PGHOST": "127.0.0.1", "PGPORT": self.port, "PGUSER": self.user,
                "PGDATABASE": self.database, "PGPASSWORD": self.password, "PGSSLMODE": "disable", "PGCONNECT_TIMEOUT": "10"}

    def cpu_seconds(self):
        """User and system time of the process with all of its threads (proc(5), stat fields 14 and 15)."""
        if self.pid is None:
            return 0.0
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


@dataclass
class Sample:
    """One visit to one target."""
    per_second: float
    cpu_per_unit: float
    latencies: list


def run(command, target, timeout):
    done = subprocess.run(command, env=target.environment(), capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        sys.exit(f"bench: {target.name}: {' '.join(command)}\n{done.stdout[-500:]}{done.stderr[-1500:]}")
    return done.stdout


def start(command, target, **streams):
    return subprocess.Popen(command, env=target.environment(), text=True, stdout=subprocess.PIPE, **streams)


def visit_statements(target, options, mode, clients):
    """One good visit: a machine with other things to do may need a second try to get all clients to work in time."""
    for _ in range(3):
        if sample := try_statements(target, options, mode, clients):
            return sample
    sys.exit(f"bench: {target.name}: {clients} clients are not at work after {WARM_UP_SECONDS} s")


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
        sys.exit(f"bench: {target.name}: {mode}, {clients} clients: pgbench failed\n{out[-1500:]}")
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
    if len(early) < clients or not latencies:
        return None
    return Sample(len(latencies) / (closed - opened), cpu / len(latencies) * 100_000, latencies)


def visit_bulk(target, options):
    """A large result, several times on one connection: rows per second, CPU seconds per million rows, ms for each."""
    process = start([f"{options.pg_bin}/psql", "-X", "-q", "-A", "-t"], target, stdin=subprocess.PIPE)

    def ask(text):
        process.stdin.write(text + "\n\\echo done\n")
        process.stdin.flush()
        if process.stdout.readline() != "done\n":
            sys.exit(f"bench: {target.name}: psql failed")
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
            sys.exit(f"bench: {name} gives another result than {targets[0].name}")


def measure(targets, options):
    samples = defaultdict(list)
    for round_number in range(options.rounds):
        # Each round begins with another target: none is always the first after a pause.
        turn = round_number % len(targets)
        order = targets[turn:] + targets[:turn]
        for mode in MODES:
            for clients in CLIENTS:
                for target in order:
                    samples[mode, clients, target.name].append(visit_statements(target, options, mode, clients))
        for target in order:
            samples["bulk", 1, target.name].append(visit_bulk(target, options))
        print(f"bench: round {round_number + 1} of {options.rounds} done", file=sys.stderr, flush=True)
    return samples


# --- the report --------------------------------------------------------------------------------------------------------

def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def ratio(ours, theirs, of):
    """Median of the ratios within each round, and their range; a dash where there is nothing to divide by."""
    pairs = [(of(a), of(b)) for a, b in zip(ours, theirs)]
    if any(b == 0 for _, b in pairs):
        return "–"
    found = [a / b for a, b in pairs]
    return f"{statistics.median(found):.2f} ({min(found):.2f}–{max(found):.2f})"


def rows_for(samples, targets, mode, clients, digits):
    direct = samples[mode, clients, "direct"]
    bouncer = samples[mode, clients, "PgBouncer"]
    for target in targets:
        ours = samples[mode, clients, target.name]
        latencies = [value for sample in ours for value in sample.latencies]
        cpu = statistics.median(sample.cpu_per_unit for sample in ours)
        yield (target.name, f"{statistics.median(s.per_second for s in ours):,.0f}",
               f"{statistics.median(latencies):.{digits}f}", f"{percentile(latencies, 0.99):.{digits}f}",
               "–" if target.pid is None else f"{cpu:.2f}",
               ratio(ours, direct, lambda s: s.per_second),
               ratio(ours, bouncer, lambda s: s.per_second),
               "–" if target.pid is None else ratio(ours, bouncer, lambda s: s.cpu_per_unit))


def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "| --- |" + " ---: |" * (len(head) - 1)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def report(samples, targets, options):
    ratios = ("of direct", "of PgBouncer", "CPU of PgBouncer's")
    yield from provenance(options)
    for mode in MODES:
        for clients in CLIENTS:
            yield ""
            yield f"**One-row SELECT by primary key, {mode} protocol, {clients} client{'s' if clients > 1 else ''}**"
            yield ""
            yield from table(("", "statements/s", "p50 ms", "p99 ms", "CPU s per 100,000", *ratios),
                             rows_for(samples, targets, mode, clients, 3))
    yield ""
    yield f"**{BULK_ROWS:,} rows of about 100 bytes by psql**"
    yield ""
    yield from table(("", "rows/s", "p50 ms", "max ms", "CPU s per million rows", *ratios),
                     rows_for(samples, targets, "bulk", 1, 0))


def provenance(options):
    def said(*command):
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
        except OSError:
            return ""
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    memory = next(int(line.split()[1]) // 1024 // 1024 for line in open("/proc/meminfo") if line.startswith("MemTotal"))
    revision = said("git", "rev-parse", "--short=12", "HEAD") or "no commit yet"
    changed = " with uncommitted changes" if said("git", "status", "--porcelain", "--untracked-files=no") else ""
    yield f"- Command: `BENCH_ROUNDS={options.rounds} BENCH_SECONDS={options.seconds} make bench`, {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC"
    yield f"- Revision: {revision}{changed}"
    yield f"- Machine: {os.cpu_count()} × {cpu}, {memory} GB, Linux {platform.release()}; load before: {options.load:.2f}"
    versions = [said(f"{options.pg_bin}/postgres", "--version"), said("/usr/sbin/pgbouncer", "--version").split("\n")[0],
                said("/usr/sbin/haproxy", "-v").split(" - ")[0]]
    yield f"- Peers: {'; '.join(filter(None, versions))}"


def write_into(path, lines):
    """Replaces what stands between the markers; the rest of the file is for people."""
    text = path.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"bench: {path} lacks the markers {BEGIN} and {END}")
    path.write_text(before + begin + "\n" + "\n".join(lines) + "\n" + end + after)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", required=True, help="lines of name, process id or -, port, user, database, password; by tabs")
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--pg-bin", required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--into", type=Path, help="the file whose section is rewritten")
    options = parser.parse_args()
    options.load = os.getloadavg()[0]
    targets = []
    for line in open(options.targets):
        name, pid, *rest = line.rstrip("\n").split("\t")
        targets.append(Target(name, None if pid == "-" else int(pid), *rest))
    cells = len(targets) * options.rounds * len(MODES) * len(CLIENTS)
    print(f"bench: {', '.join(t.name for t in targets)}; about {cells * (options.seconds + 3.3) / 60 + 1:.0f} minutes", file=sys.stderr, flush=True)
    check_equal(targets, options)
    samples = measure(targets, options)
    lines = list(report(samples, targets, options))
    print("\n".join(lines))
    if options.into:
        write_into(options.into, lines)
        print(f"\nbench: written into {options.into}", file=sys.stderr)


if __name__ == "__main__":
    main()
