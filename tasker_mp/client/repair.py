"""Repair by hand: what a client asks of the database, and what that changed."""

import getpass
import os
import socket
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from msgspec import Struct

from tasker_mp.errors import InvalidInputError, UnknownTaskError
from tasker_mp.identity import split_step_uuid, step_uuid
from tasker_mp.outcome import of_value


class Change(Struct, kw_only=True):
    """One change of state; of the task itself where `step` is "", and `uuid` is its own."""

    uuid: UUID
    step: str
    from_state: str
    to_state: str


class Repair(Struct, kw_only=True):
    """All that one repair changed: the steps named, those that it unlocked, and the task."""

    task_uuid: UUID
    changes: list[Change]


def whoever_calls() -> str:
    """`user@host`, for the record; the user's number where it has no name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # ImportError too, but not on Linux
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def attribution(by: str | None, reason: str | None) -> dict[str, Any]:
    """The parameters that say who does it and why; text without NUL characters."""
    for name, text in (("by", by), ("reason", reason)):
        if text is not None and "\x00" in text:
            raise InvalidInputError(
                f"{name} holds a NUL character, which the database cannot store"
            )
    return {"actor": by or whoever_calls(), "reason": reason}


def required(reason: str) -> str:
    """The reason, which a resolved step or task cannot be without."""
    if not reason.strip():
        raise InvalidInputError("the reason is empty; say why this is resolved by hand")
    return reason


def step_parameters(uuid: UUID) -> dict[str, Any]:
    """`UnknownTaskError` where the UUID is a task's."""
    task, step_no = split_step_uuid(uuid)
    if not step_no:
        raise UnknownTaskError(
            f"no step {uuid}; as a task's it may be listed with: tasker-mp task show {uuid} --json"
        )
    return {"task": task, "step_no": step_no}


def encoded_result(result: object, max_payload_bytes: int) -> str:
    """The result as if a handler had returned it; `InvalidInputError` where it could not have."""
    outcome = of_value(result, None, max_payload_bytes)
    if outcome.error is not None:
        raise InvalidInputError(outcome.error.message)
    return bytes(outcome.result).decode()


def repair(task: UUID, rows: Iterable[tuple[Any, ...]]) -> Repair:
    """From the rows of `end_task.sql`, `retry_steps.sql` or `resolve_step.sql`."""
    changes = [
        Change(
            uuid=step_uuid(task, step_no) if step_no else task,
            step=name,
            from_state=from_state,
            to_state=to_state,
        )
        for step_no, name, from_state, to_state in rows
    ]
    return Repair(task_uuid=task, changes=changes)
