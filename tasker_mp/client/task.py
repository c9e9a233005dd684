"""Tasks and steps as a client sees them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from tasker_mp.identity import step_uuid
from tasker_mp.states import FINAL_TASK_STATES, ExecutionStatus, StepState, TaskState
from tasker_mp.template.model import StalenessAction

_STEP_COLUMNS = 16
"""Of a row of `get_task_with_steps.sql`, before those of the task."""


class Step(Struct, kw_only=True):
    """A step of a task; `error` is {message, error_type, error_code, retryable, attempt, …}."""

    uuid: UUID
    step_no: int
    name: str
    state: StepState
    attempts: int
    waiting_on: int
    children: list[int]
    owner: UUID | None
    enqueued_at: datetime | None
    claimed_at: datetime | None
    finished_at: datetime | None
    due_at: datetime | None
    result: Any
    metadata: Any
    error: dict[str, Any] | None


class Transition(Struct, kw_only=True):
    """One change of a step's state, by whom and why; `step` is "" for the task's own.

    The `actor` of an attempt is a supervisor's UUID.
    """

    step: str
    at: datetime
    from_state: str | None
    to_state: str
    attempt: int | None
    actor: str | None
    reason: str | None
    error: dict[str, Any] | None


class TaskSummary(Struct, kw_only=True):
    """A task without its steps, as `task list` shows it."""

    uuid: UUID
    namespace: str
    name: str
    version: str
    state: TaskState
    priority: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    correlation_id: UUID
    initiator: str | None
    reason: str | None
    tags: list[str]

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_TASK_STATES


class ExceededLimit(Struct, kw_only=True):
    """A limit of the template's `lifecycle` that a task has outlived, and what is done about it."""

    limit: str
    minutes: float
    since: datetime
    exceeded_by_seconds: float
    action: StalenessAction


class FailedStep(Struct, kw_only=True):
    """A step in error; its `error_code` is QUARANTINED where it kept crashing its worker."""

    step: str
    message: str | None
    error_code: str | None


class DeadLetter(TaskSummary, kw_only=True):
    """A task that needs somebody: its failed steps, and the limits that it has outlived."""

    failed: list[FailedStep]
    stale: list[ExceededLimit]


class Task(TaskSummary, kw_only=True):
    """A task with its context and its steps in topological order."""

    context: dict[str, Any]
    steps: list[Step]

    @property
    def results(self) -> dict[str, Any]:
        """The results of the steps that have one, by step name; one given by hand is one, too."""
        return {
            s.name: s.result
            for s in self.steps
            if s.state == StepState.COMPLETE
            or (s.state == StepState.RESOLVED_MANUALLY and s.result is not None)
        }

    @property
    def errors(self) -> dict[str, dict[str, Any]]:
        """The errors of the steps that have one, by step name."""
        return {s.name: s.error for s in self.steps if s.error is not None}

    @property
    def execution_status(self) -> ExecutionStatus:
        """What the task is doing, by the precedence of the states of its steps."""
        states = {step.state for step in self.steps}
        ready = StepState.ENQUEUED in states
        if StepState.ERROR in states:
            return ExecutionStatus.BLOCKED_BY_FAILURES
        if ready:
            return ExecutionStatus.HAS_READY_STEPS
        if StepState.IN_PROGRESS in states:
            return ExecutionStatus.PROCESSING
        if StepState.WAITING_FOR_RETRY in states:
            return ExecutionStatus.WAITING_FOR_RETRY
        if StepState.PENDING in states:
            return ExecutionStatus.WAITING_FOR_DEPENDENCIES
        return ExecutionStatus.ALL_COMPLETE


class TaskResults(Struct, kw_only=True):
    """How one task of many went; `results` of its complete steps, by name."""

    uuid: UUID
    state: TaskState
    created_at: datetime
    completed_at: datetime | None
    results: dict[str, Any]


def task_results(row: tuple[Any, ...]) -> TaskResults:
    """From a row of `get_results.sql`."""
    uuid, state, created_at, completed_at, results = row
    return TaskResults(
        uuid=uuid,
        state=TaskState(state),
        created_at=created_at,
        completed_at=completed_at,
        results=results,
    )


def task_summary(row: tuple[Any, ...]) -> TaskSummary:
    """From a row of `list_tasks.sql`."""
    return TaskSummary(**_summary_fields(row))


def dead_letter(row: tuple[Any, ...]) -> DeadLetter:
    """From a row of `list_dead_letters.sql`."""
    *summary, stale, failed = row
    return DeadLetter(
        **_summary_fields(tuple(summary)),
        failed=msgspec.convert(failed, list[FailedStep]),
        stale=msgspec.convert(stale, list[ExceededLimit]),
    )


def task(uuid: UUID, rows: Sequence[tuple[Any, ...]]) -> Task:
    """From the rows of `get_task_with_steps.sql`."""
    *summary, context = rows[0][_STEP_COLUMNS:]
    steps = [_step(uuid, row[:_STEP_COLUMNS]) for row in rows]
    return Task(**_summary_fields(tuple(summary)), context=context, steps=steps)


def progress(of: Task, rows: Iterable[tuple[Any, ...]]) -> Task:
    """The task as it is by now, without results, from the rows of `get_progress.sql`."""
    steps = []
    ends: dict[str, Any] = {}
    for state, started_at, completed_at, *step in rows:
        head, owner_and_times, error = step[:6], step[6:11], step[11]
        steps.append(_step(of.uuid, (*head, None, None, *owner_and_times, None, None, error)))
        ends = {
            "state": TaskState(state),
            "started_at": started_at,
            "completed_at": completed_at,
        }
    return msgspec.structs.replace(of, steps=steps, **ends)


def transition(row: tuple[Any, ...], names: dict[int, str]) -> Transition:
    """From a row of `get_transitions.sql`; `names` by step number."""
    step_no, at, from_state, to_state, attempt, actor, reason, error = row
    return Transition(
        step=names.get(step_no, ""),
        at=at,
        from_state=from_state,
        to_state=to_state,
        attempt=attempt,
        actor=actor,
        reason=reason,
        error=error,
    )


def _summary_fields(row: tuple[Any, ...]) -> dict[str, Any]:
    fields = dict(zip(TaskSummary.__struct_fields__, row, strict=False))
    return fields | {"state": TaskState(fields["state"]), "tags": list(fields["tags"] or ())}


def _step(task_uuid: UUID, row: tuple[Any, ...]) -> Step:
    (step_no, name, state, attempts, waiting_on, children, _, _, owner, *rest) = row
    enqueued_at, claimed_at, finished_at, due_at, result, metadata, error = rest
    return Step(
        uuid=step_uuid(task_uuid, step_no),
        step_no=step_no,
        name=name,
        state=StepState(state),
        attempts=attempts,
        waiting_on=waiting_on,
        children=children,
        owner=owner,
        enqueued_at=enqueued_at,
        claimed_at=claimed_at,
        finished_at=finished_at,
        due_at=due_at,
        result=result,
        metadata=metadata,
        error=error,
    )
