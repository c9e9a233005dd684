"""One task for people: its facts, its DAG, its steps, what happened to it."""

import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tasker_mp.cli.output import (
    say,
    short_duration,
    short_json,
    short_time,
    show,
    show_facts,
    show_table,
    single_line,
)
from tasker_mp.states import StepState, TaskState

if TYPE_CHECKING:
    from tasker_mp.client.task import Step, Task, TaskSummary, Transition

_GOOD_ENDS = (TaskState.COMPLETE, TaskState.RESOLVED_MANUALLY)

MOST_ROWS = 60
"""Steps that are listed one by one; of more, only those that somebody may have to look at."""

_NOTABLE = (
    StepState.ERROR,
    StepState.WAITING_FOR_RETRY,
    StepState.IN_PROGRESS,
    StepState.ENQUEUED,
)


def failed(task: "Task") -> int:
    """The exit code of waiting for a task; says on stderr what went wrong."""
    if task.state in _GOOD_ENDS:
        return 0
    for step in task.steps:
        if step.state == StepState.ERROR:
            reason = single_line((step.error or {}).get("message", "no reason recorded"))
            say(f"error: task {task.uuid} failed at {step.name}: {reason}")
            break
    else:
        say(f"error: task {task.uuid} ended as {task.state}")
    return 1


def task_document(
    task: "Task", transitions: "Iterable[Transition] | None" = None
) -> dict[str, Any]:
    """The task as JSON: its fields, its results and errors by step, and what happened to it."""
    import msgspec  # noqa: PLC0415

    document = msgspec.structs.asdict(task) | {
        "execution_status": task.execution_status,
        "results": task.results,
        "errors": task.errors,
    }
    return document if transitions is None else document | {"transitions": list(transitions)}


def show_task(task: "Task", *, graph: bool = False) -> None:
    """The task, a line for each step or family of steps; with `graph` its DAG before that."""
    show_facts(facts(task))
    show("")
    if graph:
        show_graph(task.steps)
    listed = list(task.steps)
    if len(listed) > MOST_ROWS:
        show_families(listed)
        listed = notable(listed)
        show("")
    if listed:
        rows = map(_step_row, listed)
        columns = ("step", "state", "tries", "took", "result or error")
        show_table(columns, rows, right=("tries", "took"), optional=("tries", "took"))
    if len(listed) < len(task.steps):
        say(f"shown by itself: {len(listed)} of {len(task.steps):,} steps; all of them: --json")


def show_graph(steps: "Sequence[Step]") -> None:
    from tasker_mp.cli.task_graph import draw_task  # noqa: PLC0415

    drawn = draw_task(steps, page_width())
    if drawn is not None:
        show(drawn, "")


def show_families(steps: "Sequence[Step]") -> None:
    """A line for each family of steps."""
    rows, columns = family_rows(steps)
    show_table(columns, rows, right=("tries", "took up to"), optional=("took up to", "tries"))


def family_rows(steps: "Sequence[Step]") -> tuple[list[tuple[object, ...]], tuple[str, ...]]:
    """What is told of each family of steps, at most `MOST_ROWS` of them, and under which heads."""
    from tasker_mp.cli.task_fold import families  # noqa: PLC0415
    from tasker_mp.cli.task_graph import told_counts  # noqa: PLC0415

    bunches = families(steps)
    rows: list[tuple[object, ...]] = [
        (bunch.name, bunch.tries, _longest(bunch.steps), told_counts(bunch))
        for bunch in bunches[:MOST_ROWS]
    ]
    if left := bunches[MOST_ROWS:]:
        rows.append((f"{len(left):,} more kinds", None, "", f"{sum(len(b.steps) for b in left):,}"))
    return rows, ("steps", "tries", "took up to", "states")


def notable(steps: "Iterable[Step]", limit: int = MOST_ROWS) -> "list[Step]":
    """Steps that failed, wait to be tried again, run or are ready, the first of each kind."""
    order = {state: rank for rank, state in enumerate(_NOTABLE)}
    found = [step for step in steps if step.state in order]
    return sorted(found, key=lambda step: order[step.state])[:limit]


def page_width() -> int:
    """Columns of a drawing; of a usual page where no terminal says."""
    return shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 120


def show_history(transitions: "Iterable[Transition]") -> None:
    """The task's own changes of state, and those of its steps that somebody made: who and why."""
    rows = [
        (short_time(t.at), t.step or "(task)", f"{t.from_state} → {t.to_state}", who, t.reason)
        for t in transitions
        if (who := "" if is_by_itself(t) else t.actor) or not t.step
    ]
    if rows:
        show("")
        show_table(("at", "step", "change", "who", "why"), rows, optional=("at",))


def is_by_itself(transition: "Transition") -> bool:
    """Whether a supervisor is on record for it, which is known by its UUID, or nobody."""
    if transition.actor is None:
        return True
    try:
        UUID(transition.actor)
    except ValueError:
        return False
    return True


def facts(task: "Task") -> list[tuple[str, str]]:
    found = [
        ("task", str(task.uuid)),
        ("template", f"{task.namespace}/{task.name}@{task.version}"),
        ("state", f"{task.state} ({task.execution_status})"),
        ("created", short_time(task.created_at)),
        ("started", short_time(task.started_at)),
        ("ended", _end(task)),
        ("context", short_json({"result": task.context}, 400)),
        ("priority", str(task.priority or "")),
        ("tags", ", ".join(task.tags)),
        ("initiator", task.initiator or ""),
        ("reason", task.reason or ""),
    ]
    if task.correlation_id != task.uuid:
        found.append(("correlation", str(task.correlation_id)))
    return [(name, value) for name, value in found if value]


def _step_row(step: "Step") -> tuple[object, ...]:
    from tasker_mp.cli.task_graph import step_time  # noqa: PLC0415

    return (step.name, step.state, step.attempts, step_time(step, datetime.now(UTC)), outcome(step))


def outcome(step: "Step") -> str:
    """Its error, its result, or what it waits for."""
    if step.error is not None:
        return str(step.error.get("message", ""))
    if step.result is not None:
        return short_json(step.result)
    return _waiting(step.waiting_on) if step.state == StepState.PENDING else ""


def _waiting(parents: int) -> str:
    return f"waits for {parents} step{'s' * (parents > 1)}" if parents else ""


def _longest(steps: "Iterable[Step]") -> str:
    runs = [
        (step.finished_at - step.claimed_at).total_seconds()
        for step in steps
        if step.finished_at and step.claimed_at and step.finished_at >= step.claimed_at
    ]
    return short_duration(max(runs)) if runs else ""


def _end(task: "TaskSummary") -> str:
    if task.completed_at is None:
        return ""
    return f"{short_time(task.completed_at)}, took {between(task.created_at, task.completed_at)}"


def between(start: datetime | None, end: datetime | None) -> str:
    """Nothing while it lasts, or where the end is an earlier attempt's."""
    if start is None or end is None or end < start:
        return ""
    return short_duration((end - start).total_seconds())
