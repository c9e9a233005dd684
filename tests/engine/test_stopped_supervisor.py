"""SIGSTOP and a suspended machine: who was stopped goes on, nobody is killed for that time."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine_project import ProjectFolder, Running, eventually, is_alive, step

_TIMEOUT = 3.0
_STOPPED = 4.0
_LEASE = 2.0
_LOOKS = 0.5
"""Some looks of the watchdog: in which it sees a step begin, or kills whoever is late."""


@contextmanager
def _stopped(*pids: int) -> Iterator[None]:
    """They stand still meanwhile, and go on afterwards, the last one first."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)


def _let_pass(seconds: float) -> None:
    """Time itself is what is waited for: a deadline or a lease that must not count."""
    until = time.monotonic() + seconds
    eventually(lambda: time.monotonic() >= until, seconds + 10)


def _holding(folder: ProjectFolder) -> None:
    folder.template("hold", step("hold", timeout_seconds=_TIMEOUT))
    folder.template("call")


def _unhurt(running: Running, workers: dict[int, int]) -> None:
    stats = running.status()["stats"]
    assert running.workers() == workers, "nobody was killed"
    assert (stats["timed_out"], stats["crashed"]) == (0, 0)


def test_deadlines_that_passed_while_the_supervisor_was_stopped_kill_nobody(
    folder: ProjectFolder,
) -> None:
    _holding(folder)
    with folder.running(worker__count=4) as running:
        workers = running.workers()
        uuids = running.submit("hold", 4)
        folder.started("hold", 4)
        _let_pass(_LOOKS)
        with _stopped(running.pid):
            _let_pass(_STOPPED)
        _let_pass(_LOOKS)
        assert running.status()["in_flight"] == 4
        folder.release()
        tasks = running.wait(uuids)
        assert {(t.state, t.steps[0].attempts) for t in tasks} == {("complete", 1)}
        assert {t.results["hold"]["pid"] for t in tasks} == set(workers.values())
        _unhurt(running, workers)


def test_a_deadline_goes_on_where_it_was_when_the_supervisor_was_stopped(
    folder: ProjectFolder,
) -> None:
    _holding(folder)
    with folder.running() as running:
        [uuid] = running.submit("hold")
        folder.started()
        _let_pass(_LOOKS)
        with _stopped(running.pid):
            _let_pass(_STOPPED)
        [task] = running.wait([uuid])
        error = task.errors["hold"]
        assert (error["error_code"], task.steps[0].attempts) == ("TIMEOUT", 1)
        assert _TIMEOUT <= error["metadata"]["run_seconds"] < _TIMEOUT + 2


def test_a_machine_that_was_suspended_goes_on_as_if_nothing_had_been(
    folder: ProjectFolder,
) -> None:
    """Supervisor, zygote and workers alike; nobody else was there to take the lapsed lease."""
    _holding(folder)
    with folder.running(steps__lease=_LEASE) as running:
        workers = running.workers()
        held, queued = running.submit("hold", 2), running.submit("call", 50)
        folder.started("hold", 2)
        _let_pass(_LOOKS)
        with _stopped(running.pid, running.zygote(), *workers.values()):
            _let_pass(_STOPPED)
        _let_pass(_LOOKS)
        assert running.status()["in_flight"] >= 2
        folder.release()
        tasks = running.wait([*held, *queued])
        assert {(t.state, t.steps[0].attempts) for t in tasks} == {("complete", 1)}
        assert set(folder.executions().values()) == {1}
        _unhurt(running, workers)
        assert running.status()["stats"]["stale_results"] == 0


