"""`task show --watch`: a task followed to its end, as a live screen or as lines of changes."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tasker_mp.cli.output import console, short_duration, single_line
from tasker_mp.cli.task_graph import STYLES, draw_task, step_error, step_time
from tasker_mp.cli.task_view import family_rows, notable, page_width
from tasker_mp.client.task import Step, Task
from tasker_mp.states import StepState

_INTERVAL = 0.25
_SHARE = 10
"""A look that takes long is taken less often: a tenth of the time at most goes into it."""
_LINES_A_LOOK = 20
_OVER = (
    StepState.COMPLETE,
    StepState.ERROR,
    StepState.CANCELLED,
    StepState.RESOLVED_MANUALLY,
)

Look = Callable[[Task], Task]


def watch_task(task: Task, look: Look) -> None:
    """Show the task until it has ended; `look` says how it is by now."""
    out = console(sys.stdout)
    if out.is_terminal:
        _watch_live(task, look, out)
    else:
        _watch_lines(task, look)


def _looks(task: Task, look: Look) -> Iterator[Task]:
    """The task again and again, the last time once it has ended."""
    while True:
        started = time.monotonic()
        task = look(task)
        yield task
        if task.is_final:
            return
        time.sleep(max(_INTERVAL, (time.monotonic() - started) * _SHARE))


# -- on a terminal --------------------------------------------------------------------------------


def _watch_live(task: Task, look: Look, out: Console) -> None:
    with Live(console=out, auto_refresh=False, vertical_overflow="ellipsis") as live:
        for seen in _looks(task, look):
            live.update(screen(seen, page_width(), out.height, datetime.now(UTC)), refresh=True)


def screen(task: Task, width: int, height: int, now: datetime) -> RenderableType:
    """The task on a page of that size."""
    head = _head(task, now)
    room = height - 4
    drawn = draw_task(task.steps, width, room, now)
    if drawn is not None:
        return Group(head, Text(), drawn)
    rows, columns = family_rows(task.steps)
    most = max(1, room // 2 - 2)
    families = _table(columns, [list(map(_text, row)) for row in rows[:most]])
    details = [_detail(step, now) for step in notable(task.steps, most)]
    return Group(head, Text(), families, Text(), *details)


def _head(task: Task, now: datetime) -> Text:
    counts = Counter(step.state for step in task.steps)
    over = sum(counts[state] for state in _OVER)
    seconds = ((task.completed_at or now) - task.created_at).total_seconds()
    head = Text(no_wrap=True, overflow="ellipsis")
    head.append(f"{task.namespace}/{task.name} ", style="bold")
    head.append(f"{task.uuid}  {task.state}  {short_duration(max(0.0, seconds))}\n")
    head.append(f"{over:,} of {len(task.steps):,} steps over")
    for state, count in sorted(counts.items()):
        head.append("   ").append(f"{count:,} {state}", style=STYLES[state])
    return head


def _table(columns: tuple[str, ...], rows: list[list[str]]) -> Table:
    """Only the last column is cut where there is little room."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name, *cells in zip(columns, *rows, strict=True):
        least = None if name == columns[-1] else max(map(cell_len, (name, *cells)))
        table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=least)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _text(cell: object) -> str:
    return "" if cell is None else single_line(str(cell))


def _detail(step: Step, now: datetime) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis", style=STYLES[step.state])
    told = (single_line(step.name), str(step.state), step_time(step, now), step_error(step))
    return line.append("  ".join(filter(None, told)))


# -- without one ----------------------------------------------------------------------------------


def _watch_lines(task: Task, look: Look) -> None:
    told: dict[int, tuple[StepState, int]] = {}
    state = ""
    for seen in _looks(task, look):
        for line in changes(seen, told):
            _say(line)
        if seen.state != state:
            state = seen.state
            _say(f"task {seen.uuid} {state}")


def changes(task: Task, told: dict[int, tuple[StepState, int]]) -> list[str]:
    """What is new since `told` (state and attempts by step number), which it brings up to date; of
    many changes at once the first are told and the others counted."""
    changed = []
    for step in task.steps:
        now = (step.state, step.attempts)
        if now != told.get(step.step_no, (StepState.PENDING, 0)):
            told[step.step_no] = now
            changed.append(step)
    lines = [_change(step) for step in changed[:_LINES_A_LOOK]]
    counts = Counter(step.state for step in changed[_LINES_A_LOOK:])
    return lines + [f"{count:,} more steps {state}" for state, count in sorted(counts.items())]


def _change(step: Step) -> str:
    took = step_time(step, datetime.now(UTC)) if step.state in _OVER else ""
    tries = f"try {step.attempts}" if step.attempts > 1 else ""
    told = (single_line(step.name), str(step.state), took, tries, step_error(step))
    return "  ".join(filter(None, told))


def _say(line: str) -> None:
    at = datetime.now().astimezone().strftime("%H:%M:%S")
    sys.stdout.write(f"{at} {line}\n")
    sys.stdout.flush()
