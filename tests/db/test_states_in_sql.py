"""The database's enums are Python's, label by label."""

from enum import StrEnum

import pytest
from dags import rows

from tasker_mp.states import StepState, TaskState


@pytest.mark.parametrize(("name", "states"), [("step_state", StepState), ("task_state", TaskState)])
def test_an_enum_has_the_same_labels_in_the_same_order(
    each_database: str, name: str, states: type[StrEnum]
) -> None:
    query = "select enumlabel from pg_enum where enumtypid = %s::regtype order by enumsortorder"
    labels = [label for (label,) in rows(each_database, query, f"tasker.{name}")]
    assert labels == [state.value for state in states]
