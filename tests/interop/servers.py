"""The servers under test: tocsin with its Redis port, and a real redis-server beside it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

API_KEY = "interop-tests-may-do-everything"
JWT_SECRET = "interop-tests-sign-their-tokens-with-this"
SKIPPED = 77  # what ctest takes for "skipped"


def skip(reason: str) -> None:
    print(f"skipped: {reason}")
    raise SystemExit(SKIPPED)


class Tocsin:
    # `settings`: as in the configuration. Everything is on free ports and in a directory of its own.
    def __init__(self, binary: str, settings: dict[str, str] | None = None):
        self.directory = Path(tempfile.mkdtemp(prefix="tocsin-interop-"))
        self.settings = {
            "data_dir": str(self.directory / "data"),
            "listen": "127.0.0.1:0",
            "redis_listen": "127.0.0.1:0",
            "redis_auth": "off",
            "api_keys": f"all:{API_KEY}",
            "jwt_hs256_secret": JWT_SECRET,
            **(settings or {}),
        }
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        environment.update({f"TOCSIN_{name.upper()}": value for name, value in self.settings.items()})
        self.environment = environment
        self.binary = binary
        self.start()

    def start(self) -> None:
        with open(self.directory / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve"], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        found = re.match(r"ready http=\S+:(\d+) redis=\S+:(\d+) durability=sync", line)
        if not found:
            raise RuntimeError(f"instead of the ready line it said {line!r}; its log ends with\n{self.log()}")
        self.http_port, self.port = int(found[1]), int(found[2])

    def log(self) -> str:
        return (self.directory / "server.log").read_text(errors="replace")[-3000:]

    def token(self, user: str) -> str:
        words = [self.binary, "token", "--user", user]
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, check=True).stdout.strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    # Must still run: a test that made it crash has failed whatever else it saw.
    def stop(self) -> None:
        running = self.process.poll() is None
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(60)
        finally:
            self.process.kill()
        log = self.log()
        shutil.rmtree(self.directory, ignore_errors=True)
        if not running or status != 0:
            raise RuntimeError(f"the server ended by itself, or with {status}; its log ends with\n{log}")

    def __enter__(self) -> "Tocsin":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Redis:
    def __init__(self, *arguments: str):
        program = shutil.which("redis-server")
        if program is None:
            skip("redis-server is missing: apt-get install redis-server")
        self.directory = tempfile.mkdtemp(prefix="tocsin-redis-")
        self.port = free_port()
        words = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        words += ["--dir", self.directory, "--logfile", "/dev/null", *arguments]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        for _ in range(1000):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.02)

    def __enter__(self) -> "Redis":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
