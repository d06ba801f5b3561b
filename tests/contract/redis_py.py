"""redis-py for the tests: the virtual environment that tests/interop makes below the build directory."""

import os
import sys
from pathlib import Path


# Goes on in the interpreter that has redis-py. Before anything that needs it is imported.
def with_redis_py(binary: Path) -> None:
    try:
        import redis  # noqa: F401
    except ImportError:
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
        from clients import python

        program = python(binary.resolve().parent)
        os.execv(program, [program, "-B", *sys.argv])
