"""python -m bench run: the workflow patterns, each at several numbers of tasks in flight."""

from collections.abc import Sequence
from pathlib import Path
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
from bench.flow import Crowd, Flow
from bench.flow_figures import flow_tables, record_flow, record_shares
from bench.patterns import PATTERNS, Pattern
from bench.project import Served, bench_project, serving
from bench.usage import Meter, load_average
from bench.writes import Writes, count_writes
from tasker_mp.config import Config

_WARM_UP = 5


class Sizes(NamedTuple):
    """Tasks in flight; seconds of a round at each such level; tasks of a round one at a time; tasks
    whose rows are counted."""

    levels: tuple[int, ...]
    seconds: float
    singles: int
    rounds: int
    counted: int


@click.command()
@click.option(
    "--pattern",
    "names",
    multiple=True,
    type=click.Choice(list(PATTERNS)),
    help="Only these; by default all.",
)
@click.option(
    "--concurrency",
    "levels",
    multiple=True,
    type=COUNT,
    default=(1, 100, 2000),
    show_default=True,
    help="Tasks in flight; may be repeated.",
)
@click.option("--seconds", type=SECONDS, default=3.0, show_default=True, help="Length of a round.")
@click.option(
    "--singles", type=COUNT, default=200, show_default=True, help="Tasks of a round one at a time."
)
@click.option(
    "--counted", type=COUNT, default=2000, show_default=True, help="Tasks whose rows are counted."
)
@rounds_option(5)
@workers_option
@output_options
def run(
    names: tuple[str, ...],
    levels: tuple[int, ...],
    seconds: float,
    singles: int,
    counted: int,
    rounds: int,
    workers: int,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Throughput, latency and cost of the five patterns, at several numbers of tasks in flight.

    About four minutes. A Ctrl-C ends it with what there is.
    """
    config, console, document = bench_config(workers), Console(stderr=True), new_document("run")
    chosen = [PATTERNS[name] for name in names or PATTERNS]
    sizes = Sizes(tuple(sorted(set(levels))), seconds, singles, rounds, counted)
    with measuring(document, console), bench_project(config, "run") as (own, settings):
        document.environment = environment(settings, config) | {"load before": load_average()}
        measure_patterns(own, chosen, sizes, document, console)
    document.tables = flow_tables(document, sizes.levels) + document.tables
    conclude(document, folder, as_json, console)


def measure_patterns(
    config: Config, patterns: Sequence[Pattern], sizes: Sizes, document: Document, console: Console
) -> None:
    """Rounds of all levels and patterns in turn, then each pattern's rows."""
    with Progress(console=console, transient=True) as progress:
        total = sizes.rounds * len(sizes.levels) * len(patterns) + len(patterns)
        bar = progress.add_task("", total=total)
        with serving(config) as served:
            meter = served.meter()
            for pattern in patterns:
                one_at_a_time(served, pattern, _WARM_UP, meter)
            for level in sizes.levels * sizes.rounds:
                rates = {}
                for pattern in patterns:
                    progress.update(bar, description=f"{pattern.name:>9} @{level}")
                    flow = _round(served, pattern, level, sizes, meter)
                    rates[pattern.name] = flow.usage.rate
                    record_flow(document, pattern, level, flow)
                    progress.advance(bar)
                record_shares(document, level, rates)
        for pattern in patterns:
            progress.update(bar, description=f"{pattern.name:>9} rows")
            _record_writes(document, pattern, count_writes(config, pattern, sizes.counted))
            progress.advance(bar)


def _round(served: Served, pattern: Pattern, level: int, sizes: Sizes, meter: Meter) -> Flow:
    if level == 1:
        return one_at_a_time(served, pattern, sizes.singles, meter)
    return Crowd(served.client, served.connection, pattern, level).flow(sizes.seconds, meter)


def _record_writes(document: Document, pattern: Pattern, writes: Writes) -> None:
    if not document.tables:
        headings = ["pattern", "inserted", "updated", "deleted", "HOT %"]
        note = "Rows a step, in all tables; of the updates, how many touched no index (HOT)."
        document.tables.append(Table("Rows written", headings, note=note))
    document.tables[0].rows.append([pattern.name, *writes])
    rows = writes.inserted + writes.updated + writes.deleted
    document.record(f"rows {pattern.name}", rows, "rows/step", "lower", group="rows written")
    document.record(f"HOT {pattern.name}", writes.hot_percent, "%", "higher", group="HOT updates")
