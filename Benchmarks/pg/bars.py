"""What was promised, beside what this run measured."""

import statistics

from masked import RELAY_ROWS_PER_SECOND, ROWS
from results import spread
from sessions import CROWD, CROWD_REAL, IDLE_BULK_ROWS

OURS, OURS_TWO = "Sallyport", "Sallyport, 2 threads"
CPU_OF_PGBOUNCER = {"prepared": 1.45, "extended": 1.60, "simple": 1.75}
THROUGHPUT_OF_PGBOUNCER = {OURS: 0.68, OURS_TWO: 0.80}
BULK_OF_HAPROXY = 0.90
ADDED_P99_OF_PGBOUNCER = 1.5
IDLE_KIB = 40
START_MS = 150
MASKED_OF_RELAY, MASKED_OF_CLEAR, DECIDING_US = 5, 0.60, 2.0


def bars(results):
    """Rows of requirement, bar, measured, met. In parentheses: no bar itself, but worth seeing beside it."""
    yield from statements(results)
    if ratios := results.ratios("bulk", OURS, "HAProxy", "per_second"):
        yield at_least("throughput of a large result", BULK_OF_HAPROXY, "HAProxy's", ratios)
    for mode in CPU_OF_PGBOUNCER:
        yield from added_latency(results, mode)
    yield from masked(results.masked)
    yield from idle(results)
    if results.crowd:
        yield from crowd(results.crowd)
    if results.later_starts:
        yield from starts(results)


def statements(results):
    for clients, is_beside in ((16, False), (1, True)):
        for mode, limit in CPU_OF_PGBOUNCER.items():
            if ratios := results.ratios(f"{mode}-{clients}", OURS, "PgBouncer", "cpu_per_unit"):
                met = said(statistics.median(ratios) <= limit, is_beside)
                yield (f"CPU per statement, {mode}, {plural(clients)}", f"≤ {limit:.2f} × PgBouncer's", spread(ratios), met)
    for ours, limit in THROUGHPUT_OF_PGBOUNCER.items():
        for mode in CPU_OF_PGBOUNCER:
            if ratios := results.ratios(f"{mode}-16", ours, "PgBouncer", "per_second"):
                threads = "2 threads" if ours == OURS_TWO else "1 thread"
                yield at_least(f"throughput, {mode}, {plural(16)}, {threads}", limit, "PgBouncer's", ratios)


def at_least(requirement, limit, whose, ratios):
    return (requirement, f"≥ {limit:.2f} × {whose}", spread(ratios), said(statistics.median(ratios) >= limit))


def added_latency(results, mode):
    """What each proxy adds to the p99 of direct in the same turn; the medians over all visits are compared."""
    names = ("direct", "PgBouncer", OURS)
    visits = list(zip(*(results.samples.get((f"{mode}-1", name), []) for name in names)))
    if not visits:
        return
    theirs = [bouncer.p99 - direct.p99 for direct, bouncer, _ in visits]
    ours = [sallyport.p99 - direct.p99 for direct, _, sallyport in visits]
    ratios = [a / b for a, b in zip(ours, theirs) if b > 0]
    added, allowed = statistics.median(ours), statistics.median(theirs)
    in_ms = f"{spread(ours, 3)} ms; PgBouncer's {spread(theirs, 3)} ms"
    if allowed > 0:
        in_ms = f"{added / allowed:.2f} × (visits {min(ratios):.2f}–{max(ratios):.2f}): {in_ms}"
    # Where PgBouncer adds nothing that can be told from noise, there is nothing to compare with.
    met = said(added <= ADDED_P99_OF_PGBOUNCER * allowed) if allowed > 0 else "not measurable"
    yield (f"added p99 latency, {mode}, {plural(1)}", f"≤ {ADDED_P99_OF_PGBOUNCER} × PgBouncer's", in_ms, met)


def masked(samples):
    if not samples:
        return
    for form in ("text", "binary"):
        found = [sample.rows[form, "crowd"] for sample in samples]
        bar = MASKED_OF_RELAY * RELAY_ROWS_PER_SECOND
        yield (f"{ROWS:,} rows of 8 columns, 2 masked, {form}: rows/s", f"≥ {bar:,}", spread(found, 0),
               said(statistics.median(found) >= bar))
        ratios = [sample.rows[form, "crowd"] / sample.rows[form, "clear"] for sample in samples]
        yield at_least("of the same rows unmasked", MASKED_OF_CLEAR, "theirs", ratios)
    more = [sample.statement["crowd"] - sample.statement["clear"] for sample in samples]
    yield ("a statement seen before with a masked result, CPU more than unmasked", f"< {DECIDING_US:.0f} µs",
           f"{spread(more)} µs", said(statistics.median(more) < DECIDING_US))


def idle(results):
    for scenario, words in (("idle-plaintext", "in clear"), ("idle-tls", "over TLS")):
        for figure, after in (("small", "after small statements"), ("after_bulk", f"after a result of {IDLE_BULK_ROWS:,} rows")):
            found = [getattr(sample, figure) for sample in results.idle.get(scenario, [])]
            if found:
                is_beside = (scenario, figure) != ("idle-plaintext", "small")
                yield memory(f"idle session {words}, {after}", found, is_beside)


def memory(requirement, found, is_beside):
    pss, anonymous = [one.pss for one in found], [one.anonymous for one in found]
    met = said(statistics.median(pss) <= IDLE_KIB, is_beside)
    return (requirement, f"≤ {IDLE_KIB} KiB", f"{spread(pss, 1)} KiB; without mapped files {spread(anonymous, 1)}", met)


def crowd(sample):
    where = f"{CROWD_REAL:,} on PostgreSQL and {CROWD - CROWD_REAL:,} on the stand-in"
    yield (f"{CROWD:,} sessions at once, {where}: answered", f"{CROWD:,}",
           f"{sample.answered:,}; opened in {sample.open_seconds:.1f} s", said(sample.answered == CROWD))
    yield memory("each of them, after small statements", [sample.growth], is_beside=True)
    middles = [statistics.median(one.latencies) for one in (sample.alone, sample.in_crowd)]
    ends = [one.p99 for one in (sample.alone, sample.in_crowd)]
    yield ("a statement of one more client meanwhile, prepared, of what it takes alone", "–",
           f"p50 {middles[1] / middles[0]:.2f} ({middles[0]:.3f} → {middles[1]:.3f} ms), "
           f"p99 {ends[1] / ends[0]:.2f} ({ends[0]:.3f} → {ends[1]:.3f} ms)", "–")


def starts(results):
    later = results.later_starts
    met = said(statistics.median(later) < START_MS)
    yield ("start to listening", f"< {START_MS} ms", f"{spread(later, 0)} ms, {len(later)} starts", met)
    met = said(results.first_start < START_MS, is_beside=True)
    yield ("the first start, which makes keys and state", f"< {START_MS} ms", f"{results.first_start:.0f} ms", met)


def said(is_met, is_beside=False):
    word = "yes" if is_met else "no"
    return f"({word})" if is_beside else f"**{word}**"


def plural(clients):
    return f"{clients} client{'s' if clients > 1 else ''}"
