"""A dead supervisor's last statement is ended before its steps are recovered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import psycopg
from dags import ONE, QUEUES, asynchronous, execute, opened, rows, submit, value

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.db.connect import connect_async
from tasker_mp.db.store import Store

_LIMIT = 30.0
_LEASE = 30.0
_WAITING = """select count(*) from pg_stat_activity
              where datname = current_database() and wait_event_type = 'Lock'"""


@asynccontextmanager
async def claiming(database: str, owner: UUID) -> AsyncIterator[asyncio.Task[list[ClaimedStep]]]:
    """A claim of `owner`'s that waits in its backend for somebody's lock on a step."""
    async with await connect_async(database, owner=owner) as connection:
        store = Store(connection, owner)
        await store.register_supervisor("dead", "here", 1, ["dags"], None)
        task = asyncio.create_task(store.claim_steps(QUEUES, 10))
        await _until(database, _WAITING, 1)
        yield task


async def _until(database: str, query: str, wanted: object) -> None:
    async with asyncio.timeout(_LIMIT):
        while value(database, query) != wanted:
            await asyncio.sleep(0.01)


def _lock(database: str) -> psycopg.Connection:
    connection = psycopg.connect(database)
    connection.execute("select from tasker.steps where state = 'enqueued' for update")
    return connection


async def _ended(claim: asyncio.Task[list[ClaimedStep]]) -> bool:
    try:
        await claim
    except psycopg.errors.AdminShutdown:
        return True
    return False


@asynchronous
async def test_a_successor_ends_the_claim_that_its_predecessor_left(each_database: str) -> None:
    submit(each_database, ONE, 3)
    dead = uuid4()
    async with (
        opened(each_database, None) as [heir],
        claiming_under_lock(each_database, dead) as [
            claim,
            lock,
        ],
    ):
        recovered = await heir.register_supervisor("heir", "here", 2, ["dags"], dead)
        lock.rollback()
        assert (recovered, await _ended(claim)) == (0, True)
        assert len(await heir.claim_steps(QUEUES, 10)) == 3
        assert rows(each_database, "select distinct owner from tasker.claims") == [(heir.owner,)]


@asynchronous
async def test_so_does_another_hosts_heartbeat_when_the_lease_runs_out(each_database: str) -> None:
    submit(each_database, ONE, 1)
    dead = uuid4()
    async with opened(each_database, None) as [other]:
        async with await connect_async(each_database, owner=dead) as first:
            held = Store(first, dead)
            await held.register_supervisor("dead", "there", 1, ["dags"], None)
            assert len(await held.claim_steps(QUEUES, 10)) == 1
            submit(each_database, ONE, 2)
            execute(
                each_database,
                "update tasker.supervisors set heartbeat_at = now() - make_interval(secs => %s)",
                _LEASE + 1,
            )
            with _lock(each_database) as lock:
                late = asyncio.create_task(held.claim_steps(QUEUES, 10))
                await _until(each_database, _WAITING, 1)
                beat = asyncio.create_task(other.heartbeat(_LEASE))
                assert await _ended(late)
                lock.rollback()
            assert await beat == 1
        assert len(await other.claim_steps(QUEUES, 10)) == 3


@asynchronous
async def test_a_departing_supervisor_does_not_end_the_session_that_says_so(
    each_database: str,
) -> None:
    async with await connect_async(each_database, owner=(owner := uuid4())) as connection:
        store = Store(connection, owner)
        await store.register_supervisor("me", "here", 1, ["dags"], None)
        async with opened(each_database, None) as [other]:
            assert await store.recover_owner() == 0
            assert await store.heartbeat(_LEASE) == 0
            assert await other.heartbeat(_LEASE) == 0


@asynchronous
async def test_the_name_of_a_session_keeps_the_users_and_ends_with_the_uuid(
    each_database: str,
) -> None:
    owner = uuid4()
    dsn = psycopg.conninfo.make_conninfo(each_database, application_name="ü" * 40)
    async with await connect_async(dsn, owner=owner):
        query = "select application_name from pg_stat_activity where application_name like %s"
        [[name]] = rows(each_database, query, f"%{owner}")
    assert name.startswith("?????")
    assert name.endswith(f" {owner}")
    assert len(name.encode()) <= 63


@asynccontextmanager
async def claiming_under_lock(
    database: str, owner: UUID
) -> AsyncIterator[tuple[asyncio.Task[list[ClaimedStep]], psycopg.Connection]]:
    with _lock(database) as lock:
        async with claiming(database, owner) as claim:
            yield claim, lock
