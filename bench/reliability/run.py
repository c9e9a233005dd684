"""Measures the figures one after the other; an interruption keeps what there is."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import psycopg
from rich.console import Console
from rich.progress import Progress

from bench.database import settings_of
from bench.environment import environment
from bench.reliability.database_death import DatabaseDeath
from bench.reliability.deadlines import Deadlines
from bench.reliability.figure import Figure
from bench.reliability.kills import Kills
from bench.reliability.respawn import Respawn
from bench.reliability.stage import Stage
from bench.reliability.supervisor_death import SupervisorDeath
from tasker_mp.errors import EngineError

NAMES = tuple(kind.name for kind in (Deadlines, Respawn, SupervisorDeath, DatabaseDeath, Kills))


class Sizes(NamedTuple):
    """How much is measured: deadlines passed, workers killed, deaths of supervisor and database
    over a backlog of so many tasks, pairs of throughput rounds of so many seconds."""

    deadlines: int
    respawns: int
    repeats: int
    tasks: int
    pairs: int
    seconds: float


class Measurement(Protocol):
    """`total` advances of the progress bar; its figures are of what it has measured so far."""

    name: str
    total: int

    def measure(self, stage: Stage, advance: Callable[[], None]) -> None: ...
    def figures(self) -> list[Figure]: ...


def measure_reliability(
    names: Sequence[str], sizes: Sizes, workers: int, console: Console
) -> dict[str, Any]:
    """The document: `environment`, `figures`, what failed, and whether a Ctrl-C cut it short."""
    chosen = [m for m in _measurements(sizes) if m.name in (names or NAMES)]
    problems: list[str] = []
    with Stage(workers or os.cpu_count() or 1) as stage:
        with stage.probe() as probe:
            about = environment(settings_of(probe.connection), stage.config)
        about["load"] = round(os.getloadavg()[0], 2)  # others' work, before ours begins
        interrupted = _measure(chosen, stage, console, problems)
    return {
        "environment": about,
        "interrupted": interrupted,
        "problems": problems,
        "figures": [_document(m.name, figure) for m in chosen for figure in m.figures()],
    }


def _measurements(sizes: Sizes) -> list[Measurement]:
    return [
        Deadlines(sizes.deadlines),
        Respawn(sizes.respawns),
        SupervisorDeath(sizes.repeats, sizes.tasks),
        DatabaseDeath(sizes.repeats, sizes.tasks),
        Kills(sizes.pairs, sizes.seconds),
    ]


def _measure(
    chosen: Sequence[Measurement], stage: Stage, console: Console, problems: list[str]
) -> bool:
    """Whether it was interrupted. What fails is told, and the rest goes on."""
    with Progress(console=console, transient=True) as progress:
        bars = [progress.add_task(m.name, total=m.total, start=False) for m in chosen]
        try:
            for measurement, bar in zip(chosen, bars, strict=True):
                progress.start_task(bar)
                try:
                    measurement.measure(stage, partial(progress.advance, bar))
                except (EngineError, psycopg.OperationalError) as error:
                    problems.append(f"{measurement.name}: {error}".strip())
                    console.print(f"error: {problems[-1]}")
        except KeyboardInterrupt:
            return True
    return False


def _document(name: str, figure: Figure) -> dict[str, Any]:
    return {
        "measurement": name,
        "figure": figure.name,
        "goal": figure.goal_text,
        "value": figure.value,
        "unit": figure.unit,
        "met": figure.met,
        "measured": figure.measured,
        "count": figure.count,
        "definition": figure.definition,
        "samples": figure.samples,
    }
