"""redis-server with an append-only file: the peer of the works on the Redis port."""

import shutil

from peers.peer import Peer, first_version, output


class Redis(Peer):
    load_peer = "redis"
    dialects = ("redis",)
    session = "none"
    acks = "XACK"
    append_fsync = "always"
    ready_words = "Ready to accept connections"

    def missing(self) -> str:
        return "" if shutil.which("redis-server") else "redis-server is missing: apt-get install redis-server"

    def version(self) -> str:
        return f"redis-server {first_version(output('redis-server', '--version'))}"

    def launch(self) -> None:
        self.spawn(
            "redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory),
            "--save", "", "--appendonly", "yes", "--appendfsync", self.append_fsync, "--maxclients", "10000",
        )  # fmt: skip


class RedisAlways(Redis):
    name = "redis-always"
    title = "redis-server, appendfsync always"
    durability = "AOF fsync always"


class RedisEverysec(Redis):
    name = "redis-everysec"
    title = "redis-server, appendfsync everysec, one connection"
    append_fsync = "everysec"
    durability = "AOF everysec"
    consumers = 1  # in P8


class RedisEverysec16(Redis):
    name = "redis-everysec-16"
    title = "the same, 16 connections"
    append_fsync = "everysec"
    durability = "AOF everysec"
