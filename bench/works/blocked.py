from works.work import Bar, Column, Work

WORK = Work(
    name="BLOCKED",
    title="XADD by 50 connections while 5,000 others are blocked in XREADGROUP (none, elsewhere, 500 and 5,000 in the group)",
    load="blocked",
    peers=("tocsin", "redis-always"),
    dialect="redis",
    columns=[
        Column("none/s", "none_per_second", "{:.0f}"),
        Column("elsewhere/s", "elsewhere_per_second", "{:.0f}"),
        Column("few/s", "few_per_second", "{:.0f}"),
        Column("many/s", "many_per_second", "{:.0f}"),
        Column("none us", "none_cpu_us"),
        Column("elsewhere us", "elsewhere_cpu_us"),
        Column("few us", "few_cpu_us"),
        Column("many us", "many_cpu_us"),
        Column("elsewhere:none", "elsewhere_ratio", "{:.2f}"),
        Column("many:few", "many_ratio", "{:.2f}"),
    ],
    main="elsewhere_ratio",
    # The same cost, as far as such a measurement can tell.
    bars=[Bar("elsewhere_ratio", "", 0, extra=1.1), Bar("many_ratio", "", 0, extra=1.1)],
    options=lambda peer, quick: {"connections": 500 if quick else 5_000, "seconds": 0.3 if quick else 0.8},
)
