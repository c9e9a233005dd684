"""Retention: what ended long ago goes with all that is its own, and nothing else does."""

import asyncio
from collections.abc import Collection
from uuid import UUID

import pytest
from dags import (
    CHAIN,
    ONE,
    QUEUES,
    again,
    asynchronous,
    claim,
    client,
    done,
    everything,
    execute,
    failed,
    finish,
    opened,
    rows,
    run_to_the_end,
    submit,
    task_state,
    template,
    value,
)

from tasker_mp.db.connect import connect
from tasker_mp.db.prune import FINISHED, Pruned, prune, prune_parameters
from tasker_mp.db.queries import query

_TABLES = ("tasks", "steps", "transitions", "idempotency_keys", "watched_tasks")
_ALL = (*FINISHED, "error")


def _prune(database: str, days: float = 0.0, states: Collection[str] = FINISHED) -> Pruned:
    with connect(database) as connection:
        return prune(connection, days, list(states))


def _owners(database: str) -> dict[str, set[UUID]]:
    """The tasks that have rows, by table."""
    return {
        name: {row[0] for row in rows(database, f"select task_uuid from tasker.{name}")}
        for name in _TABLES
    }


def _age(database: str, tasks: Collection[UUID], days: float) -> dict[UUID, UUID]:
    """Make these tasks as old as that; their UUIDs tell when they were made, so they change."""
    aged = {t: UUID(int=t.int - (int(days * 86_400_000) << 80)) for t in tasks}
    for old, new in aged.items():
        for name in _TABLES:
            execute(
                database, f"update tasker.{name} set task_uuid = %s where task_uuid = %s", new, old
            )
        execute(
            database,
            "update tasker.tasks set created_at = created_at - make_interval(secs => %s),"
            " completed_at = completed_at - make_interval(secs => %s) where task_uuid = %s",
            *(days * 86400, days * 86400, new),
        )
    return aged


@asynchronous
async def test_a_finished_task_goes_with_everything_that_is_its_own(each_database: str) -> None:
    with client(each_database) as submitter:
        submitter.register(template(CHAIN, lifecycle={"max_duration_minutes": 60}))
        kept = submitter.submit("dags", "flow", {}, idempotency_key="kept").uuid
        gone = submitter.submit("dags", "flow", {}, idempotency_key="gone").uuid
        submitter.cancel_task(kept)  # on record in transitions
        submitter.cancel_task(gone)
    (gone,) = _age(each_database, [gone], 40).values()
    before = _owners(each_database)
    assert all(owners == {kept, gone} for owners in before.values())
    pruned = _prune(each_database, 30)
    assert (pruned.tasks, pruned.steps, pruned.idempotency_keys) == (1, 3, 1)
    assert pruned.transitions > 0
    assert all(owners == {kept} for owners in _owners(each_database).values())
    assert _prune(each_database, 30) == Pruned()
    with client(each_database) as submitter:  # its key is free again
        again_ = submitter.submit("dags", "flow", {}, idempotency_key="gone").uuid
        assert again_ not in (kept, gone)


@asynchronous
async def test_nothing_that_is_not_over_is_touched(database: str) -> None:
    async with opened(database) as [store]:
        complete, error, waiting, running, queued = submit(database, ONE, 5)
        steps = {UUID(bytes=step.task): step for step in await claim(store, 4)}
        await finish(store, done(steps[complete]), failed(steps[error]), again(steps[waiting], 60))
        assert [task_state(database, t) for t in (complete, error, waiting, running, queued)] == [
            *("complete", "error", "in_progress", "in_progress", "pending")
        ]
        assert _prune(database).tasks == 1
        remaining = everything(database)
        assert _owners(database)["tasks"] == {error, waiting, running, queued}
        assert _prune(database) == Pruned()
        assert everything(database) == remaining
        assert await finish(store, done(steps[running])) == (
            [],
            ([], [(running.bytes, "complete")]),
        )
        assert _prune(database, states=["error"]).tasks == 1
        assert _owners(database)["tasks"] == {waiting, running, queued}


@asynchronous
async def test_a_complete_task_stays_while_a_step_of_it_still_runs(database: str) -> None:
    (task,) = submit(database, {"slow": (), "last": ("slow",)})
    async with opened(database) as [store]:
        (slow,) = await claim(store)
        with client(database) as repairer:
            last = repairer.get_task(task).steps[1]
            repairer.resolve_step(last.uuid, reason="not needed")
        assert task_state(database, task) == "complete"
        assert _prune(database) == Pruned()
        await finish(store, done(slow))
        assert _prune(database).tasks == 1


@asynchronous
async def test_only_the_age_counts_whatever_lies_between(database: str) -> None:
    tasks = submit(database, ONE, 30)
    async with opened(database) as [store]:
        await run_to_the_end(store)
    old = _age(database, tasks[::3], 31)
    young = _age(database, tasks[1::3], 29)
    assert _prune(database, 30).tasks == len(old)
    assert _owners(database)["tasks"] == {*young.values(), *tasks[2::3]}


@asynchronous
async def test_a_call_is_bounded_in_tasks_and_in_steps_and_goes_on_where_it_was(
    database: str,
) -> None:
    wide = {f"s{n:02}": () for n in range(25)}
    submit(database, wide, 8)
    async with opened(database) as [store]:
        await run_to_the_end(store)
    with connect(database) as connection:
        last, calls = None, []
        while True:
            parameters = prune_parameters(last, 0, FINISHED, 5)
            row = connection.execute(query("prune_tasks"), parameters).fetchone()
            assert row is not None
            last = row[0]
            calls.append(row[1:3])
            if last is None:
                break
    # 50 steps are reached with the second task of 25.
    assert calls == [(2, 50)] * 4 or calls == [(2, 50)] * 3 + [(2, 50), (0, 0)]
    assert _owners(database)["steps"] == set()


@asynchronous
async def test_what_somebody_has_locked_is_passed_over(database: str) -> None:
    first, second = submit(database, ONE, 2)
    async with opened(database) as [store]:
        await run_to_the_end(store)
    with connect(database, autocommit=False) as holder:
        holder.execute("select from tasker.tasks where task_uuid = %s for no key update", [first])
        with connect(database, statement_timeout=20) as connection:
            assert prune(connection, 0).tasks == 1
        assert _owners(database)["tasks"] == {first}
        holder.rollback()
    assert _prune(database).tasks == 1
    assert second not in _owners(database)["steps"]


@asynchronous
async def test_the_work_goes_on_while_tasks_are_pruned(database: str) -> None:
    """Steps are claimed and finished on one connection while another deletes what has ended."""
    submit(database, CHAIN, 300)
    async with opened(database, None, None) as [worker, pruner]:
        seen = 0

        async def delete() -> None:
            nonlocal seen
            while True:
                _, pruned = await pruner.prune_tasks(None, 0.0)
                seen += pruned.tasks
                await asyncio.sleep(0)

        deleting = asyncio.create_task(delete())
        ran = 0
        while steps := await claim(worker, 40):
            while steps:
                ran += len(steps)
                finished = await worker.finish_steps([done(step) for step in steps], 40, [])
                assert not finished.stale
                steps = finished.continued
        deleting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await deleting
    assert ran == 900
    assert seen > 0
    seen_and_left = seen + _prune(database).tasks
    assert seen_and_left <= 300  # the last answer may have been lost with its task
    assert _owners(database)["tasks"] == set()
    assert sum(value(database, f"select count(*) from pgmq.q_{name}") for name in QUEUES) == 0
