"""`python -m bench size`."""

from pathlib import Path

import rich_click as click
from rich.console import Console

from bench.command import (
    COUNT,
    bench_config,
    conclude,
    new_document,
    output_options,
    rounds_option,
    workers_option,
)
from bench.size.run import NAMES, Sizes, measure_sizes


@click.command()
@click.option("--only", "names", multiple=True, type=click.Choice(NAMES), help="By default all.")
@click.option(
    "--backlog", type=COUNT, default=1_000_000, show_default=True, help="Steps that are ready."
)
@click.option(
    "--history", type=COUNT, default=5_000_000, show_default=True, help="Steps that have finished."
)
@click.option(
    "--fan",
    type=click.IntRange(3, 1_000_000),
    default=10_000,
    show_default=True,
    help="Steps of one task.",
)
@click.option(
    "--held-minutes",
    type=click.FloatRange(min=0, max=1440),
    default=10.0,
    show_default=True,
    help="How long somebody else's transaction is open.",
)
@click.option(
    "--tasks", type=click.IntRange(2), default=5000, show_default=True, help="Tasks of a round."
)
@rounds_option(5)
@workers_option
@output_options
def size(
    names: tuple[str, ...],
    backlog: int,
    history: int,
    fan: int,
    held_minutes: float,
    tasks: int,
    rounds: int,
    workers: int,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Whether the work stays as fast: backlog, history, one large task, payloads, an old snapshot.

    On databases of their own on the configured server, loaded and fresh in turn; about twenty
    minutes and 8 GB. A Ctrl-C ends it with what there is.
    """
    console = Console(stderr=True)
    document = new_document("size")
    sizes = Sizes(backlog, history, fan, held_minutes, rounds, tasks)
    measure_sizes(names, sizes, bench_config(workers), console, document)
    conclude(document, folder, as_json, console)
