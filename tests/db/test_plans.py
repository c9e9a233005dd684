"""The plans of every hot query at size: by index only, and no more rows read than are asked for."""

import asyncio
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest
from dags import (
    QUEUES,
    again,
    claim,
    client,
    done,
    execute,
    failed,
    submission,
    template,
    value,
)
from msgspec import Struct

from bench.size.copies import copy_task
from tasker_mp.client.task_filter import TaskFilter
from tasker_mp.db.connect import connect_async
from tasker_mp.db.prune import FINISHED, prune_parameters
from tasker_mp.db.queries import query
from tasker_mp.db.store import Store, array_literal
from tasker_mp.identity import mint_task_uuid

if TYPE_CHECKING:
    from conftest import Databases

_SHAPE = {"one": (), "two": ("one",), "three": ("two",), "four": ("three",)}
_TASKS = 25_000
"""That have finished, and again that wait: 200,000 steps in all."""
_BATCH = 50
_ROWS = 40 * _BATCH
"""What a node may read: a few rows a step of the batch, and far less than there are."""
_SMALL = {"templates", "template_steps", "supervisors", "meta", "claims", "pg_stat_activity"}
"""Tables that do not grow with the work."""
_EXPLAIN = {
    "log_min_duration": "0",
    "log_nested_statements": "on",
    "log_analyze": "on",
    "log_timing": "off",
    "log_format": "json",
    "log_level": "notice",
}


class Plan(Struct):
    """The text of a statement, and the nodes of its plan."""

    statement: str
    nodes: list[dict[str, Any]]


