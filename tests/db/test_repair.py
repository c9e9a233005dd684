"""Repair by hand: what it may start from, what it leads to, and what is on record afterwards."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from dags import (
    CHAIN,
    CONFIG,
    DIAMOND,
    ONE,
    PAIR,
    QUEUES,
    again,
    asynchronous,
    claim,
    claim_by_name,
    client,
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

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.client import AsyncClient, Client
from tasker_mp.client.repair import Change, Repair, whoever_calls
from tasker_mp.db.connect import connect
from tasker_mp.db.store import Store
from tasker_mp.errors import (
    IllegalTransitionError,
    InvalidInputError,
    UnknownTaskError,
)
from tasker_mp.identity import step_uuid
from tasker_mp.states import STEP_TRANSITIONS, TASK_TRANSITIONS, StepState, TaskState

STATES = ["pending", "enqueued", "in_progress", "waiting_for_retry", "error"]
UNFINISHED = [*STATES, "complete", "cancelled", "resolved_manually"]


async def brought_to(database: str, store: Store, state: str) -> UUID:
    """A task whose step `middle` is in that state; `first` is before it and `last` behind it."""
    shape = {"first": (), "middle": ("first",), "last": ("middle",)}
    [task] = submit(database, shape)
    if state != "pending":
        await finish(store, done((await claim(store))[0]))
    if state not in ("pending", "enqueued", "cancelled", "resolved_manually"):
        [middle] = await claim(store)
        fates = {"waiting_for_retry": again, "error": failed, "complete": done}
        if state in fates:
            await finish(store, fates[state](middle))
    with client(database) as repairer:
        if state == "cancelled":
            repairer.cancel_task(task)
        elif state == "resolved_manually":
            repairer.resolve_step(step_uuid(task, 2), reason="before the test")
    assert step_states(database, task)["middle"] == state
    return task


def history(database: str, task: UUID) -> dict[str, list[tuple[str, str]]]:
    """Who and why of every change of each step, its path checked; "" is the task's own."""
    with client(database) as reader:
        found = reader.get_task(task)
        changes = reader.transitions(task)
    ends: dict[str, list[tuple[str, str]]] = {}
    for name, state in [("", found.state), *((step.name, step.state) for step in found.steps)]:
        path = [t for t in changes if t.step == name]
        table: Any = STEP_TRANSITIONS if name else TASK_TRANSITIONS
        kind: Any = StepState if name else TaskState
        for change in path:
            assert kind(change.to_state) in table[kind(change.from_state)], change
        assert all(one.at <= two.at for one, two in pairwise(path)), path
        assert [t.from_state for t in path] == [
            *["pending"][: len(path)],
            *(t.to_state for t in path[:-1]),
        ]
        assert (path[-1].to_state if path else "pending") == state, path
        ends[name] = [(t.actor or "", t.reason or "") for t in path if name or t.actor]
    return ends


def counters_agree(database: str, task: UUID) -> None:
    """Counters of a task that is not over are what its steps and edges say."""
    parents = (
        "select name, waiting_on, open_parents from tasker.step_readiness"
        " where task_uuid = %s and waiting_on <> open_parents and state = 'pending'"
    )
    assert rows(database, parents, task) == []
    query = (
        "select t.failed_steps, t.open_sinks, count(*) filter (where s.state = 'error'),"
        " count(*) filter (where s.children = '{}'"
        " and s.state not in ('complete', 'resolved_manually'))"
        " from tasker.tasks t join tasker.steps s using (task_uuid)"
        " where t.task_uuid = %s group by t.task_uuid"
    )
    [(failures, sinks, failed_steps, open_sinks)] = rows(database, query, task)
    assert (failures, sinks) == (failed_steps, open_sinks)


Verb = Callable[[Client, UUID], Repair]
REFUSED: list[tuple[str, Verb, list[str]]] = [
    ("retry", lambda c, t: c.retry_step(step_uuid(t, 2)), ["error", "waiting_for_retry"]),
    ("resolve", lambda c, t: c.resolve_step(step_uuid(t, 2), reason="r"), STATES),
    ("complete", lambda c, t: c.complete_step(step_uuid(t, 2), 1, reason="r"), STATES),
]


