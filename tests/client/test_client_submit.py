"""What a client refuses, in one line and with nothing written, and what it takes exactly."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest
from dags import (
    CHAIN,
    CONFIG,
    NAMESPACE,
    ONE,
    asynchronous,
    client,
    everything,
    submission,
    template,
)

from tasker_mp.client import AsyncClient, Client
from tasker_mp.config import RingConfig
from tasker_mp.db.migrate import migrate, reset
from tasker_mp.errors import (
    ContextError,
    EngineError,
    InvalidInputError,
    TemplateNotFoundError,
)

SCHEMA = {
    "type": "object",
    "required": ["n"],
    "properties": {
        "n": {"type": "integer", "minimum": 0},
        "list": {"type": "array", "items": {"type": "string"}},
        "at": {"type": "string"},
    },
}


@pytest.fixture(scope="module")
def untouched(databases: Any) -> Iterator[str]:
    """One database for all that is refused: nothing is ever written to it."""
    with databases.fresh(databases.migrated_template()) as dsn:
        yield dsn


def refusal(database: str, error: type[EngineError], *submissions: Any) -> str:
    """The message of `error`, one line, with which a batch is refused; nothing is written."""
    with client(database) as submitter:
        submitter.register(template(ONE, input_schema=SCHEMA))
        before = everything(database)
        with pytest.raises(error) as refused:
            submitter.submit_many([submission({"n": 1}), *submissions])
    assert everything(database) == before
    message = str(refused.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ([1, 2], "must be a JSON object, not list: [1, 2]"),
        ("text", "must be a JSON object, not str: text"),
        (None, "must be a JSON object, not NoneType"),
        ({"n": math.nan}, "nan"),
        ({"n": 1, "deep": [{"x": math.inf}]}, "x is inf"),
        ({"n": 1, "bad": object()}, "object"),
        ({"n": 1, "bad": "\ud800"}, "surrogate"),
        ({}, '"n" is a required property'),
        ({"n": -1}, "context['n'] does not fit the input_schema of dags/flow@1.0.0: -1"),
        ({"n": -(10**30)}, "-1000000000000000000000000000000"),
        ({"n": 1, "list": ["a", 7]}, "context['list'][1]"),
        ({"n": 1, "at": 7}, "context['at']"),
    ],
)
def test_a_context_that_cannot_be_taken_is_refused(untouched: str, context: Any, said: str) -> None:
    odd = submission()
    odd.context = context
    assert said in refusal(untouched, ContextError, odd)


def test_a_context_above_the_limit_is_refused(database: str) -> None:
    config = msgspec.structs.replace(CONFIG, ring=RingConfig(max_payload_bytes=100))
    with Client(database, config=config) as submitter:
        submitter.register(template(ONE))
        context = {"x": "y" * 92}
        with pytest.raises(ContextError, match=r"101 bytes.*max_payload_bytes = 100"):
            submitter.submit(NAMESPACE, "flow", context | {"x": "y" * 93})
        assert submitter.submit(NAMESPACE, "flow", context).state == "pending"


@pytest.mark.parametrize(
    "fields",
    [
        {"priority": 32768},
        {"priority": -32769},
        {"initiator": "nul \x00"},
        {"reason": "half \ud800"},
        {"tags": ["nul \x00"]},
        {"tags": [object()]},
        {"idempotency_key": "nul \x00"},
        {"idempotency_key": "half \ud800"},
        {"idempotency_key": "".join(chr(0x4E00 + n) for n in range(5000))},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_fields_that_cannot_be_stored_are_refused(untouched: str, fields: dict[str, Any]) -> None:
    assert refusal(untouched, InvalidInputError, submission({"n": 1}, **fields))


def test_what_is_checked_is_the_json_that_will_be_stored(database: str) -> None:
    context: dict[Any, Any] = {"n": 10**300, "at": datetime(2026, 1, 2, tzinfo=UTC), 7: "seven"}
    with client(database) as submitter:
        submitter.register(template(ONE, input_schema=SCHEMA))
        task = submitter.submit(NAMESPACE, "flow", context)
        stored = submitter.get_task(task.uuid).context
    assert stored == {"n": 10**300, "at": "2026-01-02T00:00:00Z", "7": "seven"}


def test_a_context_comes_back_exactly(database: str) -> None:
    context = {"big": 7**900, "text": "nul \x00 ünï 🎲 \u2028", "f": 0.1, "none": None, "": [[]]}
    with client(database) as submitter:
        submitter.register(template(ONE))
        task = submitter.submit(
            NAMESPACE, "flow", context, tags=["ä", "b"], reason="why", correlation_id=UUID(int=5)
        )
        found = submitter.get_task(task.uuid)
    assert found.context == context
    assert (found.tags, found.reason, found.correlation_id) == (["ä", "b"], "why", UUID(int=5))


# -- templates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "flwo"}, "no template dags/flwo; did you mean dags/flow?"),
        ({"version": "9.9.9"}, "no version 9.9.9 of template dags/flow; there is 1.0.0"),
        ({"namespace": "x", "name": "y"}, "no template x/y; known: dags/flow"),
    ],
)
def test_an_unknown_template_is_refused_with_the_nearest(
    untouched: str, fields: dict[str, Any], said: str
) -> None:
    assert refusal(untouched, TemplateNotFoundError, submission({"n": 1}, **fields)) == said


def test_the_highest_version_is_taken_where_none_is_asked_for(database: str) -> None:
    with client(database) as submitter:
        for version, shape in (("1.10.0", CHAIN), ("1.9.0", ONE)):
            submitter.register(template(shape, version=version))
        assert submitter.submit(NAMESPACE, "flow", {}).version == "1.10.0"
        assert submitter.submit(NAMESPACE, "flow", {}, version="1.9.0").version == "1.9.0"


def test_a_template_registered_by_somebody_else_is_found(database: str) -> None:
    with client(database) as submitter, client(database) as other:
        with pytest.raises(TemplateNotFoundError, match="no template is loaded"):
            submitter.submit(NAMESPACE, "flow", {})
        other.register(template(ONE))
        assert submitter.submit(NAMESPACE, "flow", {}).state == "pending"


def test_a_database_that_was_reset_takes_no_task_under_an_old_template(empty_database: str) -> None:
    migrate(empty_database)
    with client(empty_database) as submitter:
        for name in ("flow", "other"):
            submitter.register(template(ONE, name=name))
        submitter.submit(NAMESPACE, "other", {})
        reset(empty_database)
        migrate(empty_database)
        with pytest.raises(TemplateNotFoundError, match="template 2 is not in this database"):
            submitter.submit(NAMESPACE, "other", {})
        with client(empty_database) as other:
            other.register(template(ONE, name="other"))
        assert submitter.submit(NAMESPACE, "other", {}).name == "other"


def test_a_database_without_the_schema_says_how_to_get_it(empty_database: str) -> None:
    with client(empty_database) as submitter, pytest.raises(EngineError, match="db migrate"):
        submitter.submit(NAMESPACE, "flow", {})


@asynchronous
async def test_the_asyncio_client_submits_alike(database: str) -> None:
    async with AsyncClient(database, config=CONFIG) as submitter:
        await submitter.register(template(ONE, input_schema=SCHEMA))
        assert await submitter.submit_many([]) == []
        one = await submitter.submit(NAMESPACE, "flow", {"n": 6}, idempotency_key="k", priority=1)
        [same] = await submitter.submit_many([submission({"n": 6}, idempotency_key="k")])
        assert (one.uuid, one.priority) == (same, 1)
        with pytest.raises(ContextError):
            await submitter.submit(NAMESPACE, "flow", {"n": -1})
        with pytest.raises(TemplateNotFoundError, match="dags/flow"):
            await submitter.submit(NAMESPACE, "flo", {"n": 1})
        assert len(await submitter.list_tasks()) == 1
