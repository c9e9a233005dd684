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
    return lines + [f"- *{name}*: {note}" for name, note in _notes(measured).items()]


def number(value: float) -> str:
    """With as many digits as say something."""
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124
        return str(value)
    size = abs(value)
    if size >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 100 else f"{value:.2f}" if size >= 1 else f"{value:.3f}"


def _row(series: Series) -> list[str]:
    lowest, highest = min(series.samples), max(series.samples)
    spread = f"{number(lowest)} - {number(highest)}"
    return [series.name, series.unit, number(series.value), spread, str(len(series.samples))]


def _goal_row(series: Series) -> list[str]:
    assert series.goal is not None
    sign = "≥" if series.better == "higher" else "≤"
    met = "yes" if series.met else "no"
    return [*_row(series)[:4], f"{sign} {number(series.goal)}", met]


def _table(table: Table) -> list[str]:
    rows = [[cell(value) for value in row] for row in table.rows]
    lines = [f"## {table.title}", "", *markdown_table(table.headings, rows)]
    return [*lines, "", table.note] if table.note else lines


def cell(value: str | float | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else number(value)


def _notes(measured: Iterable[Series]) -> dict[str, str]:
    """Each explanation once: those of a group share theirs."""
    return {series.group or series.name: series.note for series in measured if series.note}
