from works.work import Bar, Column, Work

WORK = Work(
    name="P5",
    title="resident memory per idle connection, hello done",
    load="memory",
    columns=[
        Column("KB each", "kb_per_connection", "{:.2f}"),
        Column("MB before", "before_mb"),
        Column("MB after", "after_mb"),
    ],
    main="kb_per_connection",
    bars=[Bar("kb_per_connection", "", 0, extra=3), Bar("kb_per_connection", "", 0, extra=2, moonshot=True)],
    options=lambda peer, quick: {"connections": 2_000 if quick else 10_000},
)
