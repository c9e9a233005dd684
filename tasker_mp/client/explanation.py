"""Why the steps of a task are not running now, said of each step that is not complete."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct

from tasker_mp.identity import step_uuid
from tasker_mp.states import StepState
from tasker_mp.template.model import Template, from_json


class Reason(StrEnum):
    """Why a step is not running now, in one word for programs."""

    IN_QUEUE = "in_queue"
    NOT_SERVED = "not_served"
    PAUSED = "paused"
    DRAINING = "draining"
    RUNNING = "running"
    LEASE_RAN_OUT = "lease_ran_out"
    WAITING_UNTIL = "waiting_until"
    WAITING_FOR_PARENTS = "waiting_for_parents"
    BLOCKED_BY_FAILURE = "blocked_by_failure"
    ATTEMPTS_USED_UP = "attempts_used_up"
    PERMANENT_ERROR = "permanent_error"
    QUARANTINED = "quarantined"
    LIFECYCLE_LIMIT = "lifecycle_limit"
    ENDED_BY_HAND = "ended_by_hand"


class StepExplanation(Struct, kw_only=True):
    """One step: `reason` for programs, `message` for people, and what it hangs on.

    `waits_for` names the parents that are not complete (without those that another parent waits
    for), `blocked_by` the failed ancestors;
    `seconds` are those until it is due or recovered, or since it was claimed.
    """

    uuid: UUID
    step: str
    state: StepState
    reason: Reason
    message: str
    waits_for: dict[str, StepState] = {}
    blocked_by: list[str] = []
    until: datetime | None = None
    since: datetime | None = None
    seconds: float | None = None
    supervisor: str | None = None


class TaskExplanation(Struct, kw_only=True):
    """A task's namespace with the supervisors alive that serve it, and its unfinished steps."""

    uuid: UUID
    namespace: str
    queue: str
    served_by: list[str]
    steps: list[StepExplanation]


class _Surroundings(Struct):
    """What is the same for all steps of a task."""

    namespace: str
    queue: str
    template: Template
    served_by: list[str]
    states: list[str]
    anybody_alive: bool
    lease: float
    parents: dict[int, list["_Row"]]
    blocked: dict[int, list[str]]


class _Row(Struct):
    """A row of `explain_steps.sql`."""

    step_no: int
    name: str
    state: StepState
    attempts: int
    children: list[int]
    ancestors: list[int]
    error: dict[str, Any] | None
    due_at: datetime | None
    due_in: float | None
    claimed_at: datetime | None
    worker_id: str | None
    host: str | None
    heartbeat_age: float | None
    actor: str | None
    why: str | None
    template_step: str
    lets_through: bool


def explanation(
    task: UUID, task_row: tuple[Any, ...], step_rows: Iterable[tuple[Any, ...]], lease: float
) -> TaskExplanation:
    """From the rows of `explain_task.sql` and `explain_steps.sql`; `lease` in seconds."""
    namespace, queue, definition, served_by, states, anybody_alive = task_row
    template = from_json(definition)
    rows = {row[0]: _Row(row[0], row[1], StepState(row[2]), *row[3:]) for row in step_rows}
    around = _Surroundings(
        namespace,
        queue,
        template,
        served_by,
        states,
        anybody_alive,
        lease,
        _open_parents(rows),
        _blocked_by(rows),
    )
    return TaskExplanation(
        uuid=task,
        namespace=namespace,
        queue=queue,
        served_by=served_by,
        steps=[
            StepExplanation(
                uuid=step_uuid(task, row.step_no),
                step=row.name,
                state=row.state,
                **_why(row, around),
            )
            for row in rows.values()
            if row.state != StepState.COMPLETE
        ],
    )


def _why(row: _Row, around: _Surroundings) -> dict[str, Any]:
    match row.state:
        case StepState.PENDING:
            return _pending(row, around)
        case StepState.ENQUEUED:
            return _enqueued(around)
        case StepState.IN_PROGRESS:
            return _in_progress(row, around)
        case StepState.WAITING_FOR_RETRY:
            return _waiting(row, around)
        case StepState.ERROR:
            return _failed(row, around.template)
        case _:
            said = f": {row.why}" if row.why else ""
            message = f"{row.state} by {row.actor or 'somebody unknown'}{said}"
            return {"reason": Reason.ENDED_BY_HAND, "message": message}


def _pending(row: _Row, around: _Surroundings) -> dict[str, Any]:
    parents = {parent.name: parent.state for parent in around.parents.get(row.step_no, ())}
    failed = around.blocked.get(row.step_no, [])
    waits = "waits for " + ", ".join(f"{name} ({state})" for name, state in parents.items())
    found = {"reason": Reason.WAITING_FOR_PARENTS, "message": waits, "waits_for": parents}
    if failed:
        blocked = f"blocked behind {', '.join(failed)}, which failed; it {waits}"
        found |= {"reason": Reason.BLOCKED_BY_FAILURE, "message": blocked, "blocked_by": failed}
    return found


