"""Explain: every step that is not complete has the one reason why it is not running now."""

from uuid import UUID, uuid4

import pytest
from dags import (
    CHAIN,
    CONFIG,
    DIAMOND,
    ONE,
    again,
    asynchronous,
    claim,
    claim_by_name,
    client,
    done,
    execute,
    failed,
    finish,
    opened,
    run_to_the_end,
    submission,
    submit,
    template,
)
from msgspec import structs

from tasker_mp.client import AsyncClient
from tasker_mp.client.explanation import Reason, StepExplanation
from tasker_mp.db.store import Store
from tasker_mp.identity import step_uuid
from tasker_mp.inflight import Settled
from tasker_mp.template.model import RetryPolicy, Template

LEASE = CONFIG.steps.lease


def explained(database: str, task: UUID) -> dict[str, StepExplanation]:
    with client(database) as reader:
        return {step.step: step for step in reader.explain(task).steps}


async def serve(store: Store, namespace: str = "dags") -> None:
    await store.register_supervisor("worker-1", "host-1", 1, [namespace], None)


def age(database: str, store: Store, seconds: float) -> None:
    execute(
        database,
        "update tasker.supervisors set heartbeat_at = now() - make_interval(secs => %s)"
        " where supervisor_uuid = %s",
        seconds,
        store.owner,
    )


@asynchronous
async def test_a_step_in_its_queue_says_who_serves_it_or_that_nobody_does(
    each_database: str,
) -> None:
    [task] = submit(each_database, ONE, priority=7)
    async with opened(each_database, None, None) as [ours, other]:
        await serve(other, "others")
        only = explained(each_database, task)["only"]
        assert only.reason is Reason.NOT_SERVED
        assert "worker_dags_queue_high" in only.message
        assert "no supervisor serves the namespace dags" in only.message

        await serve(ours)
        only = explained(each_database, task)["only"]
        assert only.reason is Reason.IN_QUEUE
        assert "worker-1" in only.message
        with client(each_database) as reader:
            assert reader.explain(task).served_by == ["worker-1"]

        age(each_database, ours, LEASE + 1)
        assert explained(each_database, task)["only"].reason is Reason.NOT_SERVED


@asynchronous
async def test_a_running_step_says_who_has_it_since_when(each_database: str) -> None:
    [task] = submit(each_database, CHAIN)
    async with opened(each_database) as [store]:
        await serve(store)
        await claim(store)
        found = explained(each_database, task)
    first = found["first"]
    assert (first.reason, first.supervisor) == (Reason.RUNNING, "worker-1")
    assert "worker-1 on host-1" in first.message
    assert first.since is not None
    assert f"{first.since:%Y-%m-%d %H:%M}" in first.message
    assert found["second"].reason is Reason.WAITING_FOR_PARENTS
    assert found["second"].waits_for == {"first": "in_progress"}
    assert "first (in_progress)" in found["second"].message
    assert found["third"].waits_for == {"second": "pending"}


@asynchronous
async def test_a_step_of_a_lost_supervisor_says_when_it_is_recovered(each_database: str) -> None:
    [task] = submit(each_database, ONE)
    async with opened(each_database, None, None) as [lost, alive]:
        await serve(lost)
        await claim(lost)
        age(each_database, lost, LEASE + 1)
        only = explained(each_database, task)["only"]
        assert only.reason is Reason.LEASE_RAN_OUT
        assert "worker-1 on host-1" in only.message
        assert "no supervisor" in only.message
        assert only.seconds is None

        await serve(alive)
        only = explained(each_database, task)["only"]
        assert (only.reason, only.seconds) == (Reason.LEASE_RAN_OUT, LEASE / 3)
        assert f"recovered within {LEASE / 3:g} s" in only.message

        execute(each_database, "delete from tasker.supervisors")
        only = explained(each_database, task)["only"]
        assert only.reason is Reason.LEASE_RAN_OUT
        assert "a supervisor that is gone" in only.message


@asynchronous
async def test_a_waiting_step_says_until_when(each_database: str) -> None:
    [task] = submit(each_database, ONE)
    async with opened(each_database) as [store]:
        await finish(store, again((await claim(store))[0], delay=500))
        only = explained(each_database, task)["only"]
        assert only.reason is Reason.WAITING_UNTIL
        assert only.seconds is not None
        assert 490 < only.seconds <= 500
        assert only.until is not None
        assert "no supervisor" in only.message
        await serve(store)
        assert "no supervisor" not in explained(each_database, task)["only"].message
        execute(each_database, "update tasker.steps set due_at = now() - interval '1 minute'")
        assert explained(each_database, task)["only"].seconds == 0


