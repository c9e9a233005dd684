"""python -m bench scale: 1, 2, 4, … workers, with three kinds of handlers."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import rich_click as click
from msgspec.structs import replace
from rich.console import Console
from rich.progress import Progress

from bench import steps
from bench.command import (
    COUNT,
    SECONDS,
    bench_config,
    conclude,
    measuring,
    new_document,
    output_options,
    rounds_option,
)
from bench.document import Document, Table
from bench.environment import environment
from bench.flow import Crowd
from bench.patterns import Pattern
from bench.project import Served, bench_project, one_step, serving, step
from bench.usage import DATABASE, SUPERVISOR, WORKERS, Usage, load_average
from tasker_mp.config import Config

_NAMESPACE = "bench_scale"
_CPU_GOALS = {2: 1.9}
_CHAIN = 4
_SHALLOW = 8
_CALIBRATION_TURNS = 20_000


class Kind(NamedTuple):
    """`deep`: with as many tasks in flight as a crowd has, not a few a worker."""

    pattern: Pattern
    deep: bool


class Sizes(NamedTuple):
    """Milliseconds that a step computes or waits; tasks in flight where steps do nothing; seconds
    of a round."""

    step_ms: float
    crowd: int
    seconds: float
    rounds: int


@click.command()
@click.option(
    "--up-to",
    type=click.IntRange(1, 256),
    default=max(4, os.cpu_count() or 1),
    show_default=True,
    help="Worker processes at most; 1, 2, 4, … below.",
)
@click.option(
    "--step-ms",
    type=click.FloatRange(0.1, 1000),
    default=20.0,
    show_default=True,
    help="How long a step computes, or waits.",
)
@click.option(
    "--concurrency",
    "crowd",
    type=COUNT,
    default=2000,
    show_default=True,
    help="Tasks in flight where steps do nothing; else it is a few a worker.",
)
@click.option("--seconds", type=SECONDS, default=3.0, show_default=True, help="Length of a round.")
@rounds_option(4)
@output_options
def scale(
    up_to: int,
    step_ms: float,
    crowd: int,
    seconds: float,
    rounds: int,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Speed-up by more workers, with CPU-bound, I/O-bound and no-op handlers.

    About two and a half minutes. A Ctrl-C ends it with what there is.
    """
    config, console, document = bench_config(), Console(stderr=True), new_document("scale")
    counts, sizes = list(_counts(up_to)), Sizes(step_ms, crowd, seconds, rounds)
    templates = [_noops(), one_step(_NAMESPACE, "cpu"), one_step(_NAMESPACE, "io")]
    with (
        measuring(document, console),
        bench_project(config, "scale", steps, templates) as (own, settings),
    ):
        document.environment = environment(settings, config)
        document.environment |= {
            "workers": ", ".join(map(str, counts)),
            "load before": load_average(),
        }
        _Scaling(own, sizes, document).measure(counts, console)
    conclude(document, folder, as_json, console)


def _counts(up_to: int) -> Iterator[int]:
    count = 1
    while count < up_to:
        yield count
        count *= 2
    yield up_to


def _noops() -> dict[str, object]:
    """A chain, or submitting would be most of the work."""
    names = [f"noop_{number}" for number in range(_CHAIN)]
    parents: list[list[str]] = [[], *([name] for name in names)]
    chain = [step("noop", *before, name=name) for before, name in zip(parents, names, strict=False)]
    return one_step(_NAMESPACE, "noop") | {"steps": chain}


class _Scaling:
    """Rounds over numbers of workers in turn, and in each over the kinds of work."""

    def __init__(self, config: Config, sizes: Sizes, document: Document) -> None:
        self._config = config
        self._sizes = sizes
        self._document = document
        self._cores: dict[tuple[str, int], list[tuple[float, ...]]] = {}
        milliseconds = sizes.step_ms
        self._kinds = {
            "cpu": Kind(_pattern("cpu", 1, turns=turns_of(milliseconds)), deep=False),
            "io": Kind(_pattern("io", 1, seconds=milliseconds / 1000), deep=False),
            "noop": Kind(_pattern("noop", _CHAIN), deep=True),
        }

    def measure(self, counts: Sequence[int], console: Console) -> None:
        total = self._sizes.rounds * len(counts) * len(self._kinds)
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task("", total=total)
            try:
                for _ in range(self._sizes.rounds):
                    alone: dict[str, float] = {}
                    for workers in counts:
                        with serving(self._with(workers)) as served:
                            for name in self._kinds:
                                progress.update(bar, description=f"{name:>4}, {workers} workers")
                                usage = self._round(served, name, workers)
                                self._record(name, workers, usage, alone)
                                progress.advance(bar)
            finally:
                self._document.tables.append(self._table())

    def _with(self, workers: int) -> Config:
        return replace(self._config, worker=replace(self._config.worker, count=workers))

    def _round(self, served: Served, name: str, workers: int) -> Usage:
        kind = self._kinds[name]
        level = self._sizes.crowd if kind.deep else max(2 * _SHALLOW, _SHALLOW * workers)
        crowd = Crowd(served.client, served.connection, kind.pattern, level)
        return crowd.flow(self._sizes.seconds, served.meter()).usage

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
                goal=_CPU_GOALS.get(workers) if name == "cpu" else None,
                note=f"Of the same round; a {name} step {self._what(name)}.",
                group=f"{name}, speed-up",
            )
        spent = [usage.cpu_seconds.get(group, 0.0) for group in (WORKERS, SUPERVISOR, DATABASE)]
        cores = tuple(seconds / usage.seconds for seconds in spent)
        self._cores.setdefault((name, workers), []).append((usage.rate, usage.rate / base, *cores))

    def _what(self, name: str) -> str:
        milliseconds = f"{self._sizes.step_ms:g} ms"
        return {"cpu": f"computes for {milliseconds}", "io": f"waits {milliseconds}"}.get(
            name, "does nothing"
        )

    def _table(self) -> Table:
        headings = ["handler", "workers", "steps/s", "speed-up"]
        headings += [f"cores: {group}" for group in (WORKERS, SUPERVISOR, DATABASE)]
        note = "Medians; cores: processor seconds a second. What is left limits the speed-up."
        order = list(self._kinds)
        measured = sorted(self._cores.items(), key=lambda item: (order.index(item[0][0]), item[0]))
        return Table(
            "Scaling",
            headings,
            [
                [name, workers, *map(median, zip(*rounds, strict=True))]
                for (name, workers), rounds in measured
            ],
            note,
        )


def _pattern(name: str, count: int, **context: float) -> Pattern:
    return Pattern(name, _NAMESPACE, name, count, context)


def turns_of(milliseconds: float) -> int:
    """Of `steps.spin`, on this machine: by the fastest of some runs."""
    fastest = min(_timed(_CALIBRATION_TURNS) for _ in range(20))
    return max(1, round(_CALIBRATION_TURNS * milliseconds / (fastest * 1000)))


def _timed(turns: int) -> float:
    began = time.perf_counter()
    steps.spin(turns)
    return time.perf_counter() - began
