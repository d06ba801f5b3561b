#!/usr/bin/env python3
"""Runs the benchmark: every chosen work against every chosen peer, alternating, and prints medians. See README.md."""

import argparse
import datetime
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

from peers.nchan import Nchan  # noqa: E402
from peers.peer import API_KEY, JWT_SECRET, BenchError, Peer, output, raise_file_limit  # noqa: E402
from peers.redis import RedisAlways, RedisEverysec, RedisEverysec16  # noqa: E402
from peers.relay import Relay, RelayWs  # noqa: E402
from peers.stack import Stack, StackAlways  # noqa: E402
from peers.tocsin import Tocsin  # noqa: E402
from peers.tocsin_redis import TocsinRedis  # noqa: E402
from works.work import Medians, Work  # noqa: E402

PEERS: dict[str, type[Peer]] = {
    p.name: p
    for p in (Tocsin, TocsinRedis, Nchan, Stack, StackAlways, Relay, RelayWs, RedisAlways, RedisEverysec, RedisEverysec16)
}
DEFAULT_PEERS = ["tocsin", "nchan", "stack", "relay", "redis-always", "redis-everysec", "redis-everysec-16"]
WORKS = ["P3", "P4", "P5", "P6", "P7", "P8", "BLOCKED", "LARGE"]  # each is works/<name>.py
FILES_NEEDED = 11_000
LOAD_TIMEOUT_S = 1_300
NOISY = 0.10  # foreign CPU, as a share of one core
LOAD_BOUND = 0.95  # the load generator's own core


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--works", default=",".join(WORKS), help="comma list of %(default)s")
    parser.add_argument("--peers", default=",".join(DEFAULT_PEERS), help=f"comma list of {','.join(PEERS)}")
    parser.add_argument("--runs", type=int, default=None, help="alternating runs (default 5; 1 with --quick)")
    parser.add_argument("--quick", action="store_true", help="short runs, to see that all works; no figures to quote")
    parser.add_argument("--server-core", type=int, default=None, help="default: the first allowed core")
    parser.add_argument("--load-core", type=int, default=None, help="default: the second")
    parser.add_argument("--tocsin", type=Path, default=ROOT / "build/release/tocsin", help="binary under test")
    parser.add_argument("--load", type=Path, default=ROOT / "build/bench/bench/tocsin-bench", help="load generator")
    parser.add_argument("--out", type=Path, default=None, help="JSON file (default build/bench/results/…)")
    chosen = parser.parse_args()
    chosen.works = [w.strip().upper() for w in chosen.works.split(",")]
    chosen.peers = [p.strip() for p in chosen.peers.split(",")]
    for word, known in [(w, WORKS) for w in chosen.works] + [(p, PEERS) for p in chosen.peers]:
        if word not in known:
            parser.error(f"unknown: {word} (there are: {', '.join(known)})")
    if chosen.runs is None:
        chosen.runs = 1 if chosen.quick else 5
    return chosen


def check_prerequisites(chosen: argparse.Namespace, peers: list[Peer]) -> None:
    wrong = [lack for peer in peers if (lack := peer.missing())]
    if not chosen.load.exists():
        wrong.append(f"{chosen.load} is not built: ./dev bench, or: cmake --preset bench && ninja -C build/bench tocsin-bench")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        wrong.append("two cores are needed: one for the server, one for the load")
    else:
        chosen.server_core = cores[0] if chosen.server_core is None else chosen.server_core
        chosen.load_core = cores[1] if chosen.load_core is None else chosen.load_core
        if chosen.server_core == chosen.load_core:
            wrong.append("server and load need different cores")
    raise_file_limit()
    limit = os.sysconf("SC_OPEN_MAX")
    if limit < FILES_NEEDED:
        wrong.append(f"{FILES_NEEDED} open files are needed and {limit} are allowed: ulimit -Hn")
    if wrong:
        raise BenchError("cannot start:\n" + "\n".join(f"  - {line}" for line in wrong))


