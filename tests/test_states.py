"""The table of legal transitions, as a whole and at its edges."""

from itertools import product

import pytest

from tasker_mp.errors import IllegalTransitionError
from tasker_mp.states import (
    FINAL_TASK_STATES,
    SATISFYING_STEP_STATES,
    STEP_TRANSITIONS,
    TASK_TRANSITIONS,
    StepState,
    TaskState,
    check_step_transition,
    check_task_transition,
)

_FINAL_STEPS = {StepState.COMPLETE, StepState.CANCELLED, StepState.RESOLVED_MANUALLY}


@pytest.mark.parametrize(("old", "new"), [*product(StepState, StepState)])
def test_a_step_goes_where_the_table_says_and_nowhere_else(old: StepState, new: StepState) -> None:
    if new in STEP_TRANSITIONS[old]:
        assert check_step_transition(old, new) is new
    else:
        with pytest.raises(IllegalTransitionError, match=f"a step cannot go from {old} to {new}"):
            check_step_transition(old, new)


@pytest.mark.parametrize(("old", "new"), [*product(TaskState, TaskState)])
def test_a_task_goes_where_the_table_says_and_nowhere_else(old: TaskState, new: TaskState) -> None:
    if new in TASK_TRANSITIONS[old]:
        assert check_task_transition(old, new) is new
    else:
        with pytest.raises(IllegalTransitionError, match=f"a task cannot go from {old} to {new}"):
            check_task_transition(old, new)


def test_a_refused_transition_names_its_parts() -> None:
    with pytest.raises(IllegalTransitionError) as caught:
        check_step_transition(StepState.COMPLETE, StepState.ENQUEUED)
    error = caught.value
    assert (error.kind, error.old, error.new) == ("step", "complete", "enqueued")


def test_the_tables_name_every_state_and_nothing_stays_where_it_is() -> None:
    assert set(STEP_TRANSITIONS) == set(StepState)
    assert set(TASK_TRANSITIONS) == set(TaskState)
    assert not any(old in new for old, new in STEP_TRANSITIONS.items())
    assert not any(old in new for old, new in TASK_TRANSITIONS.items())


def test_only_the_final_steps_lead_nowhere() -> None:
    assert {old for old, new in STEP_TRANSITIONS.items() if not new} == _FINAL_STEPS
    assert SATISFYING_STEP_STATES < _FINAL_STEPS


def test_every_step_that_is_not_final_can_be_cancelled_or_resolved_by_hand() -> None:
    by_hand = {StepState.CANCELLED, StepState.RESOLVED_MANUALLY}
    assert all(by_hand <= STEP_TRANSITIONS[old] for old in set(StepState) - _FINAL_STEPS)


def test_every_state_is_reachable_from_pending() -> None:
    assert _reachable(STEP_TRANSITIONS, StepState.PENDING) == set(StepState)
    assert _reachable(TASK_TRANSITIONS, TaskState.PENDING) == set(TaskState)


def test_a_task_in_error_is_final_for_who_waits_and_may_be_revived() -> None:
    assert TaskState.ERROR in FINAL_TASK_STATES
    assert TaskState.IN_PROGRESS in TASK_TRANSITIONS[TaskState.ERROR]


def _reachable(table: dict, start: str) -> set[str]:  # type: ignore[type-arg]
    found: set[str] = set()
    waiting = [start]
    while waiting:
        state = waiting.pop()
        if state not in found:
            found.add(state)
            waiting.extend(table[state])
    return found
