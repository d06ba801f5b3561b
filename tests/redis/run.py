"""What the programs of this folder have in common: their arguments, their seed, a directory that goes with them."""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

SKIPPED = 77  # the exit status of a test that cannot run here


# Runs `test` with the options and a new directory, in the interpreter that `prepare` chooses; answers its exit status.
# `arguments`: flags with a default of their type.
def run_test(test: Callable[[argparse.Namespace, Path], Coroutine[Any, Any, int]], about: str | None,
             arguments: dict[str, Any], prepare: Callable[[Path], None]) -> int:  # fmt: skip
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tocsin", type=Path, required=True, help="the binary")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    for name, default in arguments.items():
        parser.add_argument(name, type=type(default), default=default)
    options = parser.parse_args()
    options.tocsin = options.tocsin.resolve()
    prepare(options.tocsin)
    from stores import Skip

    print(f"seed {options.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="tocsin-redis-"))
    good = False
    try:
        status = asyncio.run(test(options, directory))
        good = status == 0
        return status
    except Skip as why:
        print(f"skipped: {why}")
        good = True
        return SKIPPED
    finally:
        if good:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            print(f"what was left is in {directory}", flush=True)


if __name__ == "__main__":
    sys.exit("run chaos.py, outage.py or failover.py")
