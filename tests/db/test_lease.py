"""Leases: what a dead supervisor holds is enqueued again, and nothing that it still says counts."""

import asyncio
from uuid import UUID, uuid4

import pytest
from dags import (
    CHAIN,
    ONE,
    again,
    asynchronous,
    claim,
    done,
    everything,
    execute,
    finish,
    ids,
    opened,
    queued,
    rows,
    step_states,
    submit,
    task_state,
    until_blocked,
    value,
)

from tasker_mp.db.store import Store

LEASE = 30.0


async def register(store: Store, predecessor: UUID | None = None) -> int:
    return await store.register_supervisor("me", "here", 1, ["dags"], predecessor)


def let_lease_run_out(database: str, store: Store) -> None:
    execute(
        database,
        "update tasker.supervisors set heartbeat_at = now() - make_interval(secs => %s)"
        " where supervisor_uuid = %s",
        LEASE + 1,
        store.owner,
    )


# -- recovery -------------------------------------------------------------------------------------


@asynchronous
async def test_recovered_steps_are_enqueued_again_without_a_charge(each_database: str) -> None:
    submit(each_database, ONE, 3)
    async with opened(each_database, None, None) as [dead, heir]:
        await register(dead)
        lost = await claim(dead)
        assert await heir.register_supervisor("me", "here", 2, ["dags"], dead.owner) == 3
        assert queued(each_database) == 3
        assert value(each_database, "select count(*) from tasker.claims") == 0
        owners = rows(each_database, "select supervisor_uuid from tasker.supervisors")
        assert owners == [(heir.owner,)]

        found = await claim(heir)
        assert ids(found) == ids(lost)
        assert [step.attempt for step in found] == [1, 1, 1]
        assert not {step.event_id for step in found} & {step.event_id for step in lost}

        before = everything(each_database)
        _, (stale, ended) = await finish(dead, *[done(step) for step in lost])
        assert (set(stale), ended) == ({step.event_id for step in lost}, [])
        assert everything(each_database) == before
        _, (stale, ended) = await finish(heir, *[done(step) for step in found])
        assert (stale, len(ended)) == ([], 3)


@asynchronous
async def test_what_is_finished_or_waits_or_belongs_to_others_is_not_recovered(
    each_database: str,
) -> None:
    submit(each_database, CHAIN, 4)
    async with opened(each_database, None, None) as [dead, other]:
        finished, waiting, held = await claim(dead, 3)
        [others] = await claim(other)
        [child], _ = await finish(dead, done(finished), again(waiting, 100), capacity=1)
        assert await dead.recover_owner() == 2
        assert ids(await claim(other)) == ids([child, held])
        _, (stale, _) = await finish(other, done(others))
        assert stale == []


@asynchronous
async def test_a_second_recovery_finds_nothing(each_database: str) -> None:
    submit(each_database, ONE, 2)
    async with opened(each_database, None, None) as [dead, heir]:
        await claim(dead)
        assert await dead.recover_owner() == 2
        [step] = await claim(heir, 1)
        before = everything(each_database)
        assert await dead.recover_owner() == 0
        assert everything(each_database) == before
        assert (await finish(heir, done(step)))[1][0] == []


@asynchronous
async def test_a_step_in_two_claims_of_one_owner_is_given_back_once(each_database: str) -> None:
    submit(each_database, ONE)
    async with opened(each_database) as [store]:
        await finish(store, again((await claim(store))[0]))
        await store.promote_due()
        [step] = await claim(store)
        assert value(each_database, "select count(*) from tasker.claims") == 2
        [held] = await store.held_steps()
        assert held == step
        recorded = value(each_database, "select count(*) from tasker.transitions")

        assert await store.recover_owner() == 1
        assert queued(each_database) == 1
        assert value(each_database, "select attempts from tasker.steps") == 1
        # enqueued, in progress, and back
        assert value(each_database, "select count(*) from tasker.transitions") == recorded + 3


@asynchronous
async def test_steps_given_back_are_free_and_those_of_others_are_not(each_database: str) -> None:
    submit(each_database, ONE, 3)
    async with opened(each_database, None, None) as [one, two]:
        first, second = await claim(one, 2)
        [third] = await claim(two)
        steps = [(step.task, step.step_no) for step in (first, third)]
        assert await one.give_back(steps, "drained") == 1
        assert await one.give_back(steps, "drained") == 0
        [again_first] = await claim(two)
        assert ids([again_first]) == ids([first])
        assert again_first.attempt == 1
        _, (stale, _) = await finish(one, done(first), done(second))
        assert stale == [first.event_id]


@asynchronous
async def test_held_steps_are_those_that_the_rows_say(each_database: str) -> None:
    submit(each_database, CHAIN, 3)
    async with opened(each_database, None, None) as [store, other]:
        one, two, three = await claim(store)
        [child], _ = await finish(store, done(one), again(two, 100), capacity=1)
        held = await store.held_steps()
        assert sorted(held) == sorted([child._replace(results=-1), three])
        assert await other.held_steps() == []


