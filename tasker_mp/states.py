"""The states of tasks and steps and every legal transition between them, in one table."""

from enum import StrEnum

from tasker_mp.errors import IllegalTransitionError


class StepState(StrEnum):
    PENDING = "pending"
    ENQUEUED = "enqueued"
    IN_PROGRESS = "in_progress"
    WAITING_FOR_RETRY = "waiting_for_retry"
    COMPLETE = "complete"
    ERROR = "error"
    CANCELLED = "cancelled"
    RESOLVED_MANUALLY = "resolved_manually"


class TaskState(StrEnum):
    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    ERROR = "error"
    CANCELLED = "cancelled"
    RESOLVED_MANUALLY = "resolved_manually"


class ExecutionStatus(StrEnum):
    """What an unfinished task is doing, derived from its steps."""

    HAS_READY_STEPS = "has_ready_steps"
    PROCESSING = "processing"
    WAITING_FOR_RETRY = "waiting_for_retry"
    WAITING_FOR_DEPENDENCIES = "waiting_for_dependencies"
    BLOCKED_BY_FAILURES = "blocked_by_failures"
    ALL_COMPLETE = "all_complete"


_S = StepState
_T = TaskState

STEP_TRANSITIONS: dict[StepState, frozenset[StepState]] = {
    _S.PENDING: frozenset({_S.ENQUEUED, _S.CANCELLED, _S.RESOLVED_MANUALLY}),
    _S.ENQUEUED: frozenset({_S.IN_PROGRESS, _S.CANCELLED, _S.RESOLVED_MANUALLY}),
    # Back to enqueued: its owner died or gave it up before a result was accepted.
    _S.IN_PROGRESS: frozenset(
        {
            _S.COMPLETE,
            _S.WAITING_FOR_RETRY,
            _S.ERROR,
            _S.ENQUEUED,
            _S.CANCELLED,
            _S.RESOLVED_MANUALLY,
        }
    ),
    _S.WAITING_FOR_RETRY: frozenset({_S.ENQUEUED, _S.CANCELLED, _S.RESOLVED_MANUALLY}),
    # A failed step is not final until somebody says so: it can be reset or resolved.
    _S.ERROR: frozenset({_S.ENQUEUED, _S.CANCELLED, _S.RESOLVED_MANUALLY}),
    _S.COMPLETE: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.RESOLVED_MANUALLY: frozenset(),
}

TASK_TRANSITIONS: dict[TaskState, frozenset[TaskState]] = {
    _T.PENDING: frozenset({_T.IN_PROGRESS, _T.CANCELLED, _T.RESOLVED_MANUALLY}),
    _T.IN_PROGRESS: frozenset({_T.COMPLETE, _T.ERROR, _T.CANCELLED, _T.RESOLVED_MANUALLY}),
    # A manual retry of one of its steps revives a failed task.
    _T.ERROR: frozenset({_T.IN_PROGRESS, _T.CANCELLED, _T.RESOLVED_MANUALLY}),
    _T.COMPLETE: frozenset(),
    _T.CANCELLED: frozenset(),
    _T.RESOLVED_MANUALLY: frozenset(),
}

SATISFYING_STEP_STATES = frozenset({_S.COMPLETE, _S.RESOLVED_MANUALLY})
"""A parent in one of these lets its children run."""

FINAL_TASK_STATES = frozenset({_T.COMPLETE, _T.ERROR, _T.CANCELLED, _T.RESOLVED_MANUALLY})
"""A waiter on a task in one of these stops waiting (an errored task may still be revived)."""


def check_step_transition(old: StepState, new: StepState) -> StepState:
    """`new`, where a step may go there from `old`; else `IllegalTransitionError` naming both."""
    if new not in STEP_TRANSITIONS[old]:
        raise IllegalTransitionError("step", old, new)
    return new


def check_task_transition(old: TaskState, new: TaskState) -> TaskState:
    """`new`, where a task may go there from `old`; else `IllegalTransitionError` naming both."""
    if new not in TASK_TRANSITIONS[old]:
        raise IllegalTransitionError("task", old, new)
    return new
