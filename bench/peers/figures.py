"""What the rounds of the engines come to."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.document import Series, Table
from bench.patterns import PATTERNS
from bench.peers.session import Contender
from bench.samples import percentile

STEPS = PATTERNS["linear"].steps
_THROUGHPUT_GOAL = 12.0
_LATENCY_GOAL = 0.5
_HEADINGS = [
    "engine",
    "steps/s",
    "spread %",
    "p50 ms",
    "p99 ms",
    "tasks",
    "submit %",
    "durable by",
]
_EXPLAINED = (
    "The same linear workflow of 4 steps for each, on one PostgreSQL server, one engine at a time"
    " on a fresh database, in interleaved rounds: medians, and (max - min) / median as the spread."
    " Throughput runs from before the first submit (submit %: its part of the time) until all tasks"
    " are seen to have ended; latency is of one task at a time, from before its submit until its"
    " result is seen. Every result was checked."
)


class Samples:
    """What one engine did in each round."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender
        self._rounds: list[dict[str, Any]] = []

    @property
    def name(self) -> str:
        return self._contender.name

    def add(self, measured: dict[str, Any]) -> None:
        self._rounds.append(measured)

    @property
    def throughputs(self) -> list[float]:
        """Steps a second."""
        return [round(STEPS * each["tasks"] / each["seconds"], 1) for each in self._rounds]

    def latencies(self, percent: int) -> list[float]:
        """Milliseconds; a percentile of each round."""
        return [percentile(sorted(each["latencies_ms"]), percent) for each in self._rounds]

    def series(self) -> list[Series]:
        p50, p99 = f"{self.name}: p50 alone", f"{self.name}: p99 alone"
        return [
            Series(
                f"{self.name}: linear",
                "steps/s",
                "higher",
                samples=self.throughputs,
                group="linear by many",
            ),
            Series(p50, "ms", "lower", samples=self.latencies(50), group="linear alone, p50"),
            Series(p99, "ms", "lower", samples=self.latencies(99), group="linear alone, p99"),
        ]

    def row(self) -> list[str | float | None]:
        rates = self.throughputs
        everything = sorted(each for some in self._rounds for each in some["latencies_ms"])
        submit = median(each["submit_seconds"] / each["seconds"] for each in self._rounds)
        return [
            self._named(),
            median(rates),
            round(100 * (max(rates) - min(rates)) / median(rates), 1),
            percentile(everything, 50),
            percentile(everything, 99),
            sum(each["tasks"] for each in self._rounds),
            round(100 * submit, 1),
            self._contender.durability,
        ]

    def setting(self) -> list[str | float | None]:
        return [self._named(), self._contender.settings]

    def _named(self) -> str:
        versions = self._rounds[-1]["versions"]
        told = ", ".join(f"{name} {version}" for name, version in versions.items())
        return f"{self.name} ({told})" if told else self.name


def ratios(own: Samples, others: Sequence[Samples]) -> list[Series]:
    """Ours by the best peer's, round by round; nothing where there is no peer, or not ours."""
    if not own.throughputs or not others:
        return []
    fastest = max(others, key=lambda each: median(each.throughputs))
    soonest = min(others, key=lambda each: median(each.latencies(50)))
    return [
        Series(
            "linear by the best peer's",
            "ratio",
            "higher",
            _THROUGHPUT_GOAL,
            _quotients(own.throughputs, fastest.throughputs),
            f"The best durable peer is {fastest.name}, by its median.",
        ),
        Series(
            "p50 alone by the best peer's",
            "ratio",
            "lower",
            _LATENCY_GOAL,
            _quotients(own.latencies(50), soonest.latencies(50)),
            f"The best durable peer is {soonest.name}, by its median.",
        ),
    ]


def tables(measured: Sequence[Samples]) -> list[Table]:
    rows = [each.row() for each in measured]
    settings = [each.setting() for each in measured]
    return [
        Table("Engines", _HEADINGS, rows, _EXPLAINED),
        Table("Settings", ["engine", "as its documentation advises"], settings),
    ]


def _quotients(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [round(one / other, 3) for one, other in zip(ours, theirs, strict=False)]
