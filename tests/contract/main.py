#!/usr/bin/env python3
"""The contract of the service, through its public API, on one of the stores.

    main.py --tocsin BINARY --store embedded|redis|redis-tls|cluster|sentinel|sentinel-tls [--nodes N] [--case NAME]... [--seed N]

The same cases run on every store; a user can tell none from another. redis-py comes from the virtual environment that
tests/interop makes below --build (default: where the binary is)."""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from redis_py import with_redis_py

SKIPPED = 77
CASE_S = 90


async def run(options: argparse.Namespace, directory: Path) -> int:
    from service import Service
    from stores import STORES
    from suite import CASES

    import delivery, idempotency, schedule, state, streams, trail, urgent  # noqa: E401, F401: they name their cases

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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tocsin", type=Path, required=True)
    parser.add_argument("--store", default="embedded")
    parser.add_argument("--nodes", type=int, default=0, help="0: as many as the store's default")
    parser.add_argument("--case", action="append", help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--setting", action="append", default=[], help="NAME=VALUE of every node; may be repeated")
    parser.add_argument("--keep", action="store_true", help="keep the directory")
    options = parser.parse_args()
    options.tocsin = options.tocsin.resolve()
    with_redis_py(options.tocsin)
    from stores import Skip

    print(f"seed {options.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="tocsin-contract-"))
    good = False
    try:
        status = asyncio.run(run(options, directory))
        good = status == 0
        return status
    except Skip as why:
        print(f"skipped: {why}")
        good = True
        return SKIPPED
    finally:
        if good and not options.keep:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            print(f"what was left is in {directory}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
