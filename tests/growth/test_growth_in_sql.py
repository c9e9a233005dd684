"""What grows in the tables is what grows by the rules, however the steps end: alone, in batches,
two deciding steps at once."""

import asyncio
from random import Random

import psycopg
from dags import opened, until_blocked
from growing import Play, template
from growing_strategies import templates
from growth_run import GrowthRun, submit_growing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasker_mp.db.connect import connect
from tasker_mp.template.model import Template

_ROWS = """
select step_no, name, coalesce(template_step, name), waiting_on, children, ancestors, state::text
from tasker.steps where task_uuid = %s order by 1
"""
_OUT_OF_STEP = """
select name from tasker.step_readiness where task_uuid = %s and waiting_on <> open_parents
"""


def _rows(connection: psycopg.Connection, task: object) -> dict[int, tuple[object, ...]]:
    return {
        no: (name, of, waiting, sorted(children), sorted(ancestors), state == "complete")
        for no, name, of, waiting, children, ancestors, state in connection.execute(_ROWS, [task])
    }


def _played(play: Play) -> dict[int, tuple[object, ...]]:
    return {
        no: (row.name, row.template_step, row.waiting_on, sorted(row.children),
             sorted(row.ancestors), row.done)
        for no, row in play.rows.items()
    }  # fmt: skip


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(grows=templates(), seed=st.integers(0, 2**32))
def test_the_tables_follow_the_rules(database: str, grows: Template, seed: int) -> None:
    task = submit_growing(database, grows)

    async def drive() -> GrowthRun:
        async with opened(database) as [store]:
            run = GrowthRun(store, grows, Random(seed))
            await run.drive()
            return run

    run = asyncio.run(drive())
    with connect(database) as connection:
        assert _rows(connection, task) == _played(run.play)
        assert connection.execute(_OUT_OF_STEP, [task]).fetchall() == []
        [state] = connection.execute(
            "select state::text, open_sinks, growths from tasker.tasks where task_uuid = %s", [task]
        ).fetchall()
    assert state == ("complete", 0, run.play.standing.growths)


_BESIDE = template(
    {"start": [], "one": ["start"], "other": ["start"], "a": ["one"], "b": ["other"],
     "close": ["a", "b"]},
    {"one": "decision", "other": "decision", "close": "deferred_convergence"},
)  # fmt: skip


def test_two_decisions_in_one_batch_are_taken_one_after_the_other(database: str) -> None:
    """The second one is computed anew, for what the first one made."""

    async def drive() -> int:
        early = 0
        for seed in range(12):
            submit_growing(database, _BESIDE)
            async with opened(database) as [store]:
                run = GrowthRun(store, _BESIDE, Random(seed))
                await run.drive()
                early += run.early
        return early

    assert asyncio.run(drive()) > 0


def test_decisions_of_one_task_in_two_transactions_wait_for_each_other(database: str) -> None:
    submit_growing(database, _BESIDE)

    async def drive() -> None:
        async with opened(database, None, None) as [one, other]:
            runs = [
                GrowthRun(store, _BESIDE, Random(seed)) for seed, store in enumerate((one, other))
            ]
            [start] = await runs[0].claim()
            await one.finish_steps([runs[0].settled(start)], 0, [])
            for run in runs:
                run.play.finish("start")
            first, second = await runs[0].claim(1), await runs[1].claim(1)
            async with one.connection.transaction():
                await one.finish_steps([runs[0].settled(first[0])], 0, [])
                waiting = asyncio.create_task(
                    other.finish_steps([runs[1].settled(second[0])], 0, [])
                )
                await until_blocked(database)
            finished = await waiting
            assert [event for event, _ in finished.early] == [second[0].event_id]

    asyncio.run(drive())
