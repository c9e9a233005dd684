"""What handlers do to their own process hurts their own step at most, and is told as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from engine_project import ProjectFolder, eventually, is_alive, step

from tasker_mp.client.task import Task

_DEATHS = {
    "leaves_well": "exit status 0",
    "leaves_badly": "exit status 3",
    "aborts": "killed by SIGABRT",
    "segfaults": "killed by SIGSEGV",
    "kills_itself": "killed by SIGKILL",
    "alarms": "killed by SIGALRM",
    "closes_descriptors": "exit status 1",
}
_ERRORS = {
    "interrupts": "KeyboardInterrupt",
    "ends_a_generator": "GeneratorExit",
    "interrupts_its_loop": "KeyboardInterrupt",
    "stops_its_loop": "RuntimeError: Event loop stopped before Future completed.",
    "recurses": "RecursionError: maximum recursion depth exceeded",
}
_MISDEEDS = (
    "leaves_threads", "changes_directory", "unfreezes", "masks_signals", "installs_handlers",
    "closes_output", "changes_modules",
)  # fmt: skip
_FORKS = (
    "forks_and_both_return", "forks_and_the_child_raises", "forks_and_the_child_exits",
    "forks_and_the_child_dies",
)  # fmt: skip
_ENDLESS = ("sleeps_deaf", "sleeps_with_handlers", "sleeps_in_c", "matches_for_ever", "stops")
_TWICE = {"max_attempts": 2, "backoff": "none"}


def hostile(method: str, **keys: Any) -> dict[str, Any]:
    return step(method, handler={"callable": "handlers.hostile.Hostile", "method": method}, **keys)


@pytest.fixture
def hostile_folder(folder: ProjectFolder) -> ProjectFolder:
    source = Path(__file__).with_name("hostile.py.txt").read_text()
    (folder.root / "handlers" / "hostile.py").write_text(source)
    folder.template("call", hostile("call"))
    return folder


@contextmanager
def _undisturbed(
    folder: ProjectFolder, names: tuple[str, ...], **keys: Any
) -> Iterator[list[Task]]:
    """The tasks of `names`, run between neighbours that finish at the first attempt."""
    for name in names:
        folder.template(name, hostile(name, **keys))
    with folder.running() as running:
        uuids, neighbours = [], running.submit("call", 10)
        for name in names:
            uuids += running.submit(name)
            neighbours += running.submit("call", 10)
        tasks = running.wait(uuids, 40)
        beside = running.wait(neighbours)
        assert {(t.state, t.steps[0].attempts) for t in beside} == {("complete", 1)}
        assert not any(running.crashes(uuid) for uuid in neighbours)
        yield tasks
        assert {t.state for t in running.run("call", 10)} == {"complete"}
    executions = folder.executions()
    assert {executions[str(uuid), "call"] for uuid in neighbours} == {1}


def test_each_death_is_charged_to_its_own_step_with_how_it_came(
    hostile_folder: ProjectFolder,
) -> None:
    with _undisturbed(hostile_folder, tuple(_DEATHS), retry=_TWICE) as tasks:
        for task, reason in zip(tasks, _DEATHS.values(), strict=True):
            [dead] = task.steps
            assert dead.error is not None
            assert (task.state, dead.attempts) == ("error", 2), reason
            assert dead.error["error_code"] == "WORKER_CRASHED"
            assert dead.error["message"].endswith(f"died while it ran this step: {reason}")
            details = dead.error["metadata"]
            assert (details["exit"], details["crashes"]) == (reason, 2)
            assert details["peak_rss_bytes"] > 1 << 20


def test_whatever_a_handler_raises_is_its_step_s_error_and_no_worker_s_death(
    hostile_folder: ProjectFolder,
) -> None:
    hostile_folder.template("coroutine", hostile("coroutine"))
    for name in _ERRORS:
        hostile_folder.template(name, hostile(name))
    with hostile_folder.running(worker__count=1) as running:
        before = running.workers()
        for name, message in _ERRORS.items():
            [task] = running.run(name)
            assert task.errors[name]["message"].startswith(message)
            assert running.run("coroutine")[0].state == "complete", f"after {name}"
        assert running.workers() == before


def test_what_a_handler_changes_in_its_process_disturbs_no_other_step(
    hostile_folder: ProjectFolder,
) -> None:
    with _undisturbed(hostile_folder, _MISDEEDS) as tasks:
        assert {(task.state, task.steps[0].attempts) for task in tasks} == {("complete", 1)}


def test_a_worker_with_threads_that_never_end_still_leaves(hostile_folder: ProjectFolder) -> None:
    hostile_folder.template("leaves_threads", hostile("leaves_threads"))
    with hostile_folder.running(worker__recycle_after_steps=1) as running:
        before = running.workers()
        tasks = running.run("leaves_threads", 4)
        assert {task.state for task in tasks} == {"complete"}
        eventually(lambda: not set(before.values()) & set(running.workers().values()))


def test_a_forked_child_publishes_nothing_however_it_comes_back(
    hostile_folder: ProjectFolder,
) -> None:
    with _undisturbed(hostile_folder, _FORKS) as tasks:
        assert [task.results[name]["child"] for task, name in zip(tasks, _FORKS, strict=True)] == [
            False
        ] * len(_FORKS)
        assert {task.steps[0].attempts for task in tasks} == {1}
    executions = hostile_folder.executions()
    assert executions[str(tasks[0].uuid), "forks_and_both_return"] == 1


def test_a_handler_s_daemon_outlives_its_worker_and_is_reaped_when_it_ends(
    hostile_folder: ProjectFolder,
) -> None:
    """Who leaves the process group is nobody's to kill: the page on reliability says so."""
    hostile_folder.template("forks_a_daemon", hostile("forks_a_daemon"))
    with hostile_folder.running() as running:
        before = running.workers()
        assert running.run("forks_a_daemon")[0].state == "complete"
        file = hostile_folder.root / "daemon"
        daemon = int(eventually(lambda: file.exists() and file.read_text()))
        assert psutil.Process(daemon).ppid() == running.pid
        for pid in before.values():
            psutil.Process(pid).kill()
        eventually(lambda: not set(before.values()) & set(running.workers().values()))
        assert is_alive(daemon)
        hostile_folder.release()
        eventually(lambda: not psutil.pid_exists(daemon), what="reaped")
        assert running.run("call")[0].state == "complete"


