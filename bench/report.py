"""`python -m bench report [FILES]`: one page from saved documents, as Markdown and as HTML."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import rich_click as click
from rich.console import Console

from bench.document import Document
from bench.goals import Goal, Reasons, goals, read_reasons, told
from bench.html import html_page
from bench.markdown import environment_table, markdown_table
from bench.page import goal_text, number, section
from bench.saved import RESULTS, UnreadableError, in_order, latest, read

_TITLE = "tasker-mp: benchmarks"
_MISSED = ("missed", "median", "goal", "why")


def markdown_page(title: str, documents: Sequence[Document], reasons: Reasons | None = None) -> str:
    """`reasons` for goals that are missed."""
    lines = [f"# {title}", *_goals(goals(documents, reasons or {}))]
    for document in documents:
        partial = " (partial)" if document.interrupted else ""
        lines += ["", f"## {document.bench.capitalize()}{partial}", ""]
        # A level deeper: on its own page it has the title above.
        lines += ["#" + line if line.startswith("## ") else line for line in section(document)]
        lines += ["", *environment_table(document.environment)]
    return "\n".join(lines) + "\n"


def _goals(found: list[Goal]) -> list[str]:
    """All in a sentence, and those that are missed; each section has its own in full."""
    lines = ["", told(found)] if found else []
    missed = [goal for goal in found if not goal.series.met]
    if not missed:
        return lines
    return [*lines, "", *markdown_table(_MISSED, map(_missed_row, missed))]


def _missed_row(goal: Goal) -> list[str]:
    series = goal.series
    value = f"{number(series.value)} {series.unit}"
    return [f"{goal.bench}: {series.name}", value, goal_text(series), goal.why]


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--save",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=RESULTS,
    show_default=True,
    help="Write the pages here.",
)
def report(files: tuple[Path, ...], folder: Path) -> None:
    """One page, as Markdown and as HTML with plots, from documents that --save has written.

    Without FILES, of the latest document of each command there. Why a goal is missed is taken from
    reasons.toml there.
    """
    console = Console(stderr=True)
    documents, failed = _read(files or latest(folder), console)
    if not documents:
        given = "none of them can be read" if files else f"there is none in {folder}"
        raise UnreadableError(f"no document to report on: {given}: measure with --save to have one")
    reasons = read_reasons(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{datetime.now(UTC):%Y-%m-%d}-report"
    for suffix, page in ((".md", markdown_page), (".html", html_page)):
        target = stem.with_suffix(suffix)
        target.write_text(page(_TITLE, documents, reasons))
        console.print(f"written: {target}", markup=False, soft_wrap=True)
    if failed:
        sys.exit(1)


def _read(files: Sequence[Path], console: Console) -> tuple[list[Document], bool]:
    """In the page's order; a line about each that cannot be read, and whether there is any."""
    documents = []
    for path in files:
        try:
            documents.append(read(path))
        except UnreadableError as error:
            console.print(f"error: {error}", markup=False, soft_wrap=True)
    return in_order(documents), len(documents) < len(files)
