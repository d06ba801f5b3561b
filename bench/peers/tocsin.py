"""Tocsin itself: the release binary, embedded store, every notification fsynced, one event loop."""

from pathlib import Path

from peers.peer import API_KEY, JWT_SECRET, Peer, output


class Tocsin(Peer):
    name = "tocsin"
    title = "Tocsin"
    load_peer = "tocsin"
    durability = "fsync before 202"
    session = "JWT"
    acks = "device acks, stored"
    binary: Path  # set by run.py

    def missing(self) -> str:
        return "" if self.binary.exists() else f"{self.binary} is not built: ./dev build"

    def version(self) -> str:
        return output(str(self.binary), "version").splitlines()[0]

    def launch(self) -> None:
        self.spawn(
            str(self.binary), "serve", "--data-dir", str(self.directory / "data"),
            "--listen", f"127.0.0.1:{self.port}", "--redis-listen", "", "--cores", "1",
            env={"TOCSIN_JWT_HS256_SECRET": JWT_SECRET, "TOCSIN_API_KEYS": f"bench:{API_KEY}"},
        )  # fmt: skip

    # What is compared is fsynced work: an answer that names another level is another work.
    def objection(self, report: dict) -> str:
        answer = report.get("first_answer", '"durability":"sync"')
        return "" if '"durability":"sync"' in answer else f"not the durability that was asked for: {answer}"