@pytest.mark.parametrize("state", UNFINISHED)
@pytest.mark.parametrize(("verb", "starts"), [(v, s) for _, v, s in REFUSED], ids=lambda _: "")
@asynchronous
async def test_a_step_is_repaired_from_where_the_table_says_and_else_nothing_changes(
    database: str, state: str, verb: Verb, starts: list[str]
) -> None:
    async with opened(database) as [store]:
        task = await brought_to(database, store, state)
        before = everything(database)
        with client(database) as repairer:
            if state in starts:
                verb(repairer, task)
                assert step_states(database, task)["middle"] != state
                counters_agree(database, task)
                await run_to_the_end(store)
                assert task_state(database, task) == "complete"
                history(database, task)
                return
            with pytest.raises(IllegalTransitionError, match=r'"middle".* is') as caught:
                verb(repairer, task)
        assert (caught.value.kind, caught.value.old) == ("step", state)
        assert "\n" not in str(caught.value)
        assert everything(database) == before


# -- cancel ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
@asynchronous
async def test_a_cancelled_task_takes_its_unfinished_steps_along(
    each_database: str, state: str
) -> None:
    async with opened(each_database) as [store]:
        task = await brought_to(each_database, store, state)
        first = step_states(each_database, task)["first"]
        with client(each_database) as repairer:
            made = repairer.cancel_task(task, reason="not wanted", by="ann@desk")
        kept = first == "complete"
        names = ["middle", "last"] if kept else ["first", "middle", "last"]
        assert [change.step for change in made.changes] == [*names, ""]
        assert {change.to_state for change in made.changes} == {"cancelled"}
        states = step_states(each_database, task)
        assert [name for name in states if states[name] == "cancelled"] == names
        assert task_state(each_database, task) == "cancelled"
        # Nothing of it is claimed or promoted any more.
        assert await store.promote_due() == (0, None)
        assert await claim(store) == []
    ends = history(each_database, task)
    assert {ends[name][-1] for name in names} == {("ann@desk", "not wanted")}
    assert ends[""] == [("ann@desk", "not wanted")]
    assert value(each_database, "select completed_at is not null from tasker.tasks")


@asynchronous
async def test_a_result_that_comes_after_the_cancel_is_stale(each_database: str) -> None:
    [task] = submit(each_database, CHAIN)
    async with opened(each_database) as [store]:
        [step] = await claim(store)
        with client(each_database) as repairer:
            repairer.cancel_task(task)
        before = everything(each_database)
        for late in (done(step), failed(step), again(step)):
            assert await finish(store, late, capacity=9) == ([], ([step.event_id], []))
        assert everything(each_database) == before
        # Nor does the recovery of its supervisor bring it back.
        assert await store.recover_owner() == 0


@asynchronous
async def test_whoever_waits_for_a_task_hears_of_its_end_by_hand(each_database: str) -> None:
    one, two = submit(each_database, ONE, 2)
    execute(each_database, "update tasker.tasks set waited = true")
    with connect(each_database) as listener, client(each_database) as repairer:
        listener.execute("listen tasker_ended")
        repairer.cancel_task(one)
        repairer.resolve_task(two, reason="r")
        notices = [n.payload for n in listener.notifies(timeout=5, stop_after=2)]
    assert notices == [str(one), str(two)]


@pytest.mark.parametrize("state", ["complete", "cancelled", "resolved_manually"])
@asynchronous
async def test_a_task_that_is_over_is_neither_cancelled_nor_resolved_nor_retried(
    each_database: str, state: str
) -> None:
    [task] = submit(each_database, ONE)
    async with opened(each_database) as [store]:
        if state == "complete":
            await run_to_the_end(store)
    with client(each_database) as repairer:
        if state == "cancelled":
            repairer.cancel_task(task)
        if state == "resolved_manually":
            repairer.resolve_task(task, reason="done by phone")
        before = everything(each_database)
        for verb in (repairer.cancel_task, repairer.retry_task):
            with pytest.raises(IllegalTransitionError, match=f"{task} is {state}"):
                verb(task)
        with pytest.raises(IllegalTransitionError, match=f"{task} is {state}") as caught:
            repairer.resolve_task(task, reason="again")
    assert (caught.value.kind, caught.value.old) == ("task", state)
    assert everything(each_database) == before


