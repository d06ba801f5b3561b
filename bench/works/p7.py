from works.work import Bar, Column, Work

PEERS = ("tocsin", "redis-always")


def work(name: str, streams: int, pipeline: int, commands: int) -> Work:
    where = "one stream" if streams == 1 else f"{streams:,} streams"
    return Work(
        name=name,
        title=f"XADD, fsync before the reply: redis-benchmark -c 50 -P {pipeline}, {where}, 100 bytes each",
        load="xadd",
        peers=PEERS,
        dialect="redis",
        columns=[
            Column("per second", "per_second", "{:.0f}"),
            Column("CPU us each", "cpu_us"),
            Column("p50 ms", "answer_p50_ms", "{:.2f}"),
            Column("p99 ms", "answer_p99_ms", "{:.2f}"),
        ],
        main="per_second",
        bars=[
            Bar("per_second", "redis-always", 1.0, at_least=True),
            Bar("per_second", "redis-always", 1.5, at_least=True, moonshot=True),
        ],
        ratios=["per_second", "cpu_us"],
        options=lambda peer, quick: {
            "streams": streams,
            "pipeline": pipeline,
            "commands": commands // 10 if quick else commands,
        },
    )


WORKS = [
    work("P7 one -P 1", 1, 1, 60_000),
    work("P7 one -P 16", 1, 16, 600_000),
    work("P7 many -P 1", 10_000, 1, 60_000),
    work("P7 many -P 16", 10_000, 16, 600_000),
]
