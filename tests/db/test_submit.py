"""Submit: everything or nothing, once a key, in the order of priorities."""

import asyncio
from typing import Any

import psycopg
import pytest
from dags import (
    ALL,
    CHAIN,
    DIAMOND,
    NAMESPACE,
    ONE,
    QUEUES,
    asynchronous,
    claim,
    client,
    everything,
    execute,
    opened,
    queued,
    rows,
    step_states,
    submission,
    submit,
    task_state,
    template,
    until_blocked,
    value,
)
from psycopg import AsyncConnection

from tasker_mp.client.catalog import Catalog, registration
from tasker_mp.client.submission import Submission, submit_parameters
from tasker_mp.db.connect import connect, connect_async
from tasker_mp.db.queries import query
from tasker_mp.errors import IdempotencyConflictError

CONFLICT = "TK001"
UNKNOWN_TEMPLATE = "TK002"


def register(database: str, flow: Any) -> Catalog:
    catalog = Catalog()
    with connect(database) as connection:
        row = connection.execute(query("register_template"), registration(flow)).fetchone()
    assert row is not None
    catalog.add(row[0], flow)
    return catalog


def parameters(catalog: Catalog, *submissions: Submission) -> dict[str, Any]:
    return submit_parameters(submissions, catalog, 1 << 20)


async def send(
    connection: AsyncConnection[Any], catalog: Catalog, *submissions: Submission
) -> list[tuple[Any, ...]]:
    cursor = await connection.execute(query("submit_tasks"), parameters(catalog, *submissions))
    return await cursor.fetchall()


def test_a_submit_writes_the_task_its_steps_and_enqueues_the_roots(each_database: str) -> None:
    shape = {"a": (), "b": (), "c": ("a", "b"), "d": ("c",)}
    [task] = submit(each_database, shape, context={"n": 1}, initiator="me", tags=("x", "y"))

    with client(each_database) as reader:
        found = reader.get_task(task)
    assert (found.state, found.context, found.initiator, found.tags) == (
        "pending",
        {"n": 1},
        "me",
        ["x", "y"],
    )
    assert found.correlation_id == task
    assert [(s.name, s.state, s.waiting_on, s.children, s.attempts) for s in found.steps] == [
        ("a", "enqueued", 0, [3], 0),
        ("b", "enqueued", 0, [3], 0),
        ("c", "pending", 2, [4], 0),
        ("d", "pending", 1, [], 0),
    ]
    messages = rows(each_database, f"select message from pgmq.q_{QUEUES[1]} order by msg_id")
    assert [m for (m,) in messages] == [{"task": str(task), "step": n} for n in (1, 2)]


def test_a_batch_that_fails_at_its_last_statement_leaves_nothing(each_database: str) -> None:
    submit(each_database, CHAIN)
    execute(each_database, f"drop table pgmq.q_{QUEUES[2]} cascade")
    tables = "select t::text from tasker.{0} t order by 1"
    before = [rows(each_database, tables.format(t)) for t in ("tasks", "steps", "idempotency_keys")]

    batch = [submission(idempotency_key="k"), submission(priority=-1)]
    with client(each_database) as submitter, pytest.raises(Exception, match="does not exist"):
        submitter.submit_many(batch)

    after = [rows(each_database, tables.format(t)) for t in ("tasks", "steps", "idempotency_keys")]
    assert after == before


@pytest.mark.parametrize("key", [None, "k"])
def test_a_template_that_is_not_there_is_refused(each_database: str, key: str | None) -> None:
    catalog = register(each_database, template(ONE))
    known = submission()
    unknown = submission(name="gone", idempotency_key=key)
    catalog.add(4711, template(ONE, name="gone"))
    before = everything(each_database)

    with connect(each_database) as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute(query("submit_tasks"), parameters(catalog, known, unknown))

    assert refused.value.sqlstate == UNKNOWN_TEMPLATE
    assert "4711" in str(refused.value)
    assert everything(each_database) == before


