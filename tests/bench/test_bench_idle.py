"""`bench idle` watches a system that has nothing to do, without asking it anything."""

import pytest
from bench_cli import bench_database_of, by_name, is_there, measure, refusal


@pytest.mark.long
def test_queries_processor_time_and_memory_are_measured(database: str) -> None:
    small = ("--seconds", "1", "--steps", "40", "--rounds", "2", "--workers", "2")
    document = measure(database, "idle", *small)
    assert (document.interrupted, document.problems) == (False, [])
    series = by_name(document)
    for name, goal in (
        ("queries a second, idle", 2),
        ("CPU of the engine, idle", 1),
        ("memory of the supervisor, idle", 80),
        ("memory of the supervisor, after work", 80),
        ("memory of a worker beyond the zygote's, idle", 15),
        ("memory of a worker beyond the zygote's, after work", 15),
    ):
        assert series[name].goal == goal
        assert len(series[name].samples) == 2
        assert min(series[name].samples) >= 0
    # A Python process that has imported the engine; and what its child has not in common with it.
    assert 20 < series["memory of the supervisor, idle"].value < 300
    assert 0.1 < series["memory of a worker beyond the zygote's, idle"].value < 100
    (table,) = document.tables
    assert table.headings == ["", "supervisor", "workers", "zygote", "database"]
    assert [row[0] for row in table.rows] == [
        "processor time, % of a core",
        "memory after work, MB",
        "memory idle, MB",
    ]
    assert None not in table.rows[1][1:4]
    assert not is_there(database, bench_database_of(database, "idle"))


def test_no_time_is_refused() -> None:
    assert "--seconds" in refusal("idle", "--seconds", "0")
