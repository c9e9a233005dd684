"""Finish: guarded, once, and whatever it unlocks goes on, whoever else finishes meanwhile."""

from uuid import UUID

import pytest
from dags import (
    ALL,
    CHAIN,
    DIAMOND,
    ONE,
    PAIR,
    QUEUES,
    again,
    asynchronous,
    claim,
    claim_by_name,
    done,
    everything,
    execute,
    failed,
    finish,
    opened,
    queued,
    rows,
    run_to_the_end,
    step_states,
    submit,
    task_state,
    value,
)

from tasker_mp.db.connect import connect
from tasker_mp.db.refusals import REFUSALS

# -- the guard ------------------------------------------------------------------------------------


@asynchronous
async def test_a_result_is_stored_with_its_metadata(each_database: str) -> None:
    [task] = submit(each_database, ONE)
    async with opened(each_database) as [store]:
        [step] = await claim(store)
        continued, answer = await finish(store, done(step, b'{"a": 1}', b'{"took": 2}'))
    assert (continued, answer) == ([], ([], [(task.bytes, "complete")]))
    assert rows(
        each_database,
        "select state::text, result, metadata, error, finished_at >= claimed_at from tasker.steps",
    ) == [("complete", {"a": 1}, {"took": 2}, None, True)]
    assert rows(
        each_database, "select state::text, open_sinks, completed_at > started_at from tasker.tasks"
    ) == [("complete", 0, True)]


@asynchronous
async def test_a_second_finish_is_stale_and_changes_nothing(each_database: str) -> None:
    submit(each_database, CHAIN)
    async with opened(each_database) as [store]:
        [step] = await claim(store)
        await finish(store, done(step, b"1"))
        before = everything(each_database)
        for late in (done(step, b"2"), failed(step), again(step)):
            assert await finish(store, late, capacity=9) == ([], ([step.event_id], []))
        assert everything(each_database) == before


@asynchronous
async def test_a_result_under_an_earlier_event_is_stale(each_database: str) -> None:
    submit(each_database, ONE)
    async with opened(each_database, None, None) as [one, two]:
        [old] = await claim(one)
        await one.recover_owner()
        [new] = await claim(two)
        assert await finish(one, done(old)) == ([], ([old.event_id], []))
        assert value(each_database, "select state::text from tasker.steps") == "in_progress"
        _, (stale, _) = await finish(two, done(new))
        assert stale == []


@asynchronous
async def test_stale_results_do_not_hold_up_the_rest_of_their_batch(each_database: str) -> None:
    submit(each_database, CHAIN, 4)
    async with opened(each_database) as [store]:
        steps = await claim(store)
        await finish(store, *[done(step) for step in steps[:2]])
        continued, (stale, ended) = await finish(store, *[done(s) for s in steps], capacity=9)
        assert set(stale) == {step.event_id for step in steps[:2]}
        assert ended == []
        assert {step.task for step in continued} == {step.task for step in steps[2:]}


@asynchronous
async def test_a_result_named_twice_in_a_batch_counts_once(each_database: str) -> None:
    submit(each_database, PAIR)
    async with opened(each_database) as [store]:
        first, second = await claim(store)
        await finish(store, done(first), done(first))
        assert value(each_database, "select open_sinks from tasker.tasks") == 1
        _, (_, ended) = await finish(store, done(second), done(second))
        assert len(ended) == 1


@asynchronous
async def test_claims_of_which_nothing_is_held_are_released(each_database: str) -> None:
    submit(each_database, ONE, 2)
    async with opened(each_database) as [store]:
        [one], [two] = await claim(store, 1), await claim(store, 1)
        await store.finish_steps([done(one)], 0, [one.claim_id])
        claims = "select claim_id from tasker.claims"
        assert rows(each_database, claims) == [(two.claim_id,)]


@pytest.mark.parametrize("bad", [b'"\xff"', b"{]", b'"nul \x00"'])
@asynchronous
async def test_a_batch_with_something_that_is_not_json_is_refused_whole(
    each_database: str, bad: bytes
) -> None:
    submit(each_database, ONE, 2)
    async with opened(each_database) as [store]:
        good, poisoned = await claim(store)
        before = everything(each_database)
        with pytest.raises(REFUSALS):
            await finish(store, done(good), done(poisoned, bad))
        assert everything(each_database) == before
        # The connection is as good as before.
        assert len((await finish(store, done(good)))[1][1]) == 1


# -- going on -------------------------------------------------------------------------------------


@asynchronous
async def test_a_ready_child_comes_back_claimed(each_database: str) -> None:
    [task] = submit(each_database, CHAIN)
    async with opened(each_database) as [store]:
        [first] = await claim(store)
        [second], _ = await finish(store, done(first), capacity=1)
        assert (second.name, second.attempt) == ("second", 1)
        assert second.claim_id != first.claim_id
        assert queued(each_database) == 0
        assert rows(
            each_database,
            "select owner, event_id, claimed_at is not null from tasker.steps where step_no = 2",
        ) == [(store.owner, UUID(bytes=second.event_id), True)]
        assert rows(
            each_database,
            "select task_uuids, step_nos from tasker.claims where claim_id = %s",
            second.claim_id,
        ) == [([task], [2])]
        [third], _ = await finish(store, done(second), capacity=1)
        _, (_, ended) = await finish(store, done(third), capacity=1)
    assert ended == [(task.bytes, "complete")]