def test_thousands_are_one_statement(each_database: str) -> None:
    tasks = submit(each_database, DIAMOND, 2000)

    assert len(set(tasks)) == 2000
    # The function takes the time once, so one time means one call.
    assert value(each_database, "select count(distinct created_at) from tasker.tasks") == 1
    assert value(each_database, "select count(*) from tasker.steps") == 8000
    assert queued(each_database) == 2000
    stored = [uuid for (uuid,) in rows(each_database, "select task_uuid from tasker.tasks")]
    assert sorted(stored) == sorted(tasks)


# -- idempotency ----------------------------------------------------------------------------------


def test_the_same_key_and_content_is_the_same_task(each_database: str) -> None:
    keyed = {"idempotency_key": "order-1"}
    [first] = submit(each_database, ONE, context={"a": 1, "b": 2}, **keyed)
    before = everything(each_database)

    [again] = submit(each_database, ONE, context={"b": 2, "a": 1}, priority=1, **keyed)

    assert again == first
    assert everything(each_database) == before


def test_the_same_key_with_another_context_is_refused(each_database: str) -> None:
    [task] = submit(each_database, ONE, context={"a": 1}, idempotency_key="order-1")
    before = everything(each_database)

    batch = [submission(), submission({"a": 2}, idempotency_key="order-1")]
    with client(each_database) as submitter, pytest.raises(IdempotencyConflictError) as refused:
        submitter.submit_many(batch)

    assert "order-1" in str(refused.value)
    assert str(task) in str(refused.value)
    assert everything(each_database) == before


def test_a_key_counts_once_within_a_batch(each_database: str) -> None:
    with client(each_database) as submitter:
        submitter.register(template(ONE))
        same = [submission({"a": 1}, idempotency_key="k")] * 3
        tasks = submitter.submit_many([*same, submission({"a": 1})])
        assert tasks[0] == tasks[1] == tasks[2] != tasks[3]

        before = everything(each_database)
        clash = [submission({"a": n}, idempotency_key="other") for n in (1, 2)]
        with pytest.raises(IdempotencyConflictError):
            submitter.submit_many(clash)

    assert everything(each_database) == before
    assert value(each_database, "select count(*) from tasker.tasks") == 2
    assert queued(each_database) == 2


def test_a_key_belongs_to_its_template(database: str) -> None:
    with client(database) as submitter:
        for name in ("flow", "other"):
            submitter.register(template(ONE, name=name))
        first, second = (
            submitter.submit_many([submission(name=name, idempotency_key="k")])
            for name in ("flow", "other")
        )
    assert first != second


@asynchronous
async def test_of_two_submitters_with_one_key_the_second_gets_the_firsts_task(
    each_database: str,
) -> None:
    catalog = register(each_database, template(ONE))
    keyed = submission({"a": 1}, idempotency_key="k")
    async with (
        await connect_async(each_database) as one,
        await connect_async(each_database) as two,
    ):
        async with one.transaction():
            [(first, created)] = await send(one, catalog, keyed)
            waiting = asyncio.create_task(send(two, catalog, keyed))
            await until_blocked(each_database)
        assert created
        assert await waiting == [(first, None)]
    assert value(each_database, "select count(*) from tasker.tasks") == 1
    assert queued(each_database) == 1


@asynchronous
async def test_a_second_submitter_with_another_context_is_refused_after_waiting(
    each_database: str,
) -> None:
    catalog = register(each_database, template(ONE))
    async with (
        await connect_async(each_database) as one,
        await connect_async(each_database) as two,
    ):
        async with one.transaction():
            await send(one, catalog, submission({"a": 1}, idempotency_key="k"))
            other = submission({"a": 2}, idempotency_key="k")
            waiting = asyncio.create_task(send(two, catalog, other))
            await until_blocked(each_database)
        with pytest.raises(psycopg.Error) as refused:
            await waiting
    assert refused.value.sqlstate == CONFLICT
    assert value(each_database, "select count(*) from tasker.tasks") == 1


