#!/usr/bin/env python3
"""202 means synced, for every publish of 64 at once: the server's system calls show, between the moment a request was
read and the moment its 202 leaves, a write to the log that began after the one, and a sync of it that ended before the
other. The syncs are slowed down, so that an answer that does not wait for its own would be seen.

    syncs.py --tocsin BINARY [--seed N]

How many publishes share a sync is printed; tests/e2e/durability.test.mjs asks for eight."""

import argparse
import asyncio
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from clients import Http
from main import run_test, skip
from server import Server
from workload import Producer, World, until

PUBLISHERS, EACH = 64, 8
SLOW = "fdatasync,fsync:delay_enter=3000"  # microseconds
CALLS = "recvfrom,sendto,write,pwrite64,fdatasync,fsync"

CALL = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\((?P<what>\d+<.*?>)[,) ].*")
RESUMED = re.compile(r"(?P<thread>\d+) +<\.\.\. (?P<name>\w+) resumed>.*")


class Trace:
    """What `strace -f -yy` wrote, line by line. The number of a line is the time."""

    def __init__(self) -> None:
        self.answers = self.syncs = 0
        self.offences: list[str] = []
        self.asked: dict[str, int] = {}  # socket -> when its request had been read
        self.pending: dict[str, tuple[int, str, str]] = {}  # thread -> when its call began, on what, its text
        self.writes: dict[str, list[tuple[int, int]]] = {}  # log file -> when its writes began and ended
        self.synced: list[int] = []  # when writes began that have been synced since

    def read(self, lines: Iterable[str]) -> "Trace":
        for now, line in enumerate(lines):
            if call := CALL.match(line):
                self._begin(now, call["name"], call["what"], line)
                if "<unfinished ...>" in line:
                    self.pending[call["thread"]] = (now, call["what"], line)
                else:
                    self._end(now, now, call["name"], call["what"], line)
            elif (resumed := RESUMED.match(line)) and resumed["thread"] in self.pending:
                began, what, first = self.pending.pop(resumed["thread"])
                self._end(began, now, resumed["name"], what, first + line)
        return self

    def _begin(self, now: int, name: str, what: str, line: str) -> None:
        if name != "sendto" or '"HTTP/1.1 202 ' not in line:
            return
        self.answers += 1
        asked = self.asked.pop(what, now)
        if not any(asked < write for write in self.synced):
            self.offences.append(f"line {now + 1}: no write since line {asked + 1} is synced: {line.strip()[:120]}")

    def _end(self, began: int, now: int, name: str, what: str, line: str) -> None:
        if name == "recvfrom" and '"POST ' in line:
            self.asked[what] = now
        elif name in ("write", "pwrite64") and what.endswith(".log>") and not line.rstrip().endswith("-1"):
            self.writes.setdefault(what, []).append((began, now))
        elif name in ("fdatasync", "fsync") and line.rstrip().endswith("= 0 (DELAYED)" if "DELAYED" in line else "= 0"):
            done = [write for write in self.writes.get(what, []) if write[1] < began]
            self.syncs += bool(done)
            self.synced = (self.synced + [write[0] for write in done])[-1000:]
            self.writes[what] = [write for write in self.writes.get(what, []) if write[1] >= began]


async def test(options: argparse.Namespace, directory: Path) -> int:
    if subprocess.run(["strace", "-e", "trace=none", "true"], capture_output=True).returncode != 0:
        skip("strace does not work here")
    file = directory / "trace"
    strace = ("strace", "-D", "-f", "-yy", "-s", "20", "-o", str(file), "-e", f"trace={CALLS}", "-e", f"inject={SLOW}")
    world = World(Server(options.tocsin, directory, wrap=strace), options.seed)
    world.users += [f"user{n}" for n in range(100)]
    try:
        await world.server.start()

        async def publish(name: str) -> None:
            producer = Producer(world, name)
            http = await Http.connect(world.server.port)
            for _ in range(EACH):
                await producer.publish(http, 1)
            http.close()

        await asyncio.gather(*(publish(f"producer{n}") for n in range(PUBLISHERS)))

        def read_trace() -> Trace:
            with open(file, errors="replace") as lines:
                return Trace().read(lines)

        await until(lambda: read_trace().answers == PUBLISHERS * EACH, "every 202 is in the trace")
        trace = read_trace()
    finally:
        await world.server.discard()
    print(f"{trace.answers} publishes, {trace.syncs} syncs: {trace.answers / max(trace.syncs, 1):.1f} each")
    bad = trace.offences + world.unexpected + ["a publish was refused" for r in world.requests if not r.nids]
    for words in bad[:20]:
        print(words)
    print("BAD" if bad else "good")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(run_test(test, __doc__))
