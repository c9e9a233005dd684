"""Documents as one page of HTML that needs nothing else: style and plots are in it."""

from collections.abc import Iterable, Sequence
from html import escape

from bench.document import Document, Series, Table
from bench.goals import Goal, Reasons, goals, told
from bench.markdown import environment_rows
from bench.page import cell, goal_text, met_text, number, spread
from bench.plot import plot

_STYLE = """
:root { --ink: #1c2430; --soft: #667085; --line: #d5dae1; --paper: #fff; --bar: #9cc4ea;
  --dot: #17528c; --good: #1a7f4b; --bad: #b42318; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ec; --soft: #98a2b3; --line: #344054;
  --paper: #14181f; --bar: #2f5f8f; --dot: #b9dcff; --good: #4ccb8a; --bad: #ff8a7a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line);
  padding-top: 1.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1rem; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th, td.aim { white-space: nowrap; } a { color: var(--dot); }
td.number { text-align: right; } .yes { color: var(--good); } .no { color: var(--bad); }
.note, code { color: var(--soft); } .warning { color: var(--bad); }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .label { text-anchor: end; } svg .tick { text-anchor: middle;
  fill: var(--soft); } svg .grid { stroke: var(--line); } svg .bar { fill: var(--bar); }
svg .dot { fill: var(--dot); fill-opacity: .75; } svg .goal { stroke-width: 2.5;
  stroke-dasharray: 4 2; } svg .met { stroke: var(--good); } svg .missed { stroke: var(--bad); }
"""
_LEGEND = "A bar ends at the median, a dot is a round, a dashed line the goal (green: reached)."
_GOALS = ("figure", "median", "min - max", "unit", "goal", "met", "from")
_MISSED = ("figure", "median", "unit", "goal", "why")


def html_page(title: str, documents: Sequence[Document], reasons: Reasons | None = None) -> str:
    """`reasons` for goals that are missed."""
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>",
        *_contents(documents),
        *_goals(goals(documents, reasons or {})),
    ]
    for document in documents:
        parts += _section(document)
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _contents(documents: Iterable[Document]) -> list[str]:
    benches = dict.fromkeys(document.bench for document in documents)
    links = (f'<a href="#{escape(name)}">{escape(name)}</a>' for name in benches)
    return [f"<p>{' · '.join(links)}</p>"]


def _goals(found: list[Goal]) -> list[str]:
    if not found:
        return []
    parts = ["<h2>Goals</h2>", f"<p>{told(found)}</p>"]
    missed = [goal for goal in found if not goal.series.met]
    if missed:
        rows = [_missed_row(goal) for goal in missed]
        parts += ["<h3>Missed</h3>", *_table(_MISSED, rows), "<h3>All</h3>"]
    return parts + _table(_GOALS, [_goal_row(goal) for goal in found])


def _missed_row(goal: Goal) -> list[str]:
    series = goal.series
    name = f"{goal.bench}: {series.name}"
    return [name, number(series.value), series.unit, goal_text(series), goal.why]


def _goal_row(goal: Goal) -> list[str]:
    series = goal.series
    figures = [series.name, number(series.value), spread(series), series.unit]
    return [*figures, goal_text(series), met_text(series), goal.bench]


def _section(document: Document) -> list[str]:
    partial = " (partial)" if document.interrupted else ""
    name = escape(document.bench)
    parts = [f'<h2 id="{name}">{escape(document.bench.capitalize())}{partial}</h2>']
    parts.append(f"<p><code>{escape(document.command)}</code> {escape(document.started_at)}</p>")
    if document.interrupted:
        parts.append('<p class="warning">Interrupted: these are the rounds until then.</p>')
    parts += [f'<p class="warning">Not measured: {escape(p)}</p>' for p in document.problems]
    for table in document.tables:
        parts += _titled(table)
    groups = _groups(document.measured())
    for group in groups:
        parts += [f"<h3>{escape(_title(group))}</h3>", plot(group)]
        notes = dict.fromkeys(series.note for series in group if series.note)
        parts += [f'<p class="note">{escape(note)}</p>' for note in notes]
    if groups:
        parts.append(f'<p class="note">{_LEGEND}</p>')
    machine = _table(("environment", ""), environment_rows(document.environment), figures=False)
    return [*parts, "<details><summary>Environment</summary>", *machine, "</details>"]


def _groups(measured: Iterable[Series]) -> list[list[Series]]:
    """Those of one group and unit side by side, in the order of their first ones."""
    found: dict[tuple[str, str], list[Series]] = {}
    for series in measured:
        found.setdefault((series.group or series.name, series.unit), []).append(series)
    return list(found.values())


def _title(group: Sequence[Series]) -> str:
    name, unit = group[0].group or group[0].name, group[0].unit
    return name if name.endswith(unit) else f"{name}, {unit}"


def _titled(table: Table) -> list[str]:
    note = [f'<p class="note">{escape(table.note)}</p>'] if table.note else []
    rows = [[cell(value) for value in row] for row in table.rows]
    return [f"<h3>{escape(table.title)}</h3>", *_table(table.headings, rows), *note]


def _table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, figures: bool = True
) -> list[str]:
    """Numbers stand below each other where they are `figures`."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = ["<tr>" + "".join(_cell(text, figures) for text in row) + "</tr>" for row in rows]
    return [f'<div class="wide"><table><tr>{head}</tr>', *body, "</table></div>"]


def _cell(text: str, figures: bool) -> str:
    kind = _kind(text, figures)
    return f'<td class="{kind}">{escape(text)}</td>' if kind else f"<td>{escape(text)}</td>"


def _kind(text: str, figures: bool) -> str:
    if text in ("yes", "no"):
        return text
    if text.startswith(("≥", "≤")):
        return "aim"
    return "number" if figures and _is_number(text) else ""


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(",", "").replace(".", "").replace("-", "").isdigit()
