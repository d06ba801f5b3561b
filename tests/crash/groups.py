#!/usr/bin/env python3
"""kill -9 in a loop while producers XADD and groups read, ack, claim, give back, trim and move: no command that was
answered is lost, none is there in part, and after every start pending lists, positions and counters agree with each
other and with what the clients saw (groups_checker.py).

    groups.py --tocsin BINARY [--cycles 10] [--seed N]

A cycle: the server is looked at, the load runs for a random while, the server is killed, half of the times with the
next answer of a write; it is started, now and then killed within that start, and looked at again."""

import argparse
import asyncio
import random
import sys
from pathlib import Path

from groups_checker import Adds, Cycle, Failure, Report, Reports, Reply, Stream, check_units
from groups_load import INGEST, SHIFTING, STRICT, Load
from main import run_test
from resp_client import Resp
from server import WAIT_S, Server

ROUTER = "tocsin"
CYCLES_OF_A_STREAM = 20  # then new ones are used: a look costs as much as all entries


# What the server has under `key`.
async def look_at(resp: Resp, key: str, report: Report) -> Stream:
    async def ask(*words: str) -> list:
        reply: Reply = await resp.ask(*words)
        if not isinstance(reply, list):
            raise RuntimeError(f"{' '.join(words)} was answered {reply!r}")
        return reply

    length = await resp.ask("XLEN", key)
    assert isinstance(length, int)
    reports = Reports(key, await ask("XINFO", "STREAM", key, "FULL", "COUNT", "0"), await ask("XRANGE", key, "-", "+"),
                      length, await ask("XINFO", "GROUPS", key), report)  # fmt: skip
    for group in reports.groups:
        listed = await ask("XPENDING", key, group, "-", "+", "10000000")
        consumers = await ask("XINFO", "CONSUMERS", key, group)
        reports.add_group(group, await ask("XPENDING", key, group), listed, consumers)
    return reports.stream


class Test:
    def __init__(self, options: argparse.Namespace, directory: Path):
        server = Server(options.tocsin, directory)
        server.settings |= {"redis_listen": "127.0.0.1:0", "redis_auth": "off"}
        self.server, self.seed = server, options.seed
        self.load = Load(server, options.seed)
        self.report = Report()
        self.adds = Adds(self.report)
        self.chance = self.load.random("crashes")
        self.answered = self.unanswered = 0

    async def begin_streams(self, number: int) -> None:
        load = self.load
        load.calm, load.busy = f"calm{number}", f"busy{number}"
        resp = await Resp.connect(self.server.redis_port)
        for key in load.keys:
            for group in (STRICT, SHIFTING):
                reply = await resp.ask("XGROUP", "CREATE", key, group, "0", "MKSTREAM")
                assert reply == "OK" or (key == INGEST and isinstance(reply, Failure)), reply
        resp.close()

    # The router may have entries to route after a start; with that done, nothing changes by itself.
    async def look(self) -> dict[str, Stream]:
        resp = await Resp.connect(self.server.redis_port)
        for _ in range(1000):
            stream = await look_at(resp, INGEST, Report())
            router = stream.groups.get(ROUTER)
            if router is None and stream.added == 0:
                break
            if router is not None and router.position == stream.last_id and not router.pending:
                break
            await asyncio.sleep(WAIT_S / 1000)
        else:
            self.report.find("counters", "the router does not come to the end of its stream")
        streams = {key: await look_at(resp, key, self.report) for key in self.load.keys}
        resp.close()
        return streams

    async def cycle(self, number: int) -> None:
        load, chance, server = self.load, self.chance, self.server
        before = await self.look()
        load.commands = []
        load.up.set()
        life = chance.uniform(0.05, 1.5)
        await asyncio.sleep(life)
        words = ""
        if chance.random() < 0.5:
            words = ", with an answer"
            load.answered.clear()
            await asyncio.wait_for(load.answered.wait(), WAIT_S)
        load.up.clear()
        await server.kill()
        await asyncio.wait_for(load.rest(), WAIT_S)
        if chance.random() < 0.25:
            await server.spawn()
            await asyncio.sleep(chance.uniform(0.0, 0.1))
            await server.kill()
            words += ", again in its start"
        ready = await server.start()
        self.check(before, await self.look())
        unanswered = sum(command.reply is None and command.answered > load.moment for command in load.commands)
        self.answered += len(load.commands) - unanswered
        self.unanswered += unanswered
        words = f"killed after {life:.3f} s{words}; {len(load.commands)} commands, {unanswered} not answered"
        found = sum(self.report.findings.values())
        print(f"cycle {number}: {words}; ready after {ready:.3f} s; {found} findings", flush=True)

    def check(self, before: dict[str, Stream], after: dict[str, Stream]) -> None:
        load = self.load
        adds = [command for command in load.commands if command.name == "XADD"]
        for command in adds:
            self.adds.take(command)
        self.adds.check_order(adds)
        found = []
        for key in load.keys:
            cycle = Cycle(key, before[key], after[key], load.commands, self.adds, self.report, strict={STRICT},
                          calm=key == load.calm)  # fmt: skip
            found.append(cycle.check())
        check_units(found, load.commands, self.report)

    async def run(self, cycles: int) -> int:
        try:
            self.load.start()
            await self.server.start()
            for number in range(1, cycles + 1):
                if number % CYCLES_OF_A_STREAM == 1:
                    await self.begin_streams(number)
                await self.cycle(number)
            return self.verdict()
        finally:
            await self.load.discard()
            await self.server.discard()

    def verdict(self) -> int:
        print(f"{self.answered} commands answered, {self.unanswered} not")
        print(self.report.text())
        bad = self.load.unexpected[:20]
        log = self.server.log.read_text(errors="replace")
        bad += [line for line in log.splitlines() if "Sanitizer:" in line]
        for words in bad:
            print(f"unexpected: {words}")
        if not self.report.findings and not bad:
            print("good")
            return 0
        print(f"BAD: run it again with --seed={self.seed}; the server's log ends with\n{self.server.log_tail()}")
        return 1


async def test(options: argparse.Namespace, directory: Path) -> int:
    return await Test(options, directory).run(options.cycles)


if __name__ == "__main__":
    sys.exit(run_test(test, __doc__, cycles=10))
