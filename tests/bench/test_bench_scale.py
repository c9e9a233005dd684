"""`bench scale` compares numbers of workers, with work that is what it says."""

import pytest
from bench_cli import by_name, measure, refusal

from bench.scale import turns_of


@pytest.mark.long
def test_rates_speed_ups_and_cores(database: str) -> None:
    small = ("--up-to", "2", "--step-ms", "5", "--seconds", "0.1", "--rounds", "1")
    document = measure(database, "scale", *small, "--concurrency", "20")
    series = by_name(document)
    for kind in ("cpu", "io", "noop"):
        one, two = series[f"{kind}: 1 worker"], series[f"{kind}: 2 workers"]
        against = series[f"{kind}: 2 workers against 1"]
        assert against.value == pytest.approx(two.value / one.value, rel=0.001)
        assert one.value > 0
    assert series["cpu: 2 workers against 1"].goal == 1.9
    assert series["io: 2 workers against 1"].goal is None
    (table,) = document.tables
    assert [row[:2] for row in table.rows] == [
        [kind, workers] for kind in ("cpu", "io", "noop") for workers in (1, 2)
    ]
    spent = {str(row[0]): _core_seconds(row[4], row[2]) for row in table.rows if row[1] == 1}
    assert spent["cpu"] > 0.001
    assert spent["io"] < 0.5 * spent["cpu"]
    assert document.environment["workers"] == "1, 2"


def _core_seconds(cores: object, rate: object) -> float:
    """Of the workers, a step."""
    assert isinstance(cores, float)
    assert isinstance(rate, float)
    return cores / rate


def test_turns_grow_with_the_time_that_they_take() -> None:
    assert turns_of(20) > 5 * turns_of(1) > 0


def test_no_workers_is_refused() -> None:
    assert "--up-to" in refusal("scale", "--up-to", "0")
