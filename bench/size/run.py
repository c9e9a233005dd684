"""Measures one size after the other; an interruption keeps what there is."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import psycopg
from rich.console import Console
from rich.progress import Progress

from bench.database import settings_of
from bench.environment import environment
from bench.size.fan import Fan
from bench.size.held import Held
from bench.size.payload import Payload
from bench.size.row import Row
from bench.size.submit import Submit
from bench.size.volume import Backlog, History
from tasker_mp.config import Config
from tasker_mp.db.connect import connect, open_database
from tasker_mp.errors import EngineError

NAMES = ("submit", "payload", "fan", "backlog", "history", "held")


class Sizes(NamedTuple):
    """Ready steps, finished steps, steps of one task, seconds that a transaction is held open; and
    how many rounds of how many tasks each is measured by."""

    backlog: int
    history: int
    fan: int
    held_seconds: float
    rounds: int
    tasks: int


class Measurement(Protocol):
    """`total` advances of the progress bar; its rows are of what it has measured so far."""

    name: str
    total: int

    def measure(self, config: Config, advance: Callable[[], None]) -> None: ...
    def rows(self) -> list[Row]: ...


def measure_sizes(
    names: Sequence[str], sizes: Sizes, config: Config, console: Console
) -> dict[str, Any]:
    """The document: `environment`, `rows`, what failed, and whether a Ctrl-C cut it short."""
    chosen = [m for m in _measurements(sizes) if m.name in (names or NAMES)]
    problems: list[str] = []
    with open_database(config) as dsn:
        with connect(dsn) as connection:
            about = environment(settings_of(connection), config)
        about["load"] = round(os.getloadavg()[0], 2)  # others' work, before ours begins
        interrupted = _measure(chosen, config, console, problems)
    return {
        "environment": about,
        "interrupted": interrupted,
        "problems": problems,
        "rows": [row.document() for m in chosen for row in m.rows()],
    }


def _measurements(sizes: Sizes) -> list[Measurement]:
    rounds, tasks = sizes.rounds, sizes.tasks
    return [
        Submit(rounds, tasks),
        Payload(rounds, tasks),
        Fan(sizes.fan, rounds, tasks),
        Backlog(sizes.backlog, rounds, tasks),
        History(sizes.history, rounds, tasks),
        Held(sizes.held_seconds, tasks),
    ]


def _measure(
    chosen: Sequence[Measurement], config: Config, console: Console, problems: list[str]
) -> bool:
    """Whether it was interrupted. What fails is told in a line, and the rest goes on."""
    with Progress(console=console, transient=True) as progress:
        bars = [progress.add_task(m.name, total=m.total, start=False) for m in chosen]
        try:
            for measurement, bar in zip(chosen, bars, strict=True):
                progress.start_task(bar)
                try:
                    measurement.measure(config, partial(progress.advance, bar))
                except (EngineError, psycopg.Error) as error:
                    line = next(iter(str(error).splitlines()), type(error).__name__)
                    problems.append(f"{measurement.name}: {line}")
                    console.print(f"error: {problems[-1]}")
        except KeyboardInterrupt:
            return True
    return False
