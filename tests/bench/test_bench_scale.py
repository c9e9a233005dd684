"""`bench scale` compares numbers of workers, with work that is what it says."""

import os

import pytest
from bench_cli import by_name, measure, refusal

from bench.scale.bare import bare_rate
from bench.scale.kinds import kinds, turns_of

_KINDS = ("cpu", "short cpu", "io", "async io", "noop")


@pytest.mark.long
def test_rates_speed_ups_and_cores(database: str) -> None:
    small = ("--up-to", "2", "--step-ms", "10", "--short-ms", "5", "--seconds", "0.1")
    document = measure(database, "scale", *small, "--rounds", "1", "--concurrency", "20")
    series = by_name(document)
    for kind in _KINDS:
        one, two = series[f"{kind}: 1 worker"], series[f"{kind}: 2 workers"]
        against = series[f"{kind}: 2 workers against 1"]
        assert against.value == pytest.approx(two.value / one.value, rel=0.001)
        assert one.value > 0
    assert series["cpu: 2 workers against 1"].goal == 1.9
    assert series["short cpu: 2 workers against 1"].goal is None
    assert series["io: 2 workers against 1"].goal is None
    (table,) = document.tables
    processes = range(1, min(2, os.cpu_count() or 1) + 1)
    assert [row[:2] for row in table.rows] == [
        *([kind, workers] for kind in _KINDS for workers in (1, 2)),
        *(["bare processes", number] for number in processes),
    ]
    spent = {str(row[0]): _core_seconds(row[4], row[2]) for row in table.rows[:8] if row[1] == 1}
    assert spent["short cpu"] > 0.001
    assert spent["io"] < 0.5 * spent["short cpu"]
    assert spent["cpu"] > 1.2 * spent["short cpu"]
    assert document.environment["workers"] == "1, 2"


def _core_seconds(cores: object, rate: object) -> float:
    """Of the workers, a step."""
    assert isinstance(cores, float)
    assert isinstance(rate, float)
    return cores / rate


def test_turns_grow_with_the_time_that_they_take() -> None:
    assert turns_of(20) > 5 * turns_of(1) > 0


def test_long_steps_have_long_rounds_and_few_looks() -> None:
    found = kinds(200, 20)
    assert found["cpu"].seconds(3) == 8
    assert found["io"].seconds(3) == 3
    assert found["cpu"].pause == pytest.approx(0.05)
    assert found["noop"].pause == 0.001
    assert [found["cpu"].level(workers, 2000) for workers in (1, 2, 4)] == [8, 8, 16]
    assert found["noop"].level(4, 2000) == 2000


def test_bare_processes_compute_together() -> None:
    assert bare_rate(2, 1000) > 0


def test_no_workers_is_refused() -> None:
    assert "--up-to" in refusal("scale", "--up-to", "0")
