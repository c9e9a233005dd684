"""`bench latency` sets the parts of a task's time against what the machine takes at least."""

import pytest
from bench_cli import bench_database_of, by_name, is_there, measure

from bench.latency.parts import PARTS

_BARE = "the task's calls to the database, bare"


@pytest.mark.long
def test_parts_and_floors_are_measured(database: str) -> None:
    document = measure(database, "latency", "--tasks", "6", "--rounds", "2", "--workers", "1")
    assert (document.interrupted, document.problems) == (False, [])
    series = by_name(document)
    assert (series["total, p50"].goal, series["total, p99"].goal) == (3, 10)
    for part in PARTS:
        p50, p99 = (series[f"{part.name}, p{percent}"] for percent in (50, 99))
        assert len(p50.samples) == 2
        assert -5 < p50.value <= p99.value  # two clocks that are one
    assert series["submit, p50"].value < series["total, p50"].value
    floors = [each for each in document.series if each.group == "floors"]
    assert len(floors) == 5
    least, bare = series["least possible by this design"], series[_BARE]
    assert 0 < least.value < bare.value < series["total, p50"].value
    assert least.value == max(floor.value for floor in floors if floor is not bare)
    ratio = series["p50 by the least possible"]
    assert ratio.samples[0] == pytest.approx(
        series["total, p50"].samples[0] / least.samples[0], rel=0.01
    )
    assert series["stage commit, p50"].value > 0
    (table,) = document.tables
    assert [str(row[0]).split(",")[0] for row in table.rows] == [part.name for part in PARTS]
    assert not is_there(database, bench_database_of(database, "latency"))
