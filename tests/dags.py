"""Templates of any shape, and their tasks driven by the supervisor's own calls, without one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec
from uuid import UUID, uuid4

import psycopg

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.client import Client, Submission
from tasker_mp.config import Config
from tasker_mp.db.connect import connect, connect_async
from tasker_mp.db.store import Store
from tasker_mp.inflight import Entry, Settled
from tasker_mp.template.model import HandlerDefinition, StepDefinition, Template

NAMESPACE = "dags"
QUEUES = [f"worker_{NAMESPACE}_queue{suffix}" for suffix in ("_high", "", "_low")]
CONFIG = Config(environment="test", root=Path("/nonexistent"))
ALL = 10_000
"""A capacity that nothing here reaches."""

ONE = {"only": ()}
CHAIN = {"first": (), "second": ("first",), "third": ("second",)}
DIAMOND = {"start": (), "left": ("start",), "right": ("start",), "end": ("left", "right")}
PAIR = {"one": (), "two": ()}

Shape = Mapping[str, Iterable[str]]
P = ParamSpec("P")


def asynchronous(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Runs an async test in a loop of its own."""

    @wraps(test)
    def run(*arguments: P.args, **named: P.kwargs) -> None:
        asyncio.run(test(*arguments, **named))

    return run


# -- templates and tasks --------------------------------------------------------------------------


def template(
    shape: Shape, *, name: str = "flow", version: str = "1.0.0", **fields: Any
) -> Template:
    """A template whose steps are `shape`: name to the names of its parents."""
    handler = HandlerDefinition("handlers.nothing.Nothing")
    steps = [StepDefinition(step, handler, dependencies=tuple(shape[step])) for step in shape]
    fields.setdefault("namespace_name", NAMESPACE)
    return Template(name=name, version=version, steps=tuple(steps), **fields)


def client(database: str) -> Client:
    return Client(database, config=CONFIG)


def submission(context: Mapping[str, Any] | None = None, **fields: Any) -> Submission:
    fields = {"namespace": NAMESPACE, "name": "flow"} | fields
    return Submission(context=context or {}, **fields)


def submit(database: str, shape: Shape, count: int = 1, **fields: Any) -> list[UUID]:
    """Registers a template of `shape` and submits `count` tasks of it."""
    with client(database) as submitter:
        submitter.register(template(shape))
        return submitter.submit_many([submission(**fields)] * count)


# -- a supervisor's calls -------------------------------------------------------------------------


@asynccontextmanager
async def opened(database: str, *owners: UUID | None) -> AsyncIterator[list[Store]]:
    """A store on a connection of its own for each owner; None makes one up."""
    async with AsyncExitStack() as stack:
        stores = []
        for owner in owners or (None,):
            connection = await stack.enter_async_context(await connect_async(database))
            stores.append(Store(connection, owner or uuid4()))
        yield stores


async def claim(store: Store, capacity: int = ALL) -> list[ClaimedStep]:
    return await store.claim_steps(QUEUES, capacity)


async def claim_by_name(store: Store, capacity: int = ALL) -> dict[str, ClaimedStep]:
    return {step.name: step for step in await claim(store, capacity)}


def done(step: ClaimedStep, result: bytes = b'{"result":1}', metadata: bytes = b"null") -> Settled:
    return Settled(_entry(step), "complete", result, metadata)


def failed(step: ClaimedStep) -> Settled:
    return Settled(_entry(step), "error", b'{"message":"no","retryable":false}')


def again(step: ClaimedStep, delay: float = 0.0) -> Settled:
    return Settled(
        _entry(step), "waiting_for_retry", b'{"message":"later","retryable":true}', delay=delay
    )


def _entry(step: ClaimedStep) -> Entry:
    definition = StepDefinition(step.name, HandlerDefinition("handlers.nothing.Nothing"))
    return Entry.of(step, definition, step.event(b"null"))


async def finish(store: Store, *batch: Settled, capacity: int = 0) -> tuple[list[ClaimedStep], Any]:
    """What was continued, and the other two answers as `(stale events, ended tasks)`."""
    finished = await store.finish_steps(batch, capacity, [])
    return finished.continued, (finished.stale, finished.ended)


async def run_to_the_end(store: Store) -> int:
    """Completes everything in the queues and behind it; how many steps ran."""
    ran = 0
    steps = await claim(store)
    while steps:
        ran += len(steps)
        finished = await store.finish_steps([done(step) for step in steps], ALL, [])
        assert not finished.stale
        steps = finished.continued or await claim(store)
    return ran


# -- looking --------------------------------------------------------------------------------------


def rows(database: str, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with connect(database) as connection:
        return connection.execute(query.encode(), parameters).fetchall()


def value(database: str, query: str, *parameters: object) -> Any:
    return rows(database, query, *parameters)[0][0]


def execute(database: str, statement: str, *parameters: object) -> None:
    with connect(database) as connection:
        connection.execute(statement.encode(), parameters)


def step_states(database: str, task: UUID) -> dict[str, str]:
    query = "select name, state::text from tasker.steps where task_uuid = %s order by step_no"
    return dict(rows(database, query, task))


def task_state(database: str, task: UUID) -> str:
    state: str = value(database, "select state::text from tasker.tasks where task_uuid = %s", task)
    return state


def queued(database: str) -> int:
    """Messages in all the queues."""
    return sum(value(database, f"select count(*) from pgmq.q_{name}") for name in QUEUES)


def everything(database: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that a submit or a finish may write, to be compared with a later look."""
    tables = ["tasks", "steps", "transitions", "claims", "idempotency_keys"]
    texts = [f"tasker.{table}" for table in tables] + [f"pgmq.q_{name}" for name in QUEUES]
    return {name: rows(database, f"select t::text from {name} t order by 1") for name in texts}


async def until_blocked(database: str, count: int = 1, limit: float = 10.0) -> None:
    """Returns once `count` sessions of this database wait for a lock that another one holds."""
    query = (
        "select count(*) from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'"
    )
    deadline = asyncio.get_running_loop().time() + limit
    async with await connect_async(database) as connection:
        while await _count(connection, query) < count:
            assert asyncio.get_running_loop().time() < deadline, f"nobody waits after {limit} s"
            await asyncio.sleep(0.002)


async def _count(connection: psycopg.AsyncConnection[Any], query: str) -> int:
    row = await (await connection.execute(query.encode())).fetchone()
    assert row is not None
    return int(row[0])


def ids(steps: Sequence[ClaimedStep]) -> set[tuple[bytes, int]]:
    return {(step.task, step.step_no) for step in steps}
