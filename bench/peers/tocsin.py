"""Tocsin itself: the release binary, embedded store, every notification fsynced, one event loop."""

from pathlib import Path

from peers.peer import API_KEY, JWT_SECRET, Peer, free_port, output


class Tocsin(Peer):
    name = "tocsin"
    title = "Tocsin"
    load_peer = "tocsin"
    durability = "fsync before 202"
    session = "JWT"
    acks = "device acks, stored"
    dialects = ("http", "redis")
    ready_words = "ready http="
    binary: Path  # set by run.py

    def missing(self) -> str:
        return "" if self.binary.exists() else f"{self.binary} is not built: ./dev build"

    def version(self) -> str:
        return output(str(self.binary), "version").splitlines()[0]

    # The Redis port is open in the works that use it only, with a password: an API key.
    def choose_ports(self) -> None:
        self.port = free_port()
        self.http_port = free_port(self.port + 1) if self.dialect == "redis" else self.port

    def launch(self) -> None:
        redis = f"127.0.0.1:{self.port}" if self.dialect == "redis" else ""
        self.spawn(
            str(self.binary), "serve", "--data-dir", str(self.directory / "data"),
            "--listen", f"127.0.0.1:{self.http_port}", "--redis-listen", redis, "--cores", "1",
            env={"TOCSIN_JWT_HS256_SECRET": JWT_SECRET, "TOCSIN_API_KEYS": f"bench:{API_KEY}"},
        )  # fmt: skip

    # What is compared is fsynced work: an answer that names another level is another work.
    def objection(self, report: dict) -> str:
        answer = report.get("first_answer", '"durability":"sync"')
        return "" if '"durability":"sync"' in answer else f"not the durability that was asked for: {answer}"
