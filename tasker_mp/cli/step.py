"""`step show|retry|resolve|complete`: one step, looked at and repaired by hand."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

import rich_click as click

from tasker_mp.cli.output import (
    short_json,
    short_time,
    show,
    show_facts,
    show_table,
    write_json,
)
from tasker_mp.cli.reference import NamedStep, step_argument, uuid_of
from tasker_mp.cli.repair import open_client, repair_command
from tasker_mp.cli.settings import Settings, group, pass_settings
from tasker_mp.errors import InvalidInputError, UnknownTaskError

if TYPE_CHECKING:
    from tasker_mp.client.client import Client
    from tasker_mp.client.repair import Repair
    from tasker_mp.client.task import Step, Transition

Reference = UUID | NamedStep


@group("step")
def step() -> None:
    """Look at single steps, and repair them. STEP is a step's UUID, or TASK-UUID/STEP-NAME."""


@step.command("show")
@step_argument
@pass_settings
def show_(settings: Settings, step: Reference) -> None:
    """Show one step, with every change of its state."""
    from tasker_mp.client.repair import step_parameters  # noqa: PLC0415

    with open_client(settings) as client:
        uuid = uuid_of(client, step)
        task = step_parameters(uuid)["task"]
        found = next((s for s in client.get_task(task).steps if s.uuid == uuid), None)
        if found is None:
            raise UnknownTaskError(
                f"no step {uuid}; list its task's with: tasker-mp task show {task}"
            )
        history = [t for t in client.transitions(task) if t.step == found.name]
    if settings.json:
        write_json(_document(task, found, history))
    else:
        _show_step(task, found, history)


def _parsed(_context: click.Context, _option: click.Parameter, text: str) -> object:
    import msgspec  # noqa: PLC0415

    try:
        return msgspec.json.decode(text.encode("utf-8", "surrogateescape"))
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInputError(f"--result {text[:80]!r} is not JSON: {error}") from None


result_option = click.option(
    "--result",
    metavar="JSON",
    required=True,
    callback=_parsed,
    help="As if the handler returned it.",
)


@repair_command(step, "retry", step_argument)
def retry(client: "Client", step: Reference, **why: str | None) -> "Repair":
    """Run a failed step again, its attempts counted anew; a waiting one at once."""
    return client.retry_step(uuid_of(client, step), **why)


@repair_command(step, "resolve", step_argument, reason_required=True)
def resolve(client: "Client", step: Reference, reason: str, by: str | None) -> "Repair":
    """Take a step for done, without a result; the steps behind it go on."""
    return client.resolve_step(uuid_of(client, step), reason=reason, by=by)


@repair_command(step, "complete", step_argument, result_option, reason_required=True)
def complete(
    client: "Client", step: Reference, result: object, reason: str, by: str | None
) -> "Repair":
    """Take a step for done with a result, which the steps behind it are given."""
    return client.complete_step(uuid_of(client, step), result, reason=reason, by=by)


def _document(task: UUID, step: "Step", history: "list[Transition]") -> dict[str, Any]:
    import msgspec  # noqa: PLC0415

    return msgspec.structs.asdict(step) | {"task_uuid": task, "transitions": history}


def _show_step(task: UUID, step: "Step", history: "list[Transition]") -> None:
    error = step.error or {}
    facts = [
        ("step", f"{step.name} ({step.uuid})"),
        ("task", str(task)),
        ("state", str(step.state)),
        ("tries", str(step.attempts)),
        ("due", short_time(step.due_at)),
        ("result", "" if step.result is None else short_json(step.result)),
        ("error", str(error.get("message", ""))),
    ]
    show_facts([(name, value) for name, value in facts if value])
    show("")
    rows = [
        (short_time(t.at), t.from_state, t.to_state, t.attempt, t.actor, t.reason) for t in history
    ]
    columns = ("at", "from", "to", "attempt", "who", "why")
    show_table(columns, rows, right=("attempt",), optional=("attempt", "at"))
