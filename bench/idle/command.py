"""python -m bench idle."""

import time
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
from bench.flow import Crowd
from bench.idle.memory import Memory, memory_of
from bench.idle.rest import ZYGOTE, Idleness, Rest
from bench.patterns import PATTERNS
from bench.project import Served, bench_project, serving
from bench.usage import DATABASE, SUPERVISOR, WORKERS, load_average
from tasker_mp.config import Config
from tasker_mp.db.connect import connect, open_database

_QUERIES_GOAL, _CPU_GOAL, _RSS_GOAL, _WORKER_GOAL = 2.0, 1.0, 80.0, 15.0
_SETTLED = 25.0
"""An idle backend tells the server what it has counted after ten seconds, and by then autovacuum,
which comes every ten, has passed twice: the first time it adds one query a second."""
_OWN = (SUPERVISOR, WORKERS, ZYGOTE)
_QUERIES = "queries a second, idle"
_CPU = "CPU of the engine, idle"
_WHEN = ("after work", "idle")


class Sizes(NamedTuple):
    """Seconds of a round that are watched; steps that run before it."""

    seconds: float
    steps: int
    rounds: int


@click.command()
@click.option(
    "--seconds", type=SECONDS, default=20.0, show_default=True, help="Length of an idle round."
)
@click.option(
    "--steps", type=COUNT, default=5000, show_default=True, help="Steps that run before a round."
)
@rounds_option(3)
@workers_option
@output_options
def idle(
    seconds: float, steps: int, rounds: int, workers: int, as_json: bool, folder: Path | None
) -> None:
    """What a system costs that has nothing to do: queries, processor time, memory.

    Each round lets some steps run, waits until their traces are gone, and watches. Two and a half
    minutes. A Ctrl-C ends it with what there is.
    """
    config, console, document = bench_config(workers), Console(stderr=True), new_document("idle")
    sizes = Sizes(seconds, steps, rounds)
    with measuring(document, console), bench_project(config, "idle") as (own, settings):
        document.environment = environment(settings, config) | {"load before": load_average()}
        _measure(config, own, sizes, document, console)
    document.tables = _tables(document)
    conclude(document, folder, as_json, console)


def _measure(
    config: Config, own: Config, sizes: Sizes, document: Document, console: Console
) -> None:
    """`config` is where to count from, `own` what is measured."""
    with (
        Progress(console=console, transient=True) as progress,
        open_database(config) as dsn,
        connect(dsn) as outside,
        serving(own) as served,
    ):
        bar = progress.add_task("", total=3 * sizes.rounds)
        idleness = Idleness(served, outside)
        for _ in range(sizes.rounds):
            progress.update(bar, description="at work")
            _work(served, sizes.steps)
            _record_memory(document, "after work", memory_of(served.system.pid))
            progress.update(bar, advance=1, description="settling")
            time.sleep(min(_SETTLED, 2 * sizes.seconds))
            progress.update(bar, advance=1, description="idle")
            _record_rest(document, idleness.watch(sizes.seconds))
            _record_memory(document, "idle", memory_of(served.system.pid))
            progress.advance(bar)


def _work(served: Served, steps: int) -> None:
    linear = PATTERNS["linear"]
    tasks = -(-steps // linear.steps)
    Crowd(served.client, served.connection, linear, tasks).once()


def _record_rest(document: Document, rest: Rest) -> None:
    document.record(
        _QUERIES,
        rest.queries,
        "queries/s",
        "lower",
        goal=_QUERIES_GOAL,
        note="Transactions in the engine's database, counted from another one; each of its queries"
        " is one. Autovacuum's, about one in five seconds, are in it.",
    )
    document.record(
        _CPU,
        sum(rest.cpu[group] for group in _OWN),
        "% of a core",
        "lower",
        goal=_CPU_GOAL,
        note="Supervisor, workers and zygote together.",
    )
    for group, percent in rest.cpu.items():
        document.record(
            f"CPU of {group}, idle", percent, "% of a core", "lower", group="CPU by process, idle"
        )


def _record_memory(document: Document, when: str, memory: Memory) -> None:
    document.record(
        f"memory of the supervisor, {when}",
        memory.supervisor_rss,
        "MB",
        "lower",
        goal=_RSS_GOAL,
        note="Resident (RSS), shared pages included.",
        group="memory of the supervisor",
    )
    document.record(
        f"memory of a worker beyond the zygote's, {when}",
        memory.worker_beyond,
        "MB",
        "lower",
        goal=_WORKER_GOAL,
        note="Proportional share (PSS): of zygote and workers together, without what the zygote"
        " would hold alone, a worker.",
        group="memory of a worker beyond the zygote's",
    )
    for name, share in (("the zygote", memory.zygote_pss), ("a worker", memory.worker_pss)):
        document.record(
            f"share of {name}, {when}", share, "MB", "lower", group="proportional share (PSS)"
        )


def _tables(document: Document) -> list[Table]:
    """A column a group of processes."""
    medians = {series.name: median(series.samples) for series in document.measured()}
    groups = [*_OWN, DATABASE]
    table = Table(
        "Idle",
        ["", *groups],
        note="Medians. Memory: the supervisor's RSS, the zygote's PSS, and a worker's PSS.",
    )
    cpu = [medians.get(f"CPU of {group}, idle") for group in groups]
    table.rows.append(["processor time, % of a core", *cpu])
    for when in _WHEN:
        names = [f"memory of the supervisor, {when}"]
        names += [f"share of {name}, {when}" for name in ("a worker", "the zygote")]
        table.rows.append([f"memory {when}, MB", *map(medians.get, names), None])
    return [table] if medians else []