@pytest.mark.parametrize("method", ["breaks_the_loop", "raises_in_the_loop"])
def test_an_exception_in_the_worker_s_own_loop_costs_a_worker_and_charges_nobody(
    hostile_folder: ProjectFolder, capfd: pytest.CaptureFixture[str], method: str
) -> None:
    hostile_folder.template(method, hostile(method))
    with hostile_folder.running(worker__count=1) as running:
        before = running.workers()[0]
        [task] = running.run(method)
        assert (task.state, task.steps[0].attempts) == ("complete", 1)
        eventually(lambda: running.workers()[0] != before)
        assert running.status()["workers"][0]["last_exit"] == "exit status 1"
        assert running.run("call")[0].steps[0].attempts == 1
        assert running.status()["stats"]["crashed"] == 0
        assert hostile_folder.executions()[str(task.uuid), method] == 1
    assert "worker 0 failed" in capfd.readouterr().err


def test_a_result_that_never_comes_is_missed_and_its_step_charged_not_tried_for_ever(
    hostile_folder: ProjectFolder,
) -> None:
    hostile_folder.template("silent", hostile("publishes_nothing", retry=_TWICE))
    with hostile_folder.running(steps__timeout=1.0) as running:
        [silent] = running.submit("silent")
        [task] = running.wait([silent])
        assert (task.state, task.steps[0].attempts) == ("error", 2)
        assert task.errors["publishes_nothing"]["error_code"] == "WORKER_CRASHED"
        assert {t.state for t in running.run("call", 20)} == {"complete"}
    assert hostile_folder.executions()[str(silent), "publishes_nothing"] == 2


def test_a_hundred_megabytes_on_stdout_hold_nobody_up_and_do_not_fill_the_log(
    hostile_folder: ProjectFolder,
) -> None:
    """One line of them: its beginning is logged. Floods of lines: test_logs_of_handlers.py."""
    hostile_folder.template("floods", hostile("floods_output"))
    with hostile_folder.running(logging__level="info") as running:
        [flood] = running.submit("floods")
        assert {t.state for t in running.run("call", 50)} == {"complete"}
        assert running.wait([flood])[0].state == "complete"


# -- deadlines --------------------------------------------------------------------------------


def test_no_way_of_standing_still_outlasts_a_deadline(hostile_folder: ProjectFolder) -> None:
    with _undisturbed(hostile_folder, _ENDLESS, timeout_seconds=0.5) as tasks:
        for task, name in zip(tasks, _ENDLESS, strict=True):
            error = task.errors[name]
            assert (error["error_code"], task.steps[0].attempts) == ("TIMEOUT", 1)
            assert 0.5 <= error["metadata"]["run_seconds"] < 2
            assert error["metadata"]["rss_bytes"] > 1 << 20
        stacks = {t.steps[0].name: t.errors[t.steps[0].name]["metadata"]["stack"] for t in tasks}
        assert "in sleeps_in_c" in stacks["sleeps_in_c"]
        assert "in matches_for_ever" in stacks["matches_for_ever"]
        assert stacks["sleeps_deaf"] == "", "it had blocked the signal that asks for it"


def test_a_worker_that_leaves_its_process_group_is_killed_and_so_is_who_stayed(
    hostile_folder: ProjectFolder,
) -> None:
    hostile_folder.template("leaves", hostile("leaves_its_group", timeout_seconds=0.5))
    with hostile_folder.running() as running:
        zygote, before = running.zygote(), set(running.workers().values())
        [task] = running.run("leaves")
        assert task.errors["leaves_its_group"]["error_code"] == "TIMEOUT"
        stayed = int((hostile_folder.root / "left").read_text())
        eventually(lambda: not is_alive(stayed))
        assert len(before & set(running.workers().values())) == 1
        assert running.zygote() == zygote, "whose group it had joined"


def test_a_child_in_another_session_outlives_the_deadline_and_is_adopted(
    hostile_folder: ProjectFolder,
) -> None:
    """Not killed: the page on reliability says so. Once it ends it is reaped."""
    hostile_folder.template("elsewhere", hostile("has_a_child_elsewhere", timeout_seconds=0.5))
    with hostile_folder.running() as running:
        [task] = running.run("elsewhere")
        assert task.errors["has_a_child_elsewhere"]["error_code"] == "TIMEOUT"
        child = psutil.Process(int((hostile_folder.root / "elsewhere_pid").read_text()))
        eventually(lambda: child.ppid() == running.pid)
        child.kill()
        eventually(lambda: not psutil.pid_exists(child.pid), what="reaped")
