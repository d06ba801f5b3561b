from works.work import Bar, Column, Work

WORK = Work(
    name="P3",
    title="one notification to one user: HTTP publish, stored, pushed, acked; 16 publishers in a closed loop, 500 online",
    load="notify",
    columns=[
        Column("CPU us each", "cpu_us"),
        Column("per second", "per_second", "{:.0f}"),
        Column("p50 ms", "delivery_p50_ms", "{:.2f}"),
        Column("p99 ms", "delivery_p99_ms", "{:.2f}"),
    ],
    main="cpu_us",
    bars=[
        Bar("cpu_us", "stack", 0.1),
        Bar("cpu_us", "nchan", 1.0),
        Bar("cpu_us", "relay", 1.3, moonshot=True),
    ],
    options=lambda peer, quick: {
        "users": 500,
        "publishers": 16,
        "seconds": 1.5 if quick else 5,
        "warm-up": 0.5 if quick else 1,
    },
)
