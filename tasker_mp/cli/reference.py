"""How a command is told which task or step is meant."""

from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import click

from tasker_mp.errors import UnknownTaskError
from tasker_mp.identity import split_step_uuid
from tasker_mp.nearest import suggestion

if TYPE_CHECKING:
    from tasker_mp.client.client import Client


class NamedStep(NamedTuple):
    """A step by its task and its name."""

    task: UUID
    name: str


def uuid_of(client: "Client", step: UUID | NamedStep) -> UUID:
    """The step's UUID; `UnknownTaskError`, with the nearest name, where its task has none such."""
    if isinstance(step, UUID):
        return step
    steps = {found.name: found.uuid for found in client.get_task(step.task).steps}
    if step.name not in steps:
        cure = suggestion(step.name, steps)
        raise UnknownTaskError(f"task {step.task} has no step {step.name!r}: {cure}")
    return steps[step.name]


def _task(_context: click.Context, _argument: click.Parameter, uuid: UUID) -> UUID:
    """A step's UUID is told from a task's, and answered with its task's."""
    task, step_no = split_step_uuid(uuid)
    if step_no:
        raise UnknownTaskError(f"no task {uuid}: it is a step's, and its task's is {task}")
    return uuid


def _step(context: click.Context, argument: click.Parameter, text: str) -> UUID | NamedStep:
    """A step's UUID, or its task's and its name: `UUID/NAME`."""
    start, slash, name = text.partition("/")
    uuid: UUID = click.UUID.convert(start, argument, context)
    return NamedStep(_task(context, argument, uuid), name) if slash else uuid


task_argument = click.argument("task", metavar="UUID", type=click.UUID, callback=_task)
step_argument = click.argument("step", metavar="STEP", callback=_step)
