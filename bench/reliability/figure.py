"""A figure: its samples, what they come to, and the goal that it is held against."""

from msgspec import Struct

from bench.document import Better, Series

_MILLISECONDS = "_ms"


class Figure(Struct, frozen=True):
    """`value` is what the goal speaks of, and `goal` its limit; `count` times it was measured;
    `samples` by what they are of, in `sample_unit` or, named so, in milliseconds. Where the value
    is a median, `rounds` are what it is the median of."""

    name: str
    unit: str
    statistic: str
    value: float
    goal: float
    measured: str
    count: int
    samples: dict[str, list[float]]
    definition: str
    at_least: bool = False
    rounds: list[float] = []
    sample_unit: str = "ms"

    @property
    def met(self) -> bool:
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    @property
    def goal_text(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return f"{self.statistic} {sign} {self.goal:g} {self.unit}".strip()

    def series(self) -> list[Series]:
        """What the goal is one of, and then the samples."""
        better: Better = "higher" if self.at_least else "lower"
        aim = Series(
            f"{self.name}, {self.statistic}",
            self.unit or "ratio",
            better,
            self.goal,
            self.rounds or [self.value],
            self.definition,
        )
        return [aim, *(self._of(what, found) for what, found in self.samples.items())]

    def _of(self, what: str, found: list[float]) -> Series:
        better: Better = "higher" if self.at_least else "lower"
        unit = "ms" if what.endswith(_MILLISECONDS) else self.sample_unit
        name = f"{self.name}: {what.removesuffix(_MILLISECONDS)}"
        return Series(name, unit, better, samples=found, group=f"{self.name}, {unit}")

    def row(self, measurement: str) -> list[str | float | None]:
        met = "yes" if self.met else "no"
        command = f"--only {measurement}"
        return [self.name, self.goal_text, self.measured, met, self.count, command]


def milliseconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)
