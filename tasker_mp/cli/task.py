"""`task list|show|wait`: what became of the tasks."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import rich_click as click

from tasker_mp.cli.output import (
    say,
    short_duration,
    short_json,
    short_time,
    show,
    show_facts,
    show_table,
    single_line,
    write_json,
)
from tasker_mp.cli.settings import Settings, group, pass_settings
from tasker_mp.states import StepState, TaskState

if TYPE_CHECKING:
    from tasker_mp.client.client import Client
    from tasker_mp.client.task import Step, Task, TaskSummary, Transition

_GOOD_ENDS = (TaskState.COMPLETE, TaskState.RESOLVED_MANUALLY)


@group("task")
def task() -> None:
    """Look at tasks: list, show, wait."""


@task.command("list")
@click.option("--state", type=click.Choice(list(map(str, TaskState))), help="Only these.")
@click.option("--namespace", metavar="NAME", help="Only of this one.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@pass_settings
def list_(settings: Settings, state: str | None, namespace: str | None, limit: int) -> None:
    """List tasks, newest first, and count them by state."""
    with _client(settings) as client:
        tasks = client.list_tasks(state=state, namespace=namespace, limit=limit)
        counts = client.count_tasks(namespace=namespace)
    if settings.json:
        write_json({"tasks": tasks, "counts": counts})
        return
    rows = [_summary_row(summary) for summary in tasks]
    columns = ("task", "state", "created", "took", "template")
    show_table(columns, rows, right=("took",), optional=("took", "created"))
    said = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
    say(f"{said or 'no tasks'}{f'; shown: {len(tasks):,}' if said else ''}")


@task.command("show")
@click.argument("uuid", type=click.UUID)
@pass_settings
def show_(settings: Settings, uuid: UUID) -> None:
    """Show one task with its steps; --json has whole results and every change of state."""
    with _client(settings) as client:
        found = client.get_task(uuid)
        transitions = client.transitions(uuid) if settings.json else []
    if settings.json:
        write_json(task_document(found, transitions))
    else:
        show_task(found)


@task.command("wait")
@click.argument("uuid", type=click.UUID)
@click.option("--timeout", type=click.FloatRange(0), metavar="S", help="Wait that long at most.")
@pass_settings
def wait(settings: Settings, uuid: UUID, timeout: float | None) -> int:
    """Wait until a task has ended; exit 1 if it does not complete, or not in time."""
    with _client(settings) as client:
        ended = client.wait(uuid, timeout)
    if settings.json:
        write_json(task_document(ended))
    else:
        show_task(ended)
    return failed(ended)


def _client(settings: Settings) -> "Client":
    config = settings.config()
    from tasker_mp.client.client import Client  # noqa: PLC0415

    return Client(config=config)


# -- one task, as `submit --wait` shows it too ----------------------------------------------------


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


def show_task(task: "Task") -> None:
    """The task, and a line for each step."""
    show_facts(_facts(task))
    show("")
    rows = map(_step_row, task.steps)
    columns = ("step", "state", "tries", "took", "result or error")
    show_table(columns, rows, right=("tries", "took"), optional=("tries", "took"))


def _facts(task: "Task") -> list[tuple[str, str]]:
    facts = [
        ("task", str(task.uuid)),
        ("template", f"{task.namespace}/{task.name}@{task.version}"),
        ("state", f"{task.state} ({task.execution_status})"),
        ("created", f"{short_time(task.created_at)}, took {_took(task) or 'unknown so far'}"),
        ("context", short_json({"result": task.context}, 400)),
        ("priority", str(task.priority or "")),
        ("tags", ", ".join(task.tags)),
        ("initiator", task.initiator or ""),
        ("reason", task.reason or ""),
    ]
    return [(name, value) for name, value in facts if value]


def _step_row(step: "Step") -> tuple[object, ...]:
    if step.error is not None:
        outcome = step.error.get("message", "")
    elif step.result is not None:
        outcome = short_json(step.result)
    else:
        outcome = _waiting(step.waiting_on)
    return (
        step.name,
        step.state,
        step.attempts,
        _between(step.claimed_at, step.finished_at),
        outcome,
    )


def _waiting(parents: int) -> str:
    return f"waits for {parents} step{'s' * (parents > 1)}" if parents else ""


def _summary_row(task: "TaskSummary") -> tuple[object, ...]:
    template = f"{task.namespace}/{task.name}@{task.version}"
    return (task.uuid, task.state, short_time(task.created_at), _took(task), template)


def _took(task: "TaskSummary") -> str:
    return _between(task.created_at, task.completed_at)


def _between(start: datetime | None, end: datetime | None) -> str:
    """Nothing while it lasts, or where the end is an earlier attempt's."""
    if start is None or end is None or end < start:
        return ""
    return short_duration((end - start).total_seconds())
