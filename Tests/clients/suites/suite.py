"""What the client suites share: cases that print what a client made of the answers, so that two runs can be compared.

A suite is a program: SUITE.py DSN FOLDER, FOLDER being one of its own for files. It prints "@@ NAME" and then the lines of each case.
An exception that a case does not expect is printed, too; suites.py takes it for a fault of the suite when it comes on
the direct side.
"""

import asyncio
import faulthandler
import hashlib
import sys
import time
import traceback
from pathlib import Path

DEADLINE_SECONDS = 90
_cases = []


def case(function):
    _cases.append(function)
    return function


def say(*words, sep=" "):
    print(*words, sep=sep, flush=True)


def digest(data):
    data = data if isinstance(data, bytes) else repr(data).encode()
    return f"{len(data)} bytes sha256 {hashlib.sha256(data).hexdigest()[:16]}"


def error_of(run, *kinds):
    """Runs what has to fail in one of these ways, and returns the exception."""
    try:
        run()
    except kinds as error:
        return error
    raise AssertionError("it did not fail")


def wait_for(what, ask, seconds=10):
    end = time.monotonic() + seconds
    while not ask():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.01)


def main():
    """Runs the cases with the DSN; a coroutine in an event loop of its own."""
    faulthandler.dump_traceback_later(DEADLINE_SECONDS, exit=True)
    dsn, folder = sys.argv[1], Path(sys.argv[2])
    for function in _cases:
        say(f"@@ {function.__name__.replace('_', ' ')}")
        arguments = [dsn, folder][:function.__code__.co_argcount]
        try:
            if asyncio.iscoroutinefunction(function):
                asyncio.run(function(*arguments))
            else:
                function(*arguments)
        except Exception as error:
            say(f"raised {type(error).__name__}: {error}")
            traceback.print_exc()
