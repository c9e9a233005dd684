"""Finishes that meet: on connections of their own, in the worst order, and never in a deadlock."""

import asyncio
import random
from collections.abc import Sequence
from uuid import UUID

import pytest
from dags import (
    ALL,
    DIAMOND,
    PAIR,
    asynchronous,
    claim,
    claim_by_name,
    done,
    failed,
    finish,
    opened,
    queued,
    submit,
    task_state,
    until_blocked,
    value,
)

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.db.store import Finished, Store
from tasker_mp.inflight import Settled

FORK = {"root": (), "sink": ("root",), "goes on": ("root",), "after": ("goes on",)}


async def at_the_same_time(
    database: str, first: tuple[Store, Settled], second: tuple[Store, Settled]
) -> tuple[Finished, Finished]:
    """Both transactions have finished their step before either commits, `first` first."""
    store, settled = first
    async with store.connection.transaction():
        one = await store.finish_steps([settled], ALL, [])
        waiting = asyncio.create_task(second[0].finish_steps([second[1]], ALL, []))
        await until_blocked(database)
    return one, await waiting


@pytest.mark.parametrize("order", [("left", "right"), ("right", "left")])
@asynchronous
async def test_parents_that_finish_at_the_same_time_make_their_child_ready_once(
    each_database: str, order: Sequence[str]
) -> None:
    [task] = submit(each_database, DIAMOND)
    async with opened(each_database, None, None) as [one, two]:
        await finish(one, done((await claim(one))[0]))
        steps = await claim_by_name(one)
        first, second = [done(steps[name]) for name in order]
        before, after = await at_the_same_time(each_database, (one, first), (two, second))
        assert before.continued == []
        [end] = after.continued
        assert (end.name, await claim(one), queued(each_database)) == ("end", [], 0)
        assert value(each_database, "select waiting_on from tasker.steps where name = 'end'") == 0
        _, (_, ended) = await finish(two, done(end))
    assert ended == [(task.bytes, "complete")]


@asynchronous
async def test_a_parent_whose_finish_is_rolled_back_does_not_count(each_database: str) -> None:
    submit(each_database, DIAMOND)
    async with opened(each_database, None, None) as [one, two]:
        await finish(one, done((await claim(one))[0]))
        steps = await claim_by_name(one)
        async with one.connection.transaction(force_rollback=True):
            await finish(one, done(steps["left"]))
            waiting = asyncio.create_task(finish(two, done(steps["right"]), capacity=9))
            await until_blocked(each_database)
        assert await waiting == ([], ([], []))
        [end], _ = await finish(one, done(steps["left"]), capacity=9)
        assert end.name == "end"


FATES = {"complete": done, "error": failed}


@pytest.mark.parametrize(
    ("one", "two", "ends"),
    [
        ("complete", "complete", "complete"),
        ("error", "error", "error"),
        ("complete", "error", "error"),
        ("error", "complete", "error"),
    ],
)
@asynchronous
async def test_two_last_steps_that_finish_at_the_same_time_end_the_task_once(
    each_database: str, one: str, two: str, ends: str
) -> None:
    [task] = submit(each_database, PAIR)
    async with opened(each_database, None, None) as [here, there]:
        steps = await claim_by_name(here)
        first, second = FATES[one](steps["one"]), FATES[two](steps["two"])
        before, after = await at_the_same_time(each_database, (here, first), (there, second))
    assert (before.ended, after.ended) == ([], [(task.bytes, ends)])
    assert task_state(each_database, task) == ends


@asynchronous
async def test_a_failure_beside_a_step_that_unlocks_another_leaves_the_end_to_that(
    each_database: str,
) -> None:
    [task] = submit(each_database, {"fails": (), "works": (), "after": ("works",)})
    async with opened(each_database, None, None) as [one, two]:
        steps = await claim_by_name(one)
        async with one.connection.transaction():
            [after], _ = await finish(one, done(steps["works"]), capacity=1)
            # Unseen by this one: for it, `works` is still in progress, and the task not over.
            _, (_, ended) = await finish(two, failed(steps["fails"]))
            assert ended == []
        _, (_, ended) = await finish(one, done(after))
    assert ended == [(task.bytes, "error")]


@asynchronous
async def test_many_finishers_of_the_same_tasks_never_deadlock(each_database: str) -> None:
    roots = {f"root {n}": () for n in range(6)}
    middle = {f"middle {n}": tuple(roots) for n in range(6)}
    alone = {f"alone {n}": (f"middle {n}",) for n in range(3)}
    shape = {**roots, **middle, **alone, "end": tuple(middle)}
    tasks = submit(each_database, shape, 30)
    shuffle = random.Random(7)

    async with opened(each_database, *[None] * 6) as stores:
        # The longest time that a wait for a lock can take before it is looked into.
        for store in stores:
            await store.connection.execute("set deadlock_timeout = '20ms'")
        steps = await claim(stores[0])
        while steps:
            shuffle.shuffle(steps)
            answers = await asyncio.gather(
                *[
                    _finish_some(store, steps[index :: len(stores)])
                    for index, store in enumerate(stores)
                ]
            )
            steps = [step for answer in answers for step in answer] + await claim(stores[0])

    assert {task_state(each_database, task) for task in tasks} == {"error"}
    assert value(each_database, "select count(*) from tasker.steps where state = 'complete'") == (
        (6 + 6 + 2 + 1) * 30
    )


async def _finish_some(store: Store, steps: list[ClaimedStep]) -> list[ClaimedStep]:
    """In batches; one step of each task fails, beside others that go on."""
    continued = []
    for start in range(0, len(steps), 20):
        batch = [
            failed(step) if step.name == "alone 0" else done(step)
            for step in steps[start : start + 20]
        ]
        finished = await store.finish_steps(batch, 10, [])
        assert not finished.stale
        continued += finished.continued
    return continued


@asynchronous
async def test_tasks_that_go_on_and_end_in_opposite_batches_never_deadlock(
    each_database: str,
) -> None:
    """A batch's tasks are locked in one order, those that go on and those that may be over."""
    tasks = submit(each_database, FORK, 2)
    async with opened(each_database, None, None) as [one, two]:
        await finish(one, *[done(step) for step in await claim(one)])
        steps = {(step.task, step.name): step for step in await claim(one)}
        low, high = sorted(task.bytes for task in tasks)
        async with two.connection.transaction():
            await two.connection.execute(
                "select from tasker.tasks where task_uuid = %s for update", [UUID(bytes=low)]
            )
            # `high` may be over (its sink fails), `low` goes on (a child becomes ready).
            batch = [failed(steps[high, "sink"]), done(steps[low, "sink"])]
            waiting = asyncio.create_task(finish(one, *batch, done(steps[low, "goes on"])))
            await until_blocked(each_database)
            # The waiting one holds nothing yet that comes later in the order.
            await two.connection.execute(
                "select from tasker.tasks where task_uuid = %s for update nowait",
                [UUID(bytes=high)],
            )
        await waiting
