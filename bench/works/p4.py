from works.work import Bar, Column, Work

WORK = Work(
    name="P4",
    title="latency from publish to device in an open loop",
    load="latency",
    columns=[
        Column("rate/s", "rate", "{:.0f}"),
        Column("p50 ms", "p50_ms", "{:.2f}"),
        Column("p90 ms", "p90_ms", "{:.2f}"),
        Column("p99 ms", "p99_ms", "{:.2f}"),
        Column("max ms", "max_ms", "{:.1f}"),
        Column("answer p50", "answer_p50_ms", "{:.2f}"),
        Column("CPU us each", "cpu_us"),
    ],
    main="p50_ms",
    bars=[
        Bar("p50_ms", "commit-loop", 1.0, extra=0.5),
        Bar("p99_ms", "commit-loop", 2.0),
        Bar("p50_ms", "commit-loop", 1.0, extra=0.2, moonshot=True),
        Bar("p99_ms", "commit-loop", 1.3, moonshot=True),
    ],
    options=lambda peer, quick: {
        "users": 500,
        "rate": peer.latency_rate if peer else 2_000,
        "seconds": 1.5 if quick else 5,
        "warm-up": 0.5 if quick else 1,
    },
    base_line="commit-loop",
)
