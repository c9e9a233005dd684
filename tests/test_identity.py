"""Task and step identities: derived, ordered by time, reversible."""

from uuid import RFC_4122

import pytest

from tasker_mp.identity import (
    MAX_STEPS_PER_TASK,
    mint_task_uuid,
    split_step_uuid,
    step_uuid,
    step_uuid_text,
)


def test_a_task_uuid_is_a_version_7_with_room_for_its_steps() -> None:
    task = mint_task_uuid()
    assert (task.version, task.variant) == (7, RFC_4122)
    assert task.int % (MAX_STEPS_PER_TASK + 1) == 0


def test_task_uuids_minted_in_a_row_differ_and_are_in_order() -> None:
    minted = [mint_task_uuid() for _ in range(10_000)]
    assert len(set(minted)) == len(minted)
    assert minted == sorted(minted)


@pytest.mark.parametrize("number", [1, 2, 4095, MAX_STEPS_PER_TASK])
def test_a_step_uuid_leads_back_to_its_task_and_number(number: int) -> None:
    task = mint_task_uuid()
    step = step_uuid(task, number)
    assert step != task
    assert split_step_uuid(step) == (task, number)
    assert step_uuid_text(task.hex, number) == str(step)


def test_a_task_uuid_is_step_zero_of_itself() -> None:
    task = mint_task_uuid()
    assert split_step_uuid(task) == (task, 0)


@pytest.mark.parametrize("number", [0, -1, MAX_STEPS_PER_TASK + 1])
def test_a_number_that_is_no_step_is_refused_by_name(number: int) -> None:
    with pytest.raises(ValueError, match=f"step number {number} is outside 1..1048575"):
        step_uuid(mint_task_uuid(), number)
