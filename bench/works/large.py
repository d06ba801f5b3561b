"""A large store: filled once, then ended by SIGTERM and by kill -9; how long a start takes, and what memory it needs."""

import signal

from works.work import Bar, Column, Work


def drive(bench, work, peer, quick: bool) -> dict:
    sizes = {"entries": 200_000 if quick else 10_000_000, "streams": 5_000 if quick else 100_000}
    peer.start(bench.chosen.server_core, work.dialect)
    try:
        report = bench.load_peer("fill", peer, sizes)
        for word, how in (("term", signal.SIGTERM), ("kill", signal.SIGKILL)):
            if not report["valid"]:
                return report
            report[f"{word}_ready_s"] = peer.restart(how)
            visit = bench.load_peer("visit", peer, sizes)
            for figure in ("ready_mb", "visited_mb", "visit_ms"):
                report[f"{word}_{figure}"] = visit.get(figure)
            report["valid"] = visit["valid"]
            if not visit["valid"]:
                report["invalid"] = f"after {how.name}: {visit['invalid']}"
        report["disk_mb"] = sum(f.stat().st_size for f in peer.directory.rglob("*") if f.is_file()) / 2**20
        return report
    finally:
        peer.stop()


WORK = Work(
    name="LARGE",
    title="10,000,000 entries in one stream and 100,000 streams of five: start after SIGTERM and after kill -9",
    load="fill",
    peers=("tocsin", "redis-always"),
    dialect="redis",
    columns=[
        Column("filled/s", "long_per_second", "{:.0f}"),
        Column("filled MB", "filled_mb", "{:.0f}"),
        Column("disk MB", "disk_mb", "{:.0f}"),
        Column("TERM: ready s", "term_ready_s", "{:.2f}"),
        Column("MB", "term_ready_mb", "{:.0f}"),
        Column("MB visited", "term_visited_mb", "{:.0f}"),
        Column("KILL: ready s", "kill_ready_s", "{:.2f}"),
        Column("MB", "kill_ready_mb", "{:.0f}"),
        Column("MB visited", "kill_visited_mb", "{:.0f}"),
    ],
    main="kill_ready_s",
    bars=[
        Bar("term_ready_s", "", 0, extra=3),
        Bar("kill_ready_s", "", 0, extra=3),
        Bar("term_ready_s", "", 0, extra=1, moonshot=True),
        Bar("kill_ready_s", "", 0, extra=1, moonshot=True),
    ],
    drive=drive,
    most_runs=1,
)