@pytest.mark.parametrize("beside", [0, 1])
@asynchronous
async def test_a_child_of_a_chain_gets_its_input_from_what_its_supervisor_has(
    each_database: str, beside: int
) -> None:
    submit(
        each_database,
        CHAIN,
        1 + beside,
        context={"n": 2**70, "word": "naïve \\u0000"},
        correlation_id=UUID(int=7),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    async with opened(each_database) as [store]:
        steps = await claim(store)
        for results in range(1, len(CHAIN)):
            batch = [done(step, '{"é": [1.50, null]}'.encode()) for step in steps]
            steps, _ = await finish(store, *batch, capacity=9)
            assert [step.results for step in steps] == [results] * (1 + beside)
            for step in steps:
                assert step._replace(results=-1) == await store.hydrate_step(step)


@asynchronous
async def test_a_child_with_more_ancestors_gets_its_input_from_the_database(
    each_database: str,
) -> None:
    submit(each_database, DIAMOND | {"after": ("end",)})
    async with opened(each_database) as [store]:
        [start] = await claim(store)
        sides, _ = await finish(store, done(start), capacity=9)
        assert [step.results for step in sides] == [1, 1]
        for side in sides:
            ends, _ = await finish(store, done(side, side.name.join('""').encode()), capacity=9)
        assert [(step.results, step.dependencies) for step in ends] == [
            (-1, b'{"start":{"result":1},"left":"left","right":"right"}')
        ]
        [after], _ = await finish(store, done(ends[0]), capacity=9)
        assert after.results == 4
        assert after._replace(results=-1) == await store.hydrate_step(after)


@asynchronous
async def test_children_past_the_capacity_go_to_their_queue_and_are_announced(
    each_database: str,
) -> None:
    submit(each_database, {"root": (), **{f"leaf {n}": ("root",) for n in range(7)}}, priority=1)
    async with opened(each_database) as [store]:
        [root] = await claim(store)
        with connect(each_database) as listener:
            listener.execute("listen tasker_ready")
            continued, _ = await finish(store, done(root), capacity=3)
            notices = [n.payload for n in listener.notifies(timeout=5, stop_after=1)]
            notices += [n.payload for n in listener.notifies(timeout=0)]
        assert notices == [QUEUES[0]]
        assert [step.step_no for step in continued] == [2, 3, 4]
        assert value(each_database, f"select count(*) from pgmq.q_{QUEUES[0]}") == 4
        assert [step.step_no for step in await claim(store)] == [5, 6, 7, 8]


@pytest.mark.parametrize("capacity", [0, ALL])
@asynchronous
async def test_500_children_run_after_one_and_before_one(each_database: str, capacity: int) -> None:
    leaves = [f"leaf {n}" for n in range(500)]
    shape = {"root": (), **dict.fromkeys(leaves, ("root",)), "end": leaves}
    [task] = submit(each_database, shape)
    async with opened(each_database) as [store]:
        [root] = await claim(store)
        continued, _ = await finish(store, done(root), capacity=capacity)
        middle = continued or await claim(store)
        assert len(middle) == 500
        early, _ = await finish(store, *[done(step) for step in middle[1:]], capacity=capacity)
        assert early == await claim(store) == []
        continued, _ = await finish(store, done(middle[0]), capacity=capacity)
        [end] = continued or await claim(store)
        assert end.name == "end"
        assert end.dependencies.count(b"result") == 501
        _, (_, ended) = await finish(store, done(end))
    assert ended == [(task.bytes, "complete")]


@pytest.mark.parametrize("together", [False, True])
@asynchronous
async def test_a_child_with_two_parents_waits_for_both(each_database: str, together: bool) -> None:
    submit(each_database, DIAMOND)
    async with opened(each_database) as [store]:
        [start] = await claim(store)
        (left, right), _ = await finish(store, done(start), capacity=9)
        if together:
            [end], _ = await finish(store, done(right), done(left), capacity=9)
        else:
            assert await finish(store, done(left), capacity=9) == ([], ([], []))
            [end], _ = await finish(store, done(right), capacity=9)
    assert end.name == "end"


@pytest.mark.parametrize("state", ["cancelled", "resolved_manually"])
@asynchronous
async def test_a_child_that_is_not_to_run_is_counted_down_and_left_alone(
    each_database: str, state: str
) -> None:
    [task] = submit(each_database, CHAIN)
    async with opened(each_database) as [store]:
        [first] = await claim(store)
        execute(
            each_database,
            "update tasker.steps set state = %s::tasker.step_state where name = 'second'",
            state,
        )
        assert await finish(store, done(first), capacity=9) == ([], ([], []))
    assert step_states(each_database, task)["second"] == state
    assert queued(each_database) == 0
    assert value(each_database, "select waiting_on from tasker.steps where name = 'second'") == 0


# -- a sink or a failure beside a step that goes on, in one batch ---------------------------------

FORK = {"root": (), "sink": ("root",), "goes on": ("root",), "after": ("goes on",)}


@pytest.mark.parametrize("capacity", [0, ALL])
@asynchronous
async def test_a_sink_counts_though_its_task_goes_on(each_database: str, capacity: int) -> None:
    [task] = submit(each_database, FORK)
    async with opened(each_database) as [store]:
        await finish(store, *[done(step) for step in await claim(store)])
        batch = [done(step) for step in await claim(store)]
        assert len(batch) == 2
        continued, _ = await finish(store, *batch, capacity=capacity)
        [after] = continued or await claim(store)
        _, (_, ended) = await finish(store, done(after))
    assert ended == [(task.bytes, "complete")]
    assert task_state(each_database, task) == "complete"


@pytest.mark.parametrize("capacity", [0, ALL])
@asynchronous
async def test_a_failure_counts_though_its_task_goes_on(each_database: str, capacity: int) -> None:
    [task] = submit(each_database, FORK)
    async with opened(each_database) as [store]:
        await finish(store, *[done(step) for step in await claim(store)])
        steps = await claim_by_name(store)
        batch = [failed(steps["sink"]), done(steps["goes on"])]
        continued, (_, ended) = await finish(store, *batch, capacity=capacity)
        assert ended == []
        [after] = continued or await claim(store)
        _, (_, ended) = await finish(store, done(after))
    assert ended == [(task.bytes, "error")]
    assert task_state(each_database, task) == "error"


# -- failure --------------------------------------------------------------------------------------


@asynchronous
async def test_other_branches_run_on_after_a_failure(each_database: str) -> None:
    shape = {"a": (), "a2": ("a",), "b": (), "b2": ("b",), "b3": ("b2",), "both": ("a2", "b3")}
    [task] = submit(each_database, shape)
    async with opened(each_database) as [store]:
        steps = await claim_by_name(store)
        _, (_, ended) = await finish(store, failed(steps["a"]))
        assert ended == []
        assert task_state(each_database, task) == "in_progress"
        [b2], _ = await finish(store, done(steps["b"]), capacity=1)
        [b3], _ = await finish(store, done(b2), capacity=1)
        _, (_, ended) = await finish(store, done(b3), capacity=1)
    assert ended == [(task.bytes, "error")]
    assert task_state(each_database, task) == "error"
    assert step_states(each_database, task) == {
        "a": "error",
        "a2": "pending",
        "b": "complete",
        "b2": "complete",
        "b3": "complete",
        "both": "pending",
    }
    assert value(each_database, "select error ->> 'message' from tasker.steps where name = 'a'")
    assert value(each_database, "select completed_at is not null from tasker.tasks")


@asynchronous
async def test_a_task_does_not_fail_while_a_step_waits_for_its_retry(each_database: str) -> None:
    [task] = submit(each_database, PAIR)
    async with opened(each_database) as [store]:
        one, two = await claim(store)
        await finish(store, again(one))
        _, (_, ended) = await finish(store, failed(two))
        assert ended == []
        await store.promote_due()
        [one] = await claim(store)
        _, (_, ended) = await finish(store, done(one))
    assert ended == [(task.bytes, "error")]


@asynchronous
async def test_a_failed_task_does_not_touch_its_neighbours(each_database: str) -> None:
    tasks = submit(each_database, CHAIN, 3)
    async with opened(each_database) as [store]:
        steps = await claim(store)
        _, (_, ended) = await finish(store, done(steps[0]), failed(steps[1]), done(steps[2]))
        assert ended == [(tasks[1].bytes, "error")]
        await run_to_the_end(store)
    assert [task_state(each_database, task) for task in tasks] == ["complete", "error", "complete"]


# -- who waits ------------------------------------------------------------------------------------


FATES = {"complete": done, "error": failed}


@pytest.mark.parametrize(("fate", "end"), [("complete", "complete"), ("error", "error")])
@asynchronous
async def test_the_end_of_a_task_that_somebody_waits_for_is_announced_once(
    each_database: str, fate: str, end: str
) -> None:
    waited, _ = submit(each_database, PAIR, 2)
    execute(each_database, "update tasker.tasks set waited = true where task_uuid = %s", waited)
    with connect(each_database) as listener:
        listener.execute("listen tasker_ended")
        async with opened(each_database) as [store]:
            steps = await claim(store)
            batch = [FATES[fate](step) for step in steps]
            for settled in batch:
                await finish(store, settled)
            await finish(store, *batch)  # stale
        listener.execute("select pg_notify('tasker_ended', 'last')")
        notices = [n.payload for n in listener.notifies(timeout=5, stop_after=2)]
    assert task_state(each_database, waited) == end
    assert notices == [str(waited), "last"]
