"""Tocsin with its logs and streams on redis-server, as one node of many would run: both share the server's core."""

import shutil

from peers.peer import API_KEY, JWT_SECRET, first_version, free_port, output
from peers.tocsin import Tocsin


class TocsinRedis(Tocsin):
    name = "tocsin-redis"
    title = "Tocsin on redis-server"
    durability = "AOF fsync always"
    append_fsync = "always"
    dialects = ("http",)

    def missing(self) -> str:
        redis = "" if shutil.which("redis-server") else "redis-server is missing: apt-get install redis-server"
        return redis or super().missing()

    def version(self) -> str:
        return f"{super().version()}, redis-server {first_version(output('redis-server', '--version'))}"

    def launch(self) -> None:
        # Asked for now and used at once: self.port is not bound yet, so one above it is.
        redis_port = self.port
        self.spawn(
            "redis-server", "--bind", "127.0.0.1", "--port", str(redis_port), "--dir", str(self.directory),
            "--save", "", "--appendonly", "yes", "--appendfsync", self.append_fsync, "--maxclients", "10000",
        )  # fmt: skip
        self.wait_for_redis(redis_port)
        self.port = self.http_port = free_port()
        self.spawn(
            str(self.binary), "serve", "--data-dir", str(self.directory / "data"),
            "--listen", f"127.0.0.1:{self.http_port}", "--store", f"redis://127.0.0.1:{redis_port}", "--cores", "1",
            env={"TOCSIN_JWT_HS256_SECRET": JWT_SECRET, "TOCSIN_API_KEYS": f"bench:{API_KEY}"},
        )  # fmt: skip
