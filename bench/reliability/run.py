"""Measures the figures one after the other; what fails or is interrupted keeps what there is."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from rich.console import Console

from bench.command import measure_each, measuring
from bench.database import settings_of
from bench.document import Document, Table
from bench.environment import environment
from bench.reliability.database_death import DatabaseDeath
from bench.reliability.deadlines import Deadlines
from bench.reliability.figure import Figure
from bench.reliability.kills import Kills
from bench.reliability.respawn import Respawn
from bench.reliability.stage import Stage
from bench.reliability.supervisor_death import SupervisorDeath
from bench.usage import load_average

_HEADINGS = ["figure", "goal", "measured", "met", "samples", "measurement"]
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
    names: Sequence[str], sizes: Sizes, workers: int, console: Console, document: Document
) -> None:
    """Fills the document."""
    chosen = [m for m in _measurements(sizes) if m.name in (names or NAMES)]
    with measuring(document, console), Stage(workers or os.cpu_count() or 1) as stage:
        with stage.probe() as probe:
            document.environment = environment(settings_of(probe.connection), stage.config)
        document.environment["load before"] = load_average()
        parts = [(m.name, m.total, partial(m.measure, stage)) for m in chosen]
        measure_each(parts, console, document)
    figures = [(m.name, figure) for m in chosen for figure in m.figures()]
    if figures:
        document.series = [each for _, figure in figures for each in figure.series()]
        rows = [figure.row(name) for name, figure in figures]
        document.tables = [Table("Deaths and deadlines", _HEADINGS, rows)]


def _measurements(sizes: Sizes) -> list[Measurement]:
    return [
        Deadlines(sizes.deadlines),
        Respawn(sizes.respawns),
        SupervisorDeath(sizes.repeats, sizes.tasks),
        DatabaseDeath(sizes.repeats, sizes.tasks),
        Kills(sizes.pairs, sizes.seconds),
    ]
