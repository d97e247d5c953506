"""Runs the same programs of libpq and psycopg directly and through the gateway, and prints what differs.

    compare.py DIRECT_DSN GATEWAY_DSN [--only REGEX] [--verbose]

Both must lead to the same database and the same database user, who may create schemas in it, and no rule of the
gateway may deny, hold or mask anything there. What is run are the cases of cases.py and driver_cases.py.
One line per difference, then "N compared, M different". Exit code 1 when any differs, 2 when it could not be run.

Compared: every result's status, command tag, column descriptions, formats and values, byte for byte; every field of every
error and notice; notifications; reported parameters; the transaction's state after each case.
Not compared, since it cannot be equal:
  own-pid           a notification's process id is shown as "own" when it is the connection's own backend
  created-table     a column's table OID is shown as "created" when the table was made during the run
  application-name  the parameter application_name: through the gateway it is the person's name
"""

import faulthandler
import re
import sys
from pathlib import Path

import cases
from comparison import arguments_of, conclude, first_pair
from corpus import read_statements
from wire import Wire

DEADLINE_SECONDS = 180


def execute(dsn, text):
    wire = Wire(dsn)
    lines = wire.simple(text)
    wire.close()
    if any(line.startswith("error ") for line in lines):
        raise RuntimeError(f"setup failed: {lines}")
    return lines


def run(dsn, created_after, chosen, direct):
    """Everything that one side answers: {name: [line, ...]}."""
    answers = {}
    wire = Wire(dsn, created_after)
    answers["reported parameters"] = wire.parameters()
    for name, step in chosen:
        if wire.is_broken():
            wire = Wire(dsn, created_after)
        try:
            lines = list(step(wire))
        except Exception as error:  # an answer, too, when it is the gateway's; on the direct side the case is wrong
            if direct:
                raise RuntimeError(f"case \"{name}\" fails without a gateway: {type(error).__name__}: {error}") from error
            lines = [f"raised {type(error).__name__}: {error}"]
        answers[name] = lines + wire.settle()
    answers["reported parameters at the end"] = wire.parameters()
    wire.close()
    return answers


def first_difference(direct, gateway):
    if (index := first_pair(direct, gateway)) is not None:
        ours, theirs = direct[index], gateway[index]
        at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        start = max(0, at - 30)
        return f"direct {ours[start:at + 70]!r}, gateway {theirs[start:at + 70]!r}"
    longer, side = (direct, "direct") if len(direct) > len(gateway) else (gateway, "gateway")
    return f"only {side}: {longer[min(len(direct), len(gateway))][:100]!r}"


def main():
    arguments = arguments_of(__doc__, "a case with a name", verbose="also print what the direct side answered")
    # libpq waits in C, where no signal of Python's gets through.
    faulthandler.dump_traceback_later(DEADLINE_SECONDS, exit=True)

    statements = read_statements(Path(__file__).with_name("corpus") / "everyday.sql")
    text_of = {word: one.text for one in statements for word in one.words}
    chosen = [case for case in cases.all_cases() if re.search(arguments.only, case[0])]
    try:
        execute(arguments.direct, text_of["setup"])
        newest = execute(arguments.direct, "SELECT max(oid::bigint) FROM pg_class")
        created_after = int(re.search(r"'(\d+)'", newest[-1])[1])
        sides = []
        for dsn, is_direct in ((arguments.direct, True), (arguments.gateway, False)):
            execute(arguments.direct, text_of["reset"])
            sides.append(run(dsn, created_after, chosen, is_direct))
        execute(arguments.direct, "DROP SCHEMA compare CASCADE")
    except Exception as error:
        print(f"compare: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    direct, gateway = sides
    if arguments.verbose:
        for name, lines in direct.items():
            print(f"== {name}", *(line[:300] for line in lines), sep="\n   ")
    different = [name for name in direct if direct[name] != gateway[name]]
    for name in different:
        print(f"different: {name}: {first_difference(direct[name], gateway[name])}")
    return conclude(len(direct), len(different))


if __name__ == "__main__":
    sys.exit(main())