_DEAD = (StepState.ERROR, StepState.CANCELLED)


def _open_parents(rows: dict[int, _Row]) -> dict[int, list[_Row]]:
    """By step number: what each step waits for."""
    parents: dict[int, list[_Row]] = {}
    for row in rows.values():
        if not row.lets_through:
            for child in row.children:
                parents.setdefault(child, []).append(row)
    return parents


def _blocked_by(rows: dict[int, _Row]) -> dict[int, list[str]]:
    """By step number: the failed steps before it, however far, without those before a step that was
    resolved since."""
    blocked: dict[int, list[str]] = {}
    for dead in (row for row in rows.values() if row.state in _DEAD and not row.lets_through):
        seen: set[int] = set()
        looked = [dead]
        while looked:
            for number in looked.pop().children:
                child = rows.get(number)
                if child is not None and number not in seen and not child.lets_through:
                    seen.add(number)
                    looked.append(child)
                    blocked.setdefault(number, []).append(dead.name)
    return blocked


def _enqueued(around: _Surroundings) -> dict[str, Any]:
    place = f"in queue {around.queue}, its position unknown"
    if not around.served_by:
        return {"reason": Reason.NOT_SERVED, "message": f"{place}; {_nobody(around)}"}
    if all(state in _IDLE for state in around.states):
        reason = Reason.PAUSED if "paused" in around.states else Reason.DRAINING
        idle = zip(around.served_by, around.states, strict=True)
        said = ", ".join(f"supervisor {who} {_IDLE[state]}" for who, state in idle)
        return {"reason": reason, "message": f"{place}; {reason}: {said}"}
    return {
        "reason": Reason.IN_QUEUE,
        "message": f"{place}; served by {', '.join(around.served_by)}",
    }


_IDLE = {
    "paused": "serves the namespace but is paused (tasker-mp resume)",
    "draining": "serves the namespace but is about to leave (then: tasker-mp start)",
}
"""What is said of a supervisor that claims nothing."""


def _nobody(around: _Surroundings) -> str:
    return f"no supervisor serves the namespace {around.namespace}; run: tasker-mp start"


def _in_progress(row: _Row, around: _Surroundings) -> dict[str, Any]:
    who = f"{row.worker_id} on {row.host}" if row.worker_id else "a supervisor that is gone"
    found = {"since": row.claimed_at, "supervisor": row.worker_id}
    if row.heartbeat_age is not None and row.heartbeat_age <= around.lease:
        message = f"in progress at {who} since {row.claimed_at:%Y-%m-%d %H:%M:%S %Z}"
        return found | {"reason": Reason.RUNNING, "message": message}
    # Whoever lives looks for the dead three times a lease.
    within = around.lease / 3
    recovery = f"recovered within {within:g} s" if around.anybody_alive else _nobody(around)
    return found | {
        "reason": Reason.LEASE_RAN_OUT,
        "message": f"held by {who}, whose lease has run out; {recovery}",
        "seconds": within if around.anybody_alive else None,
    }


def _waiting(row: _Row, around: _Surroundings) -> dict[str, Any]:
    left = max(row.due_in or 0.0, 0.0)
    message = f"waits for its retry until {row.due_at:%Y-%m-%d %H:%M:%S %Z} ({left:.1f} s)"
    if not around.anybody_alive:
        message += f"; {_nobody(around)}"
    return {
        "reason": Reason.WAITING_UNTIL,
        "message": message,
        "until": row.due_at,
        "seconds": left,
    }


def _failed(row: _Row, template: Template) -> dict[str, Any]:
    error = row.error or {}
    said = error.get("message", "no reason recorded")
    if error.get("error_code") == "QUARANTINED":
        return {"reason": Reason.QUARANTINED, "message": f"quarantined: {said}"}
    if error.get("error_code") == "LIFECYCLE_LIMIT":
        return {"reason": Reason.LIFECYCLE_LIMIT, "message": said}
    if not error.get("retryable"):
        return {"reason": Reason.PERMANENT_ERROR, "message": f"failed for good: {said}"}
    policy = next((s.retry for s in template.steps if s.name == row.template_step), None)
    if policy is not None and not policy.retryable:
        used = "its template allows no retry"
    else:
        limit = f" of {policy.max_attempts}" if policy else ""
        used = f"{row.attempts}{limit} attempts used up"
    return {"reason": Reason.ATTEMPTS_USED_UP, "message": f"{used}: {said}"}
