"""python -m bench transport."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import rich_click as click
from rich.console import Console
from rich.progress import Progress

from bench.command import (
    COUNT,
    conclude,
    measuring,
    new_document,
    output_options,
    rounds_option,
)
from bench.document import Document, Table
from bench.environment import environment
from bench.transport.ends import WAYS, missing
from bench.transport.measure import Cost, batched, one_at_a_time
from bench.usage import load_average
from tasker_mp.config import load_config

SIZES = {
    "100 B": 100,
    "300 B": 300,
    "1 KB": 1 << 10,
    "10 KB": 10 << 10,
    "64 KB": 64 << 10,
    "1 MB": 1 << 20,
}
_MODES = ("batched", "one at a time")
_STREAM_BYTES = 128 << 20
_GOALS = {("300 B", "batched"): 5.0}
_FEWEST = 8
_NOTES = {
    "batched": "Written in batches, until the other process has read all.",
    "one at a time": "Half of a round trip, each record after the answer to the one before.",
}


class Sizes(NamedTuple):
    """Records of a round (fewer of large ones), those of a batch."""

    records: int
    batch: int
    rounds: int

    def stream(self, size: int) -> int:
        return max(_FEWEST, min(self.records, _STREAM_BYTES // size))

    def singles(self, size: int) -> int:
        return max(_FEWEST, self.stream(size) // 20)


@click.command()
@click.option(
    "--way",
    "ways",
    multiple=True,
    type=click.Choice(list(WAYS)),
    help="Only these; by default all.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.Choice(list(SIZES)),
    help="Only these; by default all.",
)
@click.option(
    "--records", type=COUNT, default=50_000, show_default=True, help="Records of a round."
)
@click.option("--batch", type=COUNT, default=64, show_default=True, help="Records of a batch.")
@rounds_option(5)
@output_options
def transport(
    ways: tuple[str, ...],
    sizes: tuple[str, ...],
    records: int,
    batch: int,
    rounds: int,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Records between two processes: ring, pipe, zmq, multiprocessing.Queue.

    About a minute. A Ctrl-C ends it with what there is.
    """
    console, document = Console(stderr=True), new_document("transport")
    document.environment = environment({}, load_config()) | {"load before": load_average()}
    chosen = [name for name in WAYS if name in (ways or WAYS)]
    for name in list(chosen):
        if reason := missing(name):
            console.print(reason, markup=False, soft_wrap=True)
            chosen.remove(name)
    with measuring(document, console):
        plan = Sizes(records, batch, rounds)
        _measure(chosen, [n for n in SIZES if n in (sizes or SIZES)], plan, document, console)
    document.tables = _tables(document, chosen)
    conclude(document, folder, as_json, console)


def _measure(
    ways: Sequence[str], sizes: Sequence[str], plan: Sizes, document: Document, console: Console
) -> None:
    # Without the thread that draws it: what forks should have only one.
    with Progress(console=console, transient=True, auto_refresh=False) as progress:
        total = plan.rounds * len(sizes) * len(_MODES) * len(ways)
        bar = progress.add_task("", total=total)
        for _ in range(plan.rounds):
            for size in sizes:
                for mode in _MODES:
                    costs = {}
                    for way in ways:
                        what = f"{size:>6} {mode:>13}: {way}"
                        progress.update(bar, description=what, refresh=True)
                        costs[way] = _cost(way, mode, SIZES[size], plan)
                        progress.update(bar, advance=1, refresh=True)
                    _record(document, size, mode, costs)


def _cost(way: str, mode: str, size: int, plan: Sizes) -> Cost:
    if mode == "batched":
        return batched(WAYS[way], size, plan.stream(size), plan.batch)
    return one_at_a_time(WAYS[way], size, plan.singles(size))


def _record(document: Document, size: str, mode: str, costs: dict[str, Cost]) -> None:
    for way, cost in costs.items():
        name, group = f"{way}, {size}, {mode}", f"{size}, {mode}"
        document.record(
            name, cost.clock, "µs/record", "lower", note=_NOTES[mode], group=f"{group}, time"
        )
        document.record(
            f"{name}: CPU",
            cost.processor,
            "µs/record",
            "lower",
            note="Processor time of both processes together.",
            group=f"{group}, CPU",
        )
    if {"ring", "queue"} <= costs.keys():
        document.record(
            f"ring against multiprocessing.Queue, {size}, {mode}",
            costs["queue"].clock / costs["ring"].clock,
            "times",
            "higher",
            goal=_GOALS.get((size, mode)),
            note="The queue's time by the ring's, in the same round.",
            group=f"ring against multiprocessing.Queue, {mode}",
        )


def _tables(document: Document, ways: Sequence[str]) -> list[Table]:
    """Two a mode: a row a size, a column a way."""
    medians = {series.name: median(series.samples) for series in document.measured()}
    tables = []
    for mode in _MODES:
        for suffix, what in (("", "Microseconds"), (": CPU", "Processor microseconds")):
            table = Table(f"{what} a record, {mode}", ["size", *ways], [], _NOTES[mode])
            for size in SIZES:
                costs = [medians.get(f"{way}, {size}, {mode}{suffix}") for way in ways]
                if any(costs):
                    table.rows.append([size, *costs])
            if table.rows:
                tables.append(table)
    return tables
