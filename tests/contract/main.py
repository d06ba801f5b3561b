#!/usr/bin/env python3
"""The contract of the service, through its public API, on one of the stores.

    main.py --tocsin BINARY --store embedded|redis|redis-tls|cluster|sentinel|sentinel-tls [--nodes N] [--case NAME]...
            [--setting NAME=VALUE]... [--seed N] [--keep]

The same cases run on every store; a user can tell none from another. redis-py comes from the virtual environment that
tests/interop makes below --build (default: where the binary is)."""

import argparse
import asyncio
import sys
import time
import traceback
from pathlib import Path

from redis_py import with_redis_py
from run import run_test

CASE_S = 90


async def run(options: argparse.Namespace, directory: Path) -> int:
    from service import Service
    from stores import STORES
    from suite import CASES

    import delivery, idempotency, inbox, preferences, routing, schedule, state, streams, topics, trail, traits, urgent  # noqa: E401, F401: they name their cases

    names = options.case or list(CASES)
    store = STORES[options.store](directory)
    service = None
    failed = []
    try:
        store.start()
        settings = dict(setting.split("=", 1) for setting in options.setting)
        service = Service(options.tocsin, directory, store, options.nodes, settings, seed=options.seed)
        await service.start()
        for name in names:
            begun = time.monotonic()
            try:
                await asyncio.wait_for(CASES[name](service), CASE_S)
                print(f"ok   {name} ({time.monotonic() - begun:.2f} s)", flush=True)
            except Exception:
                failed.append(name)
                print(f"FAIL {name}: {CASES[name].__doc__}\n{traceback.format_exc()}", flush=True)
                ended = [node for node in service.nodes if node.process is None or node.process.returncode is not None]
                for node in ended:  # the next case deserves a whole service
                    print(f"a node has ended; its log ends with\n{node.log_tail()}", flush=True)
                    await node.discard()
                    await node.start()
        for node in service.nodes:
            status, _ = await node.terminate()
            if status != 0:
                failed.append("SIGTERM")
                print(f"FAIL a node ended with {status} at SIGTERM; its log ends with\n{node.log_tail()}")
    finally:
        if service is not None:
            await service.stop()
        store.stop()
    print(f"{options.store}: {len(names) - len(failed)} of {len(names)} cases hold" + (f"; not {failed}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run_test(run, __doc__, {"--store": "embedded", "--nodes": 0, "--case": [], "--setting": []}, with_redis_py))
