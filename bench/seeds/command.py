"""python -m bench seeds."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import rich_click as click
from rich.console import Console
from rich.progress import Progress

from bench.alone import one_at_a_time
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
from bench.flow import Crowd
from bench.page import number
from bench.patterns import PATTERNS, Pattern
from bench.project import Served, bench_project, serving
from bench.samples import percentile
from bench.seeds.forwarding import Forwarding, forwarding_system, forwardings
from bench.usage import Meter, load_average
from tasker_mp.config import Config

_WARM_UP = 5
_FORWARDING_GOAL = 1.0


class Promise(NamedTuple):
    """Seconds of one task at most, tasks a second and percent of success at least."""

    execution: float
    throughput: float
    success: float


PROMISES = {
    "linear": Promise(5, 10, 95),
    "diamond": Promise(8, 8, 95),
    "tree": Promise(15, 5, 90),
    "mixed_dag": Promise(25, 3, 90),
    "order": Promise(12, 6, 95),
}


class Sizes(NamedTuple):
    """Tasks in flight, and for how many seconds; one at a time: tasks, forwardings of a round."""

    level: int
    seconds: float
    singles: int
    forwardings: int
    rounds: int


@click.command()
@click.option(
    "--concurrency",
    "level",
    type=COUNT,
    default=100,
    show_default=True,
    help="Tasks in flight, for the throughput.",
)
@click.option(
    "--seconds", type=SECONDS, default=2.0, show_default=True, help="Length of a throughput round."
)
@click.option(
    "--singles", type=COUNT, default=50, show_default=True, help="Tasks of a round one at a time."
)
@click.option(
    "--forwardings",
    "forwarded",
    type=COUNT,
    default=200,
    show_default=True,
    help="Steps of a round whose way to their handler is timed.",
)
@rounds_option(4)
@workers_option
@output_options
def seeds(
    level: int,
    seconds: float,
    singles: int,
    forwarded: int,
    rounds: int,
    workers: int,
    as_json: bool,
    folder: Path | None,
) -> None:
    """The promises of the first designs, checked: exit 1 where one is missed.

    Execution time, throughput and success of the five workflows; and, on a server of its own, the
    time from the commit of a claim to its handler. About two minutes.
    """
    config, console, document = bench_config(workers), Console(stderr=True), new_document("seeds")
    sizes = Sizes(level, seconds, singles, forwarded, rounds)
    with Progress(console=console, transient=True) as progress:
        with measuring(document, console), bench_project(config, "seeds") as (own, settings):
            document.environment = environment(settings, config) | {"load before": load_average()}
            _workflows(own, sizes, document, progress)
        if not document.interrupted:
            with measuring(document, console, "forwarding"):
                _forwarding(config, sizes, document, progress)
    document.tables = _tables(document)
    missed = any(series.met is False for series in document.measured())
    conclude(document, folder, as_json, console, failed=missed)


def _workflows(config: Config, sizes: Sizes, document: Document, progress: Progress) -> None:
    bar = progress.add_task("", total=sizes.rounds * len(PROMISES))
    with serving(config) as served:
        meter = served.meter()
        for name in PROMISES:
            one_at_a_time(served, PATTERNS[name], _WARM_UP, meter)
        for _ in range(sizes.rounds):
            for name in PROMISES:
                progress.update(bar, description=f"{name:>10}")
                _workflow(served, PATTERNS[name], sizes, document, meter)
                progress.advance(bar)


def _workflow(
    served: Served, pattern: Pattern, sizes: Sizes, document: Document, meter: Meter
) -> None:
    promise, name = PROMISES[pattern.name], pattern.name
    alone = one_at_a_time(served, pattern, sizes.singles, meter)
    crowd = Crowd(served.client, served.connection, pattern, sizes.level)
    together = crowd.flow(sizes.seconds, meter)
    tasks = len(alone.latencies) + len(together.latencies)
    success = 100 * (1 - (alone.failed + together.failed) / tasks)
    add = document.record
    add(
        f"{name}: average execution",
        mean(alone.latencies) / 1000,
        "s",
        "lower",
        goal=promise.execution,
        note="One task at a time, from before its submit until its end is seen.",
        group="average execution",
    )
    add(
        f"{name}: throughput",
        together.usage.rate / pattern.steps,
        "tasks/s",
        "higher",
        goal=promise.throughput,
        note=f"{sizes.level} tasks in flight all the time.",
        group="throughput",
    )
    add(f"{name}: success", success, "%", "higher", goal=promise.success, group="success")


def _forwarding(config: Config, sizes: Sizes, document: Document, progress: Progress) -> None:
    bar = progress.add_task("forwarding", total=sizes.rounds)
    with forwarding_system(config) as served:
        forwardings(served, _WARM_UP)
        for _ in range(sizes.rounds):
            _record_forwarding(document, forwardings(served, sizes.forwardings))
            progress.advance(bar)


def _record_forwarding(document: Document, found: list[Forwarding]) -> None:
    add: Callable[..., None] = partial(document.record, unit="ms", better="lower")
    claimed = sorted(sample.claimed for sample in found)
    continued = sorted(sample.continued for sample in found)
    for percent in (50, 99):
        add(
            f"event forwarding p{percent}",
            percentile(claimed, percent),
            goal=_FORWARDING_GOAL if percent == 99 else None,
            note="Commit of the claim until the handler is entered; idle system.",
            group="event forwarding",
        )
    for percent in (50, 99):
        add(
            f"event forwarding to the next step p{percent}",
            percentile(continued, percent),
            note="As before, of a step that the commit of its parent's result claims; the flush of"
            " the write-ahead log is in it.",
            group="event forwarding to the next step",
        )


def _tables(document: Document) -> list[Table]:
    """A row a metric, a column a workflow: measured, and what was promised."""
    medians = {series.name: median(series.samples) for series in document.measured()}
    table = Table("The seeds' table", ["metric", *PROMISES])
    for metric, unit, sign in (
        ("average execution", "s", "<"),
        ("throughput", "tasks/s", ">"),
        ("success", "%", ">"),
    ):
        cells: list[str | float | None] = [f"{metric}, {unit}"]
        for name, promise in PROMISES.items():
            value = medians.get(f"{name}: {metric}")
            promised = getattr(promise, metric.split()[-1])
            cells.append(None if value is None else f"{number(value)} ({sign} {promised:g})")
        table.rows.append(cells)
    return [table]
