"""`task …`: what became of the tasks, why they do not go on, and repair by hand."""

from collections.abc import Iterable, Sequence
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
from tasker_mp.cli.reference import task_argument
from tasker_mp.cli.repair import open_client, repair_command
from tasker_mp.cli.settings import Settings, group, pass_settings
from tasker_mp.states import StepState, TaskState

if TYPE_CHECKING:
    from tasker_mp.client.client import Client
    from tasker_mp.client.repair import Repair
    from tasker_mp.client.task import (
        ExceededLimit,
        FailedStep,
        Step,
        Task,
        TaskSummary,
        Transition,
    )

_GOOD_ENDS = (TaskState.COMPLETE, TaskState.RESOLVED_MANUALLY)


@group("task")
def task() -> None:
    """Look at tasks, and repair them."""


@task.command("list")
@click.option("--state", type=click.Choice(list(map(str, TaskState))), help="Only these.")
@click.option("--namespace", metavar="NAME", help="Only of this one.")
@click.option("--quarantined", is_flag=True, help="Only with a step that kept crashing.")
@click.option("--stale", is_flag=True, help="Only those past a limit of their lifecycle, and why.")
@click.option("--dead-letter", is_flag=True, help="In error, quarantined or stale, and why.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@pass_settings
def list_(
    settings: Settings, /, quarantined: bool, stale: bool, dead_letter: bool, **filters: Any
) -> None:
    """List tasks, newest first, and count them by state."""
    if quarantined + stale + dead_letter > 1:
        raise click.UsageError("give one of --quarantined, --stale and --dead-letter")
    with open_client(settings) as client:
        counts = client.count_tasks(namespace=filters["namespace"])
        if stale or dead_letter:
            tasks: Sequence[TaskSummary] = client.list_dead_letters(only_stale=stale, **filters)
        else:
            tasks = client.list_tasks(quarantined=quarantined, **filters)
    if settings.json:
        write_json({"tasks": tasks, "counts": counts})
        return
    columns = ["task", "state", "created", "took", "template"]
    if stale or dead_letter:
        columns.append("why")
    rows = [_summary_row(listed)[: len(columns)] for listed in tasks]
    show_table(columns, rows, right=("took",), optional=("took", "created", "template"))
    said = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
    say(f"{said or 'no tasks'}{f'; shown: {len(tasks):,}' if said else ''}")


@task.command("show")
@task_argument
@pass_settings
def show_(settings: Settings, task: UUID) -> None:
    """Show one task with its steps; --json has whole results and every change of state."""
    with open_client(settings) as client:
        found = client.get_task(task)
        transitions = client.transitions(task)
    if settings.json:
        write_json(task_document(found, transitions))
    else:
        show_task(found)
        show_history(transitions)


@task.command("wait")
@task_argument
@click.option("--timeout", type=click.FloatRange(0), metavar="S", help="Wait that long at most.")
@pass_settings
def wait(settings: Settings, task: UUID, timeout: float | None) -> int:
    """Wait until a task has ended; exit 1 if it does not complete, or not in time."""
    with open_client(settings) as client:
        ended = client.wait(task, timeout)
    if settings.json:
        write_json(task_document(ended))
    else:
        show_task(ended)
    return failed(ended)


@task.command("explain")
@task_argument
@pass_settings
def explain(settings: Settings, task: UUID) -> None:
    """Say of every step that is not complete why it is not running now."""
    with open_client(settings) as client:
        found = client.explain(task)
    if settings.json:
        write_json(found)
        return
    rows = [(step.step, step.state, step.message) for step in found.steps]
    if rows:
        show_table(("step", "state", "why"), rows, optional=("state",))
    else:
        say(f"every step of task {task} is complete")


# -- repair by hand -------------------------------------------------------------------------------


@repair_command(task, "cancel", task_argument)
def cancel(client: "Client", task: UUID, **why: str | None) -> "Repair":
    """Cancel a task with its unfinished steps; a result that comes later is refused."""
    return client.cancel_task(task, **why)


@repair_command(task, "retry", task_argument)
def retry(client: "Client", task: UUID, **why: str | None) -> "Repair":
    """Run every failed step again, its attempts counted anew; waiting ones at once."""
    return client.retry_task(task, **why)


@repair_command(task, "resolve", task_argument, reason_required=True)
def resolve(client: "Client", task: UUID, reason: str, by: str | None) -> "Repair":
    """Take a task for done, with its unfinished steps; nothing more of it runs."""
    return client.resolve_task(task, reason=reason, by=by)


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


def _facts(task: "Task") -> list[tuple[str, str]]:
    facts = [
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
    return [(name, value) for name, value in facts if value]


def _step_row(step: "Step") -> tuple[object, ...]:
    if step.error is not None:
        outcome = step.error.get("message", "")
    elif step.result is not None:
        outcome = short_json(step.result)
    else:
        outcome = _waiting(step.waiting_on) if step.state == StepState.PENDING else ""
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
    """The columns of `task list`; "" is why an ordinary one is listed."""
    template = f"{task.namespace}/{task.name}@{task.version}"
    why = [_outlived(limit) for limit in getattr(task, "stale", ())]
    why += [f"{step.step}: {_failure(step)}" for step in getattr(task, "failed", ())]
    took = _between(task.created_at, task.completed_at)
    return (task.uuid, task.state, short_time(task.created_at), took, template, "; ".join(why))


def _outlived(limit: "ExceededLimit") -> str:
    over = short_duration(limit.exceeded_by_seconds)
    since = short_time(limit.since)
    return f"{limit.limit} = {limit.minutes:g} exceeded by {over}, since {since} ({limit.action})"


def _failure(step: "FailedStep") -> str:
    message = step.message or "no reason recorded"
    return f"quarantined: {message}" if step.error_code == "QUARANTINED" else message


def _end(task: "TaskSummary") -> str:
    if task.completed_at is None:
        return ""
    return f"{short_time(task.completed_at)}, took {_between(task.created_at, task.completed_at)}"


def _between(start: datetime | None, end: datetime | None) -> str:
    """Nothing while it lasts, or where the end is an earlier attempt's."""
    if start is None or end is None or end < start:
        return ""
    return short_duration((end - start).total_seconds())
