"""Runs the programs of suites/ directly and through the gateway, and prints which of their cases say something else.

    suites.py DIRECT_DSN GATEWAY_DSN [--only REGEX]

Both must lead to the same database and the same database user, who may create schemas in it, and no rule of the
gateway may deny, hold or mask anything there. One line per difference, then "N compared, M different". Exit code 1
when any differs, 2 when it could not be run. What a suite leaves out of its output, it says in its first lines.
"""

import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from comparison import arguments_of, conclude, first_pair

DEADLINE_SECONDS = 120


def run(program, dsn, folder):
    """{case: lines} of one run, which must have an end of its own."""
    folder.mkdir()
    end = subprocess.run([sys.executable, program, dsn, folder], capture_output=True, text=True, timeout=DEADLINE_SECONDS, stdin=subprocess.DEVNULL)
    cases, name = {}, "(start)"
    for line in end.stdout.splitlines():
        if line.startswith("@@ "):
            name = line[3:]
        else:
            cases.setdefault(name, []).append(line)
    cases["(end)"] = [f"exit code {end.returncode}"]
    return cases, end.stderr


def both(program, direct, gateway):
    """Both runs' cases and the second one's standard error; a sentence when the first one fails."""
    with tempfile.TemporaryDirectory() as folder:
        ours, words = run(program, direct, Path(folder) / "direct")
        wrong = [f"{name}: {line}" for name, lines in ours.items() for line in lines if line.startswith("raised ")]
        if wrong or ours["(end)"] != ["exit code 0"]:
            return f"fails without a gateway: {wrong}\n{words[-3000:]}"
        return ours, *run(program, gateway, Path(folder) / "gateway")


def difference(direct, gateway):
    if (index := first_pair(direct, gateway)) is not None:
        ours, theirs = direct[index], gateway[index]
        at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        return f"direct {ours[max(0, at - 40):at + 120]!r}, gateway {theirs[max(0, at - 40):at + 120]!r}"
    return f"direct {len(direct)} lines, gateway {len(gateway)}: {max(direct, gateway, key=len)[min(len(direct), len(gateway))][:200]!r}"


def main():
    arguments = arguments_of(__doc__, "a suite with a name")
    programs = [program for program in sorted(Path(__file__).with_name("suites").glob("*_suite.py")) if re.search(arguments.only, program.stem)]
    compared = different = 0
    # Each has a schema of its own, so that two can run at once.
    with ThreadPoolExecutor(max_workers=2) as pool:
        for program, end in zip(programs, pool.map(lambda program: both(program, arguments.direct, arguments.gateway), programs)):
            if isinstance(end, str):
                print(f"suites: {program.stem} {end}", file=sys.stderr)
                return 2
            direct, gateway, words = end
            compared += len(direct) - 1
            for name in [name for name in direct if direct[name] != gateway.get(name)]:
                different += 1
                print(f"different: {program.stem}: {name}: {difference(direct[name], gateway.get(name, ['(it did not run)']))}")
                print(words[-1500:], file=sys.stderr)
    return conclude(compared, different)


if __name__ == "__main__":
    sys.exit(main())
