"""Sparklines of throughput and latency over the last two minutes."""

from collections.abc import Sequence

from rich.style import Style

from tasker_mp.cli.top.history import SECONDS, History
from tasker_mp.cli.top.line import Line, beside, fit, halves, rule, span, sparkline
from tasker_mp.cli.top.quantities import milliseconds, rate
from tasker_mp.cli.top.styles import BOLD, DIM, LATENCY, THROUGHPUT

_LABEL = 9
_NUMBERS = (21, 13)
"""Columns of the numbers, on one line and on several."""
_SIDE_BY_SIDE = 100


def trends(history: History, width: int, height: int) -> list[Line]:
    """A title, then both: next to each other where they are wide, else one above the other."""
    title = rule("last two minutes", width)
    if width >= _SIDE_BY_SIDE:
        widths, rows = halves(width), max(height - 1, 1)
        left, right = _throughput(history, widths[0], rows), _latency(history, widths[1], rows)
        return [title, *beside(left, right, widths)]
    rows = max((height - 1) // 2, 1)
    return [title, *_throughput(history, width, rows), *_latency(history, width, rows)]


def _throughput(history: History, width: int, rows: int) -> list[Line]:
    values = history.throughput(_columns(width, rows))
    now, top = _ends(values)
    return _graph("steps/s", values, (rate(now), f"max {rate(top)}"), width, rows, THROUGHPUT)


def _latency(history: History, width: int, rows: int) -> list[Line]:
    """The mean, which alone can be summed over the stages."""
    values = history.latency(_columns(width, rows))
    now, top = _ends(values)
    labels = (milliseconds(now), f"max {milliseconds(top)}")
    return _graph("latency", values, labels, width, rows, LATENCY)


def _columns(width: int, rows: int) -> int:
    """A second a column at least: more would only repeat themselves."""
    return max(1, min(width - _LABEL - _NUMBERS[rows > 1], SECONDS))


def _ends(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """The newest value and the largest."""
    known = [value for value in values if value is not None]
    return (known[-1], max(known)) if known else (None, None)


def _graph(
    name: str,
    values: Sequence[float | None],
    labels: tuple[str, str],
    width: int,
    rows: int,
    style: Style,
) -> list[Line]:
    top = max((value for value in values if value is not None), default=0.0)
    drawn = sparkline(values, rows, top)
    texts = [f" {labels[0]:<7} {labels[1]}"] if rows == 1 else [f" {labels[1]}", f" {labels[0]}"]
    lines = []
    for i, row in enumerate(drawn):
        label = name if i == rows - 1 else ""
        text = texts[0] if i == 0 else texts[-1] if i == rows - 1 else ""
        bold = BOLD if i == rows - 1 else DIM
        lines.append(
            fit([span(label.ljust(_LABEL), DIM), span(row, style), span(text, bold)], width)
        )
    return lines
