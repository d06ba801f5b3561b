#!/usr/bin/env python3
"""kill -9 in a loop while producers publish and devices read, ack, mark and come back: nothing that was accepted is
lost, no log has a hole, no id stands for two things, nobody gets what is another's.

    kill9.py --tocsin BINARY [--cycles 10] [--seed N] [--clock]

A cycle starts the server on what the last one left, waits a random while and kills it: half of them at once, half with
the next 202, which is when an answer that came too early would be found out. One in four counts the while from the
start of the process, so that recovery is hit as well. With --clock every start has its clock set elsewhere, up
to a day ahead and an hour back (libfaketime)."""

import argparse
import asyncio
import random
import sys
import time
from pathlib import Path

from main import run_test, skip
from server import WAIT_S, Server
from workload import Load, World, verdict

CLOCKS = ("-1h", "+0", "+1h", "-10m", "+1d", "+0")


# What sets the clock of a process to `offset` from ours; its monotonic clock stays.
def clock_environment(offset: str) -> dict[str, str]:
    library = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
    if library is None:
        skip("libfaketime is not installed")
    return {"LD_PRELOAD": str(library), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


async def cycle(world: World, number: int, chance: random.Random, clock: str | None) -> None:
    server = world.server
    life = chance.uniform(0.05, 2.0)
    await server.spawn(clock_environment(clock) if clock is not None else None)
    words = f"clock {clock}, " if clock is not None else ""
    if chance.random() < 0.25:
        ready = asyncio.create_task(server.ready())
        done, _ = await asyncio.wait([ready], timeout=life)
        words += f"ready after {ready.result():.3f} s" if done else "not ready yet"
        if done:
            world.up.set()
            await asyncio.sleep(max(0.0, server.spawned_at + life - time.monotonic()))
        else:
            ready.cancel()
    else:
        words += f"ready after {await server.ready():.3f} s"
        world.up.set()
        await asyncio.sleep(life)
    if world.up.is_set() and chance.random() < 0.5:
        words += ", with an answer"
        world.answered.clear()
        await asyncio.wait_for(world.answered.wait(), WAIT_S)
    world.up.clear()
    await server.kill()
    answered = sum(bool(request.nids) for request in world.requests)
    print(f"cycle {number}: {words}, killed after {life:.3f} s; {answered} requests accepted so far", flush=True)


async def test(options: argparse.Namespace, directory: Path) -> int:
    world = World(Server(options.tocsin, directory), options.seed)
    load = Load(world, users=10, producers=8)
    load.start()
    chance = world.random("crashes")
    try:
        for number in range(1, options.cycles + 1):
            await cycle(world, number, chance, CLOCKS[number % len(CLOCKS)] if options.clock else None)
        print(f"last start: ready after {await world.server.start():.3f} s", flush=True)
        world.up.set()
        await asyncio.sleep(chance.uniform(0.05, 0.5))
        report = await load.settle()
        return verdict(world, report)
    finally:
        await load.discard()
        await world.server.discard()


if __name__ == "__main__":
    sys.exit(run_test(test, __doc__, cycles=10, switches={"--clock": "set the clock anew at every start"}))
