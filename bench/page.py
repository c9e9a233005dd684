"""A document as Markdown: its goals, its tables, every figure with its spread, the machine."""

from collections.abc import Iterable

from bench.document import Document, Series, Table
from bench.markdown import environment_table, markdown_table

_FIGURES = ("figure", "unit", "median", "min - max", "rounds")
_GOALS = ("figure", "unit", "median", "min - max", "goal", "met")


def page(document: Document) -> str:
    """What is saved beside the JSON."""
    title = document.bench.capitalize()
    if document.interrupted:
        title += " (partial)"
    lines = [f"# {title}", "", *section(document), "", *environment_table(document.environment)]
    return "\n".join(lines) + "\n"


def section(document: Document) -> list[str]:
    """Its lines, without the machine."""
    lines = [f"`{document.command}`, {document.started_at}:"] if document.command else []
    if document.interrupted:
        lines += ["", "Partial: interrupted, these are the rounds until then."]
    lines += [f"\nNot measured: {problem}" for problem in document.problems]
    measured = document.measured()
    aims = [series for series in measured if series.goal is not None]
    if aims:
        lines += ["", *markdown_table(_GOALS, map(_goal_row, aims))]
    for table in document.tables:
        lines += ["", *_table(table)]
    if measured:
        lines += ["", "## Figures", "", *markdown_table(_FIGURES, map(_row, measured)), ""]
    return lines + [f"- *{name}*: {note}" for name, note in _notes(measured)]


def number(value: float) -> str:
    """With as many digits as say something."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124
        return str(value)
    size = abs(value)
    if size >= 1000 or value == int(value):
        return f"{value:,.0f}"
    if size < 0.1:
        return f"{value:.3g}"
    return f"{value:.1f}" if size >= 100 else f"{value:.2f}" if size >= 1 else f"{value:.3f}"


def round_number(value: float) -> str:
    """One that somebody chose: without zeros at the end."""
    text = number(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def spread(series: Series) -> str:
    """From the least to the greatest of its rounds."""
    return f"{number(min(series.samples))} - {number(max(series.samples))}"


def goal_text(series: Series) -> str:
    """Of a series that has one."""
    assert series.goal is not None
    return f"{'≥' if series.better == 'higher' else '≤'} {round_number(series.goal)}"


def met_text(series: Series) -> str:
    return "yes" if series.met else "no"


def _row(series: Series) -> list[str]:
    count = str(len(series.samples))
    return [series.name, series.unit, number(series.value), spread(series), count]


def _goal_row(series: Series) -> list[str]:
    return [*_row(series)[:4], goal_text(series), met_text(series)]


def _table(table: Table) -> list[str]:
    rows = [[cell(value) for value in row] for row in table.rows]
    lines = [f"## {table.title}", "", *markdown_table(table.headings, rows)]
    return [*lines, "", table.note] if table.note else lines


def cell(value: str | float | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else number(value)


def _notes(measured: Iterable[Series]) -> list[tuple[str, str]]:
    """Each explanation once: those of a group that say the same share it."""
    found: dict[tuple[str, str], str] = {}
    for series in measured:
        if series.note:
            found.setdefault((series.group or series.name, series.note), series.name)
    groups = [group for group, _ in found]
    return [
        (group if groups.count(group) == 1 else name, note) for (group, note), name in found.items()
    ]
