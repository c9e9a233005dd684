"""The workers: what each runs, for how long, and what it costs."""

from rich.segment import Segment

from tasker_mp.cli.top.choice import Choice
from tasker_mp.cli.top.line import Line, bar, printable, span
from tasker_mp.cli.top.quantities import count, milliseconds, percent, size
from tasker_mp.cli.top.scene import workers
from tasker_mp.cli.top.styles import BAD, DIM, GOOD, PLAIN, WARN, WORKERS
from tasker_mp.cli.top.table import Column, Row, table
from tasker_mp.observation import Observation, WorkerView

_BAR = 8
_COLUMNS = (
    Column("#", 100, right=True, least=2),
    Column("pid", 50, right=True, least=6),
    Column("state", 95, least=8),
    Column("step", 90, flexible=True, least=10),
    Column("elapsed/deadline", 85, least=_BAR + 14),
    Column("ring", 70, right=True, least=5),
    Column("cpu", 75, right=True, least=5),
    Column("rss", 72, right=True, least=5),
    Column("done", 65, right=True, least=6),
    Column("failed", 40, right=True),
    Column("restarts", 55, right=True),
    Column("last exit", 45, flexible=True, least=14),
    Column("handler", 35, flexible=True, least=16),
)


def workers_panel(seen: Observation, choice: Choice, width: int, height: int) -> list[Line]:
    shown = workers(seen, choice)
    busy = sum(view.worker.state == "busy" for view in seen.workers)
    note = f"{busy} of {len(seen.workers)} busy"
    rows = [_row(view) for view in shown]
    return table("workers", _COLUMNS, rows, width, height, chosen=choice.worker, note=note)


def _row(view: WorkerView) -> Row:
    worker = view.worker
    dead = worker.state == "dead"
    return Row(
        (
            str(worker.index),
            str(worker.pid or "-"),
            span(worker.state, WORKERS.get(worker.state, PLAIN)),
            printable(worker.step or "-"),
            _elapsed(view),
            _fill(worker.request_ring_fill),
            "-" if view.cpu_percent is None else f"{view.cpu_percent:.0f}%",
            size(view.rss_bytes),
            count(worker.processed),
            span(count(worker.failed), BAD if worker.failed else PLAIN),
            span(count(worker.restarts), WARN if worker.restarts else PLAIN),
            printable(worker.last_exit or "-"),
            printable((worker.handler or "-").rpartition(".")[2]),
        ),
        key=worker.index,
        style=DIM if dead else PLAIN,
    )


def _elapsed(view: WorkerView) -> list[Segment]:
    """A bar that is full at the deadline."""
    if view.busy_ms is None:
        return [span("-")]
    limit = view.worker.timeout_ms
    if not limit:
        return [span(milliseconds(view.busy_ms))]
    share = view.busy_ms / limit
    style = GOOD if share < 0.5 else WARN if share < 0.8 else BAD
    text = f" {milliseconds(view.busy_ms)}/{milliseconds(limit)}"
    return [*bar(share, _BAR, style), span(text)]


def _fill(fraction: float) -> Segment:
    return span(percent(fraction), WARN if fraction > 0.8 else PLAIN)
