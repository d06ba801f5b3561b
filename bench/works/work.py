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
    """`figure` of Tocsin is at most `factor` x that of `peer`, plus `extra`."""

    figure: str
    peer: str
    factor: float
    extra: float = 0.0
    moonshot: bool = False

    def limit(self, medians: Medians) -> float | None:
        if not self.peer:
            return self.extra
        theirs = medians.get(self.peer, {}).get(self.figure)
        return None if theirs is None else self.factor * theirs + self.extra

    def text(self) -> str:
        against = f"{self.factor:g} x {self.peer}" if self.peer else ""
        if self.extra:
            against = f"{against} + {self.extra:g}" if against else f"{self.extra:g}"
        return f"{'moonshot' if self.moonshot else 'bar'}: {self.figure} <= {against}"


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