@pytest.mark.parametrize("everybody", [False, True], ids=["supervisor", "machine"])
def test_a_supervisor_that_lost_its_lease_is_refused_what_it_held_and_serves_on(
    folder: ProjectFolder,
    tmp_path_factory: pytest.TempPathFactory,
    capfd: pytest.CaptureFixture[str],
    everybody: bool,
) -> None:
    """Another one takes its steps over; the first one's results for them come too late."""
    other = ProjectFolder(tmp_path_factory.mktemp("other"), folder.dsn)
    for project in (folder, other):
        _holding(project)
    options: dict[str, Any] = {"steps__lease": _LEASE, "worker__max_in_flight": 20}
    with folder.running(**options) as stalled:
        workers = stalled.workers()
        before = stalled.submit("call", 20)
        stalled.wait(before)
        held = stalled.submit("hold", 2)
        pids = set(folder.started("hold", 2))
        queued = stalled.submit("call", 10)
        eventually(lambda: stalled.status()["in_flight"] == 12, what="the queued ones claimed")
        asleep = (stalled.pid, *workers.values()) if everybody else (stalled.pid,)
        other.release()
        with _stopped(*asleep):
            _let_pass(_STOPPED)
            with _beside(other, **options) as heir:
                tasks = heir.wait([*held, *queued])
                recovered = other.executions()
        _let_pass(_LOOKS)
        folder.release()
        eventually(lambda: stalled.status()["in_flight"] == 0, what="everything answered")
        assert stalled.status()["stats"]["stale_results"] == 12
        assert "stale results refused" in capfd.readouterr().err
        _unhurt(stalled, workers)

        assert {(t.state, t.steps[0].attempts) for t in tasks} == {("complete", 1)}
        assert not pids & {t.results["hold"]["pid"] for t in tasks[:2]}
        again = [stalled.client.get_task(task.uuid) for task in tasks]
        assert [t.results for t in again] == [t.results for t in tasks], "what came late is nothing"
        assert not any(stalled.crashes(task.uuid) for task in tasks), "an orphan is not charged"

        assert set(recovered.values()) == {1}
        executions = folder.executions()
        assert max(executions.values()) == 1
        assert all((str(uuid), "call") not in recovered for uuid in before)
        assert {t.state for t in stalled.run("call", 20)} == {"complete"}
        assert stalled.status()["stats"]["stale_results"] == 12


@contextmanager
def _beside(other: ProjectFolder, **options: Any) -> Iterator[Running]:
    """A supervisor of another project folder on the same database."""
    here = Path.cwd()
    os.chdir(other.root)
    try:
        with other.running(**options) as running:
            yield running
    finally:
        os.chdir(here)


def test_a_worker_that_is_stopped_in_a_step_meets_the_step_s_deadline(
    folder: ProjectFolder,
) -> None:
    _holding(folder)
    with folder.running() as running:
        workers = running.workers()
        [held] = running.submit("hold")
        [pid] = folder.started()
        with _stopped_for_good(pid):
            calls = running.run("call", 50)
            assert {(t.state, t.steps[0].attempts) for t in calls} == {("complete", 1)}
            [task] = running.wait([held])
        assert task.errors["hold"]["error_code"] == "TIMEOUT"
        assert len(set(workers.values()) & set(running.workers().values())) == 1


def test_a_worker_that_is_stopped_in_a_step_and_goes_on_in_time_has_lost_nothing(
    folder: ProjectFolder,
) -> None:
    folder.template("hold")
    with folder.running() as running:
        workers = running.workers()
        uuids = running.submit("hold", 2)
        pids = folder.started("hold", 2)
        with _stopped(*pids):
            folder.release()
            _let_pass(0.3)
        assert {t.state for t in running.wait(uuids)} == {"complete"}
        _unhurt(running, workers)
    assert set(folder.executions().values()) == {1}


def test_a_worker_that_is_stopped_when_it_should_leave_is_replaced_all_the_same(
    folder: ProjectFolder,
) -> None:
    """The only one, so that nothing would ever run again; each is larger than it may be."""
    folder.template("call")
    with folder.running(worker__count=1, worker__recycle_above_mb=1, steps__timeout=1.0) as running:
        with _stopped_for_good(running.workers()[0]):
            pass
        tasks = running.run("call", 20)
        assert {(t.state, t.steps[0].attempts) for t in tasks} == {("complete", 1)}
        assert running.status()["stats"]["crashed"] == 0


@contextmanager
def _stopped_for_good(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    yield
    eventually(lambda: not is_alive(pid))
