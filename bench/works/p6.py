from works.work import Bar, Column, Work

WORK = Work(
    name="P6",
    title="connect + token check + hello + welcome",
    load="connect",
    columns=[Column("CPU us each", "cpu_us"), Column("per second", "per_second", "{:.0f}")],
    main="cpu_us",
    bars=[Bar("cpu_us", "nchan", 1.0), Bar("cpu_us", "nchan", 0.7, moonshot=True)],
    options=lambda peer, quick: {"connections": 1_000 if quick else 8_000},
)
