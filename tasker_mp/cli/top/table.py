"""Tables that lose their least important columns where the terminal is narrow."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style

from tasker_mp.cli.top.line import Line, columns_of, cut, fit, length, rule, span
from tasker_mp.cli.top.styles import CHOSEN, HEAD, PLAIN

_GAP = " "
_LEAST = 8

Cell = str | Segment | Sequence[Segment]


@dataclass(frozen=True)
class Column:
    """`importance`: the lowest leaves first. A flexible one is cut before any leaves."""

    title: str
    importance: int
    right: bool = False
    flexible: bool = False
    least: int = 0
    """Columns it takes whatever is in it, so that little changes do not move the others."""


@dataclass(frozen=True)
class Row:
    """Its cells, one for each column; `key` is what a choice of it means."""

    cells: Sequence[Cell]
    key: object = None
    style: Style = PLAIN


def table(
    title: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    width: int,
    height: int,
    *,
    chosen: object = None,
    note: str = "",
) -> list[Line]:
    """A line with the title, one with those of the columns, then the rows that fit.

    The chosen row is always among them; the first line counts those that are not.
    """
    shown, above, below = _window(rows, max(height - 2, 0), chosen)
    widths = _widths(columns, shown, width - 1)
    hidden = (f"{above:,} more ↑" if above else "", f"{below:,} more ↓" if below else "")
    lines = [rule(title, width, "  ".join(text for text in (note, *hidden) if text))]
    lines.append(fit(_titles(columns, widths), width))
    if not rows:
        lines.append(fit([span(" none", HEAD)], width))
    for row in shown:
        is_chosen = row.key is not None and row.key == chosen
        lines.append(fit(_row(columns, widths, row, chosen=is_chosen), width))
    return lines


def _window(rows: Sequence[Row], room: int, chosen: object) -> tuple[Sequence[Row], int, int]:
    """The rows to show, and how many there are above and below them."""
    if len(rows) <= room:
        return rows, 0, 0
    place = next((i for i, row in enumerate(rows) if chosen is not None and row.key == chosen), 0)
    start = min(max(place - room // 2, 0), len(rows) - room)
    return rows[start : start + room], start, len(rows) - start - room


def _widths(columns: Sequence[Column], rows: Sequence[Row], width: int) -> dict[int, int]:
    """The width of each column that stays: first what it needs, then what is left."""
    natural = {
        i: max([len(column.title), column.least, *(_length(row.cells[i]) for row in rows)])
        for i, column in enumerate(columns)
    }
    least = {
        i: min(wanted, max(columns[i].least, _LEAST)) if columns[i].flexible else wanted
        for i, wanted in natural.items()
    }
    left = width - sum(least.values()) - len(_GAP) * (len(least) - 1)
    for i in sorted(least, key=lambda i: columns[i].importance):
        if left >= 0 or len(least) == 1:
            break
        left += least.pop(i) + len(_GAP)
    widths = {}
    for i, needed in least.items():
        more = min(natural[i] - needed, max(left, 0))
        widths[i] = needed + more
        left -= more
    return widths


def _length(cell: Cell) -> int:
    if isinstance(cell, str):
        return columns_of(cell)
    if isinstance(cell, Segment):
        return columns_of(cell.text)
    return length(cell)


def _titles(columns: Sequence[Column], widths: dict[int, int]) -> Line:
    parts = [
        _aligned(columns[i].title, width, right=columns[i].right) for i, width in widths.items()
    ]
    return [span(f" {_GAP.join(parts)}", HEAD)]


def _row(columns: Sequence[Column], widths: dict[int, int], row: Row, *, chosen: bool) -> Line:
    line: Line = [span("▸" if chosen else " ")]
    for i, width in widths.items():
        cell, right = row.cells[i], columns[i].right
        if isinstance(cell, str):
            line.append(Segment(_aligned(cell, width, right=right) + _GAP, row.style))
        elif isinstance(cell, Segment):
            line.append(Segment(_aligned(cell.text, width, right=right) + _GAP, cell.style))
        else:
            line += [*fit(cell, width), span(_GAP)]
    if chosen:
        return [Segment(text, (style or PLAIN) + CHOSEN) for text, style, _ in line]
    return line


def _aligned(text: str, width: int, *, right: bool) -> str:
    shown = cut(text, width)
    space = " " * (width - columns_of(shown))
    return space + shown if right else shown + space