# -- heartbeats -----------------------------------------------------------------------------------


@asynchronous
async def test_a_heartbeat_recovers_only_what_expired_owners_hold(each_database: str) -> None:
    submit(each_database, ONE, 6)
    async with opened(each_database, None, None, None) as stores:
        me, alive, dead = stores
        for store in stores:
            await register(store)
        _, kept, lost = [await claim(store, 2) for store in stores]
        let_lease_run_out(each_database, dead)
        let_lease_run_out(each_database, me)  # one's own heartbeat is what renews it

        assert await me.heartbeat(LEASE) == 2
        assert await me.heartbeat(LEASE) == 0
        assert await alive.heartbeat(LEASE) == 0

        owners = rows(each_database, "select distinct owner from tasker.claims")
        assert {owner for (owner,) in owners} == {me.owner, alive.owner}
        assert ids(await claim(me)) == ids(lost)
        assert (await finish(alive, *[done(step) for step in kept]))[1][0] == []


@asynchronous
async def test_a_supervisor_that_stood_still_goes_on_under_its_lease(each_database: str) -> None:
    submit(each_database, ONE, 2)
    async with opened(each_database, None, None) as [still, other]:
        await register(still)
        await register(other)
        [lost] = await claim(still, 1)
        let_lease_run_out(each_database, still)
        assert await other.heartbeat(LEASE) == 1

        await still.heartbeat(LEASE)
        [held] = await claim(still, 1)
        assert await other.heartbeat(LEASE) == 0
        assert (await finish(still, done(lost), done(held)))[1][0] == [lost.event_id]

        # And when it dies after all, what it holds is found again.
        await claim(still)
        let_lease_run_out(each_database, still)
        assert await other.heartbeat(LEASE) == 1


@asynchronous
async def test_a_heartbeat_never_recovers_ones_own(each_database: str) -> None:
    submit(each_database, ONE)
    async with opened(each_database) as [forgotten]:
        await claim(forgotten)
        assert await forgotten.heartbeat(LEASE) == 0
        assert len(await forgotten.held_steps()) == 1


@asynchronous
async def test_a_claim_that_commits_after_its_owner_was_recovered_is_found(
    each_database: str,
) -> None:
    submit(each_database, ONE)
    async with opened(each_database, None, None) as [dead, heir]:
        await register(dead)
        async with dead.connection.transaction():  # its backend outlives the process
            await claim(dead)
            assert await register(heir, predecessor=dead.owner) == 0
        assert await heir.heartbeat(LEASE) == 1
    assert queued(each_database) == 1


@asynchronous
async def test_a_supervisor_that_finishes_while_it_is_recovered_does_not_deadlock(
    each_database: str,
) -> None:
    submit(each_database, ONE, 2)
    async with opened(each_database, None, None) as [slow, heir]:
        first, second = await claim(slow)
        async with slow.connection.transaction():
            await finish(slow, done(first))
            waiting = asyncio.create_task(heir.register_supervisor("h", "h", 1, [], slow.owner))
            await until_blocked(each_database)
            # Releasing claims comes last in a finish: the other one must not have them locked.
            await slow.connection.execute("set local lock_timeout = '5s'")
            await slow.finish_steps([], 0, [first.claim_id])
        assert await waiting == 1
        assert ids(await claim(heir)) == ids([second])


@asynchronous
async def test_registering_again_after_a_lost_answer_is_harmless(each_database: str) -> None:
    submit(each_database, ONE)
    async with opened(each_database, None, None) as [dead, heir]:
        await claim(dead)
        assert await register(heir, predecessor=dead.owner) == 1
        assert await register(heir, predecessor=dead.owner) == 0
    assert value(each_database, "select count(*) from tasker.supervisors") == 1


@asynchronous
async def test_registering_makes_the_queues_of_namespaces_without_a_template(
    database: str,
) -> None:
    async with opened(database) as [store]:
        await store.register_supervisor("me", "here", 1, ["nobodys"], None)
        assert await store.claim_steps(["worker_nobodys_queue"], 5) == []
        queue = "worker_nobodys_queue"
        assert await store.queue_depths([queue]) == [(queue, 0, 0.0)]


@pytest.mark.parametrize("owners", [0, 1])
@asynchronous
async def test_leaving_without_steps_is_quiet(database: str, owners: int) -> None:
    [task] = submit(database, ONE)
    async with opened(database, uuid4()) as [store]:
        if owners:
            await register(store)
        assert await store.recover_owner() == 0
    assert task_state(database, task) == "pending"
    assert step_states(database, task) == {"only": "enqueued"}
    assert value(database, "select count(*) from tasker.supervisors") == 0
