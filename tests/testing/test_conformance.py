"""A workflow run inline ends as the engine ends it: every case both ways, and compared."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).parent / "conformance"))

from conformance_cases import CASES, NAMESPACE, PACKAGE, Case
from conformance_project import differences, durable, file_of, told, write_project

from tasker_mp import Client, bootstrap
from tasker_mp.config import Config
from tasker_mp.errors import ContextError
from tasker_mp.testing import InlineTask, run_workflow

_LIMIT = 30.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    root = tmp_path_factory.mktemp("conformance")
    yield write_project(root)
    sys.path.remove(str(root))
    sys.modules.pop(PACKAGE)


def inline(case: Case, project: Config) -> InlineTask:
    return run_workflow(file_of(case), case.context, config=project)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_inline(case: Case, project: Config) -> None:
    if case.refused is not None:
        with pytest.raises(ContextError) as refusal:
            inline(case, project)
        assert case.refused in str(refusal.value)
        return
    task = inline(case, project)
    states = {step.name: step.state for step in task.steps}
    assert states == (case.states or dict.fromkeys(states, "complete"))
    assert task.state == case.state
    assert {s.name: s.attempts for s in task.steps if s.attempts != 1} == case.attempts
    assert {s.name: s.delays for s in task.steps if s.delays} == case.delays
    for name, expected in case.results.items():
        assert task.results[name] == expected
    for name, code in case.codes.items():
        error = task.errors[name]
        assert error.get("error_code", error["error_type"]) == code
    for name, message in case.messages.items():
        assert message in task.errors[name]["message"]
    assert sorted(event.name for event in task.events) == case.events


def test_the_engine_ends_every_case_alike(project: Config, database: str) -> None:
    """One supervisor for all of them, at the same time."""
    config = replace(project, database=replace(project.database, url=database))
    accepted = [case for case in CASES if case.refused is None]
    with bootstrap(config) as system, Client(config=config) as client:
        assert system.is_running()
        for case in CASES:
            if case.refused is not None:
                with pytest.raises(ContextError) as by_client:
                    client.submit(NAMESPACE, case.name, case.context)
                with pytest.raises(ContextError) as refusal:
                    inline(case, project)
                assert str(by_client.value) == str(refusal.value)
        uuids = [client.submit(NAMESPACE, case.name, case.context).uuid for case in accepted]
        ended = [client.wait(uuid, _LIMIT) for uuid in uuids]
    published: list[dict[str, Any]] = []
    different: list[str] = []
    for case, by_engine in zip(accepted, ended, strict=True):
        by_inline = inline(case, project)
        different += differences(told(by_inline), told(by_engine), case.name)
        published += [e.message for e in by_inline.events if e.delivery_mode != "fast"]
    assert different == []
    assert durable(published) == durable(_queued(database))


def _queued(dsn: str) -> list[dict[str, Any]]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(f"select message from pgmq.q_domain_events_{NAMESPACE}")
        return [message for (message,) in rows.fetchall()]
