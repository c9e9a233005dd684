"""`bench run` measures what really ran, and keeps what it has when it is interrupted."""

import signal
import subprocess
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from bench_cli import bench_database_of, by_name, finish, is_there, measure, refusal, start

from bench.document import Document, decode_document

_LIMIT = 60.0


@pytest.mark.long
def test_patterns_are_measured_at_every_level_and_saved(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    chosen = ("--pattern", "linear", "--pattern", "tree", "--workers", "1")
    levels = ("--concurrency", "1", "--concurrency", "6", "--counted", "80")
    small = ("--rounds", "1", "--singles", "2", "--seconds", "0.1")
    document = measure(database, "run", *chosen, *levels, *small, "--save", str(folder))
    series = by_name(document)
    for pattern in ("linear", "tree"):
        for level in (1, 6):
            at = f"{pattern} @{level}"
            assert series[f"throughput {at}"].value > 0
            p50, p90, p99 = (series[f"p{percent} {at}"].value for percent in (50, 90, 99))
            assert 0 < p50 <= p90 <= p99
            assert series[f"success {at}"].samples == [100.0]
            assert series[f"WAL {at}"].value > 100
    _check_rows_of_linear(document)
    assert (document.interrupted, document.problems) == (False, [])
    assert document.environment["workers"] == 1
    settings = document.environment["database"]
    assert {"server_version", "fsync", "synchronous_commit"} <= set(settings)
    assert {path.suffix for path in folder.iterdir()} == {".json", ".md"}
    (saved,) = folder.glob("*-run.json")
    assert decode_document(saved.read_text()) == document
    assert "| tree | 6 |" in saved.with_suffix(".md").read_text()
    assert not is_there(database, bench_database_of(database, "run"))


def _check_rows_of_linear(document: Document) -> None:
    """A step's own row, and a quarter each of its task's and of the message of the first one;
    claimed and finished, and its task's start and end."""
    (table,) = (table for table in document.tables if table.title == "Rows written")
    name, *counted = table.rows[0]
    assert name == "linear"
    inserted, updated, deleted, hot = (float(str(value)) for value in counted)
    assert 1.5 <= inserted < 2.2
    assert 2.4 <= updated < 3.2
    assert 0.25 <= deleted < 1
    assert 50 < hot <= 100


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (("--pattern", "circle"), "mixed_dag"),
        (("--concurrency", "0"), "0"),
        (("--seconds", "-1"), "-1"),
        (("--rounds", "many"), "many"),
    ],
)
def test_what_is_unknown_or_impossible_is_one_line(wrong: tuple[str, str], named: str) -> None:
    line = refusal("run", *wrong)
    assert wrong[0] in line
    assert wrong[1] in line
    assert named in line


def test_a_place_that_cannot_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in refusal("run", "--save", str(tmp_path / "file"))


def test_no_database_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://someone:secret@127.0.0.1:1/none"
    monkeypatch.setenv("TASKER_MP_DATABASE__URL", url)
    line = refusal("run", code=3)
    assert "cannot reach" in line
    assert "secret" not in line


def test_an_interruption_keeps_what_was_measured_and_leaves_nothing(
    database: str, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    small = ("--pattern", "linear", "--concurrency", "1", "--singles", "1", "--rounds", "10000")
    bench = start(database, "run", *small, "--workers", "1", "--json", "--save", str(folder))
    place = bench_database_of(database, "run")
    try:
        _await_tasks(bench, place, 20)
        seen = psutil.Process(bench.pid).children(recursive=True)
    finally:
        bench.send_signal(signal.SIGINT)
    output, _ = finish(bench, 130)
    document = decode_document(output)
    assert document.interrupted
    samples = by_name(document)["throughput linear @1"].samples
    assert 10 < len(samples) < 10000
    (page,) = folder.glob("*-run.md")
    assert "(partial)" in page.read_text()
    (saved,) = folder.glob("*-run.json")
    assert decode_document(saved.read_text()).interrupted
    assert len(seen) >= 3  # supervisor, zygote, worker
    assert not psutil.wait_procs(seen, timeout=_LIMIT)[1]
    assert not is_there(database, place)


def _await_tasks(bench: subprocess.Popen[str], place: str, count: int) -> None:
    """Until so many tasks have completed in the measurement's database."""
    deadline = time.monotonic() + _LIMIT
    while _completed(place) < count:
        assert time.monotonic() < deadline
        assert bench.poll() is None
        time.sleep(0.02)


def _completed(place: str) -> int:
    try:
        with psycopg.connect(place) as connection:
            row = connection.execute(
                "select count(*) from tasker.tasks where state = 'complete'"
            ).fetchone()
    except psycopg.Error:  # there is no such database, or table, yet
        return 0
    assert row is not None
    return int(row[0])