@asynchronous
async def test_cancelling_one_task_leaves_its_neighbours_alone(each_database: str) -> None:
    one, two = submit(each_database, CHAIN, 2)
    with client(each_database) as repairer:
        repairer.cancel_task(one)
    async with opened(each_database) as [store]:
        assert await run_to_the_end(store) == 3
    assert [task_state(each_database, task) for task in (one, two)] == ["cancelled", "complete"]


# -- retry ----------------------------------------------------------------------------------------


@asynchronous
async def test_a_retried_task_runs_all_that_failed_with_attempts_counted_anew(
    each_database: str,
) -> None:
    [task] = submit(each_database, {"a": (), "b": (), "fine": (), "end": ("a", "b", "fine")})
    async with opened(each_database) as [store]:
        steps = await claim_by_name(store)
        settled = failed(steps["a"])
        settled.crashed = True
        await finish(store, settled, failed(steps["b"]), done(steps["fine"]))
        assert task_state(each_database, task) == "error"
        counts = "select attempts, crashes, error is null from tasker.steps where name = 'a'"
        assert rows(each_database, counts) == [(1, 1, False)]

        with connect(each_database) as listener, client(each_database) as repairer:
            listener.execute("listen tasker_ready")
            made = repairer.retry_task(task, reason="the shop is open", by="bob")
            assert [n.payload for n in listener.notifies(timeout=5, stop_after=1)] == [QUEUES[1]]
        assert [(c.step, c.from_state, c.to_state) for c in made.changes] == [
            ("a", "error", "enqueued"),
            ("b", "error", "enqueued"),
            ("", "error", "in_progress"),
        ]
        assert rows(each_database, counts) == [(0, 0, True)]
        task_row = "select state::text, completed_at, failed_steps, open_sinks from tasker.tasks"
        assert rows(each_database, task_row) == [("in_progress", None, 0, 1)]
        assert queued(each_database) == 2
        retried = await claim_by_name(store)
        assert {step.attempt for step in retried.values()} == {1}
        assert {step.crashes for step in retried.values()} == {0}
        # The failed attempt cannot be finished once more.
        _, (stale, _) = await finish(store, done(steps["a"]))
        assert stale == [steps["a"].event_id]
        await finish(store, *map(done, retried.values()))
        await run_to_the_end(store)
    assert task_state(each_database, task) == "complete"
    ends = history(each_database, task)
    assert ends["a"].count(("bob", "the shop is open")) == 1
    assert ends[""] == [("bob", "the shop is open")]


@asynchronous
async def test_retrying_one_failed_step_leaves_the_other_and_the_task_fails_again(
    each_database: str,
) -> None:
    [task] = submit(each_database, PAIR)
    async with opened(each_database) as [store]:
        for step in await claim(store):
            await finish(store, failed(step))
        with client(each_database) as repairer:
            repairer.retry_step(step_uuid(task, 1))
        assert step_states(each_database, task) == {"one": "enqueued", "two": "error"}
        assert task_state(each_database, task) == "in_progress"
        counters_agree(each_database, task)
        _, (_, ended) = await finish(store, done((await claim(store))[0]))
        assert ended == [(task.bytes, "error")]
        with client(each_database) as repairer:
            repairer.retry_task(task)
        await run_to_the_end(store)
    assert task_state(each_database, task) == "complete"


@asynchronous
async def test_a_failed_step_is_retried_while_its_task_runs_on(each_database: str) -> None:
    [task] = submit(each_database, PAIR)
    async with opened(each_database) as [store]:
        one, two = await claim(store)
        await finish(store, failed(one))
        with client(each_database) as repairer:
            made = repairer.retry_step(step_uuid(task, one.step_no))
        assert [change.step for change in made.changes] == [one.name]
        counters_agree(each_database, task)
        await finish(store, done(two))
        await run_to_the_end(store)
    assert task_state(each_database, task) == "complete"


@asynchronous
async def test_a_waiting_step_is_due_now_and_keeps_its_attempts(each_database: str) -> None:
    [task] = submit(each_database, PAIR)
    async with opened(each_database) as [store]:
        for step in await claim(store):
            await finish(store, again(step, delay=1000))
        with client(each_database) as repairer:
            repairer.retry_step(step_uuid(task, 1))
            assert step_states(each_database, task) == {
                "one": "enqueued",
                "two": "waiting_for_retry",
            }
            repairer.retry_task(task)
        assert await store.promote_due() == (0, None)
        assert [step.attempt for step in await claim(store)] == [2, 2]
    assert len(history(each_database, task)["one"]) == 5


