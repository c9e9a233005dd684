"""The proof can fail: without a guard, both a short story and the random machine find it missing.

The guard is taken out of the function in a database of the test's own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

import pytest
from dags import DIAMOND, ONE, template
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tasker_mp.db.connect import connect

from .test_workflow_machine import WorkflowMachine
from .workflow_task import Fate
from .workflow_world import WorkflowWorld

Story = Callable[[WorkflowWorld], None]

SEARCH = settings(
    max_examples=200,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


def without(database: str, function: str, guard: str, instead: str) -> None:
    """Makes the function anew with `instead` for `guard`, which must stand in it once."""
    with connect(database) as connection:
        query = b"select pg_get_functiondef(%s::regproc)"
        [definition] = connection.execute(query, [f"tasker.{function}"]).fetchone() or [""]
        assert definition.count(guard) == 1, f"{guard!r} is not in {function}: look for it anew"
        connection.execute(definition.replace(guard, instead).encode())


def a_result_comes_after_its_step_was_given_to_another(
    world: WorkflowWorld, capacity: int = 0
) -> None:
    world.submit(template(ONE))
    slow, other = world.join(), world.join()
    world.claim(slow, 1)
    world.fall_silent(slow)
    world.heartbeat(other)
    world.claim(other, 1)
    world.finish(slow, capacity=capacity)
    world.check()
    world.finish(other, capacity=capacity)
    world.check()
    world.drive_to_the_end()


def another_looks_for_the_dead_while_the_owner_lives(world: WorkflowWorld) -> None:
    world.submit(template(ONE))
    living, other = world.join(), world.join()
    world.claim(living, 1)
    world.heartbeat(other)
    world.check()
    world.finish(living)
    world.check()
    world.drive_to_the_end()


def one_after_the_other_come_the_parents_of_one(world: WorkflowWorld, beside: int = 0) -> None:
    """Each with `beside` results of other tasks."""
    world.submit(template(DIAMOND))
    one = world.join()
    world.claim(one, 1)
    world.finish(one, capacity=2)
    for _ in range(2):
        others = [world.submit(template(ONE)) for _ in range(beside)]
        if others:
            world.claim(one, beside)
        late = [entry for entry in one.table.entries() if UUID(bytes=entry.task) in others]
        world.finish(one, [Fate.COMPLETE], capacity=1, late=late)
        world.check()
    world.drive_to_the_end()


GUARDS = [
    pytest.param(
        "finish_steps",
        "and s.event_id = i.event_id and",
        "and",
        a_result_comes_after_its_step_was_given_to_another,
        id="event-id fence",
        marks=pytest.mark.long,
    ),
    pytest.param(
        "finish_step",
        "and s.event_id = p_event and",
        "and",
        partial(a_result_comes_after_its_step_was_given_to_another, capacity=1),
        id="event-id fence of one",
        marks=pytest.mark.long,
    ),
    pytest.param(
        "finish_step",
        "cardinality(v_next.ancestors) = p_results + 1",
        "p_results >= 0",
        one_after_the_other_come_the_parents_of_one,
        id="whole input of one",
        marks=pytest.mark.long,
    ),
    pytest.param(
        "unlock_children",
        "and cardinality(c.ancestors) = e.results + 1",
        "and e.results >= 0",
        partial(one_after_the_other_come_the_parents_of_one, beside=1),
        id="whole input",
        marks=pytest.mark.long,
    ),
    pytest.param(
        "heartbeat",
        "and s.heartbeat_at >= clock_timestamp() - make_interval(secs => p_lease)",
        "and false",
        another_looks_for_the_dead_while_the_owner_lives,
        id="lease",
    ),
]


@contextmanager
def damaged(database: str, function: str, guard: str, instead: str) -> Iterator[WorkflowWorld]:
    without(database, function, guard, instead)
    with WorkflowWorld.opened(database) as world:
        yield world


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("function", "guard", "instead", "story"), GUARDS)
def test_the_guard_is_missed(
    database: str, function: str, guard: str, instead: str, story: Story
) -> None:
    with WorkflowWorld.opened(database) as world:
        story(world)
    with damaged(database, function, guard, instead) as world:
        with pytest.raises(AssertionError):
            story(world)
        with pytest.raises(AssertionError):
            run_state_machine_as_test(lambda: WorkflowMachine(world), settings=SEARCH)


def test_a_guard_that_is_not_where_it_was_is_not_taken_for_removed(database: str) -> None:
    with pytest.raises(AssertionError, match="look for it anew"):
        without(database, "finish_steps", "and s.event_id = the_event", "")
