"""Lifecycle: a task past a limit is listed, made a dead letter or failed; no other one is."""

from typing import Any
from uuid import UUID

import pytest
from dags import (
    ALL,
    CHAIN,
    NAMESPACE,
    ONE,
    PAIR,
    again,
    asynchronous,
    claim,
    client,
    done,
    execute,
    failed,
    finish,
    opened,
    queued,
    rows,
    run_to_the_end,
    step_states,
    submission,
    submit,
    task_state,
    template,
    value,
)

from tasker_mp.client.explanation import Reason
from tasker_mp.db.connect import connect_async
from tasker_mp.identity import step_uuid
from tasker_mp.states import STEP_TRANSITIONS, TASK_TRANSITIONS, StepState, TaskState
from tasker_mp.template.model import Lifecycle

LOOK = 100


def limited(database: str, shape: Any, count: int = 1, **limits: Any) -> list[UUID]:
    """Tasks of a template whose lifecycle is `limits`."""
    with client(database) as submitter:
        submitter.register(template(shape, lifecycle=Lifecycle(**limits)))
        return submitter.submit_many([submission()] * count)


def pass_time(database: str, minutes: float) -> None:
    """Everything that happened so far happened so many minutes earlier."""
    by = f"- make_interval(secs => {minutes * 60})"
    for table, columns in {
        "tasks": ("created_at", "started_at", "completed_at"),
        "steps": ("enqueued_at", "claimed_at", "finished_at", "due_at"),
        "watched_tasks": ("since", "look_at", "stale_at"),
        "transitions": ("at",),
    }.items():
        execute(
            database, f"update tasker.{table} set " + ", ".join(f"{c} = {c} {by}" for c in columns)
        )


def outlived(database: str) -> dict[UUID, list[str]]:
    with client(database) as reader:
        letters = reader.list_dead_letters(only_stale=True)
    return {letter.uuid: [limit.limit for limit in letter.stale] for letter in letters}


def watched(database: str) -> int:
    number: int = value(database, "select count(*) from tasker.watched_tasks")
    return number


def legal_history(database: str, task: UUID) -> list[tuple[str, str, str | None]]:
    """(step, state, actor) of every change; each path is legal and leads to the present state."""
    with client(database) as reader:
        found, changes = reader.get_task(task), reader.transitions(task)
    for name, now in [("", str(found.state)), *((s.name, str(s.state)) for s in found.steps)]:
        table: Any = STEP_TRANSITIONS if name else TASK_TRANSITIONS
        kind: Any = StepState if name else TaskState
        state = "pending"
        for change in [t for t in changes if t.step == name and t.from_state != t.to_state]:
            assert change.from_state == state, changes
            assert kind(change.to_state) in table[kind(state)], changes
            state = change.to_state
        assert state == now, changes
    return [(t.step, t.to_state, t.actor) for t in changes]


@asynchronous
async def test_a_task_that_takes_too_long_fails_with_the_limit_and_can_be_retried(
    each_database: str,
) -> None:
    [task] = limited(each_database, CHAIN, max_duration_minutes=60, staleness_action="error")
    async with opened(each_database) as [store]:
        [running] = await claim(store)
        pass_time(each_database, 59)
        assert await store.enforce_lifecycles(LOOK) == (0, 0, 0)
        pass_time(each_database, 2)
        assert outlived(each_database) == {task: ["max_duration_minutes"]}
        assert await store.enforce_lifecycles(LOOK) == (1, 1, 0)
        assert outlived(each_database) == {}
        assert watched(each_database) == 0
        assert step_states(each_database, task) == {
            "first": "error",
            "second": "pending",
            "third": "pending",
        }
        with client(each_database) as reader:
            found = reader.get_task(task)
            why = reader.explain(task).steps
        assert found.state == "error"
        assert found.completed_at is not None
        assert found.errors["first"]["error_code"] == "LIFECYCLE_LIMIT"
        assert "max_duration_minutes = 60" in found.errors["first"]["message"]
        assert [step.reason for step in why] == [
            Reason.LIFECYCLE_LIMIT,
            Reason.BLOCKED_BY_FAILURE,
            Reason.BLOCKED_BY_FAILURE,
        ]
        assert ("first", "error", "lifecycle") in legal_history(each_database, task)

        # What runs meanwhile is refused.
        _, (stale, _) = await finish(store, done(running))
        assert stale == [running.event_id]

        with client(each_database) as repairer:
            repairer.retry_task(task, by="me", reason="give it time")
        legal_history(each_database, task)
        assert await store.enforce_lifecycles(LOOK) == (0, 0, 0)  # its limits count anew
        assert await run_to_the_end(store) == 3
    assert task_state(each_database, task) == "complete"
    legal_history(each_database, task)


@pytest.mark.parametrize("state", ["enqueued", "in_progress", "waiting_for_retry"])
@asynchronous
async def test_steps_fail_from_every_state_in_which_they_could_move(
    each_database: str, state: str
) -> None:
    [task] = limited(each_database, PAIR, max_duration_minutes=1, auto_fail_on_timeout=True)
    async with opened(each_database) as [store]:
        if state != "enqueued":
            one, two = await claim(store)
            await finish(store, done(one))
            if state == "waiting_for_retry":
                await finish(store, again(two, delay=10_000))
        pass_time(each_database, 2)
        assert await store.enforce_lifecycles(LOOK) == (1, 1, 0)
        assert step_states(each_database, task)["two"] == "error"
        legal_history(each_database, task)
        failures = value(each_database, "select failed_steps from tasker.tasks")
        assert failures == list(step_states(each_database, task).values()).count("error")
        assert await claim(store) == []  # messages of failed steps are dropped
        assert queued(each_database) == 0
        with client(each_database) as repairer:
            repairer.retry_task(task)
        await run_to_the_end(store)
    assert task_state(each_database, task) == "complete"
    legal_history(each_database, task)


