"""`task …`: what became of the tasks, why they do not go on, and repair by hand."""

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
    from tasker_mp.client.repair import Repair
    from tasker_mp.client.task import Step, Task, TaskSummary, Transition

_GOOD_ENDS = (TaskState.COMPLETE, TaskState.RESOLVED_MANUALLY)


@group("task")
def task() -> None:
    """Look at tasks, and repair them."""


@task.command("list")
@click.option("--state", type=click.Choice(list(map(str, TaskState))), help="Only these.")
@click.option("--namespace", metavar="NAME", help="Only of this one.")
@click.option("--quarantined", is_flag=True, help="Only with a step that kept crashing.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@pass_settings
def list_(
    settings: Settings, state: str | None, namespace: str | None, quarantined: bool, limit: int
) -> None:
    """List tasks, newest first, and count them by state."""
    with open_client(settings) as client:
        tasks = client.list_tasks(
            state=state, namespace=namespace, quarantined=quarantined, limit=limit
        )
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
    with open_client(settings) as client:
        found = client.get_task(uuid)
        transitions = client.transitions(uuid)
    if settings.json:
        write_json(task_document(found, transitions))
    else:
        show_task(found)
        show_repairs(transitions)


@task.command("wait")
@click.argument("uuid", type=click.UUID)
@click.option("--timeout", type=click.FloatRange(0), metavar="S", help="Wait that long at most.")
@pass_settings
def wait(settings: Settings, uuid: UUID, timeout: float | None) -> int:
    """Wait until a task has ended; exit 1 if it does not complete, or not in time."""
    with open_client(settings) as client:
        ended = client.wait(uuid, timeout)
    if settings.json:
        write_json(task_document(ended))
    else:
        show_task(ended)
    return failed(ended)


@task.command("explain")
@click.argument("uuid", type=click.UUID)
@pass_settings
def explain(settings: Settings, uuid: UUID) -> None:
    """Say of every step that is not complete why it is not running now."""
    with open_client(settings) as client:
        found = client.explain(uuid)
    if settings.json:
        write_json(found)
        return
    rows = [(step.step, step.state, step.message) for step in found.steps]
    if rows:
        show_table(("step", "state", "why"), rows, optional=("state",))
    else:
        say(f"every step of task {uuid} is complete")


# -- repair by hand -------------------------------------------------------------------------------

by_option = click.option("--by", metavar="WHO", help="Kept with it (default: user@host).")
why_option = click.option("--reason", metavar="TEXT", help="Kept with it.")
required_why_option = click.option("--reason", metavar="TEXT", required=True, help="Kept with it.")


@task.command("cancel")
@click.argument("uuid", type=click.UUID)
@why_option
@by_option
@pass_settings
def cancel(settings: Settings, uuid: UUID, reason: str | None, by: str | None) -> None:
    """Cancel a task with its unfinished steps; a result that comes later is refused."""
    with open_client(settings) as client:
        show_repair(settings, client.cancel_task(uuid, reason=reason, by=by))


@task.command("retry")
@click.argument("uuid", type=click.UUID)
@why_option
@by_option
@pass_settings
def retry(settings: Settings, uuid: UUID, reason: str | None, by: str | None) -> None:
    """Run every failed step again, its attempts counted anew; waiting ones at once."""
    with open_client(settings) as client:
        show_repair(settings, client.retry_task(uuid, reason=reason, by=by))


@task.command("resolve")
@click.argument("uuid", type=click.UUID)
@required_why_option
@by_option
@pass_settings
def resolve(settings: Settings, uuid: UUID, reason: str, by: str | None) -> None:
    """Take a task for done, with its unfinished steps; nothing more of it runs."""
    with open_client(settings) as client:
        show_repair(settings, client.resolve_task(uuid, reason=reason, by=by))


def show_repair(settings: Settings, repair: "Repair") -> None:
    """What a repair changed, the task's own change last."""
    if settings.json:
        write_json(repair)
        return
    rows = [
        (change.step or "(task)", change.from_state, change.to_state) for change in repair.changes
    ]
    show_table(("step", "was", "is now"), rows)


def open_client(settings: Settings) -> "Client":
    """A client of the configured database, to be closed."""
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


def show_repairs(transitions: "Iterable[Transition]") -> None:
    """What people did to the task, if anything: when, to which step, who and why."""
    rows = [
        (short_time(t.at), t.step or "(task)", f"{t.from_state} → {t.to_state}", t.actor, t.reason)
        for t in transitions
        if is_by_hand(t)
    ]
    if rows:
        show("")
        show_table(("at", "step", "by hand", "who", "why"), rows, optional=("at",))


def is_by_hand(transition: "Transition") -> bool:
    """Whether a person is on record for it and not a supervisor, which is known by its UUID."""
    if transition.actor is None:
        return False
    try:
        UUID(transition.actor)
    except ValueError:
        return True
    return False


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
