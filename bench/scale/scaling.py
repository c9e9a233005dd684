"""Rounds over numbers of workers in turn, and in each over the kinds of work."""

import os
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from msgspec.structs import replace
from rich.console import Console
from rich.progress import Progress

from bench.document import Document, Table
from bench.flow import Crowd
from bench.project import Served, serving
from bench.scale.bare import bare_rate
from bench.scale.kinds import CPU, Kind, kinds, turns_of
from bench.usage import CLIENT, DATABASE, SUPERVISOR, WORKERS, Usage
from tasker_mp.config import Config

_CPU_GOALS = {2: 1.9}
_GROUPS = (WORKERS, SUPERVISOR, DATABASE, CLIENT)
_BARE = "bare processes"
_BARE_STEPS = 8
"""That many of the long steps in one go: two seconds, at the default length."""


class Sizes(NamedTuple):
    """Milliseconds that a step computes; that a short one computes or waits; tasks in flight where
    steps do nothing; seconds of a round."""

    step_ms: float
    short_ms: float
    crowd: int
    seconds: float
    rounds: int


class Scaling:
    """Fills the document."""

    def __init__(self, config: Config, sizes: Sizes, document: Document) -> None:
        self._config = config
        self._sizes = sizes
        self._document = document
        self._cores: dict[tuple[str, int], list[tuple[float | None, ...]]] = {}
        self._kinds = kinds(sizes.step_ms, sizes.short_ms)
        self._bare_turns = turns_of(_BARE_STEPS * sizes.step_ms)

    def measure(self, counts: Sequence[int], console: Console) -> None:
        total = self._sizes.rounds * len(counts) * (1 + len(self._kinds))
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task("", total=total)
            try:
                for _ in range(self._sizes.rounds):
                    alone: dict[str, float] = {}
                    for workers in counts:
                        progress.update(bar, description=f"bare, {workers} processes")
                        self._bare(workers, alone)
                        progress.advance(bar)
                        with serving(self._with(workers)) as served:
                            for name, kind in self._kinds.items():
                                progress.update(bar, description=f"{name}, {workers} workers")
                                usage = self._round(served, kind, workers)
                                self._record(name, workers, usage, alone)
                                progress.advance(bar)
            finally:
                self._document.tables.append(self._table())

    def _with(self, workers: int) -> Config:
        return replace(self._config, worker=replace(self._config.worker, count=workers))

    def _bare(self, processes: int, alone: dict[str, float]) -> None:
        """Before any supervisor runs; more processes than cores would tell nothing."""
        if processes > (os.cpu_count() or 1):
            return
        rate = _BARE_STEPS * bare_rate(processes, self._bare_turns)
        base = alone.setdefault(_BARE, rate)
        self._cores.setdefault((_BARE, processes), []).append(
            (rate, rate / base, *(None for _ in _GROUPS))
        )
        if processes > 1:
            self._document.record(
                f"{_BARE}: {processes} against 1",
                rate / base,
                "times",
                "higher",
                note="The same computation without an engine: what the machine itself gives.",
                group="cpu, speed-up",
            )

    def _round(self, served: Served, kind: Kind, workers: int) -> Usage:
        level = kind.level(workers, self._sizes.crowd)
        crowd = Crowd(served.client, served.connection, kind.pattern, level, pause=kind.pause)
        return crowd.flow(kind.seconds(self._sizes.seconds), served.meter()).usage

    def _record(self, name: str, workers: int, usage: Usage, alone: dict[str, float]) -> None:
        plural = "worker" if workers == 1 else "workers"
        self._document.record(
            f"{name}: {workers} {plural}", usage.rate, "steps/s", "higher", group=f"{name}, rate"
        )
        base = alone.setdefault(name, usage.rate)
        if workers > 1:
            self._document.record(
                f"{name}: {workers} workers against 1",
                usage.rate / base,
                "times",
                "higher",
                goal=_CPU_GOALS.get(workers) if name == CPU else None,
                note=f"Of the same round; a step {self._kinds[name].what}.",
                group=f"{name}, speed-up",
            )
        spent = [usage.cpu_seconds.get(group) for group in _GROUPS]
        cores = tuple(None if each is None else each / usage.seconds for each in spent)
        self._cores.setdefault((name, workers), []).append((usage.rate, usage.rate / base, *cores))

    def _table(self) -> Table:
        headings = ["handler", "workers", "steps/s", "speed-up"]
        headings += [f"cores: {group}" for group in _GROUPS]
        order = [*self._kinds, _BARE]
        measured = sorted(self._cores.items(), key=lambda item: (order.index(item[0][0]), item[0]))
        return Table(
            "Scaling",
            headings,
            [
                [name, workers, *map(_middle, zip(*rounds, strict=True))]
                for (name, workers), rounds in measured
            ],
            "Medians; cores: processor seconds a second. What is left limits the speed-up. Bare"
            " processes compute as a cpu step does, without an engine.",
        )


def _middle(values: Sequence[float | None]) -> float | None:
    """None where any is."""
    known = [value for value in values if value is not None]
    return median(known) if len(known) == len(values) else None
