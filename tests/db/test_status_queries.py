"""What the status page asks of the database: the queues' depths, and how the tables are."""

import pytest
from dags import ONE, asynchronous, claim, execute, opened, submit
from psycopg import connect

from tasker_mp.db import store as store_module
from tasker_mp.db.store import Store

_QUEUES = ["worker_dags_queue", "worker_dags_queue_high", "worker_dags_queue_low"]
_TABLE = "q_worker_dags_queue"


async def _floor(store: Store) -> int:
    """Where a claim in this session would begin to look."""
    cursor = await store.connection.execute("select tasker.known_floor(%s)", [_TABLE])
    [row] = await cursor.fetchall()
    return int(row[0])


async def _forget_floor(store: Store) -> None:
    named = await store.connection.execute("select %s::regclass::oid", [f"pgmq.{_TABLE}"])
    [row] = await named.fetchall()
    await store.connection.execute(f"set tasker.floor_{row[0]} = ''")


@asynchronous
async def test_depth_and_age_of_each_queue(each_database: str) -> None:
    submit(each_database, ONE, 3)
    submit(each_database, ONE, priority=1)
    table = "pgmq.q_worker_dags_queue"
    age = f"update {table} set enqueued_at = enqueued_at - interval '2.5 s' where msg_id = 1"
    execute(each_database, age)
    async with opened(each_database) as [store]:
        depths = {queue: (count, ms) for queue, count, ms in await store.queue_depths(_QUEUES)}
    assert [depths[queue][0] for queue in _QUEUES] == [3, 1, 0]
    assert 2500 <= depths[_QUEUES[0]][1] < 120_000
    assert 0 < depths[_QUEUES[1]][1] < 120_000
    assert depths[_QUEUES[2]][1] == 0


def test_a_count_ends_at_its_limit(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_DEPTH_LIMIT", 2)
    submit(database, ONE, 5)

    @asynchronous
    async def ask() -> None:
        async with opened(database) as [store]:
            [(_, count, _)] = await store.queue_depths(_QUEUES[:1])
            assert count == 2

    ask()


@asynchronous
async def test_health_of_the_tables(each_database: str) -> None:
    submit(each_database, ONE, 50)
    with connect(each_database) as other:
        other.execute("select 1")  # opens a transaction
        async with opened(each_database) as [store]:
            await store.connection.execute("select pg_stat_force_next_flush()")
            health = await store.table_health()
    assert health.bytes > 50 * 100
    assert 0 <= health.oldest_transaction < 120
    assert health.oldest_transaction > 0
    assert health.live_tuples >= 0
    assert health.dead_tuples >= 0


@asynchronous
async def test_a_look_at_the_queues_does_not_walk_what_died_at_their_heads(database: str) -> None:
    async with opened(database) as [store]:
        submit(database, ONE, 1010)
        assert len(await claim(store, 1010)) == 1010
        submit(database, ONE, 2)
        for look in (
            "tasker.queue_depths(array['worker_dags_queue'], 10)",
            "tasker.waiting_queues(30)",
        ):
            await _forget_floor(store)
            await store.connection.execute(f"select * from {look}")
            assert await _floor(store) == 1011