# -- resolve and complete -------------------------------------------------------------------------


@asynchronous
async def test_a_resolved_step_lets_its_children_go_on_once_all_parents_are_done(
    each_database: str,
) -> None:
    [task] = submit(each_database, DIAMOND)
    async with opened(each_database) as [store]:
        await finish(store, done((await claim(store))[0]))
        steps = await claim_by_name(store)
        await finish(store, failed(steps["left"]))
        with client(each_database) as repairer:
            made = repairer.resolve_step(step_uuid(task, 2), reason="not needed", by="me")
        assert made == Repair(
            task_uuid=task,
            changes=[
                Change(
                    uuid=step_uuid(task, 2),
                    step="left",
                    from_state="error",
                    to_state="resolved_manually",
                )
            ],
        )
        counters_agree(each_database, task)
        [end], _ = await finish(store, done(steps["right"]), capacity=1)
        # What was resolved without a result gives none.
        assert set(msgspec.json.decode(end.dependencies)) == {"start", "right"}
        _, (_, ended) = await finish(store, done(end))
    assert ended == [(task.bytes, "complete")]
    assert value(each_database, "select error from tasker.steps where name = 'left'") is None
    assert history(each_database, task)["left"][-1] == ("me", "not needed")


@asynchronous
async def test_what_is_behind_a_step_resolved_early_waits_for_all_that_its_template_names(
    each_database: str,
) -> None:
    shape = {"a": (), "b": ("a",), "c": ("a", "b"), "d": ("a", "b", "c"), "other": ("b",)}
    [task] = submit(each_database, shape)
    waiting = "select waiting_on from tasker.steps where name <> 'other' order by name"
    async with opened(each_database) as [store]:
        [a] = await claim(store)
        assert rows(each_database, waiting) == [(0,), (1,), (1,), (1,)], "as in a chain"
        with client(each_database) as repairer:
            numbers = {step.name: step.step_no for step in repairer.get_task(task).steps}
            made = repairer.resolve_step(step_uuid(task, numbers["b"]), reason="not needed")
            assert [change.step for change in made.changes] == ["b", "other"]
            assert step_states(each_database, task)["c"] == "pending", "it names a, which runs"
            assert rows(each_database, waiting) == [(0,), (1,), (1,), (2,)]
            counters_agree(each_database, task)
            repairer.resolve_step(step_uuid(task, numbers["c"]), reason="nor is this")
            assert step_states(each_database, task)["d"] == "pending"
            counters_agree(each_database, task)
        [d], _ = await finish(store, done(a), capacity=9)
        assert d.name == "d"
        await finish(store, done(d), *[done(step) for step in await claim(store)])
    assert task_state(each_database, task) == "complete"


@asynchronous
async def test_resolving_the_failed_step_revives_its_task_and_unlocks_what_is_behind(
    each_database: str,
) -> None:
    [task] = submit(each_database, CHAIN)
    async with opened(each_database) as [store]:
        await finish(store, failed((await claim(store))[0]))
        assert task_state(each_database, task) == "error"
        with client(each_database) as repairer:
            made = repairer.complete_step(
                step_uuid(task, 1), {"by hand": 6**64}, reason="asked them", by="me"
            )
        assert [(c.step, c.from_state, c.to_state) for c in made.changes] == [
            ("first", "error", "resolved_manually"),
            ("second", "pending", "enqueued"),
            ("", "error", "in_progress"),
        ]
        assert queued(each_database) == 1
        counters_agree(each_database, task)
        [second] = await claim(store)
        assert msgspec.json.decode(second.dependencies) == {"first": {"by hand": 6**64}}
        [third], _ = await finish(store, done(second), capacity=1)
        assert "first" in msgspec.json.decode(third.dependencies)
        await finish(store, done(third))
    with client(each_database) as reader:
        found = reader.get_task(task)
    assert (found.state, found.steps[0].state) == ("complete", "resolved_manually")
    assert found.results["first"] == {"by hand": 6**64}
    assert found.errors == {}
    assert history(each_database, task)[""] == [("me", "asked them")]


