"""Lines of a frame: rich segments that fill exactly the width they are given."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from tasker_mp.cli.output import single_line
from tasker_mp.cli.top.styles import BAR_REST, PLAIN, RULE, TITLE

Line = list[Segment]

_BLOCKS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = " ▁▂▃▄▅▆▇█"


def span(text: str, style: Style = PLAIN) -> Segment:
    return Segment(text, style)


def fit(line: Sequence[Segment], width: int) -> Line:
    """Cut or padded to `width` columns."""
    space = width - length(line)
    if space < 0:
        return Segment.adjust_line_length(list(line), width)
    return [*line, Segment(" " * space, PLAIN)] if space else list(line)


def columns_of(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)


def length(line: Iterable[Segment]) -> int:
    return sum(columns_of(segment.text) for segment in line)


def printable(text: str) -> str:
    """A single line; nothing in it can redraw the terminal."""
    return text if text.isprintable() else single_line(text)


def cut(text: str, width: int) -> str:
    """At most `width` columns of the text, its end marked where it is cut."""
    if columns_of(text) <= width:
        return text
    return f"{set_cell_size(text, width - 1)}…" if width > 0 else ""


def rule(title: str, width: int, note: str = "") -> Line:
    """The line above a panel."""
    head: Line = [span("─ ", RULE), span(cut(title, width - 2), TITLE), span(" ", RULE)]
    rest = width - length(head)
    tail = [span(f" {note} ", PLAIN), span("─", RULE)] if note and len(note) + 4 <= rest else []
    return fit([*head, span("─" * (rest - length(tail)), RULE), *tail], width)


_GAP = 2


def halves(width: int, share: float = 0.5) -> tuple[int, int]:
    """The widths of two blocks next to each other; the left one gets that share."""
    left = int(width * share) - _GAP // 2
    return left, width - left - _GAP


def beside(left: Sequence[Line], right: Sequence[Line], widths: tuple[int, int]) -> list[Line]:
    """Two blocks next to each other."""
    blank: Line = []
    return [
        fit(first or blank, widths[0] + _GAP) + fit(second or blank, widths[1])
        for first, second in zip_longest(left, right)
    ]


def bar(fraction: float, width: int, style: Style) -> Line:
    """A bar that is full at 1, to the eighth of a column."""
    eighths = round(min(max(fraction, 0.0), 1.0) * width * 8)
    full, part = divmod(eighths, 8)
    if not part:
        return [span("█" * full, style), span("░" * (width - full), BAR_REST)]
    rest = width - full - 1
    return [span("█" * full + _BLOCKS[part], style), span("░" * rest, BAR_REST)]


def sparkline(values: Sequence[float | None], height: int, top: float) -> list[str]:
    """`height` rows of text, the highest first; `top` is the value that fills them."""
    scale = height * 8 / top if top > 0 else 0.0
    levels = [
        -1 if value is None else min(max(round(value * scale), 1 if value > 0 else 0), height * 8)
        for value in values
    ]
    rows = []
    for row in reversed(range(height)):
        eighths = (min(max(level - 8 * row, 0), 8) if level >= 0 else 0 for level in levels)
        rows.append("".join(_HEIGHTS[e] for e in eighths))
    return rows


# Where the terminal's encoding has none of these, each becomes one character that it has.
ASCII = str.maketrans(
    "─│┌┐└┘…█▉▊▋▌▍▎▏░▁▂▃▄▅▆▇▸◂▲▼►↑↓→·✗✓×–",  # noqa: RUF001
    "-|++++~#######:.__--==#><^v>^v>.x+x-",
)
