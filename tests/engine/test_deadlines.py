"""Deadlines are hard, run from a step's start, and hurt nobody else; crashes are limited."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from engine_project import ProjectFolder, eventually, is_alive, step

from tasker_mp.client.task import Step

_WAYS = ("spins", "sleeps", "ignores_sigterm", "holds_the_interpreter", "forks")


def slow(method: str, timeout: float = 0.5, **keys: Any) -> dict[str, Any]:
    handler = {"callable": "handlers.slow.Slow", "method": method}
    return step(method, handler=handler, timeout_seconds=timeout, **keys)


@pytest.fixture
def slow_folder(folder: ProjectFolder) -> ProjectFolder:
    source = Path(__file__).with_name("slow.py.txt").read_text()
    (folder.root / "handlers" / "slow.py").write_text(source)
    return folder


def _error(one: Step) -> dict[str, Any]:
    assert one.error is not None
    return one.error


def test_whatever_a_handler_does_it_is_dead_soon_after_its_deadline(
    slow_folder: ProjectFolder,
) -> None:
    for way in _WAYS:
        slow_folder.template(way, slow(way))
    with slow_folder.running() as running:
        tasks = running.wait([running.submit(way)[0] for way in _WAYS])
        for way, task in zip(_WAYS, tasks, strict=True):
            error = _error(task.steps[0])
            assert (task.state, error["error_code"]) == ("error", "TIMEOUT"), way
            assert error["error_type"] == "timeout"
            assert error["metadata"]["timeout_seconds"] == 0.5
            assert 0.5 <= error["metadata"]["run_seconds"] < 0.75
            assert error["metadata"]["rss_bytes"] > 1 << 20
            assert f"in {way}" in error["metadata"]["stack"]
        child = int((slow_folder.root / "child").read_text())
        eventually(lambda: not is_alive(child), what="the handler's own child is killed as well")
        assert running.status()["stats"]["timed_out"] == len(_WAYS)


def test_a_step_that_timed_out_is_charged_and_tried_again(slow_folder: ProjectFolder) -> None:
    slow_folder.template("again", slow("first_time_only", retry={"max_attempts": 2}))
    with slow_folder.running() as running:
        [task] = running.run("again")
        assert (task.state, task.steps[0].attempts) == ("complete", 2)
        assert running.crashes(task.uuid) == [("first_time_only", 1, "TIMEOUT")]


def test_time_in_the_ring_does_not_count(slow_folder: ProjectFolder) -> None:
    slow_folder.template("nap", slow("naps", timeout=0.6))
    with slow_folder.running(worker__count=1) as running:
        tasks = running.run("nap", 6)
        assert {task.state for task in tasks} == {"complete"}


def test_nothing_waits_behind_a_slow_step(slow_folder: ProjectFolder) -> None:
    slow_folder.template("sleeper", slow("sleeps", timeout=30))
    slow_folder.template("quick", slow("hurries"))
    with slow_folder.running() as running:
        running.run("quick", 200)
        [sleeper] = running.submit("sleeper")
        quick = running.wait(running.submit("quick", 500), limit=10)
        assert {task.state for task in quick} == {"complete"}
        assert {step.attempts for task in quick for step in task.steps} == {1}
        assert running.client.get_task(sleeper).state == "in_progress"
        running.system.stop(timeout=0)


def test_a_step_that_crashes_its_worker_too_often_is_quarantined(
    slow_folder: ProjectFolder,
) -> None:
    slow_folder.template("killer", slow("crashes", retry={"max_attempts": 10}))
    slow_folder.template("quick", slow("hurries"))
    with slow_folder.running() as running:
        [killer] = running.submit("killer")
        quick = running.run("quick", 200)
        [task] = running.wait([killer])
        assert {task.state for task in quick} == {"complete"}
        assert {step.attempts for task in quick for step in task.steps} == {1}
        assert (task.state, task.steps[0].attempts) == ("error", 3)
        error = _error(task.steps[0])
        assert (error["error_code"], error["retryable"]) == ("QUARANTINED", False)
        assert "SIGSEGV" in error["message"]
        assert running.status()["stats"]["quarantined"] == 1


def test_workers_are_replaced_between_steps(slow_folder: ProjectFolder) -> None:
    slow_folder.template("quick", slow("hurries"))
    with slow_folder.running(worker__recycle_after_steps=50) as running:
        before = set(running.workers().values())
        tasks = running.run("quick", 400)
        assert {task.state for task in tasks} == {"complete"}
        assert {step.attempts for task in tasks for step in task.steps} == {1}
        eventually(lambda: not before & set(running.workers().values()), what="other workers")
        rows = running.status()["workers"]
        assert {row["last_exit"] for row in rows} == {"exit status 0"}
        assert running.status()["stats"]["crashed"] == 0


def test_a_worker_that_has_grown_is_replaced(slow_folder: ProjectFolder) -> None:
    slow_folder.template("quick", slow("hurries"))
    with slow_folder.running(worker__count=1, worker__recycle_above_mb=1) as running:
        eventually(lambda: running.status()["workers"][0]["restarts"] >= 1, what="a restart")
        [task] = running.run("quick")
        assert task.state == "complete"


def test_a_worker_that_is_stopped_between_steps_holds_nothing_up(
    slow_folder: ProjectFolder,
) -> None:
    slow_folder.template("quick", slow("hurries", timeout=60))
    with slow_folder.running(steps__timeout=1.5) as running:
        running.run("quick", 20)
        stopped = running.workers()[0]
        os.kill(stopped, signal.SIGSTOP)
        tasks = running.run("quick", 300)
        assert {task.state for task in tasks} == {"complete"}
        assert {step.attempts for task in tasks for step in task.steps} == {1}
        eventually(lambda: not is_alive(stopped), what="replaced after the time of a step")
        assert running.run("quick")[0].state == "complete"
        assert running.status()["stats"]["crashed"] == 0
