"""`bench ceiling`: the bare loop does all of the engine's SQL, and nothing else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from bench_cli import by_name, measure

from bench.ceiling.bare_process import BareProcess
from bench.ceiling.loop import Order
from bench.patterns import PATTERNS, Pattern
from tasker_mp.client import Client, Submission
from tasker_mp.config import load_config
from tasker_mp.errors import EngineError
from tasker_mp.template.parse import load_templates

_REPOSITORY = Path(__file__).parents[2]
_LIMIT = 30.0


@pytest.mark.long
def test_the_share_is_that_of_the_same_round(database: str) -> None:
    small = ("--concurrency", "20", "--seconds", "0.1", "--rounds", "1", "--workers", "1")
    document = measure(database, "ceiling", *small)
    series = by_name(document)
    engine, ceiling = series["linear: engine"], series["linear: ceiling"]
    share = series["linear: share of the ceiling"]
    assert share.samples == pytest.approx(
        [a / b for a, b in zip(engine.samples, ceiling.samples, strict=True)], abs=0.001
    )
    assert len(share.samples) == 1
    assert min(engine.samples + ceiling.samples) > 0
    assert share.goal == 0.8
    (table,) = document.tables
    assert [row[:2] for row in table.rows] == [["linear", "engine"], ["linear", "ceiling"]]
    assert table.headings[4].startswith("workers")
    assert table.rows[1][4] == 0  # it has none


@pytest.fixture
def client(database: str) -> Iterator[Client]:
    """On a database that knows the examples; no supervisor."""
    config = load_config(_REPOSITORY / "config", "test", {"database.url": database}, environ={})
    with Client(database, config=config) as connected:
        for template in load_templates(config.templates_path, "test").templates:
            connected.register(template)
        yield connected


def _order(dsn: str, pattern: Pattern, results: dict[str, Any], in_flight: int = 50) -> Order:
    encoded = {name: json.dumps(result) for name, result in results.items()}
    return Order(dsn, pattern.namespace, encoded, 2, in_flight, 7, 30.0)


def _submissions(pattern: Pattern, count: int) -> list[Submission]:
    one = Submission(namespace=pattern.namespace, name=pattern.template, context=pattern.context)
    return [one] * count


def test_the_bare_loop_completes_tasks_with_the_given_results(
    database: str, client: Client
) -> None:
    pattern = PATTERNS["diamond"]
    names = ("diamond_start", "diamond_branch_b", "diamond_branch_c", "diamond_end")
    results = {name: {"result": number} for number, name in enumerate(names)}
    early = client.submit_many(_submissions(pattern, 30))
    with BareProcess(_order(database, pattern, results, in_flight=20)) as bare:
        late = client.submit_many(_submissions(pattern, 30))
        ended = [client.wait(uuid, _LIMIT) for uuid in early + late]
        assert bare.steps() == 60 * pattern.steps
    assert {task.state for task in ended} == {"complete"}
    for task in (ended[0], ended[-1]):
        assert {step.name: step.result for step in task.steps} == results
    with psycopg.connect(database) as connection:
        for table in ("claims", "supervisors"):
            assert connection.execute(f"select from tasker.{table}").fetchall() == []


def test_a_step_without_a_known_result_ends_the_loop(
    database: str, client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    pattern = PATTERNS["linear"]
    with BareProcess(_order(database, pattern, {})) as bare:
        client.submit_many(_submissions(pattern, 1))
        with pytest.raises(EngineError, match="bare loop has ended"):
            _ask_for_ever(bare)
    assert "linear_step_1" in capfd.readouterr().err


def _ask_for_ever(bare: BareProcess) -> None:
    while True:
        bare.steps()
