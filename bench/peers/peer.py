"""Peer: a server under test: how it is installed, started, known to be ready, checked and stopped.

A peer runs on loopback only, on ports of its own, pinned to the server's core, with an empty directory for each start.
"""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

FIRST_PORT = 18100  # below the ephemeral range, so that no outgoing connection can take one
JWT_SECRET = "bench-secret-of-32-bytes-or-more-0123456789"
API_KEY = "bench-api-key-0123456789"
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 20
RESTART_TIMEOUT_S = 300


class BenchError(Exception):
    """Something that the reader of the message can mend."""


def free_port(first: int = FIRST_PORT) -> int:
    for port in range(first, 30000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise BenchError("no free port between 18100 and 30000")


def output(*command: str) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.strip()


def raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Peer:
    name = ""  # on the command line and in the tables
    title = ""
    load_peer = ""  # the load generator's word for its dialect
    durability = ""
    session = ""  # how a socket is authenticated
    acks = ""
    latency_rate = 2_000  # publishes per second in P4
    dialects: tuple[str, ...] = ("http",)  # what works may ask of it
    ready_words = ""  # in its log, once it serves: how the works on the Redis port know

    def __init__(self, build: Path):
        self.build = build  # bench's build directory: installed peers and run directories live there
        self.directory = build / "run" / self.name
        self.port = 0
        self.children: list[subprocess.Popen] = []
        self.dialect = "http"

    # What the peer needs and this machine lacks, as a sentence that says how to get it; empty: all is there.
    def missing(self) -> str:
        return ""

    # Installs what no Debian package brings; slow once.
    def prepare(self) -> None:
        pass

    def version(self) -> str:
        return ""

    # Sets self.port, for peers that can be restarted.
    def choose_ports(self) -> None:
        self.port = free_port()

    # Starts the processes by self.spawn(); may set self.port.
    def launch(self) -> None:
        raise NotImplementedError

    # After the load: what only the peer can tell about a run; a reason makes it invalid.
    def objection(self, report: dict) -> str:
        return ""

    def start(self, core: int, dialect: str = "http") -> None:
        self.dialect = dialect
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.core = core
        self.choose_ports()
        try:
            self.launch()
            if dialect == "http":
                self.wait_ready(f"http://127.0.0.1:{self.port}/healthz")
            else:
                self.wait_for_words()
        except BaseException:
            self.stop()
            raise

    def spawn(self, *command: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> subprocess.Popen:
        log = self.directory / f"log-{len(self.children)}"
        with open(log, "wb") as sink:
            child = subprocess.Popen(
                command,
                cwd=cwd or self.directory,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: os.sched_setaffinity(0, {self.core}),
                start_new_session=True,
            )
        self.children.append(child)
        return child

    def wait_ready(self, url: str) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            for number, child in enumerate(self.children):
                if child.poll() is not None:
                    raise BenchError(f"{self.name} ended at its start with {child.returncode}:\n{self.log(number)}")
            try:
                with urllib.request.urlopen(url, timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.05)
        raise BenchError(f"{self.name} was not ready after {READY_TIMEOUT_S} s:\n{self.log(len(self.children) - 1)}")

    # Until the last process says in its log that it serves.
    def wait_for_words(self) -> None:
        log = self.directory / f"log-{len(self.children) - 1}"
        deadline = time.monotonic() + RESTART_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.ready_words in log.read_text(errors="replace"):
                return
            if self.children[-1].poll() is not None:
                raise BenchError(f"{self.name} ended at its start:\n{self.log(len(self.children) - 1)}")
            time.sleep(0.002)
        raise BenchError(f"{self.name} was not ready after {RESTART_TIMEOUT_S} s")

    # Ends it by that signal and starts it on the same directory and ports: seconds from the start to ready.
    # The redis-server that was spawned first.
    def wait_for_redis(self, port: int) -> None:
        for _ in range(200):
            if output("redis-cli", "-p", str(port), "ping") == "PONG":
                return
            if self.children[0].poll() is not None:
                break
        raise BenchError(f"redis-server did not start:\n{self.log(0)}")

    def restart(self, how: signal.Signals) -> float:
        for child in self.children:
            child.send_signal(how)
        for child in self.children:
            child.wait(RESTART_TIMEOUT_S)
        self.children = []
        began = time.monotonic()
        self.launch()
        self.wait_for_words()
        return time.monotonic() - began

    def log(self, number: int) -> str:
        lines = (self.directory / f"log-{number}").read_text(errors="replace").splitlines()
        return "\n".join(lines[-20:])

    def pids(self) -> list[int]:
        return [child.pid for child in self.children]

    def stop(self) -> None:
        # In reverse: what depends on another goes first. Each is a session of its own, started by us.
        for child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
            try:
                child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self.children = []


def first_version(text: str) -> str:
    found = re.search(r"\d+(\.\d+)+", text)
    return found.group(0) if found else text.splitlines()[0] if text else "?"
