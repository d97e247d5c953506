"""Measures PostgreSQL behind several proxies, interleaved, and reports it as Markdown. bench.sh starts the others.

Every round visits every target in turn, so that what the machine does meanwhile hits all of them. Ratios are taken
within a round and their median and range are reported: absolute figures drift by a factor of two on shared machines.
"""

import argparse
import os
import re
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from bars import OURS, OURS_TWO
from gateway import Gateway, starts
from masked import visit_masked
from report import BEGIN, END, report, write_into
from results import Results
from sessions import visit_crowd, visit_idle
from speed import check_equal, visit_bulk, visit_statements
from targets import Target, fail

MODES, CLIENTS = ("simple", "extended", "prepared"), (1, 16)
STATEMENTS = [f"{mode}-{clients}" for mode in MODES for clients in CLIENTS]
IDLE = ["idle-plaintext", "idle-tls"]
SCENARIOS = [*STATEMENTS, "bulk", "masked", *IDLE, "sessions-5000", "start"]
# Those that have no need of a gateway.
COMPARED = [*STATEMENTS, "bulk"]
# Visits in each round where the latency of one client is compared: what proxies add to a p99 is some 50 µs, of which
# one visit more or less is half when the machine does anything else.
LATENCY_VISITS = 3


def say(message):
    print(f"bench: {message}", file=sys.stderr, flush=True)


def measure(results, scenarios, options):
    for round_number in range(options.rounds):
        # Each round begins with another target: none is always the first after a pause.
        turn = round_number % len(results.targets)
        order = results.targets[turn:] + results.targets[:turn]
        for scenario in scenarios:
            measure_round(results, scenario, order, options)
        say(f"round {round_number + 1} of {options.rounds} done")
    # These are no comparison: once is enough.
    if "sessions-5000" in scenarios:
        results.crowd = visit_crowd(options)
        say("5,000 sessions done")
    if "start" in scenarios:
        results.first_start, results.later_starts = starts(options)


def measure_round(results, scenario, order, options):
    if scenario in IDLE:
        results.idle[scenario].append(visit_idle(options, tls=scenario == "idle-tls"))
    if scenario == "masked":
        results.masked.append(visit_masked(options))
    if scenario not in COMPARED:
        return
    visits = visits_of(scenario)
    for target in [target for target in order if takes_part(target, scenario)] * visits:
        if scenario == "bulk":
            sample = visit_bulk(target, options)
        else:
            mode, clients = scenario.split("-")
            sample = visit_statements(target, options, mode, int(clients))
        results.samples[scenario, target.name].append(sample)


def visits_of(scenario):
    return LATENCY_VISITS if scenario.endswith("-1") else 1


def takes_part(target, scenario):
    """One connection lives on one thread: a second one says nothing about it."""
    return target.name != OURS_TWO or scenario.endswith("-16")


def chosen(options):
    try:
        found = [name for name in SCENARIOS if re.search(options.only, name)]
    except re.error as error:
        fail(f"BENCH_ONLY={options.only} is no regular expression: {error}")
    if not options.sallyport:
        found = [name for name in found if name in COMPARED]
    return found or fail(f"BENCH_ONLY={options.only} fits no scenario; there are {' '.join(SCENARIOS)}")


def minutes(scenarios, targets, options):
    visits = sum(visits_of(name) * takes_part(target, name) for name in scenarios if name in STATEMENTS for target in targets)
    others = 12 * sum(name in [*IDLE, "bulk", "masked"] for name in scenarios)
    once = 60 * ("sessions-5000" in scenarios) + 10 * ("start" in scenarios)
    return (options.rounds * (visits * (options.seconds + 3.3) + others) + once) / 60


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", required=True, help="lines of name, process id or -, port, user, database, password; by tabs")
    parser.add_argument("--sallyport", help="the binary; without it only the others are measured, and nothing is written")
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--pg-bin", required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--only", default="", help="a regular expression: the scenarios that it fits")
    parser.add_argument("--into", type=Path, help="the file whose section is rewritten, after a whole run")
    return parser.parse_args()


def others(path):
    for line in open(path):
        name, pid, port, *rest = line.rstrip("\n").split("\t")
        yield Target(name, None if pid == "-" else int(pid), int(port), *rest)


def main():
    # A signal ends the gateways too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse()
    options.load = os.getloadavg()[0]
    targets = list(others(options.targets))
    options.direct = targets[0]
    scenarios = chosen(options)
    with ExitStack() as running:
        gateways = []
        if options.sallyport and any(name in COMPARED for name in scenarios):
            gateways = [running.enter_context(Gateway(options, f"threads-{threads}", threads)) for threads in (1, 2)]
            targets += [gateway.target(name) for gateway, name in zip(gateways, (OURS, OURS_TWO))]
        say(f"{', '.join(t.name for t in targets)}: {' '.join(scenarios)}; about {minutes(scenarios, targets, options):.0f} minutes")
        check_equal(targets, options)
        results = Results(targets)
        measure(results, scenarios, options)
    lines = list(report(results, options))
    print("\n".join(lines))
    for gateway in gateways:
        gateway.verify()
        say(f"{gateway.name}: the audit trail of the run is sound")
    if options.into and scenarios == SCENARIOS:
        if not write_into(options.into, lines):
            fail(f"{options.into} lacks the markers {BEGIN} and {END}")
        say(f"written into {options.into}")


if __name__ == "__main__":
    main()
