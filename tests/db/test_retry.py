"""Retries: they wait in their rows, become ready when they are due, and lose nothing."""

import asyncio

import pytest
from dags import (
    CHAIN,
    ONE,
    again,
    asynchronous,
    claim,
    done,
    execute,
    finish,
    opened,
    queued,
    rows,
    step_states,
    submit,
    value,
)

from tasker_mp.db.connect import connect


@asynchronous
async def test_a_retry_waits_until_it_is_due(each_database: str) -> None:
    [task] = submit(each_database, ONE)
    async with opened(each_database) as [store]:
        [step] = await claim(store)
        await finish(store, again(step, delay=1000.0))

        promoted, next_due = await store.promote_due()
        assert promoted == 0
        assert next_due is not None
        assert 990 < next_due <= 1000
        assert step_states(each_database, task) == {"only": "waiting_for_retry"}
        assert queued(each_database) == 0

        execute(each_database, "update tasker.steps set due_at = now()")
        assert await store.promote_due() == (1, None)
        assert step_states(each_database, task) == {"only": "enqueued"}
        assert queued(each_database) == 1


@asynchronous
async def test_nothing_is_due_where_nothing_waits(each_database: str) -> None:
    submit(each_database, ONE)
    async with opened(each_database) as [store]:
        # Not 0.0: who asks would ask again at once, for ever.
        assert await store.promote_due() == (0, None)


@asynchronous
async def test_the_next_attempt_is_charged_and_may_succeed(each_database: str) -> None:
    [task] = submit(each_database, CHAIN)
    async with opened(each_database) as [store]:
        for attempt in (1, 2, 3):
            [step] = await claim(store)
            assert step.attempt == attempt
            await finish(store, again(step))
            stored = (
                "select error ->> 'message', result is null from tasker.steps where step_no = 1"
            )
            assert rows(each_database, stored) == [("later", True)]
            await store.promote_due()
        [step] = await claim(store)
        [child], _ = await finish(store, done(step, b'{"at":"last"}'), capacity=1)
    assert child.dependencies == b'{"first":{"at":"last"}}'
    assert value(each_database, "select error from tasker.steps where step_no = 1") is None
    assert step_states(each_database, task)["first"] == "complete"


@asynchronous
async def test_retries_that_are_due_are_promoted_oldest_first_and_announced_once(
    each_database: str,
) -> None:
    submit(each_database, ONE, 5)
    async with opened(each_database) as [store]:
        steps = await claim(store)
        delays = [-1.0, -3.0, 500.0, -5.0, 300.0]
        batch = [again(step, delay) for step, delay in zip(steps, delays, strict=True)]
        await finish(store, *batch)
        with connect(each_database) as listener:
            listener.execute("listen tasker_ready")
            promoted, next_due = await store.promote_due()
            assert [n.payload for n in listener.notifies(timeout=5, stop_after=1)] == [
                "worker_dags_queue"
            ]
            assert list(listener.notifies(timeout=0)) == []
        assert promoted == 3
        assert next_due is not None
        assert 290 < next_due <= 300
        assert {step.task for step in await claim(store)} == {steps[n].task for n in (0, 1, 3)}


@asynchronous
async def test_two_promoters_promote_a_retry_once_and_do_not_wait_for_each_other(
    each_database: str,
) -> None:
    submit(each_database, ONE, 3)
    async with opened(each_database, None, None) as [one, two]:
        await finish(one, *[again(step) for step in await claim(one)])
        async with one.connection.transaction():
            assert (await one.promote_due())[0] == 3
            assert (await asyncio.wait_for(two.promote_due(), 5))[0] == 0
        assert (await two.promote_due())[0] == 0
    assert queued(each_database) == 3


@pytest.mark.parametrize("state", ["cancelled", "resolved_manually"])
@asynchronous
async def test_a_waiting_step_that_is_not_to_run_any_more_is_left_alone(
    each_database: str, state: str
) -> None:
    [task] = submit(each_database, ONE)
    async with opened(each_database) as [store]:
        await finish(store, again((await claim(store))[0]))
        execute(each_database, "update tasker.steps set state = %s::tasker.step_state", state)
        assert await store.promote_due() == (0, None)
    assert step_states(each_database, task) == {"only": state}


@asynchronous
async def test_a_step_that_is_not_to_wait_any_more_has_no_due_time(each_database: str) -> None:
    submit(each_database, ONE)
    async with opened(each_database) as [store]:
        await finish(store, again((await claim(store))[0], delay=-1.0))
        await store.promote_due()
        assert value(each_database, "select due_at from tasker.steps") is None
        [step] = await claim(store)
        await finish(store, done(step))
    assert value(each_database, "select due_at from tasker.steps") is None


@asynchronous
async def test_a_step_that_a_batch_names_twice_is_on_record_once(each_database: str) -> None:
    """A crash of the server took a claim back that had been answered: two events for one step."""
    [task] = submit(each_database, ONE)
    async with opened(each_database) as [store]:
        [step] = await claim(store)
        lost = step._replace(event_id=bytes(16))
        _, (stale, _) = await finish(store, done(lost), again(step))
        assert stale == [lost.event_id]
    recorded = "select to_state from tasker.transitions where task_uuid = %s order by at"
    assert [state for (state,) in rows(each_database, recorded, task)] == [
        "enqueued",
        "in_progress",
        "waiting_for_retry",
    ]
