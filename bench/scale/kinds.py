"""The kinds of work that are scaled."""

import time
from typing import Any, NamedTuple

from bench import steps
from bench.patterns import Pattern
from bench.project import one_step, step

NAMESPACE = "bench_scale"
CPU = "cpu"
_CHAIN = 4
_CALIBRATION_TURNS = 20_000
_LEAST_STEPS = 40
"""Of a worker in a round: one more or less would be more than two percent of fewer."""
_LOOKS_A_STEP = 4
_ASYNC_SECONDS = 0.1


class Kind(NamedTuple):
    """`step_seconds`: what a step takes on a free core, 0 for nothing; tasks in flight for each
    worker, or `per_worker` 0: as many as a crowd has."""

    pattern: Pattern
    what: str
    step_seconds: float = 0.0
    per_worker: int = 0

    def level(self, workers: int, crowd: int) -> int:
        """Tasks in flight."""
        return self.per_worker * max(2, workers) if self.per_worker else crowd

    def seconds(self, least: float) -> float:
        """Of a round."""
        return max(least, _LEAST_STEPS * self.step_seconds)

    @property
    def pause(self) -> float:
        """Between two looks for ends: looking takes time from the cores that the steps need."""
        return max(0.001, self.step_seconds / _LOOKS_A_STEP)


def kinds(step_ms: float, short_ms: float) -> dict[str, Kind]:
    """By name; `cpu` is the one whose speed-up has a goal."""
    long, short = step_ms / 1000, short_ms / 1000
    cpu, short_cpu = ({"turns": turns_of(each)} for each in (step_ms, short_ms))
    return {
        CPU: Kind(_pattern("cpu", cpu), f"computes for {step_ms:g} ms", long, 4),
        "short cpu": Kind(_pattern("cpu", short_cpu), f"computes for {short_ms:g} ms", short, 8),
        "io": Kind(_pattern("io", {"seconds": short}), f"waits {short_ms:g} ms", short, 8),
        "async io": Kind(
            _pattern("async_io", {"seconds": _ASYNC_SECONDS}),
            f"waits {_ASYNC_SECONDS * 1000:g} ms in a coroutine",
            _ASYNC_SECONDS,
            100,
        ),
        "noop": Kind(_pattern("noop", {}, _CHAIN), "does nothing"),
    }


def templates() -> list[dict[str, object]]:
    """What the kinds are templates of."""
    return [
        _noops(),
        one_step(NAMESPACE, "cpu"),
        one_step(NAMESPACE, "io"),
        one_step(NAMESPACE, "async_io"),
    ]


def _noops() -> dict[str, object]:
    """A chain, or submitting would be most of the work."""
    names = [f"noop_{number}" for number in range(_CHAIN)]
    parents: list[list[str]] = [[], *([name] for name in names)]
    chain = [step("noop", *before, name=name) for before, name in zip(parents, names, strict=False)]
    return one_step(NAMESPACE, "noop") | {"steps": chain}


def _pattern(template: str, context: dict[str, Any], count: int = 1) -> Pattern:
    return Pattern(template, NAMESPACE, template, count, context)


def turns_of(milliseconds: float) -> int:
    """Of `steps.spin`, on this machine: by the fastest of some runs."""
    fastest = min(_timed(_CALIBRATION_TURNS) for _ in range(20))
    return max(1, round(_CALIBRATION_TURNS * milliseconds / (fastest * 1000)))


def _timed(turns: int) -> float:
    began = time.perf_counter()
    steps.spin(turns)
    return time.perf_counter() - began
