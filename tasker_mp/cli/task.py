"""`task …`: what became of the tasks, why they do not go on, and repair by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import rich_click as click

from tasker_mp.cli.output import (
    say,
    short_age,
    short_duration,
    short_time,
    show_table,
    write_json,
)
from tasker_mp.cli.reference import task_argument
from tasker_mp.cli.repair import open_client, repair_command
from tasker_mp.cli.settings import Settings, group, pass_settings
from tasker_mp.cli.task_choice import task_filter, when
from tasker_mp.cli.task_view import between, failed, show_history, show_task, task_document
from tasker_mp.states import TaskState

if TYPE_CHECKING:
    from tasker_mp.client.client import Client
    from tasker_mp.client.repair import Repair
    from tasker_mp.client.task import ExceededLimit, FailedStep, Task, TaskSummary


@group("task")
def task() -> None:
    """Look at tasks, and repair them."""


@task.command("list")
@click.option("--state", type=click.Choice(list(map(str, TaskState))), help="Only these.")
@click.option("--namespace", metavar="NAME", help="Only of this one.")
@click.option("--template", metavar="[NAMESPACE/]NAME[@VERSION]", help="Only of this one.")
@click.option("--tag", metavar="T", help="Only with this tag.")
@click.option(
    "--since", metavar="AGE", callback=when, help="Only younger: 90s, 15m, 2h, 7d, or a date."
)
@click.option("--until", metavar="AGE", callback=when, help="Only older than that.")
@click.option("--correlation-id", metavar="UUID", type=click.UUID, help="Only under this one.")
@click.option("--quarantined", is_flag=True, help="Only with a step that kept crashing.")
@click.option("--stale", is_flag=True, help="Only those past a limit of their lifecycle, and why.")
@click.option("--dead-letter", is_flag=True, help="In error, quarantined or stale, and why.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@pass_settings
def list_(
    settings: Settings,
    /,
    quarantined: bool,
    stale: bool,
    dead_letter: bool,
    limit: int,
    **filters: Any,
) -> None:
    """List tasks, newest first, and count those that match by state.

    Only the newest 100,000 tasks (of the time asked for) are looked through for those that match,
    unless a correlation id is given.
    """
    if quarantined + stale + dead_letter > 1:
        raise click.UsageError("give one of --quarantined, --stale and --dead-letter")
    if quarantined or stale or dead_letter:
        _refuse_filters(filters)
    where, scan = task_filter(**filters)
    plain: dict[str, Any] = {"state": where.state, "namespace": where.namespace, "limit": limit}
    with open_client(settings) as client:
        counts = client.summarize_tasks(where, scan)
        if stale or dead_letter:
            tasks: Sequence[TaskSummary] = client.list_dead_letters(only_stale=stale, **plain)
        elif quarantined:
            tasks = client.list_tasks(quarantined=True, **plain)
        else:
            tasks = client.list_tasks(where=where, scan=scan, limit=limit)
    if settings.json:
        newest = {} if counts.all else {"counts_of_newest": counts.passed}
        write_json({"tasks": tasks, "counts": counts.states, **newest})
        return
    columns = ["task", "state", "age", "took", "template"]
    if stale or dead_letter:
        columns.append("why")
    now = datetime.now(UTC)
    rows = [_summary_row(listed, now)[: len(columns)] for listed in tasks]
    show_table(columns, rows, right=("age", "took"), optional=("took", "age", "template"))
    said = ", ".join(f"{count:,} {state}" for state, count in counts.states.items())
    say(f"{said or 'no tasks'}{f'; shown: {len(tasks):,}' if said else ''}")
    if not counts.all:
        say(f"of the newest {counts.passed:,} tasks only; for older ones give --until AGE")


def _refuse_filters(filters: dict[str, Any]) -> None:
    for name, value in filters.items():
        if value is not None and name not in ("state", "namespace"):
            raise click.UsageError(
                f"--{name.replace('_', '-')} does not go with --quarantined, --stale or "
                "--dead-letter: leave one of them out"
            )


@task.command("show")
@task_argument
@click.option("--watch", is_flag=True, help="Follow it until it has ended; exit as `task wait`.")
@pass_settings
def show_(settings: Settings, task: UUID, watch: bool) -> int:
    """Show one task: its DAG by state, its steps, what happened to it.

    --json has whole results and every change of state. With --watch it is followed live, without a
    terminal as a line for each change.
    """
    with open_client(settings) as client:
        found = client.get_task(task)
        if watch:
            found = _watched(settings, client, found)
        transitions = client.transitions(task)
    if settings.json:
        write_json(task_document(found, transitions))
    elif not watch:
        show_task(found, graph=True)
        show_history(transitions)
    return failed(found) if watch else 0


def _watched(settings: Settings, client: "Client", task: "Task") -> "Task":
    """The task once it has ended; with --json it is only waited for."""
    if settings.json:
        return client.wait(task.uuid)
    from tasker_mp.cli.task_watch import watch_task  # noqa: PLC0415

    watch_task(task, client.progress)
    return client.get_task(task.uuid)


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


# -- rows -----------------------------------------------------------------------------------------


def _summary_row(task: "TaskSummary", now: datetime) -> tuple[object, ...]:
    """The columns of `task list`; "" is why an ordinary one is listed."""
    template = f"{task.namespace}/{task.name}@{task.version}"
    why = [_outlived(limit) for limit in getattr(task, "stale", ())]
    why += [f"{step.step}: {_failure(step)}" for step in getattr(task, "failed", ())]
    age = short_age((now - task.created_at).total_seconds())
    took = between(task.created_at, task.completed_at)
    return (task.uuid, task.state, age, took, template, "; ".join(why))


def _outlived(limit: "ExceededLimit") -> str:
    over = short_duration(limit.exceeded_by_seconds)
    since = short_time(limit.since)
    return f"{limit.limit} = {limit.minutes:g} exceeded by {over}, since {since} ({limit.action})"


def _failure(step: "FailedStep") -> str:
    message = step.message or "no reason recorded"
    return f"quarantined: {message}" if step.error_code == "QUARANTINED" else message
