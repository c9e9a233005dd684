"""Batches in the tables: what the failure of one leads to; steps that go on from checkpoints."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from uuid import UUID

import msgspec
import pytest
from dags import asynchronous, client, opened, step_states, task_state, value
from growing import batches, template
from growth_run import GrowthRun, submit_growing

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.db.store import Store
from tasker_mp.errors import IllegalTransitionError
from tasker_mp.identity import step_uuid
from tasker_mp.inflight import Settled
from tasker_mp.settle import grown
from tasker_mp.template.growth import Standing
from tasker_mp.template.model import BatchConfig, FailureStrategy, Template

_ERROR = b'{"message":"no","retryable":false}'


def _cut(strategy: FailureStrategy) -> Template:
    return template(
        {"cut": [], "work": ["cut"], "join": ["work"]},
        {"cut": "batchable", "work": "batch_worker", "join": "deferred_convergence"},
        {"cut": BatchConfig(worker_template="work", failure_strategy=strategy)},
    )


class Workers:
    """Three workers of one task; two of them are claimed, the third is enqueued."""

    def __init__(self, run: GrowthRun, task: UUID, held: list[ClaimedStep]) -> None:
        self.run, self.task, self.held = run, task, held

    async def end(self, step: ClaimedStep, state: str, payload: bytes = b"{}") -> list[ClaimedStep]:
        settled = self.run.settled(step)
        settled.state, settled.payload = state, payload
        return (await self.run.store.finish_steps([settled], 10, [])).continued


@asynccontextmanager
async def _workers(database: str, strategy: FailureStrategy) -> AsyncIterator[Workers]:
    grows = _cut(strategy)
    task = submit_growing(database, grows)
    async with opened(database) as [store]:
        run = GrowthRun(store, grows, Random(0))
        [cut] = await run.claim()
        settled = Settled(
            run.settled(cut).entry, "complete", batches("work", (0, 1), (1, 2), (2, 3))
        )
        finished = await store.finish_steps([grown(settled, Standing())], 2, [])
        run.play.finish("cut", settled.payload)
        assert [step.name for step in finished.continued] == ["work_001", "work_002"]
        yield Workers(run, task, finished.continued)


def _inputs(step: ClaimedStep) -> dict[str, object]:
    assert step.extra is not None
    extra: dict[str, dict[str, object]] = msgspec.json.decode(step.extra)
    assert extra["template_step"] == "work"
    return extra["inputs"]


@asynchronous
async def test_a_worker_is_given_its_batch(database: str) -> None:
    async with _workers(database, "isolate") as workers:
        assert _inputs(workers.held[1]) == {
            "cursor": {"batch_id": "002", "start_cursor": 1, "end_cursor": 2, "batch_size": 1},
            "batch_metadata": {"cursor_field": "id", "failure_strategy": "isolate"},
            "is_no_op": False,
        }


@asynchronous
async def test_continue_on_failure_lets_the_convergence_run(database: str) -> None:
    async with _workers(database, "continue_on_failure") as workers:
        await workers.end(workers.held[0], "error", _ERROR)
        await workers.end(workers.held[1], "complete")
        [last] = await workers.run.claim()
        [join] = await workers.end(last, "complete")
        assert task_state(database, workers.task) == "in_progress"
        await workers.end(join, "complete")
        assert task_state(database, workers.task) == "complete"
        assert step_states(database, workers.task)["work_001"] == "error"


@asynchronous
async def test_fail_fast_gives_up_the_batches_that_have_not_begun(database: str) -> None:
    async with _workers(database, "fail_fast") as workers:
        await workers.end(workers.held[0], "error", _ERROR)
        states = step_states(database, workers.task)
        assert states["work_003"] == "cancelled"
        assert task_state(database, workers.task) == "in_progress", "the second one runs on"
        await workers.end(workers.held[1], "complete")
        assert await workers.run.claim() == []
        assert task_state(database, workers.task) == "error"


@asynchronous
async def test_isolate_keeps_the_convergence_waiting_for_a_retry_by_hand(database: str) -> None:
    async with _workers(database, "isolate") as workers:
        await workers.end(workers.held[0], "error", _ERROR)
        await workers.end(workers.held[1], "complete")
        [last] = await workers.run.claim()
        assert await workers.end(last, "complete") == []
        assert task_state(database, workers.task) == "error"
        with client(database) as operator:
            operator.retry_task(workers.task)
        [again] = await workers.run.claim()
        assert [step.name for step in await workers.end(again, "complete")] == ["join"]


@asynchronous
async def test_a_failure_that_was_passed_over_counts_once(database: str) -> None:
    """Tried again by hand before the convergence has run, it is waited for again."""
    async with _workers(database, "continue_on_failure") as workers:
        await workers.end(workers.held[0], "error", _ERROR)
        with client(database) as operator:
            operator.retry_task(workers.task)
        await workers.end(workers.held[1], "complete")
        last, again = sorted(await workers.run.claim(), key=lambda step: -step.step_no)
        assert await workers.end(last, "complete") == []
        [join] = await workers.end(again, "complete")
        assert join.name == "join"


@asynchronous
async def test_a_failure_cannot_be_tried_again_once_it_was_passed_over(database: str) -> None:
    async with _workers(database, "continue_on_failure") as workers:
        await workers.end(workers.held[0], "error", _ERROR)
        await workers.end(workers.held[1], "complete")
        [last] = await workers.run.claim()
        await workers.end(last, "complete")
        with (
            client(database) as operator,
            pytest.raises(IllegalTransitionError, match="passed over"),
        ):
            operator.retry_step(step_uuid(workers.task, workers.held[0].step_no))


def _checkpoint(run: GrowthRun, step: ClaimedStep, cursor: int) -> Settled:
    settled = run.settled(step)
    settled.state, settled.payload = "in_progress", b'{"cursor":%d}' % cursor
    return settled


async def _yield(store: Store, settled: Settled, capacity: int) -> list[ClaimedStep]:
    finished = await store.finish_steps([settled], capacity, [])
    assert not finished.stale
    return finished.continued


@asynchronous
async def test_a_step_goes_on_from_its_checkpoint_under_a_new_event_and_the_same_attempt(
    database: str,
) -> None:
    async with _workers(database, "isolate") as workers:
        run, [step, _] = workers.run, workers.held
        [on] = await _yield(run.store, _checkpoint(run, step, 7), 1)
        assert (on.name, on.attempt) == (step.name, 1)
        assert on.event_id != step.event_id
        assert msgspec.json.decode(on.extra or b"")["checkpoint"] == {"cursor": 7}
        stale = await run.store.finish_steps([run.settled(step)], 1, [])
        assert stale.stale == [step.event_id], "the earlier event is over"


@asynchronous
async def test_without_room_it_goes_on_by_way_of_its_queue(database: str) -> None:
    async with _workers(database, "isolate") as workers:
        run, [step, _] = workers.run, workers.held
        assert await _yield(run.store, _checkpoint(run, step, 7), 0) == []
        query = "select count(*) from tasker.steps where task_uuid = %s and state = 'enqueued'"
        assert value(database, query, workers.task) == 2
        on = {s.name: s for s in await run.claim()}["work_001"]
        assert on.attempt == 1
        assert msgspec.json.decode(on.extra or b"")["checkpoint"] == {"cursor": 7}
