#!/usr/bin/env python3
"""SIGTERM under load, several times: the server ends with 0 and before its own limit, every session is told to come
back (`bye` 4200 with `after_ms`, close code 4200), an event stream and a long poll end too, and nothing that was
accepted is lost.

    drain.py --tocsin BINARY [--cycles 3] [--seed N]"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from clients import Http, token
from main import run_test
from server import Server
from workload import DRAIN, GONE, Device, Load, World, verdict

LIMIT_S = 30  # the server gives up waiting then; that is what must not happen


# A user for whom nothing is published.
IDLE = {"Authorization": f"Bearer {token('nobody')}"}


# What an event stream brings until its end.
async def listen(port: int) -> bytes:
    http = await Http.connect(port)
    http.send("GET", "/v1/events", IDLE)
    answer = await http.reader.read(-1)
    http.close()
    return answer


# The status of a long poll, from where the log ends.
async def poll(port: int) -> int:
    http = await Http.connect(port)
    _, body = await http.request("GET", "/v1/pull", IDLE)
    status, _ = await http.request("GET", f"/v1/pull?wait=60&cur={json.loads(body)['cur']}", IDLE)
    http.close()
    return status


# Comes and goes as fast as it can, also while the server drains.
async def restless(device: Device) -> None:
    while device.world.reading:
        try:
            await device.session(device.random.random() * 0.02)
        except GONE:
            await asyncio.sleep(0.001)


async def cycle(world: World, number: int, pause: float) -> None:
    server = world.server
    ready = await server.start()
    world.up.set()
    polling, listening = asyncio.create_task(poll(server.port)), asyncio.create_task(listen(server.port))
    await asyncio.sleep(pause)

    live = [(d, d.log) for d in world.devices if d.log.resume and not d.socket.closed.done()]
    status, seconds = await server.terminate()
    world.up.clear()
    complain = world.unexpected.append
    if status != 0:
        complain(f"it ended with {status}")
    if seconds > LIMIT_S - 1:
        complain(f"it was still waiting for somebody after {seconds:.1f} s")
    for device, session in live:
        end = next((end for end in device.ends if end.session is session), None)
        if end is None or end.bye is None or end.close_code != DRAIN or end.bye.get("after_ms", -1) < 0:
            complain(f"{device.name} of {device.user} was not told to come back: {end and end[1:]}")
    polled, listened = await polling, await listening
    if polled != 200:
        complain(f"the long poll was answered {polled}")
    if b"\nretry: " not in listened or b'"code":4200' not in listened:
        complain(f"the event stream ended with {listened[-300:]!r}")
    print(f"cycle {number}: ready after {ready:.3f} s, {len(live)} sessions, drained in {seconds:.3f} s", flush=True)


async def test(options: argparse.Namespace, directory: Path) -> int:
    world = World(Server(options.tocsin, directory), options.seed, restless=0)
    load = Load(world, users=10, producers=8)
    load.start()
    visitors = [Device(world, user, "visitor", "acked") for user in world.users[:4]]
    coming = [asyncio.create_task(restless(visitor)) for visitor in visitors]
    chance = world.random("pauses")
    try:
        for number in range(1, options.cycles + 1):
            await cycle(world, number, chance.uniform(0.5, 1.5))
        await world.server.start()
        world.up.set()
        report = await load.settle()
        await asyncio.gather(*coming)
        return verdict(world, report)
    finally:
        for task in coming:
            task.cancel()
        await load.discard()
        await world.server.discard()


if __name__ == "__main__":
    sys.exit(run_test(test, __doc__, cycles=3))
