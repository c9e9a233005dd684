"""python -m bench size."""

import sys
from pathlib import Path

import rich_click as click
from rich.console import Console

from bench.report import encode, save
from bench.size.page import page, section
from bench.size.run import NAMES, Sizes, measure_sizes
from tasker_mp.config import load_config
from tasker_mp.errors import EngineError

_COUNT = click.IntRange(min=1)


@click.command()
@click.option("--only", "names", multiple=True, type=click.Choice(NAMES), help="By default all.")
@click.option(
    "--backlog", type=_COUNT, default=1_000_000, show_default=True, help="Steps that are ready."
)
@click.option(
    "--history", type=_COUNT, default=5_000_000, show_default=True, help="Steps that have finished."
)
@click.option(
    "--fan", type=click.IntRange(3), default=10_000, show_default=True, help="Steps of one task."
)
@click.option(
    "--held-seconds",
    type=click.FloatRange(min=0),
    default=600.0,
    show_default=True,
    help="How long somebody else's transaction is open.",
)
@click.option("--rounds", type=_COUNT, default=5, show_default=True, help="Of each, in turn.")
@click.option(
    "--tasks", type=click.IntRange(2), default=5000, show_default=True, help="Tasks of a round."
)
@click.option("--workers", default=0, help="Worker processes; 0 is one a core.")
@click.option("--json", "as_json", is_flag=True, help="Print the measurements as JSON.")
@click.option(
    "--save", "folder", type=click.Path(path_type=Path), help="Write report and JSON here."
)
def size(
    names: tuple[str, ...],
    backlog: int,
    history: int,
    fan: int,
    held_seconds: float,
    rounds: int,
    tasks: int,
    workers: int,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Whether the work stays as fast: backlog, history, one large task, payloads, an old snapshot.

    On databases of their own on the configured server; about twenty minutes and 8 GB. A Ctrl-C ends
    it with what there is.
    """
    sizes = Sizes(backlog, history, fan, held_seconds, rounds, tasks)
    config = load_config(overrides={"worker.count": workers, "logging.level": "error"})
    console = Console(stderr=True)
    try:
        document = measure_sizes(names, sizes, config, console)
    except EngineError as error:
        console.print(f"error: {error}")
        sys.exit(error.exit_code)
    if folder is not None:
        console.print(f"written: {save(folder, 'size', document, page(document))}")
    click.echo(encode(document) if as_json else section(document))
    sys.exit(130 if document["interrupted"] else bool(document["problems"]))
