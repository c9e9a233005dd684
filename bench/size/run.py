"""Measures one size after the other; what fails or is interrupted keeps what there is."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from rich.console import Console

from bench.command import measure_each, measuring
from bench.database import settings_of
from bench.document import Document, Table
from bench.environment import environment
from bench.size.fan import Fan
from bench.size.held import Held
from bench.size.payload import Payload
from bench.size.row import Row
from bench.size.submit import Submit
from bench.size.volume import Backlog, History
from bench.usage import load_average
from tasker_mp.config import Config
from tasker_mp.db.connect import connect, open_database

NAMES = ("submit", "payload", "fan", "backlog", "history", "held")


class Sizes(NamedTuple):
    """Ready steps, finished steps, steps of one task, minutes that a transaction is held open; and
    how many rounds of how many tasks each is measured by."""

    backlog: int
    history: int
    fan: int
    held_minutes: float
    rounds: int
    tasks: int


class Measurement(Protocol):
    """`total` advances of the progress bar; its rows are of what it has measured so far."""

    name: str
    total: int

    def measure(self, config: Config, advance: Callable[[], None]) -> None: ...
    def rows(self) -> list[Row]: ...


def measure_sizes(
    names: Sequence[str], sizes: Sizes, config: Config, console: Console, document: Document
) -> None:
    """Fills the document."""
    chosen = [m for m in _measurements(sizes) if m.name in (names or NAMES)]
    with measuring(document, console), open_database(config) as dsn:
        with connect(dsn) as connection:
            document.environment = environment(settings_of(connection), config)
        document.environment["load before"] = load_average()
        parts = [(m.name, m.total, partial(m.measure, config)) for m in chosen]
        measure_each(parts, console, document)
    rows = [row for m in chosen for row in m.rows()]
    document.series = [series for row in rows for series in row.series()]
    notes: list[list[str | float | None]] = [
        [f"{row.measurement}: {row.load}", name, value]
        for row in rows
        for name, value in row.notes.items()
    ]
    if notes:
        document.tables.append(Table("What else is known", ["load", "what", "value"], notes))


def _measurements(sizes: Sizes) -> list[Measurement]:
    rounds, tasks = sizes.rounds, sizes.tasks
    return [
        Submit(rounds, tasks),
        Payload(rounds, tasks),
        Fan(sizes.fan, rounds, tasks),
        Backlog(sizes.backlog, rounds, tasks),
        History(sizes.history, rounds, tasks),
        Held(sizes.held_minutes * 60, tasks),
    ]
