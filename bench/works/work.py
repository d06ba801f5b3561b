"""Work: one row of performance figures: what the load generator is asked, what the table shows, which bar it is held to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# peer name -> {figure -> median}
Medians = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Column:
    head: str
    figure: str  # of the load generator's report
    form: str = "{:.1f}"


@dataclass(frozen=True)
class Bar:
    """`figure` of Tocsin is at most (or at least) `factor` x that of `peer`, plus `extra`."""

    figure: str
    peer: str
    factor: float
    extra: float = 0.0
    moonshot: bool = False
    at_least: bool = False  # more is better

    def limit(self, medians: Medians) -> float | None:
        if not self.peer:
            return self.extra
        theirs = medians.get(self.peer, {}).get(self.figure)
        return None if theirs is None else self.factor * theirs + self.extra

    def text(self) -> str:
        against = f"{self.factor:g} x {self.peer}" if self.peer else ""
        if self.extra:
            against = f"{against} + {self.extra:g}" if against else f"{self.extra:g}"
        return f"{'moonshot' if self.moonshot else 'bar'}: {self.figure} {'>=' if self.at_least else '<='} {against}"

    def met(self, figure: float, limit: float) -> bool:
        return figure >= limit if self.at_least else figure <= limit


@dataclass(frozen=True)
class Work:
    name: str  # P3
    title: str
    load: str  # the load generator's word for it
    columns: list[Column]
    main: str  # the figure whose spread over the runs tells the noise
    bars: list[Bar]
    # Options of the load generator, by (peer, quick).
    options: Callable[[Any, bool], dict[str, Any]] = field(default=lambda peer, quick: {})
    # A base line without a server, that runs between the peers under this name.
    base_line: str = ""
    # The peers that can do it, of those that were chosen; empty: all that speak the dialect.
    peers: tuple[str, ...] = ()
    dialect: str = "http"  # which port the load talks to: http, redis
    # Figures whose ratio to each peer is printed beside the bars.
    ratios: list[str] = field(default_factory=list)
    # In place of one run of the load generator against a freshly started peer: (bench, work, peer, quick) -> report.
    drive: Callable[[Any, Any, Any, bool], dict] | None = None
    most_runs: int | None = None  # where one takes minutes
