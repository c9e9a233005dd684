"""Data to stdout, as one JSON document or as tables for people; messages to stderr."""

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

import click
import msgspec

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_UNBOUNDED = 500
"""Columns where no terminal limits them: what is piped to a program must not be cut or folded."""

_written = False


def has_written() -> bool:
    """Whether the JSON document is out: there is only one."""
    return _written


def write_json(document: object) -> None:
    """The command's one JSON document; indented where a person is looking."""
    global _written  # noqa: PLW0603
    encoded = msgspec.json.encode(document, enc_hook=str)
    if sys.stdout.isatty():
        encoded = msgspec.json.format(encoded)
    _written = True
    sys.stdout.buffer.write(encoded + b"\n")
    sys.stdout.flush()


def say(message: str) -> None:
    """A line for people, on stderr."""
    click.echo(message, err=True)


def show(*renderables: "RenderableType") -> None:
    """Data for people, on stdout."""
    out = console(sys.stdout)
    for renderable in renderables:
        out.print(renderable)


@cache
def console(stream: TextIO) -> "Console":
    """Markup is off: names and messages may hold brackets."""
    from rich.console import Console  # noqa: PLC0415

    width = None if stream.isatty() or "COLUMNS" in os.environ else _UNBOUNDED
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = ()
) -> "Table":
    """A table; the columns named in `right` hold numbers. The last column is cut, never folded."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    made = Table(
        box=box.SIMPLE_HEAD,
        header_style="bold",
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    numbers = set(right)
    for column in columns:
        last = column == columns[-1]
        made.add_column(
            column,
            justify="right" if column in numbers else "left",
            no_wrap=True,
            overflow="ellipsis" if last else "fold",
        )
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else _cell(cell) for cell in row))
    return made


_STYLES = {
    "complete": "green",
    "error": "red",
    "cancelled": "yellow",
    "in_progress": "cyan",
    "waiting_for_retry": "yellow",
}


def _cell(value: object) -> Any:
    from rich.text import Text  # noqa: PLC0415

    text = "" if value is None else single_line(str(value))
    return Text(text, style=_STYLES.get(text, ""))


def single_line(text: str, limit: int | None = None) -> str:
    """The text without line breaks and control characters, which could redraw a terminal."""
    line = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(line.split())
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…"


def short_json(value: object, limit: int = 300) -> str:
    """A value on one line; of an object with a `result`, that alone."""
    if isinstance(value, dict) and "result" in value:
        value = value["result"]
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    return single_line(text, limit)


def short_duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def short_time(at: datetime | None) -> str:
    """In the reader's own time zone."""
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
