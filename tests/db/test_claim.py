"""Claims: each step to one claimer, charged, with everything that its handler needs."""

import asyncio
from collections import Counter
from uuid import UUID

import msgspec
import pytest
from dags import (
    ALL,
    CHAIN,
    ONE,
    PAIR,
    QUEUES,
    again,
    asynchronous,
    claim,
    done,
    execute,
    finish,
    ids,
    opened,
    queued,
    rows,
    step_states,
    submit,
    task_state,
    value,
)

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.db.connect import connect
from tasker_mp.db.store import Store


@asynchronous
async def test_concurrent_claims_never_overlap(each_database: str) -> None:
    tasks = submit(each_database, PAIR, 300)

    async def claim_all(store: Store) -> list[ClaimedStep]:
        mine: list[ClaimedStep] = []
        while claimed := await claim(store, 7):
            mine += claimed
        return mine

    async with opened(each_database, *[None] * 8) as stores:
        shares = await asyncio.gather(*[claim_all(store) for store in stores])

    claimed = [step for share in shares for step in share]
    counts = Counter((step.task, step.step_no) for step in claimed)
    assert set(counts) == {(task.bytes, number) for task in tasks for number in (1, 2)}
    assert set(counts.values()) == {1}
    assert len({step.event_id for step in claimed}) == 600
    owners = dict(rows(each_database, "select owner, count(*) from tasker.steps group by 1"))
    assert owners == {store.owner: len(share) for store, share in zip(stores, shares, strict=True)}


@asynchronous
async def test_a_claim_passes_by_what_another_one_is_taking(each_database: str) -> None:
    submit(each_database, ONE, 10)
    async with opened(each_database, None, None) as [one, two], one.connection.transaction():
        first = await claim(one, 4)
        second = await asyncio.wait_for(claim(two), 5)
    assert (len(first), len(second)) == (4, 6)
    assert not ids(first) & ids(second)


@asynchronous
async def test_a_claim_that_is_rolled_back_leaves_the_step_in_its_queue(each_database: str) -> None:
    [task] = submit(each_database, ONE)
    async with opened(each_database) as [store]:
        async with store.connection.transaction(force_rollback=True):
            assert len(await claim(store)) == 1
        assert step_states(each_database, task) == {"only": "enqueued"}
        [step] = await claim(store)
    assert step.attempt == 1


@asynchronous
async def test_a_claim_charges_the_attempt_and_says_who_holds_the_step(each_database: str) -> None:
    [task, untouched] = submit(each_database, CHAIN, 2)
    async with opened(each_database) as [store]:
        [step] = await claim(store, 1)
    assert (UUID(bytes=step.task), step.name, step.attempt) == (task, "first", 1)

    assert rows(
        each_database,
        "select state::text, attempts, owner, event_id, claimed_at >= enqueued_at"
        " from tasker.steps where task_uuid = %s and step_no = 1",
        task,
    ) == [("in_progress", 1, store.owner, UUID(bytes=step.event_id), True)]
    assert task_state(each_database, task) == "in_progress"
    assert task_state(each_database, untouched) == "pending"
    assert rows(each_database, "select * from tasker.claims") == [
        (step.claim_id, store.owner, [task], [1])
    ]


@pytest.mark.parametrize("state", ["cancelled", "resolved_manually"])
@asynchronous
async def test_the_message_of_a_step_that_is_not_to_run_is_dropped(
    each_database: str, state: str
) -> None:
    tasks = submit(each_database, ONE, 30)
    execute(
        each_database,
        "update tasker.steps set state = %s::tasker.step_state where task_uuid = any(%s)",
        state,
        tasks[:20],
    )
    async with opened(each_database) as [store]:
        # Those behind are claimed all the same: fewer than asked for means that no more are there.
        claimed = await claim(store, 5)
        assert [step.task for step in claimed] == [task.bytes for task in tasks[20:25]]
        assert len(await claim(store)) == 5
    assert queued(each_database) == 0
    assert value(each_database, "select sum(attempts) from tasker.steps") == 10


@asynchronous
async def test_who_finds_only_messages_to_drop_is_told_to_come_again(each_database: str) -> None:
    submit(each_database, ONE, 31)
    dead = "update tasker.steps set state = 'cancelled' where task_uuid <> "
    execute(each_database, dead + "(select max(task_uuid::text)::uuid from tasker.steps)")
    async with opened(each_database) as [store]:
        with connect(each_database) as listener:
            listener.execute("listen tasker_ready")
            assert await claim(store, 1) == []
            assert [n.payload for n in listener.notifies(timeout=5, stop_after=1)] == [QUEUES[1]]
            assert len(await claim(store, 1)) == 1
            assert list(listener.notifies(timeout=0)) == []


