"""A way to PostgreSQL that is measured, and what its process costs."""

import os
import random
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

# clock_getcpuclockid(3): the clock of a whole process is its number's complement, shifted, with this kind in the low bits.
CPUCLOCK_SCHED = 2


@dataclass(frozen=True)
class Target:
    name: str
    pid: int | None
    port: int
    user: str
    database: str
    password: str

    def environment(self):
        return {"PATH": os.environ["PATH"], "PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": self.user,
                "PGDATABASE": self.database, "PGPASSWORD": self.password, "PGSSLMODE": "disable", "PGCONNECT_TIMEOUT": "10"}

    def cpu_seconds(self):
        """User and system time of the process, all of its threads, also those that ended.

        By the kernel's clock of that process, which counts nanoseconds; /proc/PID/stat counts hundredths of a second.
        """
        return 0.0 if self.pid is None else time.clock_gettime((~self.pid << 3) | CPUCLOCK_SCHED)


@dataclass(frozen=True)
class Memory:
    """What a process occupies, in KiB. Socket buffers are the kernel's and not in it."""
    pss: float
    anonymous: float

    @staticmethod
    def of(pid):
        """PSS with all mapped files, and the part that is backed by none (proc(5), smaps_rollup)."""
        lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        sizes = {words[0]: int(words[1]) for words in lines}
        return Memory(sizes["Pss:"], sizes["Pss_Anon:"])

    @staticmethod
    def settled(pid):
        """Once it no longer changes by more than 64 KiB within a quarter of a second; as it is after 5 s."""
        found = Memory.of(pid)
        for _ in range(20):
            time.sleep(0.25)
            before, found = found, Memory.of(pid)
            if abs(found.pss - before.pss) <= 64:
                break
        return found

    def growth_per(self, count, since):
        return Memory((self.pss - since.pss) / count, (self.anonymous - since.anonymous) / count)


def fail(message):
    sys.exit(f"bench: {message}")


def run(command, target, timeout):
    done = subprocess.run(command, env=target.environment(), capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        fail(f"{target.name}: {' '.join(command)}\n{done.stdout[-500:]}{done.stderr[-1500:]}")
    return done.stdout


def free_port():
    """Below 32768 the kernel hands no ports out to outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
