"""A worker dies: only what it ran is charged, the rest runs elsewhere, and another takes over."""

import os
import signal
from collections import Counter
from pathlib import Path

import psutil
import pytest
from engine_project import ProjectFolder, Running, eventually, is_alive, step

_AGAIN = {"max_attempts": 2, "backoff": "none"}


def test_a_worker_killed_while_idle_is_replaced_and_nobody_is_charged(
    folder: ProjectFolder,
) -> None:
    folder.template("call")
    with folder.running() as running:
        before = running.workers()
        os.kill(before[0], signal.SIGKILL)
        eventually(lambda: not is_alive(before[0]))
        tasks = running.run("call", 20)
        assert {(task.state, task.steps[0].attempts) for task in tasks} == {("complete", 1)}
        after = running.workers()
        assert after[0] != before[0]
        assert after[1] == before[1]
        row = running.status()["workers"][0]
        assert (row["restarts"], row["last_exit"]) == (1, "killed by SIGKILL")


def test_only_the_running_step_of_a_killed_worker_is_charged(folder: ProjectFolder) -> None:
    """One worker, so that the others wait in its ring or behind it."""
    folder.template("hold_first", step("hold_first", retry=_AGAIN))
    folder.template("call")
    with folder.running(worker__count=1) as running:
        published = running.run("call", 3)
        (held,) = running.submit("hold_first")
        queued = running.submit("call", 30)
        (pid,) = folder.started("hold")
        os.kill(pid, signal.SIGKILL)
        (task,) = running.wait([held])
        assert task.results == {"hold_first": {"attempt": 2}}
        assert running.crashes(held) == [("hold_first", 1, "WORKER_CRASHED")]
        for other in running.wait(queued):
            assert (other.state, other.steps[0].attempts) == ("complete", 1)
            assert running.crashes(other.uuid) == []
        executions = folder.executions()
        assert all(executions[str(t.uuid), "call"] == 1 for t in published)
        assert all(executions[str(uuid), "call"] == 1 for uuid in queued)
        assert running.status()["stats"]["crashed"] == 1


def test_a_stopped_supervisor_finds_the_results_of_a_worker_that_died_meanwhile(
    folder: ProjectFolder,
) -> None:
    """What was published before the death is kept: nothing of it runs again."""
    folder.template("short")
    folder.template("hold_first", step("hold_first", retry=_AGAIN))
    with folder.running(worker__count=1) as running:
        running.run("short")
        uuids = running.submit("short", 8)
        (held,) = running.submit("hold_first")
        (pid,) = folder.started("hold")
        running.system._process.send_signal(signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not is_alive(pid))
        running.system._process.send_signal(signal.SIGCONT)
        assert {task.state for task in running.wait([*uuids, held])} == {"complete"}
        executions = folder.executions()
        assert [executions[str(uuid), "short"] for uuid in uuids] == [1] * 8


@pytest.mark.parametrize(
    ("method", "reason"), [("segfault", "killed by SIGSEGV"), ("dies", "exit status 7")]
)
def test_a_handler_that_takes_its_worker_down_is_charged_and_tried_again(
    folder: ProjectFolder, method: str, reason: str
) -> None:
    folder.template("fatal", step("fatal", method=method, retry=_AGAIN))
    folder.template("once", step("once", method=method))
    folder.template("call")
    with folder.running() as running:
        calls = running.submit("call", 20)
        (again,), (once,) = running.submit("fatal"), running.submit("once")
        calls += running.submit("call", 20)
        assert {task.state for task in running.wait(calls)} == {"complete"}
        (task,) = running.wait([again])
        assert task.results == {"fatal": {"attempt": 2}}
        assert running.crashes(again) == [("fatal", 1, "WORKER_CRASHED")]
        (task,) = running.wait([once])
        assert reason in task.errors["once"]["message"]
        executions = folder.executions()
        assert [executions[str(uuid), "call"] for uuid in calls] == [1] * 40


def test_a_handler_that_cuts_its_worker_off_is_charged_and_not_tried_for_ever(
    folder: ProjectFolder,
) -> None:
    folder.template("cut", step("closes_everything", retry=_AGAIN))
    folder.template("call")
    with folder.running() as running:
        (cut,) = running.submit("cut")
        calls = running.submit("call", 20)
        (task,) = running.wait([cut], 5)
        assert task.errors["closes_everything"]["error_code"] == "WORKER_CRASHED"
        assert folder.executions()[str(cut), "closes_everything"] == 2
        assert {t.state for t in running.wait(calls)} == {"complete"}


def test_a_child_that_a_handler_forgot_to_end_does_not_run_on_as_a_worker(
    folder: ProjectFolder,
) -> None:
    folder.template("forks")
    with folder.running() as running:
        before = running.workers()
        uuids = running.submit("forks", 20)
        assert {task.state for task in running.wait(uuids)} == {"complete"}
        assert set(folder.executions().values()) == {1}
        assert running.workers() == before
        eventually(lambda: len([p for p in folder.processes() if is_alive(p.pid)]) == 4)


def test_what_the_handler_of_a_dead_worker_forked_dies_with_it(folder: ProjectFolder) -> None:
    folder.template("leaves_group")
    with folder.running() as running:
        (task,) = running.run("leaves_group")
        assert task.errors["leaves_group"]["error_code"] == "WORKER_CRASHED"
        child = int((folder.root / "child").read_text())
        eventually(lambda: not is_alive(child), 2)


def test_orphans_of_handlers_are_reaped(folder: ProjectFolder) -> None:
    folder.template("leaves_child")
    with folder.running() as running:
        tasks = running.run("leaves_child", 4)
        assert {task.state for task in tasks} == {"complete"}
        supervisor = psutil.Process(running.pid)
        eventually(lambda: len(supervisor.children()) == 3, 4, "a zygote and two workers")
        assert running.run("leaves_child")[0].state == "complete"


def test_descriptors_and_shared_memory_stay_flat_over_many_deaths(folder: ProjectFolder) -> None:
    folder.template("call")
    with folder.running() as running:
        running.run("call", 10)
        _kill_workers(running, 1)
        before = _resources(running)
        _kill_workers(running, 10)
        assert {task.state for task in running.run("call", 10)} == {"complete"}
        eventually(lambda: not _resources(running) - before, 3, "nothing grown")


def _kill_workers(running: Running, rounds: int) -> None:
    for _ in range(rounds):
        workers = running.workers()
        for pid in workers.values():
            os.kill(pid, signal.SIGKILL)
        eventually(lambda old=workers: not set(old.values()) & set(running.workers().values()))


def _resources(running: Running) -> Counter[str]:
    """Kinds of descriptors of the supervisor and of its zygote, and names in /dev/shm."""
    shared = Counter(path.name for path in Path("/dev/shm").iterdir() if "tasker" in path.name)
    return shared + _descriptors(running.pid, "S ") + _descriptors(running.zygote(), "Z ")


def _descriptors(pid: int, owner: str) -> Counter[str]:
    kinds = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            kinds.append(owner + str(link.readlink()).partition(":[")[0])
        except FileNotFoundError:
            continue
    return Counter(kinds)