@pytest.mark.parametrize(
    ("limit", "state"),
    [
        ("max_waiting_for_dependencies_minutes", "in_progress"),
        ("max_steps_in_process_minutes", "in_progress"),
        ("max_waiting_for_retry_minutes", "waiting_for_retry"),
    ],
)
@asynchronous
async def test_each_limit_counts_from_its_own_beginning(
    each_database: str, limit: str, state: str
) -> None:
    [task] = limited(each_database, CHAIN, **{limit: 10}, staleness_action="none")
    async with opened(each_database) as [store]:
        pass_time(each_database, 20)  # waiting in a queue is none of these
        assert await store.enforce_lifecycles(LOOK) == (1, 0, 0)
        [first] = await claim(store)
        pass_time(each_database, 9)
        assert await store.enforce_lifecycles(LOOK) == (0, 0, 0)
        [second], _ = await finish(store, done(first), capacity=ALL)  # progress: counted anew
        if state == "waiting_for_retry":
            await finish(store, again(second, delay=10_000))
        pass_time(each_database, 9)
        await store.enforce_lifecycles(LOOK)
        assert outlived(each_database) == {}
        pass_time(each_database, 2)
        assert outlived(each_database) == {task: [limit]}  # whether anybody has looked or not
        assert await store.enforce_lifecycles(LOOK) == (1, 0, 0)
        assert outlived(each_database) == {task: [limit]}
    assert task_state(each_database, task) == "in_progress"


@asynchronous
async def test_a_dead_letter_is_marked_once_and_goes_on(each_database: str) -> None:
    [task] = limited(each_database, CHAIN, max_duration_minutes=1)  # dlq where nothing is said
    async with opened(each_database) as [store]:
        await claim(store)
        pass_time(each_database, 5)
        assert await store.enforce_lifecycles(LOOK) == (1, 0, 1)
        pass_time(each_database, 60)
        assert await store.enforce_lifecycles(LOOK) == (1, 0, 0)
        with client(each_database) as reader:
            [letter] = reader.list_dead_letters()
        assert (letter.uuid, letter.stale[0].action) == (task, "dlq")
        assert letter.stale[0].exceeded_by_seconds > 60 * 60
        marks = [t for t in legal_history(each_database, task) if t[2] == "lifecycle"]
        assert marks == [("", "in_progress", "lifecycle")]
        await store.recover_owner()
        await run_to_the_end(store)
        assert task_state(each_database, task) == "complete"
        assert outlived(each_database) == {}
        pass_time(each_database, 11)
        await store.enforce_lifecycles(LOOK)
    assert watched(each_database) == 0


@asynchronous
async def test_ended_tasks_are_forgotten_at_their_first_look_and_unlimited_ones_never_known(
    each_database: str,
) -> None:
    submit(each_database, ONE, 3)
    assert watched(each_database) == 0
    limited(each_database, ONE, 5, max_duration_minutes=1, staleness_action="error")
    async with opened(each_database) as [store]:
        await run_to_the_end(store)
        assert watched(each_database) == 5
        pass_time(each_database, 2)
        assert await store.enforce_lifecycles(3) == (3, 0, 0)
        assert await store.enforce_lifecycles(3) == (2, 0, 0)
    assert watched(each_database) == 0
    assert rows(each_database, "select from tasker.tasks where state <> 'complete'") == []


@asynchronous
async def test_a_task_that_somebody_has_locked_is_not_waited_for(each_database: str) -> None:
    [locked, other] = limited(
        each_database, ONE, 2, max_duration_minutes=1, staleness_action="error"
    )
    pass_time(each_database, 2)
    query = b"select from tasker.steps where task_uuid = %s for no key update"
    async with opened(each_database) as [store], await connect_async(each_database) as blocker:
        async with blocker.transaction():
            await blocker.execute(query, [locked])
            assert await store.enforce_lifecycles(LOOK) == (2, 1, 0)
        assert task_state(each_database, other) == "error"
        assert task_state(each_database, locked) == "pending"
        pass_time(each_database, 1)
        assert await store.enforce_lifecycles(LOOK) == (1, 1, 0)
    legal_history(each_database, locked)


@asynchronous
async def test_dead_letters_are_failed_quarantined_and_stale_tasks(database: str) -> None:
    [stale] = limited(database, ONE, max_duration_minutes=1, staleness_action="none")
    [broken] = submit(database, ONE)
    [fine] = submit(database, ONE)
    with client(database) as reader:
        execute(database, "update tasker.tasks set created_at = created_at")
        async with opened(database) as [store]:
            for step in await claim(store):
                task = UUID(bytes=step.task)
                if task != stale:
                    await finish(store, failed(step) if task == broken else done(step))
        pass_time(database, 2)
        letters = {letter.uuid: letter for letter in reader.list_dead_letters(namespace=NAMESPACE)}
        assert set(letters) == {stale, broken}
        assert fine not in letters
        assert [s.message for s in letters[broken].failed] == ["no"]
        assert (letters[broken].stale, letters[stale].failed) == ([], [])
        assert set(outlived(database)) == {stale}
        assert reader.list_dead_letters(namespace="others") == []
        assert [x.uuid for x in reader.list_dead_letters(state="error")] == [broken]


@asynchronous
async def test_a_result_by_hand_is_among_the_results(each_database: str) -> None:
    [task] = submit(each_database, CHAIN)
    with client(each_database) as repairer:
        repairer.complete_step(step_uuid(task, 1), {"n": 6**64}, reason="r")
        repairer.resolve_step(step_uuid(task, 2), reason="r")
        [found] = repairer.get_results([task])
    assert found.results == {"first": {"n": 6**64}}
