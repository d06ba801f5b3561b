"""What the programs of this folder and of tests/redis have in common: their arguments, their seed, a directory that goes with them."""

import argparse
import asyncio
import random
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

SKIPPED = 77  # the exit status of a test that cannot run here


# Runs `test` with the options and a new directory, in the interpreter that `prepare` chooses; answers its exit status.
# `arguments`: flags with a default of their type; a list's may be repeated.
def run_test(test: Callable[[argparse.Namespace, Path], Coroutine[Any, Any, int]], about: str | None,
             arguments: dict[str, Any], prepare: Callable[[Path], None]) -> int:  # fmt: skip
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tocsin", type=Path, required=True, help="the binary")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--keep", action="store_true", help="keep the directory")
    for name, default in arguments.items():
        kind = {"action": "append"} if isinstance(default, list) else {"type": type(default)}
        parser.add_argument(name, default=default, **kind)
    options = parser.parse_args()
    options.tocsin = options.tocsin.resolve()
    prepare(options.tocsin)
    from stores import Skip

    print(f"seed {options.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="tocsin-test-"))
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
        if good and not options.keep:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            print(f"what was left is in {directory}", flush=True)
