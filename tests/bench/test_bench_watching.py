"""`bench watching`: a system under the eyes of `top`, a scraper and a log, against one without."""

import pytest
from bench_cli import bench_database_of, by_name, is_there, measure


@pytest.mark.long
def test_both_sides_are_measured_in_pairs(database: str) -> None:
    small = ("--concurrency", "20", "--seconds", "1.5", "--statuses", "1")
    document = measure(database, "watching", *small, "--rounds", "2", "--workers", "1")
    assert (document.interrupted, document.problems) == (False, [])
    series = by_name(document)
    plain, watched = series["linear, unwatched"], series["linear, watched"]
    assert min(plain.samples + watched.samples) > 0
    ratio = series["throughput while watched"]
    assert ratio.goal == 0.97
    assert ratio.samples == pytest.approx(
        [one / other for one, other in zip(watched.samples, plain.samples, strict=True)], rel=0.01
    )
    assert series["CPU of top"].goal == 2
    assert series["CPU of top"].value > 0
    assert 0.02 < series["tasker-mp status --json"].value < 30
    (table,) = document.tables
    assert [row[0] for row in table.rows] == ["unwatched", "watched"]
    for side in ("plain", "watched"):
        assert not is_there(database, bench_database_of(database, side))
