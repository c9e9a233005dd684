"""python -m bench …: what the engine does a second, and how long one task takes."""

import sys
from pathlib import Path

import rich_click as click
from rich.console import Console

from bench.environment import environment
from bench.patterns import PATTERNS
from bench.report import encode, save, table
from bench.run import run_patterns
from tasker_mp.config import load_config
from tasker_mp.errors import EngineError


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
        console.print(f"written: {save(folder, document)}")
    if as_json:
        click.echo(encode(document))
    else:
        # Where no terminal limits it, nothing is cut.
        Console(width=None if sys.stdout.isatty() else 120).print(table(measured))


if __name__ == "__main__":
    main()