@pytest.mark.parametrize("failing", [False, True])
@asynchronous
async def test_resolving_the_last_sink_completes_the_task(
    each_database: str, failing: bool
) -> None:
    [task] = submit(each_database, PAIR)
    async with opened(each_database) as [store]:
        one, two = await claim(store)
        fates = (done(one), failed(two)) if failing else (done(one),)
        await finish(store, *fates)
        execute(each_database, "update tasker.tasks set waited = true")
        with connect(each_database) as listener, client(each_database) as repairer:
            listener.execute("listen tasker_ended")
            repairer.resolve_step(step_uuid(task, two.step_no), reason="enough", by="me")
            notices = list(listener.notifies(timeout=5, stop_after=1))
        assert [notice.payload for notice in notices] == [str(task)]
        assert task_state(each_database, task) == "complete"
        counters_agree(each_database, task)
        _, (stale, _) = await finish(store, done(two))
        assert stale == [two.event_id]
    assert set(history(each_database, task)[""]) == {("me", "enough")}


@asynchronous
async def test_a_task_with_another_failure_stays_in_error(each_database: str) -> None:
    [task] = submit(each_database, PAIR)
    async with opened(each_database) as [store]:
        await finish(store, *[failed(step) for step in await claim(store)])
        with client(each_database) as repairer:
            made = repairer.resolve_step(step_uuid(task, 1), reason="r")
            assert [change.step for change in made.changes] == ["one"]
            assert task_state(each_database, task) == "error"
            counters_agree(each_database, task)
            repairer.resolve_step(step_uuid(task, 2), reason="r")
        assert task_state(each_database, task) == "complete"


@asynchronous
async def test_every_step_of_a_task_that_nobody_claimed_can_be_resolved_in_any_order(
    each_database: str,
) -> None:
    [task] = submit(each_database, DIAMOND)
    with client(each_database) as repairer:
        for step_no in (3, 1, 2):
            repairer.resolve_step(step_uuid(task, step_no), reason="r")
            counters_agree(each_database, task)
        assert step_states(each_database, task)["end"] == "enqueued"
        assert task_state(each_database, task) == "in_progress"
        repairer.resolve_step(step_uuid(task, 4), reason="r")
    assert task_state(each_database, task) == "complete"
    history(each_database, task)
    async with opened(each_database) as [store]:
        assert await claim(store) == []


@asynchronous
async def test_a_task_that_completed_by_its_resolved_sink_is_over(each_database: str) -> None:
    [task] = submit(each_database, CHAIN)
    async with opened(each_database) as [store]:
        await finish(store, failed((await claim(store))[0]))
    with client(each_database) as repairer:
        repairer.resolve_step(step_uuid(task, 3), reason="r")
        assert task_state(each_database, task) == "complete"
        before = everything(each_database)
        first = step_uuid(task, 1)
        with pytest.raises(IllegalTransitionError, match=f'"first".*{task} is complete'):
            repairer.retry_step(first)
        with pytest.raises(IllegalTransitionError, match=f'"first".*{task} is complete'):
            repairer.resolve_step(first, reason="r")
        with pytest.raises(IllegalTransitionError, match=f"{task} is complete"):
            repairer.retry_task(task)
    assert everything(each_database) == before


@asynchronous
async def test_a_resolved_task_runs_nothing_more(each_database: str) -> None:
    [task] = submit(each_database, DIAMOND)
    async with opened(each_database) as [store]:
        await finish(store, done((await claim(store))[0]))
        steps = await claim_by_name(store)
        await finish(store, failed(steps["left"]))
        with client(each_database) as repairer:
            repairer.resolve_task(task, reason="done by phone", by="me")
        assert step_states(each_database, task) == {
            "start": "complete",
            **dict.fromkeys(("left", "right", "end"), "resolved_manually"),
        }
        assert task_state(each_database, task) == "resolved_manually"
        counters_agree(each_database, task)
        _, (stale, _) = await finish(store, done(steps["right"]))
        assert stale == [steps["right"].event_id]
        assert await claim(store) == []
    ends = history(each_database, task)
    assert {ends[name][-1] for name in ("", "left", "right", "end")} == {("me", "done by phone")}


