"""Runs the statements of corpus/*.sql directly and through the gateway, and prints which answers differ by a byte.

    corpus.py DIRECT_DSN GATEWAY_DSN [--only REGEX] [--verbose]

Both must lead to the same database and the same database user, who may create schemas in it, and no rule of the
gateway may deny, hold or mask anything there. Each file is run on one connection as simple queries, once more by the
extended protocol, and once more with binary results; exchanges.py adds sequences of messages that SQL cannot say, malformed.py
messages that are not what they should be.
Compared are the backend's frames, all of them, byte for byte, but for what frames.Normaliser names.
One line per difference, then "N compared, M different", N being statements and sequences. Exit code 1 when any
differs, 2 when it could not be run.

A file is made of statements, each opened by a line "-- @ NAME" or "-- @ NAME [WORDS]":
    [setup]     runs once, directly, before everything
    [reset]     runs directly before each pass, so that all find the same
    [simple]    is a simple Query in all passes (strings of several statements)
    [text]      has results in text also in the binary pass (their binary form contains numbers of new objects)
    [only WAY]  is sent in that pass only: simple, extended or binary (what is large)
A line "-- $ JSON" gives a statement's parameters (strings and nulls; sent by the extended protocol in all passes); what follows a line
"-- <<" is sent as CopyData when asked for, in one frame, or in hexadecimal behind "-- << hex". @{ EXPRESSION }@ is Python.
"""

import faulthandler
import json
import re
import sys
from collections import namedtuple
from pathlib import Path

import exchanges
import malformed
from comparison import arguments_of, conclude, first_pair
from frames import COPY_DONE, SYNC, Normaliser, Peer, bind, copy_data, describe, execute, parse, query, shown

DEADLINE_SECONDS = 180
WAYS = ("simple", "extended", "binary")
Statement = namedtuple("Statement", "name words text parameters copy")


def read_statements(path):
    found = []
    text = re.sub(r"@\{(.*?)\}@", lambda expression: str(eval(expression[1])), path.read_text())
    for line in text.splitlines(keepends=True):
        if header := re.fullmatch(r"-- @ (.+?)(?: \[([\w ]+)\])?\n", line):
            found.append((header[1], (header[2] or "").split(), []))
        elif found:
            found[-1][2].append(line)
    return [statement(name, words, lines) for name, words, lines in found]


def statement(name, words, lines):
    parameters, copy, text = None, None, []
    while lines:
        line = lines.pop(0)
        if line.startswith("-- $ "):
            parameters = [None if value is None else value.encode() for value in json.loads(line[5:])]
        elif line.startswith("-- <<"):
            data = "".join(lines)
            copy = bytes.fromhex(data) if "hex" in line else data.encode()
            lines = []
        else:
            text.append(line)
    return Statement(name, words, "".join(text).rstrip("\n"), parameters, copy)


def ask(peer, what, way):
    """All frames of the answer, up to ReadyForQuery."""
    if ("simple" in what.words and "only" not in what.words) or (way == "simple" and what.parameters is None):
        peer.send(query(what.text))
        after = COPY_DONE
    else:
        results = (1,) if way == "binary" and "text" not in what.words else ()
        peer.send(parse(what.text), bind(what.parameters or (), results=results), describe(b"P"), execute(), SYNC)
        after = COPY_DONE + SYNC
    return peer.read(copy=(b"" if what.copy is None else copy_data(what.copy)) + after)


def run_directly(peer, text):
    peer.send(query(text))
    found = peer.read()
    if errors := [body for kind, body in found if kind == b"E"]:
        raise RuntimeError(f"could not be set up: {errors[0]!r}: {text[:200]}")
    return found


class Comparison:
    def __init__(self, arguments):
        self.direct, self.gateway, self.verbose = arguments.direct, arguments.gateway, arguments.verbose
        self.aside = Peer(arguments.direct)  # what has to be done between the passes
        self.open = {}
        self.created_after = 0
        self.names, self.different, self.answers = set(), {}, 0

    def both(self, reset, run, reuse=False):
        """run(peer, normalise, dsn) on each side; two lists of (name, frames). A connection is used again when it may."""
        sides = []
        for dsn in (self.direct, self.gateway):
            if reset:
                run_directly(self.aside, reset)
            peer = self.open.pop(dsn, None) or Peer(dsn)
            sides.append(list(run(peer, Normaliser(peer.pid, self.created_after), dsn)))
            if reuse and not peer.is_over:
                peer.send(query("ROLLBACK"), query("DISCARD ALL"))
                peer.read(2)
                self.open[dsn] = peer
            else:
                peer.close()
        return sides

    def check(self, prefix, way, sides):
        for (name, direct), (_, gateway) in zip(*sides):
            name = f"{prefix}: {name}"
            self.names |= {name} - {f"{prefix}: startup"}
            self.answers += 1
            if self.verbose and way == "simple":
                print(f"== {name}", *(shown(found) for found in direct[:12]), sep="\n   ")
            if direct != gateway:
                self.different.setdefault(name, (way, direct, gateway))

    def file(self, path, statements, only):
        chosen = [one for one in statements if not {"setup", "reset"} & set(one.words)]
        if not any(re.search(only, f"{path.stem}: {one.name}") for one in chosen):
            return
        reset = next((one.text for one in statements if "reset" in one.words), None)
        for way in WAYS:
            def run(peer, normalise, dsn, way=way):
                yield "startup", sorted(normalise(found) for found in peer.startup)
                for one in chosen:
                    if "only" in one.words and way not in one.words:
                        continue
                    if peer.is_over and dsn == self.direct:
                        raise RuntimeError(f"the connection was lost before {path.stem}: {one.name}")
                    yield one.name, [normalise(found) for found in ask(peer, one, way)] if not peer.is_over else []
            self.check(path.stem, way, self.both(reset, run))


def first_difference(direct, gateway):
    if (index := first_pair(direct, gateway)) is not None:
        return f"frame {index}: direct {shown(direct[index])}, gateway {shown(gateway[index])}"
    return f"direct {len(direct)} frames, gateway {len(gateway)}: {shown(max(direct, gateway, key=len)[min(len(direct), len(gateway))])}"


def main():
    arguments = arguments_of(__doc__, "a file with a name", verbose="also print what the direct side answered")
    faulthandler.dump_traceback_later(DEADLINE_SECONDS, exit=True)

    files = {path: read_statements(path) for path in sorted(Path(__file__).with_name("corpus").glob("*.sql"))}
    try:
        comparison = Comparison(arguments)
        for statements in files.values():
            for one in statements:
                if "setup" in one.words:
                    run_directly(comparison.aside, one.text)
        newest = run_directly(comparison.aside, "SELECT max(oid::bigint) FROM (SELECT oid FROM pg_class UNION SELECT oid FROM pg_type) o")
        comparison.created_after = int(next(body for kind, body in newest if kind == b"D")[6:])
        for path, statements in files.items():
            comparison.file(path, statements, arguments.only)
        for name, run in exchanges.all_exchanges() + malformed.all_malformed():
            if re.search(arguments.only, f"exchange: {name}"):
                comparison.check("exchange", "simple", comparison.both(exchanges.RESET, run, reuse=True))
    except Exception as error:
        print(f"corpus: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    for name, (way, direct, gateway) in comparison.different.items():
        print(f"different: {name} ({way}): {first_difference(direct, gateway)}")
    print(f"{comparison.answers} answers")
    return conclude(len(comparison.names), len(comparison.different))


if __name__ == "__main__":
    sys.exit(main())
