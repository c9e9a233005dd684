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
from tasker_mp.cli.settings import Settings, group, pass_settings
from tasker_mp.cli.task import (
    by_option,
    open_client,
    required_why_option,
    show_repair,
    why_option,
)
from tasker_mp.errors import InvalidInputError, UnknownTaskError

if TYPE_CHECKING:
    from tasker_mp.client.task import Step, Transition


@group("step")
def step() -> None:
    """Look at single steps, and repair them."""


@step.command("show")
@click.argument("uuid", type=click.UUID)
@pass_settings
def show_(settings: Settings, uuid: UUID) -> None:
    """Show one step, with every change of its state."""
    from tasker_mp.client.repair import step_parameters  # noqa: PLC0415

    task = step_parameters(uuid)["task"]
    with open_client(settings) as client:
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


@step.command("retry")
@click.argument("uuid", type=click.UUID)
@why_option
@by_option
@pass_settings
def retry(settings: Settings, uuid: UUID, reason: str | None, by: str | None) -> None:
    """Run a failed step again, its attempts counted anew; a waiting one at once."""
    with open_client(settings) as client:
        show_repair(settings, client.retry_step(uuid, reason=reason, by=by))


@step.command("resolve")
@click.argument("uuid", type=click.UUID)
@required_why_option
@by_option
@pass_settings
def resolve(settings: Settings, uuid: UUID, reason: str, by: str | None) -> None:
    """Take a step for done, without a result; the steps behind it go on."""
    with open_client(settings) as client:
        show_repair(settings, client.resolve_step(uuid, reason=reason, by=by))


@step.command("complete")
@click.argument("uuid", type=click.UUID)
@click.option("--result", metavar="JSON", required=True, help="As if the handler returned it.")
@required_why_option
@by_option
@pass_settings
def complete(settings: Settings, uuid: UUID, result: str, reason: str, by: str | None) -> None:
    """Take a step for done with a result, which the steps behind it are given."""
    value = _parsed(result)
    with open_client(settings) as client:
        show_repair(settings, client.complete_step(uuid, value, reason=reason, by=by))


def _parsed(text: str) -> object:
    import msgspec  # noqa: PLC0415

    try:
        return msgspec.json.decode(text.encode("utf-8", "surrogateescape"))
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidInputError(f"--result {text[:80]!r} is not JSON: {error}") from None


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
