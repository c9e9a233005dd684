"""A figure: its samples, what they come to, and the goal that it is held against."""

from msgspec import Struct


class Figure(Struct, frozen=True):
    """`value` is what the goal speaks of, and `goal` its limit; `count` times it was
    measured; `samples` by what they are of."""

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

    @property
    def met(self) -> bool:
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    @property
    def goal_text(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return f"{self.statistic} {sign} {self.goal:g} {self.unit}".strip()


def milliseconds(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)
