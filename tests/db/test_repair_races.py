"""Repair and finish at the same time: one of them comes first, and no count is lost either way."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any
from uuid import UUID

import pytest
from dags import (
    CONFIG,
    DIAMOND,
    PAIR,
    QUEUES,
    again,
    asynchronous,
    claim,
    claim_by_name,
    done,
    failed,
    finish,
    opened,
    rows,
    run_to_the_end,
    step_states,
    submit,
    task_state,
    until_blocked,
    value,
)

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.client import AsyncClient
from tasker_mp.client.repair import Repair
from tasker_mp.db.store import Store
from tasker_mp.errors import EngineError, IllegalTransitionError
from tasker_mp.identity import step_uuid
from tasker_mp.inflight import Settled

DISAGREEING = """
select t.task_uuid, t.state::text, t.failed_steps, t.open_sinks from tasker.tasks t
join tasker.steps s using (task_uuid)
where t.state in ('pending', 'in_progress', 'error')
group by t.task_uuid
having t.failed_steps <> count(*) filter (where s.state = 'error')
    or t.open_sinks <> count(*) filter (
        where s.children = '{}' and s.state not in ('complete', 'resolved_manually'))
union all
select task_uuid, name, waiting_on, open_parents from tasker.step_readiness
where state = 'pending' and (waiting_on <> open_parents or open_parents = 0)
"""
FATES: dict[str, Callable[[ClaimedStep], Settled]] = {
    "done": done,
    "failed": failed,
    "again": again,
}
Verb = Callable[[AsyncClient, UUID], Awaitable[Repair]]
VERBS: dict[str, Verb] = {
    "cancel": lambda c, task: c.cancel_task(task),
    "resolve task": lambda c, task: c.resolve_task(task, reason="r"),
    "resolve step": lambda c, task: c.resolve_step(step_uuid(task, 2), reason="r"),
}
ENDS = {
    ("cancel", "done"): "cancelled",
    ("cancel", "failed"): "cancelled",
    ("cancel", "again"): "cancelled",
    ("resolve task", "done"): "resolved_manually",
    ("resolve task", "failed"): "resolved_manually",
    ("resolve task", "again"): "resolved_manually",
}


def repairer(database: str) -> AsyncClient:
    return AsyncClient(database, config=CONFIG)


# -- one against the other ------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("fate", FATES)
@asynchronous
async def test_a_repair_waits_for_the_finish_before_it(
    each_database: str, verb: str, fate: str
) -> None:
    [task] = submit(each_database, DIAMOND)
    async with opened(each_database) as [store], repairer(each_database) as hand:
        await finish(store, done((await claim(store))[0]))
        steps = await claim_by_name(store)
        async with store.connection.transaction():
            _, (stale, _) = await finish(store, FATES[fate](steps["left"]))
            waiting = asyncio.create_task(VERBS[verb](hand, task))
            await until_blocked(each_database)
        assert stale == []
        if (verb, fate) == ("resolve step", "done"):
            with pytest.raises(IllegalTransitionError, match="complete"):
                await waiting
        else:
            await waiting
        assert rows(each_database, DISAGREEING) == []
        kept = step_states(each_database, task)["left"]
        assert (kept == "complete") == (fate == "done")
        assert task_state(each_database, task) == ENDS.get((verb, fate), "in_progress")
        if verb == "resolve step":
            await finish(store, done(steps["right"]))
            await run_to_the_end(store)
            assert task_state(each_database, task) == "complete"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("fate", FATES)
@asynchronous
async def test_a_finish_that_waits_for_a_repair_is_stale_and_its_batch_goes_on(
    each_database: str, verb: str, fate: str
) -> None:
    task, other = submit(each_database, DIAMOND, 2)
    async with opened(each_database, None, None) as [store, hand]:
        await finish(store, *[done(step) for step in await claim(store)])
        mine = {(UUID(bytes=s.task), s.name): s for s in await claim(store)}
        left, neighbour = mine[task, "left"], mine[other, "left"]
        async with hand.connection.transaction():
            await _by_hand(hand, verb, task)
            batch = [FATES[fate](left), done(neighbour)]
            waiting = asyncio.create_task(finish(store, *batch, capacity=9))
            await until_blocked(each_database)
        _, (stale, _) = await waiting
        assert stale == [left.event_id]
        assert rows(each_database, DISAGREEING) == []
        rest = [mine[other, "right"], *([mine[task, "right"]] if verb == "resolve step" else [])]
        await finish(store, *[done(step) for step in rest])
        await run_to_the_end(store)
    assert task_state(each_database, other) == "complete"
    assert task_state(each_database, task) == ENDS.get((verb, fate), "complete")


@asynchronous
async def test_a_finish_that_waits_for_a_repair_finds_the_edges_that_it_gave_back(
    each_database: str,
) -> None:
    [task] = submit(each_database, {"first": (), "second": ("first",), "last": ("first", "second")})
    async with opened(each_database, None, None) as [store, hand]:
        [first] = await claim(store)
        async with hand.connection.transaction():
            await _by_hand(hand, "resolve step", task)
            waiting = asyncio.create_task(finish(store, done(first), capacity=9))
            await until_blocked(each_database)
        [last], _ = await waiting
        assert last.name == "last"
        assert rows(each_database, DISAGREEING) == []
        await finish(store, done(last))
    assert task_state(each_database, task) == "complete"


async def _by_hand(store: Store, verb: str, task: UUID) -> None:
    """The repair in the transaction that the store has open."""
    statements: dict[str, tuple[str, list[Any]]] = {
        "cancel": ("select tasker.end_task(%s, 'cancelled', 'me', 'r')", [task]),
        "resolve task": ("select tasker.end_task(%s, 'resolved_manually', 'me', 'r')", [task]),
        "resolve step": ("select tasker.resolve_step(%s, 2, null, 'me', 'r')", [task]),
    }
    statement, parameters = statements[verb]
    await store.connection.execute(statement.encode(), parameters)


@asynchronous
async def test_steps_that_finish_in_another_order_than_a_cancel_locks_them_do_not_deadlock(
    each_database: str,
) -> None:
    [task] = submit(each_database, {**PAIR, "three": ()})
    async with opened(each_database) as [store], repairer(each_database) as hand:
        steps = await claim_by_name(store)
        async with store.connection.transaction():
            await finish(store, done(steps["two"]))
            cancelling = asyncio.create_task(hand.cancel_task(task))
            await until_blocked(each_database)  # it has locked `one`
            # Well before the server looks for deadlocks, after one second.
            await store.connection.execute("set local lock_timeout = '500ms'")
            _, (stale, _) = await finish(store, done(steps["one"]))
            assert stale == []
        made = await cancelling
    assert [change.step for change in made.changes] == ["three", ""]
    assert step_states(each_database, task) == {
        "one": "complete",
        "two": "complete",
        "three": "cancelled",
    }


@asynchronous
async def test_a_task_that_stays_locked_is_told_and_left_alone(database: str) -> None:
    [task] = submit(database, PAIR)
    async with opened(database, None, None) as [store, hand], repairer(database) as client:
        await hand.connection.execute(  # not 200 times, which takes 10 s
            "do $$ begin execute replace(pg_get_functiondef('tasker.lock_task'::regproc),"
            " '200', '2'); end $$"
        )
        [one, _] = await claim(store)
        async with store.connection.transaction():
            await finish(store, done(one))
            with pytest.raises(EngineError, match=f"{task} locked; try again"):
                await client.cancel_task(task)
        assert task_state(database, task) == "in_progress"


@asynchronous
async def test_two_repairs_of_one_step_at_the_same_time_count_once(each_database: str) -> None:
    [task] = submit(each_database, DIAMOND)
    async with opened(each_database) as [hand], repairer(each_database) as other:
        async with hand.connection.transaction():
            await hand.connection.execute(
                "select tasker.resolve_step(%s, 1, null, 'me', 'r')", [task]
            )
            waiting = asyncio.create_task(other.resolve_step(step_uuid(task, 1), reason="r"))
            await until_blocked(each_database)
        with pytest.raises(IllegalTransitionError, match="already"):
            await waiting
    assert rows(each_database, DISAGREEING) == []
    assert value(each_database, "select sum(waiting_on) from tasker.steps") == 2


# -- all against all ------------------------------------------------------------------------------

WIDE = {
    "a": (),
    "b": (),
    **{f"m{n}": (("a", "b")[n % 2],) for n in range(6)},
    "join": ("m0", "m1", "m2"),
    "sink": ("m3", "m4"),
    "end": ("join", "m5"),
}


@pytest.mark.parametrize("seed", range(3))
@asynchronous
async def test_supervisors_and_repairers_at_random_lose_no_count(
    each_database: str, seed: int
) -> None:
    tasks = submit(each_database, WIDE, 40)
    open_ = asyncio.Event()
    async with opened(each_database, None, None) as stores, repairer(each_database) as one:
        async with repairer(each_database) as two:
            drivers = [
                asyncio.create_task(_drive(store, Random(f"{seed} {n}"), open_))
                for n, store in enumerate(stores)
            ]
            hands = [
                _repair(hand, tasks, Random(f"{seed} {n}")) for n, hand in enumerate((one, two))
            ]
            made = await asyncio.gather(*hands)
            open_.set()
            await asyncio.gather(*drivers)
        assert sum(made) > 20  # tries that were possible
        assert rows(each_database, DISAGREEING) == []
        # What failed beside branches that still run is an error once those are through.
        await _run_all(stores[0])
        for task in tasks:
            if task_state(each_database, task) == "error":
                await one.retry_task(task)
        await _run_all(stores[0])
    assert rows(each_database, DISAGREEING) == []
    ends = {task_state(each_database, task) for task in tasks}
    assert ends <= {"complete", "cancelled", "resolved_manually"}
    assert "complete" in ends
    assert (
        value(each_database, "select count(*) from tasker.steps where state = 'in_progress'") == 0
    )


async def _run_all(store: Store) -> None:
    await store.promote_due()
    await run_to_the_end(store)


async def _drive(store: Store, random: Random, finishing: asyncio.Event) -> None:
    """Claims and finishes batches in no order, until there is nothing left and nobody repairs."""
    held: list[ClaimedStep] = []
    while held or not finishing.is_set():
        held += await store.claim_steps(QUEUES, random.randint(1, 12))
        random.shuffle(held)
        batch = [held.pop() for _ in range(min(len(held), random.randint(1, 8)))]
        fates = random.choices([done, failed, again], [8, 2, 1], k=len(batch))
        settled = [fate(step) for fate, step in zip(fates, batch, strict=True)]
        finished = await store.finish_steps(settled, random.randint(0, 6), [])
        held += finished.continued
        await store.promote_due()


async def _repair(hand: AsyncClient, tasks: list[UUID], random: Random) -> int:
    """150 repairs at random; how many were possible. Every error but a refusal is raised."""
    made = 0
    for _ in range(150):
        task = random.choice(tasks)
        step = step_uuid(task, random.randint(1, len(WIDE)))
        [call] = random.choices(
            [
                lambda task=task, step=step: hand.retry_task(task),
                lambda task=task, step=step: hand.retry_step(step),
                lambda task=task, step=step: hand.resolve_step(step, reason="r"),
                lambda task=task, step=step: hand.complete_step(step, {"by": "hand"}, reason="r"),
                lambda task=task, step=step: hand.cancel_task(task),
                lambda task=task, step=step: hand.resolve_task(task, reason="r"),
            ],
            [30, 20, 25, 20, 1, 1],
        )
        try:
            await call()
        except IllegalTransitionError:
            continue
        made += 1
    return made
