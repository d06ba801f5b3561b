#!/usr/bin/env python3
"""Slots of a Cluster move to another of its nodes under load: that of the ingest stream, there and back, and those of
many buckets of logs. Nobody notices: nothing is lost, no session ends for it, no cursor is reset.

    reshard.py --tocsin BINARY [--users 100] [--rate 200] [--buckets 40] [--seed N]"""

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "contract"))
from redis_py import with_redis_py  # noqa: E402
from run import run_test  # noqa: E402


# Moves one slot as redis-cli does, a few keys at a time.
def move(store, slot: int, source, target) -> int:
    ids = {process.port: process.client().execute_command("CLUSTER MYID") for process in (source, target)}
    old, new = source.client(), target.client()
    new.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[source.port])
    old.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target.port])
    moved = 0
    while keys := old.execute_command("CLUSTER GETKEYSINSLOT", slot, 10):
        old.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 10_000, "KEYS", *keys)
        moved += len(keys)
    primaries = [process for process in store.processes[: store.PRIMARIES] if process not in (source, target)]
    for process in (target, source, *primaries):
        process.client().execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target.port])
    return moved


async def test(options: argparse.Namespace, directory: Path) -> int:
    from nodes import loaded, verdict
    from stores import INGEST, Cluster

    store = Cluster(directory)
    async with loaded(options, directory, store, 2, 0.05) as (nodes, load):
        await asyncio.sleep(2)
        chance = load.world.random("slots")
        keys = [INGEST, *(f"tocsin:{{b{n}}}" for n in chance.sample(range(256), options.buckets)), INGEST]
        moved = 0
        for key in keys:
            slot = int(await asyncio.to_thread(store.processes[0].client().execute_command, "CLUSTER KEYSLOT", key))
            source = await asyncio.to_thread(store.primary_of, key)
            target = chance.choice([p for p in store.processes[: store.PRIMARIES] if p is not source])
            count = await asyncio.to_thread(move, store, slot, source, target)
            moved += count
            if key == INGEST:
                print(f"the slot of the ingest stream has moved, with {count} keys", flush=True)
            await asyncio.sleep(0.1)
        print(f"{len(keys)} slots have moved, with {moved} keys", flush=True)
        await asyncio.sleep(2)
        report = await load.settle()
        lost = [line for name in ("store_lost", "store_lost_entries") for line in nodes.events(name)]
        assert not lost, f"a node took a move for a loss: {lost[:3]}"
        return verdict(load, nodes, report)


if __name__ == "__main__":
    sys.exit(run_test(test, __doc__, {"--users": 100, "--rate": 200, "--buckets": 40}, with_redis_py))
