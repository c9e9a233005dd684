"""Rows keep to their pages: what is written again is found by the index entry that it had."""

import json
from pathlib import Path

from dags import ALL, CHAIN, asynchronous, claim, done, opened, rows, submit

from tasker_mp.db.embedded import lease
from tasker_mp.db.migrate import migrate
from tasker_mp.db.store import Store

_TASKS = 2000
_FLUSH = "select pg_stat_force_next_flush()"
_UPDATES = "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = %s"
_TARGETS = (
    "select attname, attstattarget, atttypid::regtype::text from pg_attribute"
    " where attrelid = %s::regclass and attnum > 0 and not attisdropped"
)


async def _run(store: Store, database: str) -> None:
    """Tasks of three steps with results of 150 bytes, in batches as a busy lane has them."""
    result = json.dumps({"text": "x" * 138}).encode()
    submit(database, CHAIN, _TASKS)
    while steps := await claim(store, 500):
        while steps:
            finished = await store.finish_steps([done(s, result) for s in steps], ALL, [])
            steps = finished.continued
    await store.connection.execute(_FLUSH)


@asynchronous
async def test_updates_of_a_step_and_of_a_task_stay_on_the_page(project: Path) -> None:
    """On a server of its own: a transaction in another test's database would keep dead rows."""
    with lease(project) as database:
        migrate(database)
        async with opened(database) as [store]:
            await _run(store, database)
        for table in ("steps", "tasks"):
            [(updates, on_the_page)] = rows(database, _UPDATES, table)
            assert updates >= 2 * _TASKS
            assert on_the_page > 0.95 * updates, f"{table}: {on_the_page} of {updates}"


def test_no_column_of_the_large_tables_is_sampled_in_depth(database: str) -> None:
    """Autovacuum's analyze reads 300 rows a target, with their values, while the work goes on."""
    for table in ("tasker.steps", "tasker.tasks"):
        for name, target, kind in rows(database, _TARGETS, table):
            limit = 0 if kind == "json" or kind.endswith("[]") else 10
            assert target in range(limit + 1), f"{table}.{name}: {target}"