class Bench:
    def __init__(self, chosen: argparse.Namespace):
        self.chosen = chosen
        self.build = ROOT / "build/bench"
        Tocsin.binary = chosen.tocsin.resolve()
        self.peers = [PEERS[name](self.build) for name in chosen.peers]
        self.works: list[Work] = [work for name in chosen.works for work in works_of(name)]
        # work -> peer -> reports of its runs
        self.reports: dict[str, dict[str, list[dict]]] = {w.name: {} for w in self.works}

    def run(self) -> int:
        check_prerequisites(self.chosen, self.peers)
        for peer in self.peers:
            peer.prepare()
        (self.build / "run").mkdir(parents=True, exist_ok=True)
        if output("stat", "-f", "-c", "%T", str(self.build / "run")) in ("tmpfs", "ramfs"):
            raise BenchError(f"{self.build / 'run'} is in memory: an fsync there measures nothing")
        for run in range(self.chosen.runs):
            for work in self.works:
                if work.most_runs is not None and run >= work.most_runs:
                    continue
                # Rotated, so that nobody always comes first or after the same neighbour.
                peers = [p for p in self.peers if work.dialect in p.dialects and p.name in (work.peers or PEERS)]
                turn = run % max(1, len(peers))
                for peer in peers[turn:] + peers[:turn]:
                    self.keep(work, peer.name, run, self.against(work, peer))
                if work.base_line:
                    self.keep(work, work.base_line, run, self.base_line(work))
        return self.conclude()

    def against(self, work: Work, peer: Peer) -> dict:
        try:
            if work.drive is not None:
                return work.drive(self, work, peer, self.chosen.quick)
            peer.start(self.chosen.server_core, work.dialect)
            report = self.load_peer(work.load, peer, work.options(peer, self.chosen.quick))
            if report["valid"] and (objection := peer.objection(report)):
                report = {**report, "valid": False, "invalid": objection}
            return report
        except (BenchError, subprocess.TimeoutExpired) as failure:
            return {"valid": False, "invalid": str(failure)}
        finally:
            peer.stop()

    def load_peer(self, word: str, peer: Peer, options: dict) -> dict:
        return self.load(
            word,
            {
                **options,
                "peer": peer.load_peer,
                "port": peer.port,
                "pids": ",".join(map(str, peer.pids())),
                "jwt-secret": JWT_SECRET,
                "api-key": API_KEY,
            },
        )

    def base_line(self, work: Work) -> dict:
        options = work.options(None, self.chosen.quick)
        return self.load(
            work.base_line, {**options, "dir": self.build / "run", "server-core": self.chosen.server_core}
        )

    def load(self, word: str, options: dict) -> dict:
        command = [str(self.chosen.load), word]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        try:
            done = subprocess.run(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                timeout=LOAD_TIMEOUT_S,
                check=False,
                preexec_fn=lambda: os.sched_setaffinity(0, {self.chosen.load_core}),
            )
        except subprocess.TimeoutExpired:
            return {"valid": False, "invalid": f"the load did not end within {LOAD_TIMEOUT_S} s"}
        if done.returncode != 0:
            return {"valid": False, "invalid": done.stderr.strip() or f"the load ended with {done.returncode}"}
        return json.loads(done.stdout)

    def keep(self, work: Work, name: str, run: int, report: dict) -> None:
        self.reports[work.name].setdefault(name, []).append(report)
        figure = f"{report[work.main]:.2f} {work.main}" if report["valid"] else f"INVALID: {report['invalid']}"
        print(f"  run {run + 1}/{self.chosen.runs}  {work.name}  {name:<13} {figure}", flush=True)

    def conclude(self) -> int:
        medians = {w.name: self.medians(w) for w in self.works}
        for work in self.works:
            self.print_work(work, medians[work.name])
        path = self.write(medians)
        print(f"\nall figures of all runs: {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}")
        print(f"load average at the end: {os.getloadavg()[0]:.1f}, {os.getloadavg()[1]:.1f}, {os.getloadavg()[2]:.1f}")
        if self.chosen.quick or self.chosen.runs < 5:
            print("short or fewer than 5 runs: these figures show that the benchmark works, not how fast anything is")
        every = [r for peers in self.reports.values() for reports in peers.values() for r in reports]
        return 0 if all(r["valid"] for r in every) else 1

    def medians(self, work: Work) -> Medians:
        result: Medians = {}
        for name, reports in self.reports[work.name].items():
            valid = [r for r in reports if r["valid"]]
            if valid:
                numbers = [k for k, v in valid[0].items() if isinstance(v, int | float) and not isinstance(v, bool)]
                result[name] = {k: statistics.median(r[k] for r in valid) for k in numbers}
        return result

    def print_work(self, work: Work, medians: Medians) -> None:
        head = ["", *(c.head for c in work.columns), "spread", "busy", "foreign", "runs", "durability", "session", "acks"]
        rows = [head]
        for name, reports in self.reports[work.name].items():
            rows.append(self.row(work, name, reports, medians.get(name)))
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        print(f"\n{work.name}  {work.title}")
        for row in rows:
            print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        self.print_bars(work, medians)

    def row(self, work: Work, name: str, reports: list[dict], median: dict[str, float] | None) -> list[str]:
        peer = PEERS.get(name)
        words = [peer.durability, peer.session, peer.acks] if peer else ["fdatasync", "-", "-"]
        valid = [r for r in reports if r["valid"]]
        runs = f"{len(valid)}/{len(reports)}"
        if median is None:
            return [name, *("-" for _ in work.columns), "-", "-", "-", runs, *words]
        cells = [c.form.format(median[c.figure]) if c.figure in median else "-" for c in work.columns]
        main = [r[work.main] for r in valid]
        spread = f"{min(main):.2f}..{max(main):.2f}"
        busy = "-"
        if "load_busy" in median:
            load_bound = "!" if median["load_busy"] > LOAD_BOUND else ""
            busy = f"{median['server_busy']:.0%}/{median['load_busy']:.0%}{load_bound}"
        foreign = "-"
        if "foreign_busy" in median:
            foreign = f"{median['foreign_busy']:.0%}" + ("!" if median["foreign_busy"] > NOISY else "")
        return [name, *cells, spread, busy, foreign, runs, *words]

    def print_bars(self, work: Work, medians: Medians) -> None:
        ours = medians.get("tocsin")
        if ours is None:
            return
        for bar in work.bars:
            limit = bar.limit(medians)
            if limit is None:
                print(f"  {bar.text()}: {bar.peer} was not measured")
            else:
                verdict = "met" if bar.met(ours[bar.figure], limit) else "MISSED"
                foreign = max(ours.get("foreign_busy", 0), medians.get(bar.peer, {}).get("foreign_busy", 0))
                if foreign > NOISY:
                    verdict += f", but worth nothing: others used {foreign:.0%} of a core"
                print(f"  {bar.text()}: {ours[bar.figure]:.2f} against {limit:.2f}: {verdict}")
        for name, theirs in medians.items():
            if work.ratios and name != "tocsin":
                ratios = ", ".join(f"{ours[figure] / theirs[figure]:.2f}x {figure}" for figure in work.ratios)
                print(f"  tocsin : {name} = {ratios}")

    def write(self, medians: dict[str, Medians]) -> Path:
        now = datetime.datetime.now().astimezone()
        path = self.chosen.out or self.build / "results" / f"bench-{now:%Y%m%d-%H%M%S}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "at": now.isoformat(timespec="seconds"),
            "commit": output("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"),
            "machine": {
                "cpu": cpu_model(),
                "cores": os.cpu_count(),
                "kernel": platform.release(),
                "server_core": self.chosen.server_core,
                "load_core": self.chosen.load_core,
            },
            "load_average": os.getloadavg(),
            "quick": self.chosen.quick,
            "runs": self.chosen.runs,
            "peers": {
                p.name: {"version": p.version(), "durability": p.durability, "session": p.session, "acks": p.acks}
                for p in self.peers
            },
            "medians": medians,
            "reports": self.reports,
        }
        path.write_text(json.dumps(document, indent=1) + "\n")
        return path


def works_of(name: str) -> list[Work]:
    module = import_module(f"works.{name.lower()}")
    return module.WORKS if hasattr(module, "WORKS") else [module.WORK]


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by an exception, so that no peer is left behind
    try:
        return Bench(arguments()).run()
    except BenchError as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
