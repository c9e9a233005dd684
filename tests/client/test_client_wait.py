"""Waiting: every end is heard of, whatever happens at the same moment."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from dags import (
    CHAIN,
    CONFIG,
    ONE,
    asynchronous,
    claim,
    client,
    done,
    failed,
    finish,
    opened,
    rows,
    run_to_the_end,
    submit,
    until_blocked,
)

from tasker_mp.client import AsyncClient
from tasker_mp.db.connect import connect_async
from tasker_mp.db.queries import query
from tasker_mp.errors import UnknownTaskError

LISTENERS = (
    "select pid from pg_stat_activity"
    " where datname = current_database() and query = 'listen tasker_ended'"
)


async def until_waited(database: str, *tasks: UUID) -> None:
    """Returns once somebody has asked for each task's end to be announced."""
    asked = "select count(*) from tasker.tasks where waited and task_uuid = any(%s)"
    async with asyncio.timeout(10):
        while rows(database, asked, list(tasks)) != [(len(tasks),)]:
            await asyncio.sleep(0.002)


@asynchronous
async def test_a_wait_ends_with_the_task(database: str) -> None:
    good, bad = submit(database, CHAIN, 2)
    with client(database) as one, client(database) as two:
        waits = [
            asyncio.create_task(asyncio.to_thread(waiter.wait, task, 20))
            for waiter, task in ((one, good), (two, bad))
        ]
        await until_waited(database, good, bad)
        async with opened(database) as [store]:
            steps = {UUID(bytes=step.task): step for step in await claim(store)}
            [second], _ = await finish(store, done(steps[good]), failed(steps[bad]), capacity=1)
            [third], _ = await finish(store, done(second, b'{"x":2}'), capacity=1)
            await finish(store, done(third))
        won, lost = await asyncio.gather(*waits)
    assert (won.uuid, won.state, won.is_final) == (good, "complete", True)
    assert won.results == {"first": {"result": 1}, "second": {"x": 2}, "third": {"result": 1}}
    assert (lost.uuid, lost.state, lost.results) == (bad, "error", {})
    assert lost.errors["first"]["message"] == "no"


@asynchronous
async def test_a_wait_for_a_task_that_has_ended_returns_at_once(database: str) -> None:
    [task] = submit(database, ONE)
    async with opened(database) as [store]:
        await run_to_the_end(store)
    with client(database) as waiter:
        assert waiter.wait(task, timeout=0).state == "complete"
    async with AsyncClient(database, config=CONFIG) as async_waiter:
        assert (await async_waiter.wait(task, timeout=10)).state == "complete"


@asynchronous
async def test_a_wait_that_is_too_long_or_for_nothing_says_so(database: str) -> None:
    [task] = submit(database, ONE)
    with client(database) as waiter:
        with pytest.raises(TimeoutError, match=f"task {task} has not ended within 0.01 s"):
            waiter.wait(task, timeout=0.01)
        with pytest.raises(UnknownTaskError):
            waiter.wait(uuid4(), timeout=1)
    async with AsyncClient(database, config=CONFIG) as async_waiter:
        with pytest.raises(TimeoutError, match=f"task {task} has not ended within 0.01 s"):
            await async_waiter.wait(task, timeout=0.01)
        with pytest.raises(UnknownTaskError):
            await async_waiter.wait(uuid4(), timeout=1)


@asynchronous
async def test_who_asks_while_the_last_step_commits_is_told_the_end(each_database: str) -> None:
    [task] = submit(each_database, ONE)
    async with opened(each_database) as [store], await connect_async(each_database) as asking:
        steps = await claim(store)
        async with store.connection.transaction():
            await finish(store, done(steps[0]))
            question = asyncio.create_task(
                asking.execute(query("announce_wait"), {"task": task}, binary=True)
            )
            await until_blocked(each_database)
        # "in_progress" would be a wait for an announcement that nobody will make.
        assert await (await question).fetchall() == [("complete",)]


@asynchronous
async def test_many_that_begin_to_wait_at_once_share_one_connection(database: str) -> None:
    tasks = submit(database, ONE, 20)
    async with AsyncClient(database, config=CONFIG) as waiter:
        waits = [asyncio.create_task(waiter.wait(task, 20)) for task in [*tasks, *tasks]]
        await until_waited(database, *tasks)
        assert len(rows(database, LISTENERS)) == 1
        async with opened(database) as [store]:
            await run_to_the_end(store)
        ended = await asyncio.gather(*waits)
    assert [task.uuid for task in ended] == [*tasks, *tasks]
    assert {task.state for task in ended} == {"complete"}
    assert rows(database, LISTENERS) == []


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
@asynchronous
async def test_a_wait_outlives_its_listening_connection(database: str, kind: str) -> None:
    first, second = submit(database, ONE, 2)
    with client(database) as blocking:
        async with AsyncClient(database, config=CONFIG) as waiter, opened(database) as [store]:

            def waiting(task: UUID) -> asyncio.Task[Any]:
                if kind == "asyncio":
                    return asyncio.create_task(waiter.wait(task, 20))
                return asyncio.create_task(asyncio.to_thread(blocking.wait, task, 20))

            early = waiting(first)
            await until_waited(database, first)
            [(pid,)] = rows(database, LISTENERS)
            rows(database, "select pg_terminate_backend(%s, 5000)", pid)
            [step] = await claim(store, 1)
            await finish(store, done(step))
            assert (await early).state == "complete"

            late = waiting(second)
            await until_waited(database, second)
            assert len(rows(database, LISTENERS)) == 1
            await run_to_the_end(store)
            assert (await late).state == "complete"
