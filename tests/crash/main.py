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


# Runs `test` with the options and a new directory; answers its exit status.
def run_test(test: Callable[[argparse.Namespace, Path], Coroutine[Any, Any, int]], about: str | None, cycles: int = 0,
             switches: dict[str, str] | None = None) -> int:  # fmt: skip
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tocsin", type=Path, required=True, help="the binary")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    if cycles:
        parser.add_argument("--cycles", type=int, default=cycles)
    for name, words in (switches or {}).items():
        parser.add_argument(name, action="store_true", help=words)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="tocsin-crash-"))
    good = False
    try:
        status = asyncio.run(test(options, directory))
        good = status == 0
        return status
    except SystemExit:  # it skips itself
        good = True
        raise
    finally:
        if good:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            print(f"what the server left is in {directory}", flush=True)


def skip(why: str) -> None:
    print(f"skipped: {why}")
    sys.exit(SKIPPED)
