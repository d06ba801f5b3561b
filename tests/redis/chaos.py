#!/usr/bin/env python3
"""Three nodes on a Redis Cluster (three primaries, three replicas, appendfsync always) under load, and everything that may
break breaks: a node is killed (-9) every few seconds, the node that routes is frozen for twice its lease, a Redis
primary is killed and started again. Nothing is lost, nothing comes to the wrong user, order is kept, what comes twice
has the same nid, and no log has anything twice. What was published for later (`deliver_at`) comes once, never early, and
not at all if it was cancelled.

    chaos.py --tocsin BINARY [--seconds 180] [--users 3000] [--rate 500] [--every 5] [--seed N]"""

import argparse
import asyncio
import random
import signal
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "contract"))
from redis_py import with_redis_py  # noqa: E402
from run import run_test  # noqa: E402

LEASE_S = 5.0  # src/nodes/lease.h


class Faults:
    def __init__(self, nodes, store, chance: random.Random, every: float):
        self.nodes, self.store, self.chance, self.every = nodes, store, chance, every
        self.frozen = None
        self.kills = 0
        self.over = False  # what was begun is finished, and nothing new begins
        self.begun = time.monotonic()

    def say(self, words: str) -> None:
        print(f"{time.monotonic() - self.begun:6.1f} s: {words}", flush=True)

    # kill -9 of a node, again and again, and now and then a SIGTERM, as a rolling restart does; it comes back after a while.
    async def kill_nodes(self) -> None:
        while not self.over:
            await asyncio.sleep(self.every)
            if self.over:
                return
            router = await asyncio.to_thread(self.nodes.router)
            spared = (self.frozen, router) if self.frozen else ()  # whoever has taken over shall still be there at the end
            node = self.chance.choice([node for node in self.nodes.nodes if node not in spared])
            routed = node is router
            how = "killed"
            if self.chance.random() < 0.25:
                how = "told to end"
                status, _ = await node.terminate()
                if status != 0:
                    raise AssertionError(f"it ended with {status}; its log ends with\n{node.log_tail()}")
            else:
                await node.kill()
                self.kills += 1
            await asyncio.sleep(self.chance.uniform(0, self.every / 2))
            took = await node.start()
            self.say(f"{node.directory.name}{', which routed,' if routed else ''} {how}; ready {took:.2f} s after its start")

    # The node that routes stops for twice its lease: another takes over; then it wakes up and believes it is still its.
    async def freeze_router(self, after: float) -> None:
        await asyncio.sleep(after)
        while True:
            node = await asyncio.to_thread(self.nodes.router)
            if node is not None and node.process is not None and node.process.returncode is None:
                break
            await asyncio.sleep(0.1)
        self.frozen = node
        node.process.send_signal(signal.SIGSTOP)
        self.say(f"{node.directory.name}, which routes, is frozen")
        await asyncio.sleep(2 * LEASE_S)
        other = await asyncio.to_thread(self.nodes.router)
        node.process.send_signal(signal.SIGCONT)
        self.frozen = None
        self.say(f"it goes on; meanwhile {other.directory.name if other else 'nobody'} routes")
        if other is node:
            raise AssertionError("the frozen node kept the lease")

    # The primary of the ingest stream: killed and back before anybody is promoted.
    async def restart_primary(self, after: float) -> None:
        from stores import INGEST

        await asyncio.sleep(after)
        process = await asyncio.to_thread(self.store.primary_of, INGEST)
        process.kill()
        await asyncio.sleep(0.3)
        await asyncio.to_thread(process.start)
        self.say("the primary of the ingest stream was killed and is back")


async def test(options: argparse.Namespace, directory: Path) -> int:
    from later import Later
    from nodes import loaded, verdict
    from stores import Cluster

    store = Cluster(directory)
    async with loaded(options, directory, store, 3, 0.1) as (nodes, load):
        faults = Faults(nodes, store, load.world.random("faults"), options.every)
        later = Later(nodes, load.world.random("later"))
        scheduling = asyncio.create_task(later.run())
        tasks = [
            asyncio.create_task(faults.kill_nodes()),
            asyncio.create_task(faults.freeze_router(options.seconds * 0.25)),
            asyncio.create_task(faults.restart_primary(options.seconds * 0.75)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, timeout=options.seconds, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
            faults.over = True
            await asyncio.gather(*tasks)
        finally:
            later.publishing = False
            for task in tasks:
                task.cancel()
        await scheduling
        faults.say(f"{faults.kills} nodes were killed; it is quiet now")
        report = await load.settle()
        load.world.unexpected += await later.findings()
        return verdict(load, nodes, report)


if __name__ == "__main__":
    arguments = {"--seconds": 180.0, "--users": 3000, "--rate": 500, "--every": 5.0}
    sys.exit(run_test(test, __doc__, arguments, with_redis_py))