@pytest.mark.parametrize(
    ("given", "stored"), [(5, {"result": 5}), ([1], {"result": [1]}), ({"a": 1}, {"a": 1})]
)
def test_a_result_by_hand_is_stored_as_a_handlers(
    database: str, given: object, stored: object
) -> None:
    [task] = submit(database, ONE)
    with client(database) as repairer:
        repairer.complete_step(step_uuid(task, 1), given, reason="r")
        assert repairer.get_task(task).results == {"only": stored}


# -- whoever asks ---------------------------------------------------------------------------------


def test_what_cannot_be_stored_or_does_not_exist_is_refused(database: str) -> None:
    [task] = submit(database, ONE)
    step, nobody = step_uuid(task, 1), uuid4()
    before = everything(database)
    with client(database) as repairer:
        for text in ("", "  ", "\x00"):
            with pytest.raises(InvalidInputError):
                repairer.resolve_step(step, reason=text)
        for result in (float("nan"), "x" * 100_000_000, object()):
            with pytest.raises(InvalidInputError):
                repairer.complete_step(step, result, reason="r")
        with pytest.raises(UnknownTaskError, match=str(task)):
            repairer.retry_step(task)  # a task's UUID is no step's
        with pytest.raises(UnknownTaskError, match="step number 2"):
            repairer.resolve_step(step_uuid(task, 2), reason="r")
        for verb in (repairer.cancel_task, repairer.retry_task, repairer.explain):
            with pytest.raises(UnknownTaskError, match=str(nobody)):
                verb(nobody)
    assert everything(database) == before


def test_the_caller_is_on_record_where_nobody_is_named(database: str) -> None:
    [task] = submit(database, ONE)
    with client(database) as repairer:
        repairer.cancel_task(task)
    assert "@" in whoever_calls()
    assert history(database, task)[""] == [(whoever_calls(), "")]


@asynchronous
async def test_the_async_client_repairs_as_well(database: str) -> None:
    one, two, three, four = submit(database, ONE, 4)
    async with opened(database) as [store], AsyncClient(database, config=CONFIG) as repairer:
        await finish(store, *[failed(step) for step in await claim(store)])
        assert (await repairer.retry_task(one, by="me")).task_uuid == one
        await repairer.cancel_task(two, reason="r")
        await repairer.complete_step(step_uuid(three, 1), 7, reason="r")
        await repairer.retry_step(step_uuid(four, 1))
        assert (await repairer.explain(four)).steps[0].state == "enqueued"
        await repairer.resolve_step(step_uuid(four, 1), reason="r")
        await repairer.resolve_task(one, reason="r")
        assert await repairer.list_tasks(quarantined=True) == []
    tasks = (one, two, three, four)
    assert [task_state(database, task) for task in tasks] == [
        "resolved_manually",
        "cancelled",
        "complete",
        "complete",
    ]


def test_the_database_says_what_is_wrong_by_sqlstate(database: str) -> None:
    [task] = submit(database, ONE)
    with connect(database) as connection, pytest.raises(psycopg.Error) as caught:
        connection.execute(
            "select tasker.check_transition('task', 'task ' || %s::text, 'complete', 'cancelled')",
            [task],
        )
    assert caught.value.sqlstate == "TK003"
    assert caught.value.diag.message_detail == "task complete cancelled"


def quarantined(step: ClaimedStep) -> Any:
    settled = failed(step)
    settled.payload = b'{"message":"it died","error_code":"QUARANTINED","retryable":false}'
    return settled


@asynchronous
async def test_tasks_with_a_quarantined_step_are_listed(each_database: str) -> None:
    first, second, third = submit(each_database, ONE, 3)
    async with opened(each_database) as [store]:
        steps = {UUID(bytes=step.task): step for step in await claim(store)}
        await finish(
            store, quarantined(steps[first]), failed(steps[second]), quarantined(steps[third])
        )
        with client(each_database) as reader:
            found = [t.uuid for t in reader.list_tasks(quarantined=True)]
            assert found == [third, first]
            assert len(reader.list_tasks(quarantined=True, limit=1)) == 1
            assert reader.list_tasks(quarantined=True, state="in_progress") == []
            assert reader.list_tasks(quarantined=True, namespace="others") == []
            reader.retry_task(first)
            assert [t.uuid for t in reader.list_tasks(quarantined=True)] == [third]