@asynchronous
async def test_a_key_is_free_again_when_its_first_submitter_rolls_back(database: str) -> None:
    catalog = register(database, template(ONE))
    keyed = submission({"a": 1}, idempotency_key="k")
    async with await connect_async(database) as one, await connect_async(database) as two:
        async with one.transaction(force_rollback=True):
            await send(one, catalog, keyed)
            waiting = asyncio.create_task(send(two, catalog, keyed))
            await until_blocked(database)
        [(_, created)] = await waiting
    assert created
    assert value(database, "select count(*) from tasker.tasks") == 1


@asynchronous
async def test_submitters_of_the_same_keys_in_any_order_do_not_deadlock(each_database: str) -> None:
    catalog = register(each_database, template(ONE))
    low, high = (submission(idempotency_key=key) for key in ("a", "b"))
    async with (
        await connect_async(each_database) as one,
        await connect_async(each_database) as two,
    ):
        async with one.transaction():
            [first] = await send(one, catalog, low)
            waiting = asyncio.create_task(send(two, catalog, high, low))
            await until_blocked(each_database)
            # The waiting one has not taken the later key, though it was handed in first.
            [second] = await send(one, catalog, high)
        assert await waiting == [(second[0], None), (first[0], None)]


# -- order ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [1, 2, ALL])
def test_priorities_are_claimed_in_order_and_first_in_first_out(
    each_database: str, capacity: int
) -> None:
    priorities = [-5, 0, 3, 0, -1, 1, 0, 32767, -32768]
    with client(each_database) as submitter:
        submitter.register(template(ONE))
        tasks = submitter.submit_many([submission(priority=p) for p in priorities])

    @asynchronous
    async def claim_all() -> None:
        async with opened(each_database) as [store]:
            while claimed := await claim(store, capacity):
                order.extend(step.task for step in claimed)

    order: list[bytes] = []
    claim_all()
    expected = [
        task.bytes
        for wanted in (1, 0, -1)
        for task, p in zip(tasks, priorities, strict=True)
        if (p > 0) - (p < 0) == wanted
    ]
    assert order == expected


@asynchronous
async def test_a_large_claim_keeps_the_order_of_submission(each_database: str) -> None:
    tasks = submit(each_database, ONE, 1500)
    async with opened(each_database) as [store]:
        claimed = await claim(store, 1000)
    assert [step.task for step in claimed] == [task.bytes for task in tasks[:1000]]


# -- templates ------------------------------------------------------------------------------------


def test_a_task_keeps_the_template_it_was_submitted_with(database: str) -> None:
    [old] = submit(database, CHAIN)
    [new] = submit(database, ONE)
    assert list(step_states(database, old)) == ["first", "second", "third"]
    assert list(step_states(database, new)) == ["only"]
    assert task_state(database, old) == "pending"


def test_registering_the_same_text_again_moves_it_to_the_front(database: str) -> None:
    with client(database) as submitter:
        first = submitter.register(template(ONE))
        second = submitter.register(template(CHAIN))
        assert submitter.register(template(ONE)) == first != second
    with client(database) as submitter:
        [task] = submitter.submit_many([submission()])
    assert list(step_states(database, task)) == ["only"]


@asynchronous
async def test_a_namespace_first_seen_by_two_at_once_gets_its_queues(database: str) -> None:
    flow = registration(template(ONE))
    async with await connect_async(database) as one, await connect_async(database) as two:
        async with one.transaction():
            await one.execute(query("register_template"), flow)
            waiting = asyncio.create_task(two.execute(query("register_template"), flow))
            await until_blocked(database)
        await waiting
    names = rows(database, "select queue_name from pgmq.meta order by 1")
    assert [name for (name,) in names] == sorted(QUEUES)
    assert all(name.startswith(f"worker_{NAMESPACE}_queue") for (name,) in names)
