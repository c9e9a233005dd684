"""python -m bench watching."""

from pathlib import Path
from statistics import median
from typing import NamedTuple

import rich_click as click
from rich.console import Console
from rich.progress import Progress

from bench.command import (
    COUNT,
    SECONDS,
    bench_config,
    conclude,
    measuring,
    new_document,
    output_options,
    rounds_option,
    workers_option,
)
from bench.document import Document, Table
from bench.environment import environment
from bench.flow import Flow
from bench.usage import DATABASE, SUPERVISOR, WORKERS, Usage, load_average
from bench.watching.sides import Sides, Watched, both_sides
from tasker_mp.config import Config

_SHARE_GOAL, _TOP_GOAL, _STATUS_GOAL = 0.97, 2.0, 0.3
_GROUPS = (SUPERVISOR, WORKERS, DATABASE)
_WATCHED = "`top` at its default refresh on a terminal, `/metrics` scraped once a second, JSON logs"


class Sizes(NamedTuple):
    """Tasks in flight, seconds of a round on either side, runs of `status` in each."""

    level: int
    seconds: float
    statuses: int
    rounds: int


@click.command()
@click.option(
    "--concurrency",
    "level",
    type=COUNT,
    default=2000,
    show_default=True,
    help="Tasks in flight.",
)
@click.option("--seconds", type=SECONDS, default=4.0, show_default=True, help="Length of a round.")
@click.option(
    "--statuses", type=COUNT, default=5, show_default=True, help="Runs of `status` in a round."
)
@rounds_option(9)
@workers_option
@output_options
def watching(
    level: int,
    seconds: float,
    statuses: int,
    rounds: int,
    workers: int,
    as_json: bool,
    folder: Path | None,
) -> None:
    """What it costs the work to be watched: `top`, metrics scraped, JSON logs; and `status`.

    Two systems, one watched and one not, at work in turn. About two minutes. A Ctrl-C ends it with
    what there is.
    """
    config, console = bench_config(workers), Console(stderr=True)
    document, found = new_document("watching"), Rounds()
    sizes = Sizes(level, seconds, statuses, rounds)
    with measuring(document, console):
        _measure(config, sizes, document, found, console)
    document.tables = found.tables()
    conclude(document, folder, as_json, console)


class Rounds:
    """What was used in each round, for the table."""

    def __init__(self) -> None:
        self._usages: dict[str, list[Usage]] = {}

    def add(self, side: str, usage: Usage) -> None:
        self._usages.setdefault(side, []).append(usage)

    def tables(self) -> list[Table]:
        headings = ["", "steps/s", *(f"{group} µs" for group in _GROUPS)]
        table = Table("Linear", headings, note=f"Medians; processor time a step. {_WATCHED}.")
        for side, usages in self._usages.items():
            costs = [median(usage.cpu_us(group) or 0.0 for usage in usages) for group in _GROUPS]
            table.rows.append([side, median(usage.rate for usage in usages), *costs])
        return [table] if table.rows else []


def _measure(
    config: Config, sizes: Sizes, document: Document, found: Rounds, console: Console
) -> None:
    with Progress(console=console, transient=True) as progress, both_sides(config) as sides:
        document.environment = environment(sides.settings, config) | {"load before": load_average()}
        bar = progress.add_task("", total=sizes.rounds)
        for number in range(sizes.rounds):
            progress.update(bar, description=f"round {number + 1}")
            plain, watched = _pair(sides, sizes, watched_first=bool(number % 2))
            found.add("unwatched", plain.usage)
            found.add("watched", watched.flow.usage)
            _record_pair(document, plain, watched)
            _record_status(document, [sides.status_seconds() for _ in range(sizes.statuses)])
            progress.advance(bar)


def _pair(sides: Sides, sizes: Sizes, *, watched_first: bool) -> tuple[Flow, Watched]:
    """The one that is first changes, so that what comes and goes meets both."""
    if watched_first:
        watched = sides.watched_round(sizes.level, sizes.seconds)
        return sides.plain_round(sizes.level, sizes.seconds), watched
    plain = sides.plain_round(sizes.level, sizes.seconds)
    return plain, sides.watched_round(sizes.level, sizes.seconds)


def _record_pair(document: Document, plain: Flow, watched: Watched) -> None:
    add, group = document.record, "throughput"
    add("linear, unwatched", plain.usage.rate, "steps/s", "higher", group=group)
    add("linear, watched", watched.flow.usage.rate, "steps/s", "higher", group=group)
    add(
        "throughput while watched",
        watched.flow.usage.rate / plain.usage.rate,
        "times",
        "higher",
        goal=_SHARE_GOAL,
        note=f"{_WATCHED}; against none of them, in neighbouring rounds.",
    )
    add(
        "CPU of top",
        watched.top_cpu,
        "% of a core",
        "lower",
        goal=_TOP_GOAL,
        note="At its default refresh, while the engine is at work.",
        group="CPU of those who watch",
    )
    add(
        "CPU of the web process",
        watched.web_cpu,
        "% of a core",
        "lower",
        group="CPU of those who watch",
    )


def _record_status(document: Document, seconds: list[float]) -> None:
    document.record(
        "tasker-mp status --json",
        median(seconds),
        "s",
        "lower",
        goal=_STATUS_GOAL,
        note="From its start to its end, on an idle system; a round's median.",
    )
