"""The views: every step's transitions form a legal path; readiness follows from the edges."""

from itertools import pairwise
from typing import Any
from uuid import UUID

from dags import (
    ALL,
    CHAIN,
    DIAMOND,
    ONE,
    again,
    asynchronous,
    claim,
    client,
    done,
    execute,
    failed,
    finish,
    opened,
    rows,
    run_to_the_end,
    submit,
    value,
)

from tasker_mp.client import Transition
from tasker_mp.states import STEP_TRANSITIONS, StepState

ATTEMPT = ["enqueued", "in_progress"]


def paths(database: str, task: UUID) -> dict[str, list[str]]:
    """The states that each step went through, checked: every change legal, none missing."""
    with client(database) as reader:
        found = reader.get_task(task)
        transitions = reader.transitions(task)
    by_step: dict[str, list[Transition]] = {step.name: [] for step in found.steps}
    for transition in transitions:
        if transition.step:
            by_step[transition.step].append(transition)
    for step in found.steps:
        _check_path(by_step[step.name], step.state)
    return {name: [t.to_state for t in path] for name, path in by_step.items()}


def _check_path(path: list[Transition], now: StepState) -> None:
    state = StepState.PENDING
    for transition in path:
        assert transition.from_state == state, path
        assert transition.to_state in STEP_TRANSITIONS[state], path
        state = StepState(transition.to_state)
    assert state == now, path
    assert all(one.at <= two.at for one, two in pairwise(path))


@asynchronous
async def test_a_success_goes_through_three_transitions(each_database: str) -> None:
    [task] = submit(each_database, DIAMOND)
    assert paths(each_database, task) == {
        "start": ["enqueued"],
        "left": [],
        "right": [],
        "end": [],
    }
    async with opened(each_database) as [store]:
        [start] = await claim(store)
        assert paths(each_database, task)["start"] == ATTEMPT
        await finish(store, done(start), capacity=1)
        # One continued at once, the other by its queue.
        assert paths(each_database, task) == {
            "start": [*ATTEMPT, "complete"],
            "left": ATTEMPT,
            "right": ["enqueued"],
            "end": [],
        }
        await store.recover_owner()
        await run_to_the_end(store)
    found = paths(each_database, task)
    assert found["right"] == found["end"] == [*ATTEMPT, "complete"]
    assert found["left"] == [*ATTEMPT, *ATTEMPT, "complete"]
    assert value(each_database, "select count(*) from tasker.transitions") == 3


@asynchronous
async def test_the_transitions_tell_who_and_which_attempt(each_database: str) -> None:
    submit(each_database, ONE)
    async with opened(each_database) as [store]:
        await finish(store, again((await claim(store))[0]))
        await store.promote_due()
        await finish(store, failed((await claim(store))[0]))
    told: list[tuple[Any, ...]] = rows(
        each_database,
        "select from_state, to_state, attempt, event_id is not null, actor,"
        " error ->> 'message' from tasker.step_transitions order by at",
    )
    me = str(store.owner)
    assert told == [
        ("pending", "enqueued", None, False, me, None),
        ("enqueued", "in_progress", 1, True, me, None),
        ("in_progress", "waiting_for_retry", 1, True, me, "later"),
        ("waiting_for_retry", "enqueued", None, False, me, None),
        ("enqueued", "in_progress", 2, True, me, None),
        ("in_progress", "error", 2, True, me, "no"),
    ]


@asynchronous
async def test_retries_and_recoveries_in_any_order_leave_a_legal_path(each_database: str) -> None:
    [task] = submit(each_database, CHAIN)
    expected: list[str] = []
    async with opened(each_database) as [store]:
        for move in "rgrrggGr":
            [step] = await claim(store)
            expected += ATTEMPT
            assert paths(each_database, task)["first"] == expected
            if move == "r":
                await finish(store, again(step))
                expected.append("waiting_for_retry")
                assert paths(each_database, task)["first"] == expected
                await store.promote_due()
            elif move == "g":
                await store.give_back([(step.task, step.step_no)], "the test says so")
            else:
                await store.recover_owner()
            assert paths(each_database, task)["first"] == [*expected, "enqueued"]
        [step] = await claim(store)
        expected += [*ATTEMPT, "complete"]
        [child], _ = await finish(store, done(step), capacity=ALL)
        assert paths(each_database, task)["first"] == expected
        # A step that was continued was enqueued and claimed at the same moment.
        await finish(store, again(child))
        assert paths(each_database, task)["second"] == [*ATTEMPT, "waiting_for_retry"]
    query = "select count(*) from tasker.step_transitions where reason = %s"
    assert value(each_database, query, "the test says so") == 3
    assert value(each_database, query, "its supervisor is gone") == 1


@asynchronous
async def test_readiness_counts_open_parents_from_the_edges(each_database: str) -> None:
    submit(each_database, DIAMOND)
    open_parents = "select name, open_parents from tasker.step_readiness order by step_no"
    async with opened(each_database) as [store]:
        assert dict(rows(each_database, open_parents)) == {
            "start": 0,
            "left": 1,
            "right": 1,
            "end": 2,
        }
        [start] = await claim(store)
        (left, right), _ = await finish(store, done(start), capacity=9)
        await finish(store, done(left), failed(right))
        assert dict(rows(each_database, open_parents)) == {"right": 0, "end": 1}
    execute(
        each_database, "update tasker.steps set state = 'resolved_manually' where name = 'right'"
    )
    assert dict(rows(each_database, open_parents)) == {"end": 0}
