"""python -m bench ceiling."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import rich_click as click
from rich.console import Console
from rich.progress import Progress

from bench.ceiling.bare_process import BareProcess
from bench.ceiling.loop import Order
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
from bench.patterns import PATTERNS, Pattern
from bench.project import Served, bench_project, serving
from bench.usage import DATABASE, SUPERVISOR, WORKERS, Meter, Usage, load_average
from tasker_mp.control import Command, ask
from tasker_mp.engine.runtime import RuntimeDirectory
from tasker_mp.errors import EngineError
from tasker_mp.messages import encode

_GOAL = 0.8
_LIMIT = 60.0
_POLL = 0.02
_GROUPS = (SUPERVISOR, WORKERS, DATABASE)
_NOTE = (
    "The ceiling submits, claims, finishes and continues with the engine's own queries, lanes and"
    " limits, with the results known beforehand and nobody to run them; the share is of one round."
    " Steps a claim: steps by batches that the database handed out, claimed or continued."
)


class Sizes(NamedTuple):
    """Tasks in flight, seconds of a round, steps of a batch of the bare loop."""

    level: int
    seconds: float
    rounds: int
    batch: int


@click.command()
@click.option(
    "--pattern",
    "names",
    multiple=True,
    type=click.Choice(list(PATTERNS)),
    default=("linear",),
    show_default=True,
    help="May be repeated.",
)
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
    "--batch",
    type=COUNT,
    default=1000,
    show_default=True,
    help="Steps that the bare loop finishes at once, at most; the engine: 1000.",
)
@rounds_option(5)
@workers_option
@output_options
def ceiling(
    names: tuple[str, ...],
    level: int,
    seconds: float,
    batch: int,
    rounds: int,
    workers: int,
    as_json: bool,
    folder: Path | None,
) -> None:
    """The engine against the same SQL in a bare loop, without supervisor and workers.

    About a minute a pattern. A Ctrl-C ends it with what there is.
    """
    config, console, document = bench_config(workers), Console(stderr=True), new_document("ceiling")
    patterns = [PATTERNS[name] for name in dict.fromkeys(names)]
    sizes = Sizes(level, seconds, rounds, batch)
    with (
        measuring(document, console),
        bench_project(config, "ceiling") as (own, settings),
        serving(own) as served,
    ):
        document.environment = environment(settings, config) | {"load before": load_average()}
        _measure(served, patterns, sizes, document, console)
    conclude(document, folder, as_json, console)


def _measure(
    served: Served, patterns: Sequence[Pattern], sizes: Sizes, document: Document, console: Console
) -> None:
    usages: dict[tuple[str, str], list[Usage]] = {}
    orders = {pattern.name: _order(served, pattern, sizes) for pattern in patterns}
    try:
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task("", total=sizes.rounds * len(patterns) * 2)
            for _ in range(sizes.rounds):
                for pattern in patterns:
                    progress.update(bar, description=f"{pattern.name}: engine")
                    engine = _round(served, pattern, sizes, served.meter())
                    progress.update(bar, advance=1, description=f"{pattern.name}: ceiling")
                    bare = _bare_round(served, pattern, sizes, orders[pattern.name])
                    progress.advance(bar)
                    usages.setdefault((pattern.name, "engine"), []).append(engine)
                    usages.setdefault((pattern.name, "ceiling"), []).append(bare)
                    _record(document, pattern, engine, bare)
    finally:
        document.tables = [_table(usages)] if usages else []


def _order(served: Served, pattern: Pattern, sizes: Sizes) -> Order:
    """With the results that a task of the pattern really has."""
    client, worker = served.client, served.config.worker
    submitted = client.submit(pattern.namespace, pattern.template, pattern.context)
    task = client.wait(submitted.uuid, timeout=_LIMIT)
    if task.state != "complete":
        raise EngineError(f"a task of {pattern.name} ended as {task.state}")
    return Order(
        served.config.database.url,
        pattern.namespace,
        {step.name: encode(step.result).decode() for step in task.steps},
        worker.lanes,
        worker.max_in_flight,
        sizes.batch,
        served.config.database.statement_timeout,
    )


def _round(served: Served, pattern: Pattern, sizes: Sizes, meter: Meter) -> Usage:
    crowd = Crowd(served.client, served.connection, pattern, sizes.level)
    return crowd.flow(sizes.seconds, meter).usage


def _bare_round(served: Served, pattern: Pattern, sizes: Sizes, order: Order) -> Usage:
    with _paused(served), BareProcess(order) as bare:
        meter = Meter(bare.pid, bare.steps, served.connection)
        return _round(served, pattern, sizes, meter)


@contextmanager
def _paused(served: Served) -> Iterator[None]:
    """The supervisor stays, and claims nothing."""
    _command(served, "pause")
    deadline = time.monotonic() + _LIMIT
    while served.system.status().get("in_flight"):
        if time.monotonic() > deadline:
            raise EngineError(f"the supervisor did not finish its steps within {_LIMIT:g} s")
        time.sleep(_POLL)
    try:
        yield
    finally:
        _command(served, "resume")


def _command(served: Served, name: str) -> dict[str, Any]:
    answer = ask(RuntimeDirectory(served.config.root).control_socket, Command(name), _LIMIT)
    if "error" in answer:
        raise EngineError(f"the supervisor refused to {name}: {answer['error']}")
    return answer


def _record(document: Document, pattern: Pattern, engine: Usage, bare: Usage) -> None:
    group = f"{pattern.name}, steps/s"
    for name, usage in (("engine", engine), ("ceiling", bare)):
        document.record(
            f"{pattern.name}: {name}", usage.rate, "steps/s", "higher", note=_NOTE, group=group
        )
    document.record(
        f"{pattern.name}: share of the ceiling",
        engine.rate / bare.rate,
        "times",
        "higher",
        goal=_GOAL,
        note="Of the same round.",
    )


def _table(usages: dict[tuple[str, str], list[Usage]]) -> Table:
    headings = ["pattern", "", "steps/s", *(f"{group} µs" for group in _GROUPS)]
    headings += ["WAL bytes", "steps a claim"]
    table = Table("Ceiling", headings, note=_NOTE)
    for (pattern, name), rounds in usages.items():
        costs = [
            median(spent) if (spent := _present(usage.cpu_us(group) for usage in rounds)) else None
            for group in _GROUPS
        ]
        rate = median(usage.rate for usage in rounds)
        wal = median(usage.wal_bytes / usage.steps for usage in rounds)
        claim = median(usage.steps / max(1, usage.claims) for usage in rounds)
        table.rows.append([pattern, name, rate, *costs, wal, claim])
    return table


def _present(values: Iterator[float | None]) -> list[float]:
    return [value for value in values if value is not None]
