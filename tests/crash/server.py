"""Server: the tocsin binary under test, on a data directory that outlives its crashes."""

import asyncio
import os
import re
import signal
import time
from pathlib import Path

API_KEY = "crash-tests-publish-with-this-key"
JWT_SECRET = "crash-tests-sign-their-tokens-with-this"
WAIT_S = 120  # for what must happen; a machine may be slow, so this is no measure of speed
LOG_TAIL = 3000


class ServerError(Exception):
    """The server did what it must not: it ended by itself, or it did not come up."""


class Server:
    # `wrap`: a command to run it under, which has to become it.
    def __init__(self, binary: Path, directory: Path, wrap: tuple[str, ...] = ()):
        self.binary = binary
        self.directory = directory
        self.wrap = wrap
        self.port = self.redis_port = 0
        self.settings = {
            "data_dir": str(directory / "data"),
            "listen": "127.0.0.1:0",
            "redis_listen": "",
            "api_keys": f"all:{API_KEY}",
            "jwt_hs256_secret": JWT_SECRET,
            "log_max_entries": "10000000",  # these tests lose nothing to a limit
        }
        self.process: asyncio.subprocess.Process | None = None
        self.log = directory / "server.log"

    # Starts it; `environment` is added to its own.
    async def spawn(self, environment: dict[str, str] | None = None) -> None:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        ours.update({f"TOCSIN_{name.upper()}": value for name, value in self.settings.items()})
        self.spawned_at = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.wrap, str(self.binary), "serve",
                env={**ours, **(environment or {})}, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip

    # Resolves when it accepts work, with the seconds since spawn().
    async def ready(self) -> float:
        assert self.process is not None and self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), WAIT_S)
        found = re.match(rb"ready http=127\.0\.0\.1:(\d+) redis=(?:127\.0\.0\.1:(\d+))?.*durability=sync", line)
        if not found:
            raise ServerError(f"instead of the ready line it said {line!r}; its log ends with\n{self.log_tail()}")
        self.port, self.redis_port = int(found[1]), int(found[2] or 0)
        return time.monotonic() - self.spawned_at

    async def start(self, environment: dict[str, str] | None = None) -> float:
        await self.spawn(environment)
        return await self.ready()

    # As a crash ends it. An end of its own before that is a failure.
    async def kill(self) -> None:
        assert self.process is not None
        if self.process.returncode is not None:
            status = self.process.returncode
            raise ServerError(f"it ended by itself with {status}; its log ends with\n{self.log_tail()}")
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        self.process = None

    # As an operator ends it; resolves with its exit status and the seconds that took.
    async def terminate(self) -> tuple[int, float]:
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = await asyncio.wait_for(self.process.wait(), WAIT_S)
        self.process = None
        return status, time.monotonic() - began

    # For the end of a test, whatever came before.
    async def discard(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-LOG_TAIL:] if self.log.exists() else ""
