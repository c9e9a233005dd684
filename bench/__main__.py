"""python -m bench …: what the engine does a second, and how long one task takes."""

import sys
from pathlib import Path

import rich_click as click
from rich.console import Console

from bench.environment import environment
from bench.patterns import PATTERNS
from bench.peers.command import peers
from bench.reliability.page import page, section
from bench.reliability.run import NAMES, Sizes, measure_reliability
from bench.report import encode, patterns_page, save, table
from bench.run import run_patterns
from bench.size.command import size
from tasker_mp.config import load_config
from tasker_mp.errors import EngineError

_COUNT = click.IntRange(min=1)
_DURATION = click.FloatRange(min=0.1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure workflow patterns on this machine."""


@main.command()
@click.option("--pattern", "names", multiple=True, help="Only these; by default all.")
@click.option("--tasks", default=2000, show_default=True, help="Tasks of a throughput run.")
@click.option("--singles", default=200, show_default=True, help="Tasks of a latency run.")
@click.option("--rounds", default=3, show_default=True, help="Interleaved repetitions.")
@click.option("--workers", default=0, help="Worker processes; 0 is one a core.")
@click.option("--json", "as_json", is_flag=True, help="Print the measurements as JSON.")
@click.option(
    "--save", "folder", type=click.Path(path_type=Path), help="Write report and JSON here."
)
def run(
    names: tuple[str, ...],
    tasks: int,
    singles: int,
    rounds: int,
    workers: int,
    as_json: bool,
    folder: Path | None,
) -> None:
    """Throughput and latency of the five patterns."""
    unknown = sorted(set(names) - set(PATTERNS))
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r}; there are {', '.join(PATTERNS)}")
    chosen = [PATTERNS[name] for name in names or PATTERNS]
    config = load_config(overrides={"worker.count": workers, "logging.level": "error"})
    console = Console(stderr=True)
    try:
        measured, settings = run_patterns(config, chosen, tasks, singles, rounds, console)
    except EngineError as error:
        console.print(f"error: {error}")
        sys.exit(error.exit_code)
    document = {"environment": environment(settings, config), "patterns": measured}
    if folder is not None:
        console.print(f"written: {save(folder, 'run', document, patterns_page(document))}")
    if as_json:
        click.echo(encode(document))
    else:
        # Where no terminal limits it, nothing is cut.
        Console(width=None if sys.stdout.isatty() else 120).print(table(measured))


@main.command()
@click.option("--only", "names", multiple=True, type=click.Choice(NAMES), help="By default all.")
@click.option(
    "--deadlines", type=_COUNT, default=200, show_default=True, help="Steps that pass theirs."
)
@click.option(
    "--respawns", type=_COUNT, default=50, show_default=True, help="Workers killed one by one."
)
@click.option(
    "--repeats",
    type=_COUNT,
    default=5,
    show_default=True,
    help="Deaths of supervisor and database.",
)
@click.option(
    "--tasks", type=_COUNT, default=6000, show_default=True, help="Backlog at each such death."
)
@click.option(
    "--pairs", type=_COUNT, default=3, show_default=True, help="Throughput rounds with and without."
)
@click.option(
    "--seconds", type=_DURATION, default=10.0, show_default=True, help="Length of such a round."
)
@click.option("--workers", default=0, help="Worker processes; 0 is one a core.")
@click.option("--json", "as_json", is_flag=True, help="Print the measurements as JSON.")
@click.option(
    "--save", "folder", type=click.Path(path_type=Path), help="Write report and JSON here."
)
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
    sizes = Sizes(deadlines, respawns, repeats, tasks, pairs, seconds)
    console = Console(stderr=True)
    try:
        document = measure_reliability(names, sizes, workers, console)
    except EngineError as error:
        console.print(f"error: {error}")
        sys.exit(error.exit_code)
    if folder is not None:
        console.print(f"written: {save(folder, 'reliability', document, page(document))}")
    click.echo(encode(document) if as_json else section(document))
    sys.exit(130 if document["interrupted"] else bool(document["problems"]))


main.add_command(size)
main.add_command(peers)

if __name__ == "__main__":
    main()
