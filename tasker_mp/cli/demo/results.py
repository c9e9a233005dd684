"""The result table of `demo`, in the widest form that the terminal has room for."""

from collections.abc import Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tasker_mp.cli.demo.report import Report
from tasker_mp.cli.demo.workflow import ORDER_STEPS

_NUMBERS = ("tasks", "succeeded", "failed", "steps/s", "p50 ms", "p95 ms", "p99 ms")
_LAYOUTS = (
    ("workflow", "namespace", *_NUMBERS, "result", "expected", "ok"),
    ("workflow", *_NUMBERS, "result", "expected", "ok"),
    ("workflow", "namespace", *_NUMBERS, "ok"),
    ("workflow", *_NUMBERS, "ok"),
    ("workflow", "done", "steps/s", "p50 ms", "p99 ms", "ok"),
    ("workflow", "done", "steps/s", "p50 ms", "ok"),
)
_UNBOUNDED = 100_000
_LEFT = {"workflow", "namespace", "result", "expected"}


def results(reports: Sequence[Report], console: Console, *, plain: bool) -> list[RenderableType]:
    """The table; below it the results, one by one, where it has no room for them."""
    unbounded = console.options.update_width(_UNBOUNDED)
    for layout in _LAYOUTS:
        table = _table(reports, layout, plain=plain)
        if Measurement.get(console, unbounded, table).maximum <= console.width:
            break
    listed = [r for r in reports if "result" not in layout or r.workflow.exponent is None]
    return [table, Text(), *_listed(listed, console.width, plain=plain), _total(reports)]


def _total(reports: Sequence[Report]) -> Text:
    tasks = sum(r.tasks for r in reports)
    right = sum(r.succeeded - r.wrong for r in reports)
    steps = sum(r.steps for r in reports)
    seconds = sum(r.seconds or 0.0 for r in reports)
    return Text(
        f"\n{right:,} of {tasks:,} tasks right ({100 * right / tasks:.4g} %), "
        f"{steps:,} steps in {seconds:.2f} s",
        style="bold" if right == tasks else "bold red",
    )


def _table(reports: Sequence[Report], layout: Sequence[str], *, plain: bool) -> Table:
    table = Table(
        box=None if plain else box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 2 if plain else 1, 0, 0),
        header_style="" if plain else "bold",
    )
    for column in layout:
        table.add_column(column, justify="left" if column in _LEFT else "right", no_wrap=True)
    for report in reports:
        cells = _cells(report, plain=plain)
        table.add_row(*(cells[column] for column in layout))
    return table


def _cells(r: Report, *, plain: bool) -> dict[str, Text]:
    rate = r.steps_per_second
    return {
        "workflow": Text(r.workflow.title),
        "namespace": Text(r.workflow.namespace),
        "tasks": Text(f"{r.tasks:,}"),
        "done": Text(f"{r.succeeded:,}/{r.tasks:,}"),
        "succeeded": Text(f"{r.succeeded:,}"),
        "failed": Text(f"{r.failed:,}", style="red" if r.failed else ""),
        "steps/s": Text("-" if rate is None else f"{rate:,.0f}"),
        "p50 ms": _milliseconds(r.p50_ms),
        "p95 ms": _milliseconds(r.p95_ms),
        "p99 ms": _milliseconds(r.p99_ms),
        "result": Text("none" if r.result is None else str(r.result)),
        "expected": Text(str(r.expected)),
        "ok": _mark(r, plain=plain),
    }


def _milliseconds(value: float | None) -> Text:
    return Text("-" if value is None else f"{value:,.1f}")


def _mark(r: Report, *, plain: bool) -> Text:
    if plain:
        return Text("ok" if r.ok else "WRONG")
    return Text("✓", style="bold green") if r.ok else Text("✗", style="bold red")


def _listed(reports: Sequence[Report], width: int, *, plain: bool) -> list[RenderableType]:
    """A line for each workflow; a number that does not fit beside its name goes below it."""
    lines: list[RenderableType] = []
    column = max(len(r.workflow.title) for r in reports)
    for r in reports:
        value = _value(r)
        head = Text.assemble(_mark(r, plain=plain), f" {r.workflow.title:<{column}}  ")
        if len(head) + len(value) <= width:
            lines.append(head.append(value))
        else:
            lines += [head, Padding(Text(value, overflow="fold"), (0, 0, 0, 2))]
    return lines


def _value(r: Report) -> str:
    if r.result is None:
        return "no result"
    if r.workflow.exponent is None:
        text = f"{' → '.join(ORDER_STEPS)}: {r.result} charged"
    else:
        text = f"{r.number}^{r.workflow.exponent} = {r.result}"
    return text if r.result == r.expected else f"{text}, expected {r.expected}"
