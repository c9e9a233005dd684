"""Any DAG, run in any order: counters equal the edges all along, and every step runs once."""

import asyncio
from collections import Counter
from random import Random
from typing import NamedTuple
from uuid import UUID

import msgspec
from dags import (
    QUEUES,
    again,
    done,
    failed,
    opened,
    rows,
    step_states,
    submit,
    task_state,
    value,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.db.store import Store
from tasker_mp.inflight import Settled

from .dag_strategies import Graph, graphs

OUT_OF_STEP = """
select task_uuid, name, state::text, waiting_on, open_parents from tasker.step_readiness
where task_uuid = any(%s)
  and (waiting_on <> open_parents or (state = 'pending') <> (open_parents > 0))
"""


class Chances(NamedTuple):
    """Of an attempt, in percent: to fail for good, to be tried again, to be given back."""

    fail: int
    retry: int
    give_back: int


chances = st.builds(
    Chances, st.sampled_from([0, 0, 5, 30]), st.sampled_from([0, 30]), st.sampled_from([0, 20])
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(graph=graphs(), chances=chances, seed=st.integers(0, 2**32))
def test_counters_follow_the_edges_and_every_step_runs_once(
    database: str, graph: Graph, chances: Chances, seed: int
) -> None:
    tasks = submit(database, graph, 3)
    run = Run(database, tasks, graph, chances, Random(seed))
    asyncio.run(run.drive())
    for task in tasks:
        run.check_end(task)


class Run:
    """Three tasks of one graph, driven through two supervisors at random."""

    def __init__(
        self, database: str, tasks: list[UUID], graph: Graph, chances: Chances, random: Random
    ) -> None:
        self.database = database
        self.tasks = tasks
        self.graph = graph
        self.chances = chances
        self.random = random
        self.held: dict[int, list[ClaimedStep]] = {0: [], 1: []}
        self.completed: Counter[tuple[UUID, str]] = Counter()
        self.failed: set[tuple[UUID, str]] = set()
        self.ended: dict[UUID, str] = {}
        self.waiting = False

    async def drive(self) -> None:
        async with opened(self.database, None, None) as stores:
            while True:
                which = self.random.randrange(2)
                await self._move(stores[which], self.held[which])
                await self._compare_counters(stores[which])
                if not await self._work_left(stores):
                    return

    async def _compare_counters(self, store: Store) -> None:
        cursor = await store.connection.execute(OUT_OF_STEP, [self.tasks])
        assert await cursor.fetchall() == []

    async def _move(self, store: Store, held: list[ClaimedStep]) -> None:
        self.random.shuffle(held)
        batch = [held.pop() for _ in range(min(len(held), self.random.randint(1, 8)))]
        if not batch:
            claimed = await store.claim_steps(QUEUES, self.random.randint(1, 20))
            self._check_inputs(claimed)
            held += claimed
        elif self._happens(self.chances.give_back):
            steps = [(step.task, step.step_no) for step in batch]
            assert await store.give_back(steps, "at random") == len(batch)
        else:
            await self._finish(store, held, batch)

    async def _finish(
        self, store: Store, held: list[ClaimedStep], batch: list[ClaimedStep]
    ) -> None:
        settled = [self._fate(step) for step in batch]
        finished = await store.finish_steps(settled, self.random.randint(0, 6), [])
        assert finished.stale == []
        for task, state in finished.ended:
            assert self.ended.setdefault(UUID(bytes=task), state) is state
        self._check_inputs(finished.continued)
        held += finished.continued

    def _fate(self, step: ClaimedStep) -> Settled:
        key = (UUID(bytes=step.task), step.name)
        if self._happens(self.chances.fail):
            self.failed.add(key)
            return failed(step)
        if self._happens(self.chances.retry):
            return again(step, delay=self.random.choice([0.0, -1.0]))
        self.completed[key] += 1
        return done(step, msgspec.json.encode(step.name))

    def _happens(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    async def _work_left(self, stores: list[Store]) -> bool:
        if any(self.held.values()):
            return True
        promoted, next_due = await stores[0].promote_due()
        assert next_due is None
        depths = await stores[0].queue_depths(QUEUES)
        return bool(promoted or any(queued for _, queued, _ in depths))

    def _check_inputs(self, steps: list[ClaimedStep]) -> None:
        """Every parent is complete, and every ancestor's result is there, once."""
        for step in steps:
            task = UUID(bytes=step.task)
            assert (task, step.name) not in self.failed
            ancestors = self._ancestors(step.name)
            assert all(self.completed[task, name] == 1 for name in ancestors)
            assert msgspec.json.decode(step.dependencies) == {name: name for name in ancestors}

    def _ancestors(self, name: str) -> set[str]:
        found: set[str] = set()
        waiting = list(self.graph[name])
        while waiting:
            parent = waiting.pop()
            if parent not in found:
                found.add(parent)
                waiting += self.graph[parent]
        return found

    def check_end(self, task: UUID) -> None:
        """Complete, or in error with everything done that a failure did not block."""
        dead = {name for uuid, name in self.failed if uuid == task}
        expected = {
            name: "error"
            if name in dead
            else "pending"
            if self._ancestors(name) & dead
            else "complete"
            for name in self.graph
        }
        assert step_states(self.database, task) == expected
        assert task_state(self.database, task) == ("error" if dead else "complete")
        assert self.ended[task] == task_state(self.database, task)
        ran = {name: n for (uuid, name), n in self.completed.items() if uuid == task and n}
        assert ran == {name: 1 for name, state in expected.items() if state == "complete"}
        query = "select open_sinks, failed_steps from tasker.tasks where task_uuid = %s"
        [(sinks, failures)] = rows(self.database, query, task)
        parents = {parent for above in self.graph.values() for parent in above}
        assert sinks == len([n for n in expected if n not in parents and expected[n] != "complete"])
        assert failures == len(dead)
        unfinished = "select count(*) from tasker.steps where task_uuid = %s and attempts > 0"
        assert value(self.database, unfinished, task) == len(ran) + len(dead)
