"""What the commands of the bench share: options, what fails or is interrupted, what is written."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import psycopg
import rich_click as click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table as Grid

from bench.document import Document, encode_document, started_now
from bench.page import cell, number, page
from tasker_mp.config import Config, load_config
from tasker_mp.errors import EngineError

INTERRUPTED = 130
COUNT = click.IntRange(min=1)
SECONDS = click.FloatRange(min=0.05, max=3600)
_WIDTH = 140

Function = TypeVar("Function", bound=Callable[..., Any])


def output_options(function: Function) -> Function:
    """`as_json` and `folder`, for `conclude`."""
    as_json = click.option(
        "--json", "as_json", is_flag=True, help="Print the measurements as JSON."
    )
    kind = click.Path(path_type=Path, file_okay=False)
    folder = click.option(
        "--save", "folder", type=kind, callback=_made, help="Write report and JSON here."
    )
    return as_json(folder(function))


def _made(_context: click.Context, _option: click.Parameter, folder: Path | None) -> Path | None:
    """Before anything is measured: a folder that cannot be made would lose it all."""
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise click.BadParameter(f"{folder} cannot be made: {error.strerror}") from error
        if not os.access(folder, os.W_OK):
            raise click.BadParameter(f"{folder} cannot be written to")
    return folder


def workers_option(function: Function) -> Function:
    kind = click.IntRange(0, 4096)
    return click.option(
        "--workers", type=kind, default=0, help="Worker processes; 0 is one a core."
    )(function)


def rounds_option(default: int) -> Callable[[Function], Function]:
    return click.option(
        "--rounds", type=COUNT, default=default, show_default=True, help="Of each, in turn."
    )


def bench_config(workers: int = 0) -> Config:
    return load_config(overrides={"worker.count": workers, "logging.level": "error"})


def new_document(bench: str) -> Document:
    """An empty one that names the command line."""
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    return Document(bench, started_now(), command)


@contextmanager
def measuring(document: Document, console: Console, what: str = "") -> Iterator[None]:
    """The block may be interrupted or fail: the document says so, and keeps what it has.

    What fails before anything was measured, for a wrong setting or without a database, is raised.
    """
    try:
        yield
    except KeyboardInterrupt:
        document.interrupted = True
    except (EngineError, psycopg.Error, OSError) as error:
        if isinstance(error, EngineError) and error.exit_code > 1 and not document.measured():
            raise
        line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        document.problems.append(f"{what}: {line}" if what else line)
        console.print(f"error: {document.problems[-1]}", markup=False, soft_wrap=True)


def measure_each(
    parts: Sequence[tuple[str, int, Callable[[Callable[[], None]], None]]],
    console: Console,
    document: Document,
) -> None:
    """Each part, (name, steps of its bar, what it does with a way to say that one is done), one
    after the other; one that fails does not end it, an interruption does."""
    columns = (TextColumn("{task.description:>10}"), BarColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, *times, console=console, transient=True) as progress:
        bars = [progress.add_task(name, total=total, start=False) for name, total, _ in parts]
        for (name, _, measure), bar in zip(parts, bars, strict=True):
            progress.start_task(bar)
            with measuring(document, console, name):
                measure(partial(progress.advance, bar))
            if document.interrupted:
                return


def save(folder: Path, document: Document) -> Path:
    """Write `<date>-<bench>.json` and the page beside it; the page's path."""
    stem = folder / f"{datetime.now(UTC):%Y-%m-%d}-{document.bench}"
    stem.with_suffix(".json").write_text(encode_document(document) + "\n")
    target = stem.with_suffix(".md")
    target.write_text(page(document))
    return target


def conclude(
    document: Document,
    folder: Path | None,
    as_json: bool,
    console: Console,
    *,
    failed: bool = False,
) -> NoReturn:
    """Write and show it, and exit: 130 interrupted, 1 where something failed, else 0."""
    if folder is not None:
        console.print(f"written: {save(folder, document)}", soft_wrap=True)
    if as_json:
        click.echo(encode_document(document))
    else:
        show(document)
    sys.exit(INTERRUPTED if document.interrupted else bool(failed or document.problems))


def show(document: Document) -> None:
    """Its tables, and its goals."""
    # Where no terminal limits it, nothing is cut.
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    for table in document.tables:
        rows = [[cell(value) for value in row] for row in table.rows]
        console.print(_grid(table.title, table.headings, rows))
    goals = [
        [s.name, s.unit, number(s.value), number(s.goal), "yes" if s.met else "no"]
        for s in document.measured()
        if s.goal is not None
    ]
    if goals:
        console.print(_grid("goals", ["figure", "unit", "median", "goal", "met"], goals))
    if document.interrupted:
        console.print("partial: interrupted")


def _grid(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Grid:
    shown = Grid(title=title)
    for place, heading in enumerate(headings):
        shown.add_column(heading, justify="right" if place else "left")
    for row in rows:
        shown.add_row(*map(escape, row))
    return shown
