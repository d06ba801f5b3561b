from works.work import Bar, Column, Work

WORK = Work(
    name="P8",
    title="XREADGROUP COUNT 100 + XACK of the 100, acks synced; 16 connections (redis-everysec: one)",
    load="consume",
    peers=("tocsin", "redis-always", "redis-everysec", "redis-everysec-16"),
    dialect="redis",
    columns=[Column("entries/s", "per_second", "{:.0f}"), Column("CPU us each", "cpu_us", "{:.2f}")],
    main="per_second",
    bars=[
        Bar("per_second", "redis-always", 1.0, at_least=True),
        Bar("per_second", "redis-everysec", 1.0, at_least=True, moonshot=True),
    ],
    ratios=["per_second", "cpu_us"],
    options=lambda peer, quick: {
        "connections": getattr(peer, "consumers", 16),
        "entries": 50_000 if quick else 400_000,
    },
)
