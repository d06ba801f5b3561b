#!/usr/bin/env python3
"""What a notification costs a Redis and the Tocsin nodes on it, with one node, two and three.

Each node has its own users online and its own publishers, at a steady rate; the users of all nodes share one ingest
stream, so all but the router's own are woken by it. Prints, for each notification: commands and microseconds of Redis,
bytes in and out of it, microseconds of all nodes together, latency. See README.md, "Many nodes".
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

from peers.peer import API_KEY, JWT_SECRET, free_port, output, raise_file_limit  # noqa: E402
from peers.tocsin_redis import TocsinRedis  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
WARM_UP_S, SETTLE_S = 2, 0.5


class Nodes(TocsinRedis):
    """redis-server and several nodes of Tocsin on it."""

    name = "tocsin-nodes"
    nodes = 1

    def launch(self) -> None:
        super().launch()
        self.redis_port = int(self.children[0].args[self.children[0].args.index("--port") + 1])
        self.ports = [self.port]
        for number in range(1, self.nodes):
            port = free_port()
            self.spawn(
                str(self.binary), "serve", "--data-dir", str(self.directory / f"data-{number}"),
                "--listen", f"127.0.0.1:{port}", "--store", f"redis://127.0.0.1:{self.redis_port}", "--cores", "1",
                env={"TOCSIN_JWT_HS256_SECRET": JWT_SECRET, "TOCSIN_API_KEYS": f"bench:{API_KEY}"},
            )  # fmt: skip
            self.wait_ready(f"http://127.0.0.1:{port}/healthz")
            self.ports.append(port)

    # Figures that only grow.
    def totals(self) -> dict[str, float]:
        text = output("redis-cli", "-p", str(self.redis_port), "INFO", "everything")
        info = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        commands = {
            name.removeprefix("cmdstat_"): int(value.split(",")[0].removeprefix("calls="))
            for name, value in info.items()
            if name.startswith("cmdstat_")
        }
        # What scripts call inside is counted by Redis too; what came over the wire is all of this.
        outside = ("evalsha", "xadd", "xreadgroup", "xread", "xack", "set", "get", "pexpire", "wait", "exists")
        return {
            "commands": sum(commands.get(name, 0) for name in outside),
            "bytes_in": int(info["total_net_input_bytes"]),
            "bytes_out": int(info["total_net_output_bytes"]),
            "redis_us": cpu_us(self.children[0].pid),
            "nodes_us": sum(cpu_us(child.pid) for child in self.children[1:]),
        }


def cpu_us(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / TICKS


# Loads every node at once; answers the figures per notification.
def measure(peer: Nodes, options: argparse.Namespace) -> dict[str, float]:
    each = options.rate // len(peer.ports)
    users = options.users // len(peer.ports)
    loads = [
        subprocess.Popen(
            [
                str(options.load), "latency", "--peer", "tocsin", "--port", str(port), "--jwt-secret", JWT_SECRET,
                "--api-key", API_KEY, "--pids", str(peer.children[0].pid), "--users", str(users),
                "--first-user", str(number * users), "--rate", str(each), "--warm-up", str(WARM_UP_S),
                "--seconds", str(options.seconds),
            ],
            stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {options.load_core}),
        )  # fmt: skip
        for number, port in enumerate(peer.ports)
    ]
    reports: list[dict] = [{} for _ in loads]

    def read(number: int) -> None:
        text = loads[number].communicate()[0]
        reports[number] = json.loads(text) if text else {"error": "it printed nothing"}

    readers = [threading.Thread(target=read, args=(number,)) for number in range(len(loads))]
    for reader in readers:
        reader.start()
    # A window in the middle of the load: it has warmed up, and it has not ended.
    time.sleep(WARM_UP_S + 3 * SETTLE_S)
    before, began = peer.totals(), time.monotonic()
    time.sleep(options.seconds - 2 * SETTLE_S - 1)
    after, ended = peer.totals(), time.monotonic()
    for reader in readers:
        reader.join()
    for report in reports:
        if report.get("error"):
            raise SystemExit(f"the load was not carried: {report['error']}")
    count = each * len(peer.ports) * (ended - began)
    figures = {name: (after[name] - before[name]) / count for name in after}
    figures["p50_ms"] = statistics.mean(report["p50_ms"] for report in reports)
    figures["p99_ms"] = max(report["p99_ms"] for report in reports)
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="1,2,3", help="comma list (default %(default)s)")
    parser.add_argument("--rate", type=int, default=1_500, help="notifications a second, over all nodes")
    parser.add_argument("--users", type=int, default=900, help="online, over all nodes")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--tocsin", type=Path, default=ROOT / "build/release/tocsin")
    parser.add_argument("--load", type=Path, default=ROOT / "build/bench/bench/tocsin-bench")
    options = parser.parse_args()
    raise_file_limit()
    TocsinRedis.binary = options.tocsin.resolve()
    columns = {
        "commands": "commands", "bytes_in": "bytes in", "bytes_out": "bytes out", "redis_us": "Redis us",
        "nodes_us": "nodes us", "p50_ms": "p50 ms", "p99_ms": "p99 ms",
    }  # fmt: skip
    print(f"{options.rate} notifications/s, {options.users} users online, redis-server appendfsync always; for each one:")
    print("nodes  " + "  ".join(f"{title:>9}" for title in columns.values()))
    counts = [int(number) for number in options.nodes.split(",")]
    runs: dict[int, list[dict]] = {count: [] for count in counts}
    for _ in range(options.runs):
        for count in counts:
            peer = Nodes(ROOT / "build/bench")
            peer.nodes = count
            peer.start(options.server_core)
            try:
                runs[count].append(measure(peer, options))
            finally:
                peer.stop()
    for count in counts:
        medians = [statistics.median(run[name] for run in runs[count]) for name in columns]
        print(f"{count:>5}  " + "  ".join(f"{value:9.2f}" for value in medians))
    return 0


if __name__ == "__main__":
    sys.exit(main())
