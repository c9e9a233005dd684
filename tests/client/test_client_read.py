"""Reading tasks: what a client is told of tasks, steps and their history."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from dags import (
    CONFIG,
    DIAMOND,
    ONE,
    again,
    asynchronous,
    claim,
    claim_by_name,
    client,
    done,
    failed,
    finish,
    opened,
    submission,
    submit,
    template,
)

from tasker_mp.client import AsyncClient
from tasker_mp.errors import UnknownTaskError
from tasker_mp.identity import step_uuid
from tasker_mp.states import ExecutionStatus


def test_tasks_are_listed_newest_first_and_by_state_and_namespace(database: str) -> None:
    with client(database) as reader:
        for namespace in ("dags", "others"):
            reader.register(template(ONE, namespace_name=namespace))
        tasks = [
            reader.submit(namespace, "flow", {}).uuid
            for namespace in ("dags", "others", "dags", "others")
        ]
        assert [task.uuid for task in reader.list_tasks()] == tasks[::-1]
        assert [task.uuid for task in reader.list_tasks(limit=1)] == tasks[3:]
        found = reader.list_tasks(namespace="others", state="pending")
        assert [task.uuid for task in found] == [tasks[3], tasks[1]]
        assert reader.list_tasks(state="complete") == []


@asynchronous
async def test_the_execution_status_follows_the_steps(database: str) -> None:
    [task] = submit(database, DIAMOND)
    with client(database) as reader:

        def status() -> ExecutionStatus:
            return reader.get_task(task).execution_status

        async with opened(database) as [store]:
            assert status() is ExecutionStatus.HAS_READY_STEPS
            [start] = await claim(store)
            assert status() is ExecutionStatus.PROCESSING
            await finish(store, again(start))
            assert status() is ExecutionStatus.WAITING_FOR_RETRY
            await store.promote_due()
            await finish(store, done((await claim(store))[0]))
            steps = await claim_by_name(store)
            await finish(store, failed(steps["left"]))
            assert status() is ExecutionStatus.BLOCKED_BY_FAILURES


@asynchronous
async def test_a_task_shows_its_steps_and_their_history(database: str) -> None:
    [task] = submit(database, DIAMOND)
    async with opened(database) as [store]:
        await finish(store, done((await claim(store))[0]))
    with client(database) as reader:
        found = reader.get_task(task)
        history = reader.transitions(task)
    assert [step.uuid for step in found.steps] == [step_uuid(task, n) for n in (1, 2, 3, 4)]
    assert [step.children for step in found.steps] == [[2, 3], [4], [4], []]
    start = [(t.from_state, t.to_state) for t in history if t.step == "start"]
    assert start == [
        ("pending", "enqueued"),
        ("enqueued", "in_progress"),
        ("in_progress", "complete"),
    ]
    async with AsyncClient(database, config=CONFIG) as async_reader:
        assert await async_reader.get_task(task) == found
        assert (await async_reader.list_tasks())[0].uuid == task


@asynchronous
async def test_an_unknown_task_is_named(database: str) -> None:
    nobody = uuid4()
    with client(database) as reader:
        for read in (reader.get_task, reader.get_summary, reader.transitions):
            with pytest.raises(UnknownTaskError, match=str(nobody)):
                read(nobody)
    async with AsyncClient(database, config=CONFIG) as async_reader:
        with pytest.raises(UnknownTaskError, match=str(nobody)):
            await async_reader.get_task(nobody)


def test_one_client_serves_many_threads(database: str) -> None:
    with client(database) as shared:
        shared.register(template(ONE))
        with ThreadPoolExecutor(8) as pool:
            batches = list(
                pool.map(lambda n: shared.submit_many([submission({"n": n})] * 5), range(40))
            )
        assert len({uuid for batch in batches for uuid in batch}) == 200
        assert len(shared.list_tasks(limit=1000)) == 200