class Recorder:
    """Gathers the plan of every statement of a connection, also of those inside functions."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []

    async def attach(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute("load 'auto_explain'")
        for name, setting in _EXPLAIN.items():
            await connection.execute(f"set auto_explain.{name} = {setting}")
        connection.add_notice_handler(self._note)

    def _note(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        _, found, text = (diagnostic.message_primary or "").partition("plan:\n")
        if found:
            document = json.loads(text)
            self.plans.append(Plan(document["Query Text"], list(_nodes(document["Plan"]))))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _rows_read(node: dict[str, Any]) -> float:
    removed = sum(count for name, count in node.items() if name.startswith("Rows Removed by"))
    return float((node["Actual Rows"] + removed) * node["Actual Loops"])


def _faults(plans: list[Plan]) -> list[str]:
    """What reads or sorts too much, a line each."""
    found = []
    for plan in plans:
        for node in plan.nodes:
            relation, kind = node.get("Relation Name"), node["Node Type"]
            whole = kind == "Seq Scan" and relation not in _SMALL
            if whole or _rows_read(node) > _ROWS:
                text = " ".join(plan.statement.split())[:120]
                found.append(f"{kind} of {relation}: {_rows_read(node):.0f} rows: {text}")
    return found


class Calls:
    """Everything that supervisors and clients ask while the work goes on, once each."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.template_id = 0

    async def make(self) -> None:
        store = self._store
        self.template_id = await self._value("select max(template_id) from tasker.templates")
        await store.register_supervisor("plans", "here", 1, ["dags"], None)
        await self._submit()
        await self._work()
        await self._repair()
        await self._look()

    async def _submit(self) -> None:
        count = _BATCH
        for keys in (None, [str(uuid4()) for _ in range(count)]):
            await self._ask(
                "submit_tasks",
                tasks=[mint_task_uuid() for _ in range(count)],
                templates=array_literal([self.template_id] * count),
                priorities=array_literal([1] * count),
                contexts="[" + ",".join(["{}"] * count) + "]",
                details="[" + ",".join(["null"] * count) + "]",
                keys=keys,
                digests=None if keys is None else [b"x"] * count,
            )

    async def _work(self) -> None:
        """Claims from both queues; every way for a step to end, to go on and to be given back."""
        store = self._store
        for capacity in (_BATCH, _BATCH, _BATCH):  # the first two from the queue that comes first
            steps = await claim(store, capacity)
            assert len(steps) == capacity
            third = capacity // 3
            batch = [done(step) for step in steps[:third]]
            batch += [again(step) for step in steps[third : 2 * third]]
            batch += [failed(step) for step in steps[2 * third :]]
            finished = await store.finish_steps(batch, third // 2, [steps[0].claim_id])
            while finished.continued:
                kids = [done(step) for step in finished.continued]
                finished = await store.finish_steps(kids, _BATCH, [])
        alone = await claim(store, 1)
        while alone:  # one result at a time
            finished = await store.finish_steps([done(alone.pop())], 10, [])
            alone += finished.continued
        for queue in QUEUES:  # a claim that had far to look does so
            await store.connection.execute("select tasker.raise_floor(%s)", [f"q_{queue}"])
        await store.promote_due()
        (step,) = await store.claim_bare(QUEUES)
        await store.hydrate_step(step)
        held = await claim(store, _BATCH)
        await store.held_steps()
        await store.give_back([(s.task, s.step_no) for s in held[:10]], "for the test")
        await store.heartbeat(30.0)
        await store.enforce_lifecycles(500)
        await store.recover_owner()

    async def _repair(self) -> None:
        who = {"actor": "somebody", "reason": "for the test"}
        task = await self._value(
            "select task_uuid from tasker.tasks where state = 'in_progress'"
            " order by task_uuid desc limit 1"
        )
        await self._ask("announce_wait", task=task)
        await self._ask("resolve_step", task=task, step_no=1, result=None, **who)
        await self._ask("end_task", task=task, state="cancelled", **who)
        failed_task = await self._value(
            "select task_uuid from tasker.tasks where state = 'error'"
            " order by task_uuid desc limit 1"
        )
        await self._ask("retry_steps", task=failed_task, step_no=None, **who)

    async def _look(self) -> None:
        task = await self._value("select task_uuid from tasker.tasks limit 1")
        for name in ("get_task", "get_task_with_steps", "get_transitions", "explain_steps"):
            await self._ask(name, task=task)
        await self._ask("explain_task", task=task, lease=30.0)
        for name in ("get_results", "count_ended"):
            await self._ask(name, tasks=[task])
        await self._ask("get_progress", task=task)
        await self._ask("list_tasks", limit=50, **TaskFilter().parameters(_ROWS // 2))
        await self._ask("list_tasks", limit=50, **TaskFilter(state="x").parameters(_ROWS // 2))
        await self._ask("summarize_tasks", **TaskFilter().parameters(_ROWS // 2))
        await self._store.get_template(self.template_id)
        await self._store.waiting_queues(30.0)
        await self._ask("queue_depths", queues=QUEUES, limit=_BATCH)
        await self._ask("prune_tasks", **prune_parameters(None, 0.0, FINISHED, _BATCH))

    async def _ask(self, name: str, **parameters: Any) -> None:
        await self._store.connection.execute(query(name), parameters, prepare=True)

    async def _value(self, text: str) -> Any:
        """Beside what is recorded: not a query of ours."""
        connection = self._store.connection
        await connection.execute("set auto_explain.log_min_duration = -1")
        row = await (await connection.execute(text.encode())).fetchone()
        await connection.execute("set auto_explain.log_min_duration = 0")
        assert row is not None
        return row[0]


async def _recorded(database: str, before_load: Any = None) -> list[Plan]:
    """The plans of all calls; made before `before_load()` already, where that is given."""
    connection = await connect_async(database)
    async with connection:
        recorder = Recorder()
        await recorder.attach(connection)
        calls = Calls(Store(connection, uuid4()))
        if before_load is not None:
            await calls.make()
            before_load()
            recorder.plans.clear()
        await calls.make()
    return recorder.plans


def _prepare(database: str) -> None:
    """A registered template and a few tasks; statistics come only when they are asked for."""
    with client(database) as submitter:
        submitter.register(template(_SHAPE))
        submitter.submit_many([submission()] * 4 * _BATCH)
    tables = ["tasker.steps", "tasker.tasks", "tasker.transitions", "tasker.idempotency_keys"]
    for table in [*tables, *(f"pgmq.q_{queue}" for queue in QUEUES)]:
        execute(database, f"alter table {table} set (autovacuum_enabled = off)")


def _load(database: str) -> None:
    """Copies of a task that waits and of one that has finished."""
    with client(database) as submitter:
        waiting = submitter.submit("dags", "flow", {}).uuid
    finished = value(
        database, "select task_uuid from tasker.tasks where state = 'complete' limit 1"
    )
    with psycopg.connect(database, autocommit=True) as connection:
        for sample in (waiting, finished):
            copy_task(connection, sample, _TASKS)


@pytest.fixture(scope="module")
def plans(databases: "Databases") -> Iterator[dict[str, list[Plan]]]:
    """By what the planner knew: nothing but empty tables, sizes only, or all."""
    with databases.fresh(databases.migrated_template()) as database:
        _prepare(database)
        made_before = asyncio.run(_recorded(database, lambda: _load(database)))
        never_analyzed = asyncio.run(_recorded(database))
        execute(database, "analyze")
        analyzed = asyncio.run(_recorded(database))
        yield {
            "planned while empty": made_before,
            "never analyzed": never_analyzed,
            "analyzed": analyzed,
        }


@pytest.mark.parametrize("knowledge", ["planned while empty", "never analyzed", "analyzed"])
def test_no_hot_query_reads_more_than_it_is_asked_for(
    plans: dict[str, list[Plan]], knowledge: str
) -> None:
    faults = _faults(plans[knowledge])
    assert not faults, "\n".join(faults)


def test_every_statement_inside_the_functions_was_seen(plans: dict[str, list[Plan]]) -> None:
    seen = {" ".join(plan.statement.split()) for plan in plans["never analyzed"]}
    for fragment in (
        "update tasker.steps s set state = 'in_progress'",  # claim
        "for update skip locked",  # of messages
        "select min(m.msg_id)",  # claim: how far the queue is gone for good
        "update tasker.steps s set state = i.state",  # finish
        "update tasker.steps c set waiting_on",  # unlock
        "update tasker.tasks t set open_sinks",  # settle
        "set state = 'complete', result = p_payload",  # finish of one
        "update tasker.steps c set waiting_on = 0",  # unlock of one
        "insert into tasker.transitions",
        "delete from tasker.steps s where s.task_uuid = any (v_tasks)",  # prune
        "insert into tasker.idempotency_keys",
    ):
        assert any(fragment.lower() in statement.lower() for statement in seen), fragment


_BY_HAND = {
    # Read all tasks, or all templates, and say so: for people, or once at a start.
    "count_tasks",
    "list_dead_letters",
    "list_quarantined",
    "list_templates",
    "register_template",
    # Reads statistics, no rows of ours.
    "table_health",
}


def test_every_query_that_is_asked_again_and_again_is_among_them(
    plans: dict[str, list[Plan]],
) -> None:
    seen = {_text(plan.statement) for plan in plans["analyzed"]}
    names = {
        Path(file.name).stem for file in files("tasker_mp.db").joinpath("sql", "queries").iterdir()
    }
    missing = {name for name in names if not any(_text(query(name).decode()) == s for s in seen)}
    assert missing == _BY_HAND


def _text(statement: str) -> str:
    """Without comments, white space and what the parameters are called."""
    bare = re.sub(r"--.*", "", statement)
    return re.sub(r"%\(\w+\)s|\$\d+|\s+", "", bare)


def test_a_query_that_reads_a_whole_table_is_found(database: str) -> None:
    async def look() -> list[Plan]:
        async with await connect_async(database) as connection:
            recorder = Recorder()
            await recorder.attach(connection)
            await connection.execute("select count(*) from tasker.steps where name = 'x'")
            await connection.execute("set enable_seqscan = on")
            await connection.execute("select count(*) from generate_series(1, 5000) n")
        return recorder.plans

    faults = _faults(asyncio.run(look()))
    assert len(faults) >= 2
    assert any("tasker.steps" in fault for fault in faults)
