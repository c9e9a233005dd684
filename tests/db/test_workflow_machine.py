"""Any order of work, faults, repairs and time: the rows equal a model that knows only the rules.

`MACHINE_EXAMPLES=2000 pytest tests/db/test_workflow_machine.py` looks for longer (and never twice
for the same, unless CI is set); each example is then twice as long.
"""

import os
import sys
from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tasker_mp.states import StepState
from tasker_mp.template.model import Template

from .dag_strategies import templates
from .workflow_supervisor import Supervisor
from .workflow_task import Fate, Key
from .workflow_world import WorkflowWorld

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "0"))
SETTINGS = settings(
    max_examples=EXAMPLES or 15,
    stateful_step_count=80 if EXAMPLES else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
MOST_TASKS = 4
MOST_SUPERVISORS = 3

some = st.integers(0, 1000)
"""Chooses one of however many there are."""
priorities = st.sampled_from([0, 0, 5, -5])
mostly_complete = st.sampled_from([Fate.COMPLETE, Fate.COMPLETE, Fate.RETRYABLE, *Fate])
fates = st.lists(mostly_complete, min_size=1, max_size=30) | st.just([Fate.COMPLETE] * 100)
capacities = st.sampled_from([0, 1, 2, 5, 100])
seldom = st.sampled_from([False] * 7 + [True])


class WorkflowMachine(RuleBasedStateMachine):
    """The rules choose; the world does it to the database and to the model."""

    def __init__(self, world: WorkflowWorld) -> None:
        super().__init__()
        self.world = world
        world.begin()

    def one(self, choice: int) -> Supervisor:
        return self.world.serving[choice % len(self.world.serving)]

    def holder(self, choice: int) -> Supervisor:
        """One that has work, where any has."""
        holders = [one for one in self.world.serving if len(one.table)] or self.world.serving
        return holders[choice % len(holders)]

    def task(self, choice: int) -> UUID:
        tasks = list(self.world.model.tasks)
        return tasks[choice % len(tasks)]

    def step(self, choice: int, states: Sequence[str]) -> Key:
        """One in these states, or where there is none, any at all."""
        keys = self.world.model.keys(*states) or self.world.model.keys(*StepState)
        return keys[choice % len(keys)]

    @invariant()
    def rows_equal_the_model(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        if sys.exception() is None:  # else a rule has failed, and says more than this would
            self.world.drive_to_the_end()

    # -- the flow of steps --------------------------------------------------------------------

    @initialize(template=templates(), priority=priorities)
    def begin(self, template: Template, priority: int) -> None:
        self.world.submit(template, priority)
        self.world.join()

    @precondition(lambda self: len(self.world.model.tasks) < MOST_TASKS)
    @rule(template=templates(), priority=priorities)
    def submit(self, template: Template, priority: int) -> None:
        self.world.submit(template, priority)

    @precondition(lambda self: self.world.model.keys("enqueued"))
    @rule(who=some, capacity=capacities, lost=seldom)
    def claim(self, who: int, capacity: int, lost: bool) -> None:
        self.world.claim(self.one(who), capacity, lost=lost)

    @precondition(lambda self: self.world.handed)
    @rule(who=some, ends=fates, capacity=capacities, lost=seldom)
    def finish(self, who: int, ends: list[Fate], capacity: int, lost: bool) -> None:
        self.world.finish(self.holder(who), ends, capacity=capacity, lost=lost)

    @precondition(lambda self: self.world.handed)
    @rule(who=some, which=some, ends=st.lists(mostly_complete, max_size=2), capacity=capacities)
    def finish_late(self, who: int, which: int, ends: list[Fate], capacity: int) -> None:
        """A result comes again, or once its step is somebody else's; others may come with it."""
        late = self.world.superseded() or self.world.handed
        result = late[which % len(late)]
        self.world.finish(self.one(who), ends, capacity=capacity, late=[result])

    @precondition(lambda self: self.world.handed)
    @rule(who=some, count=st.sampled_from([0, 1, 3, 100]))
    def compare_notes(self, who: int, count: int) -> None:
        """A supervisor gives steps back, and takes over what it has and never heard of."""
        self.world.give_back(self.holder(who), count)
        self.world.adopt(self.one(who))

    @rule(moments=st.sampled_from([0, 0, 1, 5]), which=some)
    def time_passes(self, moments: int, which: int) -> None:
        self.world.pass_time(moments)
        self.world.explain(self.task(which))
        self.world.promote()

    # -- supervisors: few rules, or they would be chosen more often than the work -------------

    @rule(who=some, then=some)
    def one_falls_silent(self, who: int, then: int) -> None:
        """Another one looks for the dead, if there is one; else it is on time after all."""
        self.world.fall_silent(self.holder(who))
        self.world.heartbeat(self.one(then))

    @rule(who=some, orderly=st.booleans(), heir=st.booleans())
    def one_goes(self, who: int, orderly: bool, heir: bool) -> None:
        """Leaves, or just dies: then it has an heir, or what it holds waits for its lease."""
        gone = self.holder(who)
        (self.world.leave if orderly else self.world.die)(gone)
        if heir or not self.world.serving:
            self.world.join(gone if heir else None)

    @precondition(lambda self: len(self.world.serving) < MOST_SUPERVISORS)
    @rule(who=some)
    def one_comes(self, who: int) -> None:
        """And a claim of one that has gone commits only now."""
        self.world.join()
        if self.world.dead:
            self.world.claim(self.world.dead[who % len(self.world.dead)], 2, lost=True)

    # -- repair by hand: of any step, mostly one that it may be done to -----------------------

    @precondition(lambda self: len(self.world.model.tasks) > 1)
    @rule(
        which=some,
        how=st.sampled_from(["retry", "cancel", "resolve"]),
        states=st.sampled_from([list(StepState), ["waiting_for_retry"]]),
    )
    def repair_task(self, which: int, how: str, states: Sequence[str]) -> None:
        getattr(self.world, how)(self.step(which, states)[0])

    @precondition(lambda self: self.world.model.keys("error", "waiting_for_retry"))
    @rule(which=some, all_of_them=st.booleans())
    def retry(self, which: int, all_of_them: bool) -> None:
        key = self.step(which, ["error", "waiting_for_retry"])
        if all_of_them:
            self.world.retry(key[0])
        else:
            self.world.retry_step(key)

    @rule(
        which=some,
        how=st.sampled_from(["retry_step", "resolve_step", "complete_step"]),
        states=st.sampled_from([["error"], ["in_progress"], list(StepState)]),
    )
    def repair_step(self, which: int, how: str, states: Sequence[str]) -> None:
        getattr(self.world, how)(self.step(which, states))


@pytest.mark.timeout(600 + 10 * EXAMPLES)  # what it takes to make a failure small
def test_the_rows_equal_the_model_whatever_happens(database: str) -> None:
    with WorkflowWorld.opened(database) as world:
        run_state_machine_as_test(lambda: WorkflowMachine(world), settings=SETTINGS)