@asynchronous
async def test_claims_from_nothing_return_nothing_and_leave_no_trace(each_database: str) -> None:
    submit(each_database, ONE)
    async with opened(each_database) as [store]:
        assert await claim(store, 0) == []
        assert await store.claim_steps([], 10) == []
        assert len(await claim(store)) == 1
        assert await claim(store) == []
    assert value(each_database, "select count(*) from tasker.claims") == 1


# -- hydration ------------------------------------------------------------------------------------

EXACT = 6**640
TEXT = 'nul \x00, ünïcödé 数 🎲, "quotes" and \\ and \u2028'


@asynchronous
async def test_a_step_gets_the_context_and_the_results_of_all_its_ancestors(
    each_database: str,
) -> None:
    odd = "name \"quoted' \\ ü"
    shape = {"a": (), odd: ("a",), "aside": ("a",), "c": (odd,), "last": ("c",)}
    context = {"big": EXACT, "text": TEXT, "nested": {"list": [1, 2.5, None, True]}}
    submit(each_database, shape, context=context)
    results = {"a": {"big": -EXACT}, odd: {TEXT: TEXT}, "c": None, "aside": {"not": "seen"}}

    async with opened(each_database) as [store]:
        steps = await claim(store)
        while steps and steps[0].name in results:
            batch = [done(step, msgspec.json.encode(results[step.name])) for step in steps]
            steps, _ = await finish(store, *batch, capacity=ALL)
            steps = [s for s in steps if s.name != "aside"] or steps

    [last] = steps
    assert last.name == "last"
    assert msgspec.json.decode(last.context) == context
    del results["aside"]
    assert msgspec.json.decode(last.dependencies) == results


@asynchronous
async def test_the_database_keeps_results_to_the_letter(each_database: str) -> None:
    submit(each_database, CHAIN)
    result = b'{"a" : 1.10, "a" : 12345678901234567890123, "s":"\\u0000\\ud83c\\udfb2"}'
    async with opened(each_database) as [store]:
        [first] = await claim(store)
        [second], _ = await finish(store, done(first, result), capacity=1)
    assert second.dependencies == b'{"first":' + result + b"}"


@asynchronous
async def test_a_step_without_parents_gets_no_results(database: str) -> None:
    submit(database, ONE, correlation_id=UUID(int=7))
    async with opened(database) as [store]:
        [step] = await claim(store)
    assert step.dependencies == b"{}"
    assert step.correlation_id == UUID(int=7).bytes


@asynchronous
async def test_a_resolved_ancestor_gives_its_result_and_one_without_is_left_out(
    database: str,
) -> None:
    [task] = submit(database, {"a": (), "b": (), "c": ("a", "b")})
    update = (
        "update tasker.steps set state = 'resolved_manually', result = %s::json where step_no = %s"
    )
    execute(database, update, '{"by":"hand"}', 1)
    execute(database, update, None, 2)
    execute(
        database, "update tasker.steps set state = 'enqueued', waiting_on = 0 where step_no = 3"
    )
    execute(database, "select tasker.send_ready(array[%s::uuid], array[3])", task)
    async with opened(database) as [store]:
        [step] = await claim(store)
    assert msgspec.json.decode(step.dependencies) == {"a": {"by": "hand"}}


# -- plans ----------------------------------------------------------------------------------------


@asynchronous
async def test_plans_made_on_small_tables_do_not_scan_large_ones(each_database: str) -> None:
    """A supervisor that started on an empty database keeps its plans while a backlog grows."""
    for table in ("steps", "tasks"):
        execute(each_database, f"alter table tasker.{table} set (autovacuum_enabled = false)")
    submit(each_database, CHAIN, 3)
    # A page each, and known to be: nothing is cheaper than to scan it.
    execute(each_database, "vacuum analyze tasker.steps, tasker.tasks")
    async with opened(each_database) as [store]:
        await _every_call(store)
        submit(each_database, CHAIN, 4000)
        async with store.connection.transaction():
            await _every_call(store)
            read = await _rows_read(store)
    # A dozen statements on a few rows each, some of them dead versions; the tables hold 16,000.
    assert read < 600


async def _every_call(store: Store) -> None:
    [step] = await claim(store, 1)
    [step], _ = await finish(store, done(step), capacity=1)
    await finish(store, again(step))
    await store.promote_due()
    [step] = await claim(store, 1)
    await store.give_back([(step.task, step.step_no)], "a test")
    await claim(store, 1)
    await store.recover_owner()


async def _rows_read(store: Store) -> int:
    """By this transaction, from steps and tasks, by any kind of scan."""
    cursor = await store.connection.execute(
        "select sum(seq_tup_read + idx_tup_fetch)::integer from pg_stat_xact_user_tables"
        " where schemaname = 'tasker' and relname in ('steps', 'tasks')"
    )
    [row] = await cursor.fetchall()
    return int(row[0])
