"""The replaced stack: FastAPI + uvicorn + redis-server, see stack/app.py. All of its processes share the server's core."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from peers.peer import API_KEY, JWT_SECRET, BenchError, Peer, first_version, free_port, output

SOURCE = Path(__file__).parent / "stack"


class Stack(Peer):
    name = "stack"
    title = "FastAPI + redis-server"
    load_peer = "stack"
    append_fsync = "everysec"
    durability = "AOF everysec"
    session = "JWT"
    acks = "XACK by the worker"
    latency_rate = 400  # it cannot keep 2,000/s on one core

    @property
    def venv(self) -> Path:
        return self.build / "venv"

    def missing(self) -> str:
        if not shutil.which("redis-server"):
            return "redis-server is missing: apt-get install redis-server"
        if not shutil.which("python3", path="/usr/bin"):
            return "Debian's Python is missing: apt-get install python3 python3-venv"
        return ""

    def prepare(self) -> None:
        requirements = SOURCE / "requirements.txt"
        wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
        stamp = self.venv / "installed"
        if stamp.exists() and stamp.read_text() == wanted:
            return
        print("  installing FastAPI, uvicorn and redis-py into build/bench/venv ...", flush=True)
        shutil.rmtree(self.venv, ignore_errors=True)
        # Debian's interpreter on purpose: it is built with profile-guided optimisation, self-built ones often are not.
        for command in (
            ["/usr/bin/python3", "-m", "venv", str(self.venv)],
            [str(self.venv / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)],
        ):
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode != 0:
                hint = " (apt-get install python3-venv)" if "ensurepip" in done.stdout else ""
                raise BenchError(f"could not install the stack{hint}:\n{done.stdout.strip()}")
        stamp.write_text(wanted)

    def version(self) -> str:
        pins = dict(line.split("==") for line in (SOURCE / "requirements.txt").read_text().split() if "==" in line)
        redis = first_version(output("redis-server", "--version"))
        return f"FastAPI {pins['fastapi']}, uvicorn {pins['uvicorn']}, redis-py {pins['redis']}, redis-server {redis}"

    def launch(self) -> None:
        # Asked for now and used at once: self.port is not bound yet, so one above it is.
        self.redis_port = self.port
        self.spawn(
            "redis-server", "--bind", "127.0.0.1", "--port", str(self.redis_port), "--dir", str(self.directory),
            "--save", "", "--appendonly", "yes", "--appendfsync", self.append_fsync, "--maxclients", "1000",
        )  # fmt: skip
        self.wait_for_redis(self.redis_port)
        self.port = free_port()
        self.spawn(
            str(self.venv / "bin/python"), "-m", "uvicorn", "app:app", "--app-dir", str(SOURCE),
            "--host", "127.0.0.1", "--port", str(self.port), "--loop", "uvloop", "--http", "httptools",
            "--ws", "websockets-sansio", "--backlog", "4096", "--no-access-log", "--log-level", "warning",
            "--timeout-keep-alive", "3600", "--ws-per-message-deflate", "false",
            env={
                "STACK_REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0",
                "STACK_JWT_SECRET": JWT_SECRET,
                "STACK_API_KEY": API_KEY,
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        )  # fmt: skip

    # Every entry that was read has to have been acknowledged.
    def objection(self, report: dict) -> str:
        answer = output("redis-cli", "-p", str(self.redis_port), "XPENDING", "notifications_stream", "notifier_group")
        pending = answer.splitlines()[0] if answer else "?"
        return "" if pending == "0" else f"{pending} entries are pending in notifier_group"


class StackAlways(Stack):
    name = "stack-always"
    title = "the same, fsync always"
    append_fsync = "always"
    durability = "AOF fsync always"
