"""`python -m bench reliability`."""

from pathlib import Path

import rich_click as click
from rich.console import Console

from bench.command import COUNT, conclude, new_document, output_options, workers_option
from bench.reliability.run import NAMES, Sizes, measure_reliability

_DURATION = click.FloatRange(min=0.1, max=3600)


@click.command()
@click.option("--only", "names", multiple=True, type=click.Choice(NAMES), help="By default all.")
@click.option(
    "--deadlines", type=COUNT, default=200, show_default=True, help="Steps that pass theirs."
)
@click.option(
    "--respawns", type=COUNT, default=50, show_default=True, help="Workers killed one by one."
)
@click.option(
    "--repeats", type=COUNT, default=5, show_default=True, help="Deaths of supervisor and database."
)
@click.option(
    "--tasks", type=COUNT, default=6000, show_default=True, help="Backlog at each such death."
)
@click.option(
    "--pairs", type=COUNT, default=3, show_default=True, help="Throughput rounds with and without."
)
@click.option(
    "--seconds", type=_DURATION, default=10.0, show_default=True, help="Length of such a round."
)
@workers_option
@output_options
def reliability(
    names: tuple[str, ...],
    deadlines: int,
    respawns: int,
    repeats: int,
    tasks: int,
    pairs: int,
    seconds: float,
    workers: int,
    as_json: bool,
    folder: Path | None,
) -> None:
    """What deaths and deadlines cost, as a table for docs/reliability.md.

    In a temporary project with a PostgreSQL of its own; about three minutes. A Ctrl-C ends it with
    what there is.
    """
    console = Console(stderr=True)
    document = new_document("reliability")
    sizes = Sizes(deadlines, respawns, repeats, tasks, pairs, seconds)
    measure_reliability(names, sizes, workers, console, document)
    conclude(document, folder, as_json, console)
