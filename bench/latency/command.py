"""python -m bench latency."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import rich_click as click
from rich.console import Console
from rich.progress import Progress

from bench.command import (
    COUNT,
    bench_config,
    conclude,
    measuring,
    new_document,
    output_options,
    rounds_option,
    workers_option,
)
from bench.document import Document, Row, Table
from bench.environment import environment
from bench.latency.bare import BareCalls
from bench.latency.echo import Echo
from bench.latency.floors import FloorMeter, Floors
from bench.latency.parts import PARTS, TOTAL, Timed, gathered, percentiles, timed_task
from bench.latency.profile import profiled
from bench.project import Served, bench_project, serving
from bench.samples import percentile
from bench.usage import load_average

_GOALS = {50: 3.0, 99: 10.0}
_WARM_UP = 50
_CHUNK = 10
_PROFILE_SECONDS = 5.0
_STAGES = {"queue": "ring", "run": "run", "commit": "commit"}
_LEAST = "least possible by this design"
_BARE = "the task's calls to the database, bare"
_FLOORS = {
    "commit": "one durable commit of one row",
    "round_trip": "one round trip (select 1)",
    "wake_up": "one wake-up by eventfd",
}


class Sizes(NamedTuple):
    """Tasks of a round, as many of each floor."""

    tasks: int
    rounds: int
    profile: bool


@click.command()
@click.option(
    "--tasks", type=COUNT, default=300, show_default=True, help="Of a round, one after the other."
)
@click.option("--profile", is_flag=True, help="Show by `perf` who had the processors.")
@rounds_option(5)
@workers_option
@output_options
def latency(
    tasks: int, profile: bool, rounds: int, workers: int, as_json: bool, folder: Path | None
) -> None:
    """Where the time of one linear task alone goes, against what the machine takes at least.

    Half a minute. A Ctrl-C ends it with what there is.
    """
    config, console = bench_config(workers), Console(stderr=True)
    document, sizes = new_document("latency"), Sizes(tasks, rounds, profile)
    with measuring(document, console), bench_project(config, "latency") as (own, settings):
        document.environment = environment(settings, config) | {"load before": load_average()}
        with serving(own) as served:
            _measure(served, sizes, document, console)
    document.tables = _tables(document) + document.tables
    conclude(document, folder, as_json, console)


def _measure(served: Served, sizes: Sizes, document: Document, console: Console) -> None:
    with (
        Progress(console=console, transient=True) as progress,
        Echo() as echo,
        BareCalls(served) as bare,
    ):
        bar = progress.add_task("tasks", total=sizes.rounds * sizes.tasks)
        meter, advance = FloorMeter(served.connection, echo), partial(progress.advance, bar)
        for _ in range(min(_WARM_UP, sizes.tasks)):
            timed_task(served)
        for _ in range(sizes.rounds):
            _round(served, meter, bare, sizes.tasks, document, advance)
        if sizes.profile:
            progress.update(bar, description="profile")
            with measuring(document, console, "profile"):
                document.tables.append(profiled(partial(timed_task, served), _PROFILE_SECONDS))


def _round(
    served: Served,
    meter: FloorMeter,
    bare: BareCalls,
    tasks: int,
    document: Document,
    advance: Callable[[], None],
) -> None:
    """Some tasks, as many of each floor and as many in a bare loop, in turn."""
    found: list[Timed] = []
    while len(found) < tasks:
        count = min(_CHUNK, tasks - len(found))
        for _ in range(count):
            found.append(timed_task(served))
            advance()
        meter.take(count)
        bare.take(count)
    _record_parts(document, gathered(found))
    _record_stages(document, served)
    _record_floors(document, meter.floors())
    _record_bare(document, sorted(bare.milliseconds()))


def _record_bare(document: Document, ordered: list[float]) -> None:
    for percent in (50, 99):
        document.record(
            _series(_BARE, percent),
            percentile(ordered, percent),
            "ms",
            "lower",
            note="Submit, claim, four finishes, the task read: one process, one after the other;"
            " without supervisor, workers and notifications.",
            group=f"bare, p{percent}",
        )


def _record_parts(document: Document, found: dict[str, list[float]]) -> None:
    for percent in (50, 99):
        for name, value in percentiles(found, percent).items():
            whole = name == TOTAL.name
            document.record(
                _series(name, percent),
                value,
                "ms",
                "lower",
                goal=_GOALS[percent] if whole else None,
                note="One linear task at a time, from before its submit until its result is seen."
                if whole
                else "By the task's own timestamps.",
                group=f"linear alone, p{percent}" if whole else f"parts, p{percent}",
            )


def _series(part: str, percent: int) -> str:
    return f"{part}, p{percent}"


def _record_stages(document: Document, served: Served) -> None:
    """As the engine sees it, of its last ten seconds."""
    latencies = served.system.status().get("latency_ms", {})
    for name, stage in _STAGES.items():
        if (value := latencies.get(f"{name}_p50")) is not None:
            note = "As `tasker-mp status` tells it, of ten seconds; to within an eighth of itself."
            group = "stages of the engine, p50"
            document.record(f"stage {stage}, p50", value, "ms", "lower", note=note, group=group)


def _record_floors(document: Document, floors: Floors) -> None:
    for name, value in floors._asdict().items():
        note = "Of the machine, with this server and these settings; nothing of the engine in it."
        document.record(_FLOORS[name], value, "ms", "lower", note=note, group="floors")
    least = floors.least(TOTAL.need)
    document.record(_LEAST, least, "ms", "lower", note=f"The sum of {TOTAL.need}.", group="floors")
    total = next(s for s in document.series if s.name == _series(TOTAL.name, 50))
    document.record(
        "p50 by the least possible",
        total.samples[-1] / least,
        "times",
        "lower",
        note=f"{TOTAL.need}, and the work itself.",
    )


def _tables(document: Document) -> list[Table]:
    """Nothing where no round came to its end."""
    medians = {series.name: median(series.samples) for series in document.measured()}
    if _LEAST not in medians:
        return []
    floors = Floors(*(medians[name] for name in _FLOORS.values()))
    rows: list[Row] = []
    for part in PARTS:
        p50, p99 = (medians[_series(part.name, percent)] for percent in (50, 99))
        least = floors.least(part.need)
        name = f"{part.name}, {part.times} times" if part.times > 1 else part.name
        rows.append([name, p50, p99, str(part.need), least, p50 / least, part.what])
    headings = ["part", "p50 ms", "p99 ms", "cannot do without", "ms", "p50 by that", "what it is"]
    note = (
        "Medians of the rounds' percentiles. The parts follow one on the other, and are the whole"
        " but for the way of the submit to the database; `submit` overlaps with the next one."
    )
    return [Table("Where the time goes", headings, rows, note)]
