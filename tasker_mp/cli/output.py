"""Data to stdout, as one JSON document or as tables for people; messages to stderr."""

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, TextIO

import click
import msgspec

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

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


def show_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Names and values, a line each; a long value continues below itself."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(name, Text(single_line(value)))
    show(grid)


def show_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Iterable[str] = (),
    optional: Iterable[str] = (),
) -> None:
    """A line for each row. `right` names the columns of numbers.

    Where the terminal is narrow, columns go, in the order of `optional`; then the last one is cut.
    """
    from rich.cells import cell_len  # noqa: PLC0415

    texts = [["" if cell is None else single_line(str(cell)) for cell in row] for row in rows]
    natural = [max(map(cell_len, column)) for column in zip(columns, *texts, strict=True)]
    width = console(sys.stdout).width
    widths = fitting(dict(zip(columns, natural, strict=True)), width, optional)
    table = _table(widths, set(right))
    for row in texts:
        table.add_row(*(_cell(row[i]) for i, name in enumerate(columns) if name in widths))
    show(table)


def fitting(natural: dict[str, int], width: int, optional: Iterable[str]) -> dict[str, int]:
    """The width of each column that stays, where `natural` is what they would need."""
    widths = dict(natural)
    last = list(natural)[-1]
    for name in (*optional, None):
        left = width - sum(w + _GAP for column, w in widths.items() if column != last)
        if left >= min(natural[last], _LEAST) or name is None:
            break
        del widths[name]
    widths[last] = max(1, min(natural[last], left))
    return widths


_GAP = 2
_LEAST = 20
"""Characters of a cut column that still tell something."""


def _table(widths: dict[str, int], right: set[str]) -> "Table":
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(
        box=box.SIMPLE_HEAD,
        header_style="bold",
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name, width in widths.items():
        table.add_column(
            name,
            justify="right" if name in right else "left",
            width=width,
            no_wrap=True,
            overflow="ellipsis",
        )
    return table


_STYLES = {
    "complete": "green",
    "error": "red",
    "cancelled": "yellow",
    "in_progress": "cyan",
    "✗": "bold red",
    "✓": "green",
    "waiting_for_retry": "yellow",
}


def _cell(text: str) -> "Text":
    from rich.text import Text  # noqa: PLC0415

    return Text(text, style=_STYLES.get(text, ""))


def single_line(text: str, limit: int | None = None) -> str:
    """The text without line breaks and control characters, which could redraw a terminal."""
    line = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(line.split())
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1]}…"


def mark(ok: bool) -> str:
    """A tick or a cross, as words where the locale has neither."""
    try:
        "✓✗".encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return "ok" if ok else "WRONG"
    return "✓" if ok else "✗"


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


def short_age(seconds: float) -> str:
    """In the largest unit that it has two of: 45 s, 12 min, 30 h, 9 d."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def short_time(at: datetime | None) -> str:
    """In the reader's own time zone."""
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