@asynchronous
async def test_what_is_behind_a_failure_names_it_however_far(each_database: str) -> None:
    shape = {**DIAMOND, "after": ("end",)}
    [task] = submit(each_database, shape)
    async with opened(each_database) as [store]:
        await finish(store, done((await claim(store))[0]))
        steps = await claim_by_name(store)
        await finish(store, failed(steps["left"]))
        found = explained(each_database, task)
        assert list(found) == ["left", "right", "end", "after"]
        for name in ("end", "after"):
            assert found[name].reason is Reason.BLOCKED_BY_FAILURE
            assert found[name].blocked_by == ["left"]
            assert "blocked behind left" in found[name].message
        assert found["end"].waits_for == {"left": "error", "right": "in_progress"}
        await finish(store, done(steps["right"]))
        with client(each_database) as repairer:
            repairer.resolve_step(step_uuid(task, 2), reason="it was there", by="me")
        found = explained(each_database, task)
        assert found["left"].reason is Reason.ENDED_BY_HAND
        assert found["left"].message == "resolved_manually by me: it was there"
        assert found["after"].reason is Reason.WAITING_FOR_PARENTS
        await run_to_the_end(store)
        assert set(explained(each_database, task)) == {"left"}


PERMANENT = b'{"message":"wrong card","retryable":false}'
RETRYABLE = b'{"message":"too slow","retryable":true}'
CRASHED = b'{"message":"it died","error_code":"QUARANTINED","retryable":false}'


def with_policy(policy: RetryPolicy) -> Template:
    made = template(ONE)
    return structs.replace(made, steps=(structs.replace(made.steps[0], retry=policy),))


@pytest.mark.parametrize(
    ("error", "policy", "reason", "message"),
    [
        (PERMANENT, RetryPolicy(), Reason.PERMANENT_ERROR, "failed for good: wrong card"),
        (CRASHED, RetryPolicy(), Reason.QUARANTINED, "quarantined: it died"),
        (
            RETRYABLE,
            RetryPolicy(max_attempts=1),
            Reason.ATTEMPTS_USED_UP,
            "1 of 1 attempts used up: too slow",
        ),
        (
            RETRYABLE,
            RetryPolicy(retryable=False),
            Reason.ATTEMPTS_USED_UP,
            "its template allows no retry: too slow",
        ),
    ],
)
@asynchronous
async def test_a_failed_step_says_why_it_is_not_tried_again(
    database: str, error: bytes, policy: RetryPolicy, reason: Reason, message: str
) -> None:
    with client(database) as submitter:
        submitter.register(with_policy(policy))
        [task] = submitter.submit_many([submission()])
    async with opened(database) as [store]:
        settled: Settled = failed((await claim(store))[0])
        settled.payload = error
        await finish(store, settled)
    only = explained(database, task)["only"]
    assert (only.reason, only.message) == (reason, message)


def test_cancelled_steps_say_by_whom(database: str) -> None:
    [task] = submit(database, CHAIN)
    with client(database) as repairer:
        repairer.cancel_task(task, by="me", reason="no more")
    found = explained(database, task)
    assert {step.message for step in found.values()} == {"cancelled by me: no more"}
    assert {step.reason for step in found.values()} == {Reason.ENDED_BY_HAND}


@asynchronous
async def test_both_clients_explain_alike(database: str) -> None:
    [task] = submit(database, DIAMOND)
    async with opened(database, uuid4()) as [store]:
        await claim(store)
    async with AsyncClient(database, config=CONFIG) as reader:
        found = await reader.explain(task)
    with client(database) as other:
        assert other.explain(task) == found


@asynchronous
async def test_a_failure_before_a_step_that_was_resolved_blocks_nothing_behind_that(
    database: str,
) -> None:
    shape = {"bad": (), "slow": (), "mended": ("bad",), "last": ("mended", "slow")}
    [task] = submit(database, shape)
    async with opened(database) as [store]:
        await serve(store)
        claimed = await claim_by_name(store)
        await finish(store, failed(claimed["bad"]))
        assert explained(database, task)["last"].blocked_by == ["bad"]
        with client(database) as operator:
            operator.resolve_step(step_uuid(task, 3), reason="done by phone")
        last = explained(database, task)["last"]
        assert (last.reason, last.blocked_by) == (Reason.WAITING_FOR_PARENTS, [])
        assert list(last.waits_for) == ["slow"]
