"""A plot of figures that belong together, as SVG: a bar to each median, a dot for each round."""

from collections.abc import Sequence
from html import escape
from math import floor, log10

from bench.document import Series
from bench.page import number, round_number

_LABELS = 300
_WIDTH = 460
_VALUES = 100
_ROW = 26
_TOP = 8
_AXIS = 26
_TICKS = 5
_LETTERS = 42


def plot(group: Sequence[Series]) -> str:
    """An `<svg>` element; its colours are classes, which the page's style sheet sets."""
    highest = max(max(series.samples) for series in group)
    goals = [series.goal for series in group if series.goal is not None]
    step = _step(max([highest, *goals, 1e-9]))
    end = step * (floor(max([highest, *goals]) / step) + 1)
    height = _TOP + _ROW * len(group)
    title = escape(f"{group[0].group or group[0].name}, {group[0].unit}")
    width = _LABELS + _WIDTH + _VALUES
    parts = [
        f'<svg viewBox="0 0 {width} {height + _AXIS}" role="img" aria-label="{title}">',
        *_axis(step, end, height),
    ]
    labels = labels_of([series.name for series in group])
    for place, (series, label) in enumerate(zip(group, labels, strict=True)):
        parts += _row(series, label, _TOP + _ROW * place, end)
    return "\n".join([*parts, "</svg>"])


def _axis(step: float, end: float, height: int) -> list[str]:
    parts = []
    for count in range(round(end / step) + 1):
        x = _x(count * step, end)
        parts.append(f'<line class="grid" x1="{x}" y1="{_TOP}" x2="{x}" y2="{height}"/>')
        label = round_number(round(count * step, 9))
        parts.append(f'<text class="tick" x="{x}" y="{height + 16}">{label}</text>')
    return parts


def _row(series: Series, label: str, top: int, end: float) -> list[str]:
    middle = top + _ROW / 2
    value = _x(max(0.0, series.value), end)
    told = escape(f"{series.name}: {number(series.value)} {series.unit}")
    parts = [
        f"<g><title>{told}</title>",
        f'<text class="label" x="{_LABELS - 8}" y="{middle + 4}">{escape(label)}</text>',
        f'<rect class="bar" x="{_LABELS}" y="{top + 5}" width="{value - _LABELS:.1f}"'
        f' height="{_ROW - 10}"/>',
    ]
    parts += [
        f'<circle class="dot" cx="{_x(max(0.0, sample), end)}" cy="{middle}" r="2.5"/>'
        for sample in series.samples
    ]
    if series.goal is not None:
        x = _x(series.goal, end)
        kind = "goal met" if series.met else "goal missed"
        parts.append(f'<line class="{kind}" x1="{x}" y1="{top + 1}" x2="{x}" y2="{top + 25}"/>')
    x = _LABELS + _WIDTH + 8
    parts.append(f'<text class="value" x="{x}" y="{middle + 4}">{number(series.value)}</text></g>')
    return parts


def _x(value: float, end: float) -> float:
    return round(_LABELS + _WIDTH * min(1.0, value / end), 1)


def labels_of(names: Sequence[str]) -> list[str]:
    """The names without the words that all of them begin or end with, which the title tells; what
    is still too long loses its middle."""
    words = [name.split() for name in names]
    first, last = _shared(words), _shared([each[::-1] for each in words])
    kept = [" ".join(each[first : len(each) - last]).strip(" ,:") for each in words]
    if not all(kept) or any(
        one != other and other.startswith(one) for one in names for other in names
    ):
        kept = list(names)
    return [_short(label) for label in kept]


def _shared(words: Sequence[Sequence[str]]) -> int:
    """How many first ones are the same in all of several."""
    if len(words) < 2:
        return 0
    columns = zip(*words, strict=False)
    return next(
        (place for place, column in enumerate(columns) if len(set(column)) > 1),
        min(map(len, words)),
    )


def _short(label: str) -> str:
    if len(label) <= _LETTERS:
        return label
    half = _LETTERS // 2
    return f"{label[:half].rstrip()}…{label[-half:].lstrip()}"


def _step(highest: float) -> float:
    """Between ticks: 1, 2 or 5 times a power of ten."""
    rough = highest / _TICKS
    power: float = 10.0 ** floor(log10(rough))
    return next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough)
