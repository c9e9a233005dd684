"""The reliability figures are measured on a system of their own, which is gone afterwards."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.document import Document, decode_document

pytestmark = pytest.mark.long

_REPOSITORY = Path(__file__).parents[2]
_LIMIT = 100.0


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the projects are made; the account of an embedded server passes through."""
    with tempfile.TemporaryDirectory(prefix="tasker-mp-figures-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


def _start(place: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench", "reliability", "--workers", "2", "--json", *arguments],
        cwd=_REPOSITORY,
        env=os.environ | {"TMPDIR": str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a signal of the terminal's is not meant for it
    )


def _end(bench: subprocess.Popen[str], code: int) -> Document:
    try:
        output, errors = bench.communicate(timeout=_LIMIT)
    except BaseException:
        bench.send_signal(signal.SIGINT)  # it takes along what it has started
        raise
    assert bench.returncode == code, errors
    return decode_document(output)


def _samples(document: Document) -> dict[str, list[float]]:
    return {series.name: series.samples for series in document.series}


def _counts(document: Document) -> dict[str, object]:
    """How often each measurement was made."""
    [table] = document.tables
    return {str(row[-1]).removeprefix("--only "): row[-2] for row in table.rows}


def test_deadlines_and_deaths_of_processes_are_measured_and_saved(
    place: Path, tmp_path: Path
) -> None:
    chosen = ("--only", "deadlines", "--only", "respawn", "--only", "supervisor")
    sizes = ("--deadlines", "5", "--respawns", "3", "--repeats", "1", "--tasks", "300")
    document = _end(_start(place, *chosen, *sizes, "--save", str(tmp_path / "results")), 0)
    assert _counts(document) == {"deadlines": 5, "respawn": 3, "supervisor": 1}
    found = _samples(document)
    overshoots = [found[name] for name in found if name.startswith("deadline overshoot: ")]
    assert len(overshoots) == 5  # forms
    for (overshoot,) in overshoots:
        assert -1 < overshoot < 10_000
    assert min(found["worker respawn, p50"]) > 0
    death = "recovery after kill -9 of the supervisor"
    assert 0 < found[f"{death}: recovered"][0] < found[f"{death}: finished"][0]
    assert found[f"{death}, max"][0] == pytest.approx(
        found[f"{death}: finished"][0] / 1000, abs=0.01
    )
    assert found[f"{death}: orphans"][0] > 0
    assert document.environment["database"]["fsync"] == "on"
    assert (document.problems, document.interrupted) == ([], False)
    assert {path.suffix for path in (tmp_path / "results").iterdir()} == {".json", ".md"}
    assert list(place.iterdir()) == []


def test_the_databases_death_and_the_price_of_kills_are_measured(place: Path) -> None:
    chosen = ("--only", "database", "--only", "kills")
    sizes = ("--repeats", "1", "--tasks", "300", "--pairs", "1", "--seconds", "0.5")
    document = _end(_start(place, *chosen, *sizes), 0)
    found = _samples(document)
    death = "recovery after kill -9 of PostgreSQL, once it answers"
    assert 0 < found[f"{death}: finished"][0] < found[f"{death}: total"][0]
    kills = "throughput under one worker kill a second"
    (undisturbed,), (disturbed,) = (found[f"{kills}: {how}disturbed"] for how in ("un", ""))
    assert found[f"{kills}, ratio"] == [pytest.approx(disturbed / undisturbed, abs=0.001)]
    assert min(undisturbed, disturbed) > 0
    assert " 1 kills" in str(document.tables[0].rows[-1])
    assert list(place.iterdir()) == []


def test_an_interruption_keeps_what_was_measured_and_leaves_nothing(place: Path) -> None:
    bench = _start(place, "--only", "respawn", "--respawns", "1000", "--only", "kills")
    try:
        seen = _await_workers(bench, 5)
    finally:
        bench.send_signal(signal.SIGINT)
    document = _end(bench, 130)
    assert document.interrupted
    (samples,) = _samples(document).values()
    assert _counts(document) == {"respawn": len(samples)}
    assert list(place.iterdir()) == []
    assert not [process for process in seen if _is_alive(process)]


def _await_workers(bench: subprocess.Popen[str], count: int) -> set[psutil.Process]:
    """All processes that it has started until so many of them were workers."""
    deadline = time.monotonic() + _LIMIT
    seen: set[psutil.Process] = set()
    workers: set[psutil.Process] = set()
    while len(workers) < count:
        assert time.monotonic() < deadline
        assert bench.poll() is None
        found = psutil.Process(bench.pid).children(recursive=True)
        seen.update(found)
        workers.update(filter(_is_worker, found))
        time.sleep(0.01)
    return seen


def _is_alive(process: psutil.Process) -> bool:
    """A zombie that nobody has collected yet is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _is_worker(process: psutil.Process) -> bool:
    try:
        return " ".join(process.cmdline()).startswith("tasker-mp: worker ")
    except psutil.NoSuchProcess:
        return False
