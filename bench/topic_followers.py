#!/usr/bin/env python3
"""What a publish to a topic costs, with few and with many followers who are offline.

    topic_followers.py --tocsin BINARY [--online 1000] [--followers 1000,100000] [--publishes 200] [--store embedded|redis://...]

For each number of followers: a server of its own, so many durable follows, `--online` of them connected; then publishes
one after the other, each timed to its 202 (confirmed by the store) and to the last connected device that has it. Printed: medians, the
server's memory before and after the publishes, and how many entries the publishes have stored (embedded). Fails if a
device misses one, or if a publish stored more than one entry. A Redis has to be empty."""

import argparse
import asyncio
import json
import re
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "crash"))

from clients import Http, WebSocket, token  # noqa: E402
from server import API_KEY, Server  # noqa: E402

TOPIC = "crowd"
KEY = {"x-api-key": API_KEY, "Content-Type": "application/json"}
CONNECTIONS = 64  # that make follows


def resident_mb(server: Server) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


async def log_entries(server: Server) -> int:
    http = await Http.connect(server.port)
    _, answer = await http.request("GET", "/metrics", {})
    http.close()
    found = re.search(rb"^tocsin_log_entries_total (\d+)", answer, re.M)
    return int(found[1]) if found else 0


async def make_follows(server: Server, count: int) -> None:
    body = json.dumps({"topic": TOPIC}).encode()

    async def some(first: int) -> None:
        http = await Http.connect(server.port)
        for n in range(first, count, CONNECTIONS):
            status, answer = await http.request("POST", f"/v1/users/follower{n}/topics", KEY, body)
            assert status == 204, answer
        http.close()

    await asyncio.gather(*(some(n) for n in range(CONNECTIONS)))


class Fan:
    def __init__(self) -> None:
        self.nids: list[str] = []
        self.welcomed = asyncio.get_running_loop().create_future()
        self.wanted, self.has_it = 0, asyncio.Event()

    async def connect(self, server: Server, user: str) -> None:
        self.socket = await WebSocket.connect(server.port, self._take)
        self.socket.send({"t": "hello", "tok": token(user), "dev": "phone", "topics": [], "credit": 64})
        await asyncio.wait_for(self.welcomed, 60)

    def _take(self, text: str) -> None:
        for line in text.split("\n"):
            frame = json.loads(line)
            if frame["t"] == "welcome":
                assert TOPIC in frame["cur"], frame
                self.welcomed.set_result(None)
            elif frame["t"] == "n" and frame.get("ch") == TOPIC:
                self.nids += [item["nid"] for item in frame["items"]]
                self.socket.send({"t": "ack", "ch": TOPIC, "cur": frame["cur"]})
                if len(self.nids) >= self.wanted:
                    self.has_it.set()

    def expect(self, count: int) -> asyncio.Event:
        self.wanted = count
        self.has_it.clear()
        return self.has_it


async def measure(options: argparse.Namespace, followers: int, directory: Path) -> None:
    server = Server(options.tocsin, directory)
    server.settings["store"] = options.store
    try:
        await server.start()
        began = time.monotonic()
        await make_follows(server, followers)
        made_s = time.monotonic() - began
        fans = [Fan() for _ in range(options.online)]
        for n in range(0, len(fans), 50):
            await asyncio.gather(*(fan.connect(server, f"follower{n + i}") for i, fan in enumerate(fans[n : n + 50])))
        stored = await log_entries(server)
        before_mb = resident_mb(server)
        http = await Http.connect(server.port)
        body = json.dumps({"topic": TOPIC, "title": "To all", "message": "m" * 100}).encode()
        nids, accepted_ms, delivered_ms = [], [], []
        for n in range(options.publishes):
            waits = [fan.expect(n + 1).wait() for fan in fans]
            start = time.monotonic()
            status, answer = await http.request("POST", "/v1/notifications", KEY, body)
            accepted_ms.append((time.monotonic() - start) * 1000)
            assert status == 202, answer
            nids.append(json.loads(answer)["items"][0]["nid"])
            await asyncio.wait_for(asyncio.gather(*waits), 60)
            delivered_ms.append((time.monotonic() - start) * 1000)
        http.close()
        assert all(fan.nids == nids for fan in fans), "a device missed one, or had one twice"
        entries = await log_entries(server) - stored
        if options.store == "embedded":
            assert entries == options.publishes, f"{entries} entries were stored by {options.publishes} publishes"
        print(f"{options.store}: {followers} followers, {options.online} online: accepted {statistics.median(accepted_ms):.2f} ms, "
              f"at the last device {statistics.median(delivered_ms):.1f} ms (medians of {options.publishes}); memory "
              f"{before_mb:.1f} MB before, {resident_mb(server):.1f} MB after; entries stored {entries}; "
              f"follows made in {made_s:.1f} s", flush=True)  # fmt: skip
        for fan in fans:
            fan.socket.abort()
    finally:
        await server.discard()


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tocsin", type=Path, required=True)
    parser.add_argument("--online", type=int, default=1_000)
    parser.add_argument("--followers", default="1000,100000")
    parser.add_argument("--publishes", type=int, default=200)
    parser.add_argument("--store", default="embedded")
    options = parser.parse_args()
    options.tocsin = options.tocsin.resolve()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    for followers in options.followers.split(","):
        with tempfile.TemporaryDirectory(prefix="tocsin-followers-") as directory:
            await measure(options, int(followers), Path(directory))
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
