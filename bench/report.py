"""`python -m bench report [FILES]`: one page from saved documents, as Markdown and as HTML."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import rich_click as click
from rich.console import Console

from bench.document import Document
from bench.html import html_page
from bench.markdown import environment_table
from bench.page import section
from bench.saved import RESULTS, UnreadableError, in_order, latest, read

_TITLE = "tasker-mp: benchmarks"


def markdown_page(title: str, documents: Sequence[Document]) -> str:
    lines = [f"# {title}"]
    for document in documents:
        partial = " (partial)" if document.interrupted else ""
        lines += ["", f"## {document.bench.capitalize()}{partial}", ""]
        # A level deeper: on its own page it has the title above.
        lines += ["#" + line if line.startswith("## ") else line for line in section(document)]
        lines += ["", *environment_table(document.environment)]
    return "\n".join(lines) + "\n"


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

    Without FILES, of the latest document of each command there.
    """
    console = Console(stderr=True)
    documents, failed = _read(files or latest(folder), console)
    if not documents:
        given = "none of them can be read" if files else f"there is none in {folder}"
        raise UnreadableError(f"no document to report on: {given}: measure with --save to have one")
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{datetime.now(UTC):%Y-%m-%d}-report"
    for suffix, page in ((".md", markdown_page), (".html", html_page)):
        target = stem.with_suffix(suffix)
        target.write_text(page(_TITLE, documents))
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
