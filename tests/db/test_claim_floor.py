"""Claims begin behind what is gone for good, and pass over nothing that may still come."""

from collections.abc import Callable
from uuid import UUID

import psycopg
import pytest
from dags import ONE, QUEUES, asynchronous, claim, client, execute, opened, submission, submit

from tasker_mp.db.connect import connect
from tasker_mp.db.store import Store

_TABLE = f"pgmq.q_{QUEUES[1]}"
_WALK = 1000
"""What a look passes at most, and then once more to find the way shorter."""


async def _claimed(store: Store) -> list[UUID]:
    """All that is there; and once more, which raises the floor as far as it goes."""
    found = [UUID(bytes=step.task) for step in await claim(store)]
    assert await claim(store) == []
    return found


async def _floor(store: Store) -> int:
    cursor = await store.connection.execute(
        "select tasker.known_floor(%s)", [_TABLE.removeprefix("pgmq.")]
    )
    [row] = await cursor.fetchall()
    return int(row[0])


def _enqueue(connection: psycopg.Connection, task: UUID) -> None:
    connection.execute("select tasker.send_ready(array[%s::uuid], array[1])", [task])


def _unqueued(database: str) -> UUID:
    """A task whose message is not there yet."""
    (task,) = submit(database, ONE)
    execute(database, f"delete from {_TABLE}")
    return task


@asynchronous
async def test_the_floor_follows_the_claims(each_database: str) -> None:
    async with opened(each_database) as [store]:
        for count, floor in ((3, 4), (2, 6)):
            tasks = submit(each_database, ONE, count)
            assert await _claimed(store) == tasks
            assert await _floor(store) == floor


@asynchronous
async def test_a_message_that_commits_after_later_ones_were_claimed_is_claimed_at_once(
    each_database: str,
) -> None:
    overtaken = _unqueued(each_database)
    async with opened(each_database) as [store]:
        with connect(each_database, autocommit=False) as slow:
            _enqueue(slow, overtaken)
            for _ in range(3):
                later = submit(each_database, ONE, 10)
                assert await _claimed(store) == later
            slow.commit()
            assert await _claimed(store) == [overtaken]
        await claim(store)
        assert await _floor(store) == 33


@asynchronous
async def test_what_another_claim_gives_back_is_claimed(each_database: str) -> None:
    tasks = submit(each_database, ONE, 5)
    async with opened(each_database, None, None) as [one, other]:
        async with other.connection.transaction(force_rollback=True):
            assert len(await claim(other, 2)) == 2
            assert await _claimed(one) == tasks[2:]
            assert await claim(one) == []
        assert await _claimed(one) == tasks[:2]


@asynchronous
async def test_a_claim_that_is_rolled_back_takes_its_floor_with_it(each_database: str) -> None:
    tasks = submit(each_database, ONE, 3)
    async with opened(each_database) as [store]:
        async with store.connection.transaction(force_rollback=True):
            assert await _claimed(store) == tasks
            assert await _floor(store) == 4
        assert await _claimed(store) == tasks


@asynchronous
async def test_a_message_that_is_not_to_be_seen_yet_is_not_passed_over(database: str) -> None:
    early, *others = submit(database, ONE, 4)
    execute(database, f"update {_TABLE} set vt = vt + interval '1 day' where msg_id = 1")
    async with opened(database) as [store]:
        assert await _claimed(store) == others
        execute(database, f"update {_TABLE} set vt = clock_timestamp() where msg_id = 1")
        assert await _claimed(store) == [early]


@asynchronous
async def test_under_a_snapshot_of_its_own_a_claim_does_not_learn(database: str) -> None:
    submit(database, ONE)
    async with opened(database) as [store]:
        await _claimed(store)
        async with store.connection.transaction():
            await store.connection.execute("set transaction isolation level repeatable read")
            await store.connection.execute("select 1 from tasker.tasks")
            late = submit(database, ONE)
            assert await _claimed(store) == []
        assert await _claimed(store) == late


@pytest.mark.parametrize(
    "begin_anew",
    [
        pytest.param(
            lambda database: execute(database, f"truncate {_TABLE} restart identity"),
            id="truncated",
        ),
        pytest.param(
            lambda database: execute(
                database, f"select pgmq.drop_queue('{QUEUES[1]}'), tasker.create_queues('dags')"
            ),
            id="made anew",
        ),
    ],
)
@asynchronous
async def test_numbers_that_begin_anew_are_seen(
    database: str, begin_anew: Callable[[str], None]
) -> None:
    submit(database, ONE, 10)
    async with opened(database) as [store]:
        await _claimed(store)
        begin_anew(database)
        again = submit(database, ONE, 2)
        assert {UUID(bytes=s.task) for _ in range(2) for s in await claim(store)} == set(again)
        assert await claim(store) == []
        assert await _floor(store) == 3


@asynchronous
async def test_under_an_old_snapshot_no_claim_walks_past_all_that_was_claimed(
    each_database: str,
) -> None:
    submit(each_database, ONE)
    with client(each_database) as submitter, connect(each_database, autocommit=False) as holder:
        holder.execute("set transaction isolation level repeatable read")
        holder.execute("select count(*) from tasker.templates")
        async with opened(each_database, None, None) as [store, newcomer]:
            for _ in range(5):
                submitter.submit_many([submission()] * _WALK)
            for _ in range(8):
                assert len(await claim(store, _WALK // 2)) == _WALK // 2
            assert await _entries_read(store) <= 3 * _WALK
            assert await _entries_read(newcomer) > 4 * _WALK  # what it would be without


async def _entries_read(store: Store) -> int:
    """Of the queue's index by a claim of one step, dead ones too."""
    async with store.connection.transaction():  # statistics are not sent away within one
        before = await _returned(store)
        assert len(await claim(store, 1)) == 1
        return await _returned(store) - before


async def _returned(store: Store) -> int:
    index = f"select pg_stat_get_xact_tuples_returned('{_TABLE}_pkey'::regclass)"
    [row] = await (await store.connection.execute(index.encode())).fetchall()
    return int(row[0])
