"""What was measured, as Markdown."""

import os
import platform
import statistics
import subprocess
from datetime import datetime, timezone

from bars import bars
from results import spread
from speed import BULK_ROWS, percentile

BEGIN, END = "<!-- bench:pg begin -->", "<!-- bench:pg end -->"


def report(results, options):
    yield from provenance(options)
    if rows := list(bars(results)):
        yield from section("Bars", ("requirement", "bar", "measured", "met"), rows)
    for scenario in results.scenarios():
        names = ("of direct", "of PgBouncer", "CPU of PgBouncer's")
        if scenario == "bulk":
            yield from section(f"{BULK_ROWS:,} rows of about 100 bytes by psql",
                               ("", "rows/s", "p50 ms", "max ms", "CPU s per million rows", *names), speeds(results, scenario, 0))
        else:
            mode, clients = scenario.split("-")
            yield from section(f"One-row SELECT by primary key, {mode} protocol, {clients} client{'s' if clients != '1' else ''}",
                               ("", "statements/s", "p50 ms", "p99 ms", "CPU s per 100,000", *names), speeds(results, scenario, 3))


def section(title, head, rows):
    yield from ("", f"**{title}**", "")
    yield "| " + " | ".join(head) + " |"
    yield "| --- |" + " ---: |" * (len(head) - 1)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def speeds(results, scenario, digits):
    for target in results.targets:
        if not (ours := results.samples[scenario, target.name]):
            continue
        latencies = [value for sample in ours for value in sample.latencies]
        cpu = statistics.median(sample.cpu_per_unit for sample in ours)
        yield (target.name, f"{statistics.median(s.per_second for s in ours):,.0f}",
               f"{statistics.median(latencies):.{digits}f}", f"{percentile(latencies, 0.99):.{digits}f}",
               "–" if target.pid is None else f"{cpu:.2f}",
               spread(results.ratios(scenario, target.name, "direct", "per_second")),
               spread(results.ratios(scenario, target.name, "PgBouncer", "per_second")),
               "–" if target.pid is None else spread(results.ratios(scenario, target.name, "PgBouncer", "cpu_per_unit")))


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
    only = f"BENCH_ONLY='{options.only}' " if options.only else ""
    yield f"- Command: `BENCH_ROUNDS={options.rounds} BENCH_SECONDS={options.seconds} {only}make bench`, {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC"
    yield f"- Revision: {revision}{changed}"
    yield f"- Machine: {os.cpu_count()} × {cpu}, {memory} GB, Linux {platform.release()}; load before: {options.load:.2f}"
    versions = [said(f"{options.pg_bin}/postgres", "--version"), said("/usr/sbin/pgbouncer", "--version").split("\n")[0],
                said("/usr/sbin/haproxy", "-v").split(" - ")[0]]
    yield f"- Peers: {'; '.join(filter(None, versions))}"


def write_into(path, lines):
    """Replaces what stands between the markers; the rest of the file is for people. False without markers."""
    content = path.read_text()
    before, begin, rest = content.partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        path.write_text(before + begin + "\n" + "\n".join(lines) + "\n" + end + after)
    return bool(begin and end)
