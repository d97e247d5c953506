"""Sallyport as the benchmark runs it: a process with a configuration, a port and a data folder of its own."""

import os
import socket
import struct
import subprocess
import time
from pathlib import Path

from targets import Target, fail, free_port

CONFIGURATION = Path(__file__).resolve().parent / "sallyport.yaml"
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
START_SECONDS, STOP_SECONDS = 30, 15


class Gateway:
    def __init__(self, options, name, threads=1, stand_in=None):
        """`stand_in` is the port of the connection `standin`; without one, nobody may ask for it."""
        self.name, self.port = name, free_port()
        self.folder = Path(options.scratch) / name
        self.binary, self.direct = options.sallyport, options.direct
        self.process = None
        (self.folder / "data").mkdir(parents=True, mode=0o700)
        values = {"THREADS": threads, "GATEWAY_PORT": self.port, "BACKEND_PORT": self.direct.port,
                  "STANDIN_PORT": stand_in or 1}
        text = CONFIGURATION.read_text()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        (self.folder / "sallyport.yaml").write_text(text)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        """Seconds from before fork and exec to the first answer to an SSLRequest."""
        with open(self.folder / "log", "ab") as log:
            began = time.monotonic()
            self.process = subprocess.Popen(
                [self.binary, "serve", "--config", self.folder / "sallyport.yaml", "--data", self.folder / "data"],
                env={**os.environ, "SALLYPORT_BENCH_PASSWORD": self.direct.password},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() - began > START_SECONDS:
                self.stop()
                fail(f"{self.name} did not start\n{self.last_words()}")
            time.sleep(0.0005)
        return time.monotonic() - began

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as probe:
                probe.sendall(SSL_REQUEST)
                return probe.recv(1) in (b"S", b"N")
        except OSError:
            return False

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self):
        return (self.folder / "log").read_text(errors="replace")[-1500:]

    def token(self, user):
        return self.ask("token", "create", "--user", user, "--name", "bench")

    def verify(self):
        """What was measured had to be recorded: the trail must hold together."""
        self.ask("audit", "verify")

    def ask(self, *words):
        command = [self.binary, *words, "--data", str(self.folder / "data")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            fail(f"{self.name}: sallyport {' '.join(words)}\n{done.stdout[-500:]}{done.stderr[-1500:]}\n{self.last_words()}")
        return done.stdout.strip()

    def target(self, label):
        """For pgbench and psql: SCRAM, as people sign in."""
        return Target(label, self.pid, self.port, "ana", "bench", self.token("ana"))


def starts(options, count=11):
    """Milliseconds to listening: of the first start, which makes the folder, keys and state, and of `count` later ones."""
    gateway = Gateway(options, "starts", threads=os.cpu_count())
    taken = []
    try:
        for _ in range(count + 1):
            taken.append(gateway.start() * 1000)
            gateway.stop()
    finally:
        gateway.stop()
    return taken[0], taken[1:]
