"""What the rounds of one engine come to."""

from statistics import median
from typing import Any

from bench.patterns import PATTERNS
from bench.peers.session import Contender
from bench.samples import percentile

STEPS = PATTERNS["linear"].steps


class Samples:
    """Steps a second of each round, and the latencies of all of them."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender
        self._rounds: list[dict[str, Any]] = []

    def add(self, measured: dict[str, Any]) -> None:
        self._rounds.append(measured)

    @property
    def throughputs(self) -> list[float]:
        return [STEPS * each["tasks"] / each["seconds"] for each in self._rounds]

    @property
    def latencies(self) -> list[float]:
        return sorted(each for measured in self._rounds for each in measured["latencies_ms"])

    def row(self, own: "Samples") -> dict[str, Any]:
        """`times_slower` is our median throughput by this one's, `times_later` this p50 by ours."""
        middle = median(self.throughputs)
        p50 = percentile(self.latencies, 50)
        return {
            "engine": self._contender.name,
            "versions": self._rounds[-1]["versions"],
            "rounds": len(self._rounds),
            "tasks": sum(each["tasks"] for each in self._rounds),
            "steps_per_second": round(middle, 1),
            "spread": round(100 * (max(self.throughputs) - min(self.throughputs)) / middle, 1),
            "submit_share": round(
                100 * median(each["submit_seconds"] / each["seconds"] for each in self._rounds), 1
            ),
            "p50_ms": p50,
            "p99_ms": percentile(self.latencies, 99),
            "times_slower": _ratio(median(own.throughputs), middle) if own.throughputs else None,
            "times_later": _ratio(p50, percentile(own.latencies, 50)) if own.latencies else None,
            "durability": self._contender.durability,
            "settings": self._contender.settings,
            "samples": {"steps_per_second": [round(each, 1) for each in self.throughputs]},
        }


def _ratio(one: float, other: float) -> float:
    return round(one / other, 2)
