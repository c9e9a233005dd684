"""Ends of processes and beginnings of steps, as the measurements see them."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.reliability.entries import Entries, Entry
from bench.reliability.patience import until
from bench.reliability.watch import Watch
from tasker_mp.errors import EngineError


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["/bin/sleep", "60"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def entries(tmp_path: Path) -> Iterator[Entries]:
    found = Entries(tmp_path / "entries")
    yield found
    found.close()


def _say(tmp_path: Path, text: str) -> None:
    (tmp_path / "entries").write_text(text)


def test_an_end_is_dated_when_it_happens(sleeper: subprocess.Popen[bytes]) -> None:
    with Watch() as watch:
        assert watch.add(sleeper.pid)
        assert watch.wait(0.01) == {}
        killed = time.monotonic_ns()
        sleeper.kill()
        ends = watch.wait_for_all(30)
        assert list(ends) == [sleeper.pid]
        assert killed < ends[sleeper.pid] < time.monotonic_ns()
        assert watch.wait_for_all(0.01) == {}  # each is told once


def test_who_is_gone_already_has_no_date(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()
    with Watch() as watch:
        assert not watch.add(sleeper.pid)


def test_who_does_not_end_is_named(sleeper: subprocess.Popen[bytes]) -> None:
    with Watch() as watch:
        watch.add(sleeper.pid)
        with pytest.raises(EngineError, match=str(sleeper.pid)):
            watch.wait_for_all(0.01)


def test_something_else_to_read_wakes_the_watcher(
    tmp_path: Path, entries: Entries, sleeper: subprocess.Popen[bytes]
) -> None:
    with Watch(entries.fileno()) as watch:
        watch.add(sleeper.pid)
        _say(tmp_path, "1 2 0 nap\n")
        began = time.monotonic()
        assert watch.wait(60) == {}
        assert time.monotonic() - began < 30


def test_entries_come_in_order_and_whole(tmp_path: Path, entries: Entries) -> None:
    _say(tmp_path, "5 42 43 forks\n6 44 0 sle")
    assert entries.read() == [Entry(5, 42, 43, "forks")]
    _say(tmp_path, "eps\n7 45 0 nap\n")
    assert entries.next() == Entry(6, 44, 0, "sleeps")
    assert entries.read() == [Entry(7, 45, 0, "nap")]
    assert entries.read() == []


def test_a_step_that_never_begins_is_an_error(entries: Entries) -> None:
    with pytest.raises(EngineError, match=r"no step began within 0.01 s"):
        entries.next(limit=0.01)


def test_the_pipe_is_its_owners_only(tmp_path: Path, entries: Entries) -> None:
    assert (tmp_path / "entries").stat().st_mode & 0o777 == 0o600


def test_waiting_ends_with_the_moment_or_with_what_was_waited_for() -> None:
    before = time.monotonic_ns()
    assert before <= until(lambda: True, "nothing") <= time.monotonic_ns()
    with pytest.raises(EngineError, match=r"not within 0.01 s: the sun rises"):
        until(lambda: False, "the sun rises", limit=0.01)
