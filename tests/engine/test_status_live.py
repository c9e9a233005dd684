"""A real supervisor's status page, as an observer in another process sees it."""

import os
import signal
import threading
import time
from typing import Any

import msgspec
import pytest
from engine_project import ProjectFolder, eventually, step

from tasker_mp import bootstrap
from tasker_mp.control import Command, ask
from tasker_mp.engine.runtime import RuntimeDirectory
from tasker_mp.errors import StatusPageError
from tasker_mp.observation import Observation
from tasker_mp.observer import Observer
from tasker_mp.snapshot import STAGES
from tasker_mp.status_page import StatusPageWriter, read_status_page


def tell(folder: ProjectFolder, command: str, **fields: Any) -> dict[str, Any]:
    return ask(RuntimeDirectory(folder.root).control_socket, Command(command, **fields))


class Watching:
    """Looks until what it sees is what the test waits for."""

    def __init__(self, folder: ProjectFolder) -> None:
        self.observer = Observer(folder.root)

    def until(self, predicate: Any, what: str = "") -> Observation:
        def look() -> Observation | None:
            seen = self.observer.look()
            return seen if seen is not None and predicate(seen) else None

        found: Observation = eventually(look, what=what)
        return found


def test_whoever_hears_that_it_is_ready_finds_the_page_saying_so(folder: ProjectFolder) -> None:
    folder.template("call")
    for _ in range(3):  # the page is written four times a second anyway
        with folder.running():
            page = read_status_page(RuntimeDirectory(folder.root).status_page)
            assert page is not None
            assert msgspec.json.decode(page)["state"] == "running"


def test_what_steps_do_is_on_the_page(folder: ProjectFolder) -> None:
    folder.template("chain", step("a", method="short"), step("b", "a", method="call"))
    folder.template("permanent")
    with folder.running() as running:
        watching = Watching(folder)
        running.run("chain", 20)
        running.run("permanent", 2)
        seen = watching.until(lambda seen: seen.snapshot.tasks_ended == 22)
        snapshot = seen.snapshot
        assert (snapshot.pid, snapshot.state, snapshot.in_flight) == (running.pid, "running", 0)
        stages = seen.snapshot.stages
        assert {name: stages[name].passed for name in STAGES} == dict.fromkeys(STAGES, 42)
        assert all(stages[name].durations.histogram().count == 42 for name in STAGES[1:])
        p50, p99 = seen.percentiles("run")
        assert p50 is not None
        assert p99 is not None
        assert 0 < p50 <= p99
        assert p99 > 10  # 20 of 42 sleep so long
        assert snapshot.before is not None
        assert snapshot.before.tasks_ended < 22
        assert 0 < seen.rates.tasks <= 22
        assert seen.rates.steps == pytest.approx(42 / 22 * seen.rates.tasks)
        counts = {(o.template, o.step, o.outcome): o.count for o in snapshot.outcomes}
        expected = {("chain", "a", "succeeded"): 20, ("chain", "b", "succeeded"): 20}
        assert counts == expected | {("permanent", "permanent", "failed"): 2}
        [namespace] = snapshot.namespaces
        assert (namespace.name, namespace.finished, namespace.failed) == (folder.namespace, 42, 2)
        failure = snapshot.failures[-1]
        assert (failure.kind, failure.message, failure.final) == ("NO_ORDER", "no such order", True)
        assert snapshot.database.connected
        assert snapshot.database.heartbeat_ns > 0
        assert snapshot.database.tables is not None
        assert seen.supervisor.rss_bytes
        assert seen.zygote.rss_bytes
        assert all(worker.rss_bytes for worker in seen.workers)
        assert seen.age < 5


def test_a_worker_is_seen_and_asked_and_killed_over_what_it_runs(folder: ProjectFolder) -> None:
    folder.template("hold_first", step("hold_first", retry={"max_attempts": 2}))
    with folder.running(worker__count=1) as running:
        watching = Watching(folder)
        [task] = running.submit("hold_first")
        busy = watching.until(lambda seen: seen.workers[0].worker.step)
        worker = busy.workers[0].worker
        assert (worker.state, worker.step, worker.task) == ("busy", "hold_first", str(task))
        assert (worker.handler, worker.timeout_ms) == ("handlers.acts.Acts", 60_000)
        assert busy.snapshot.stages["run"].depth == 1
        later = watching.until(lambda seen: (seen.workers[0].busy_ms or 0) > 300)
        assert later.workers[0].worker.busy_since_ns == worker.busy_since_ns

        for _ in range(2):  # the second one is not the first one's, nor behind it
            stack = tell(folder, "worker_stack", worker=0)["stack"]
            assert stack.count("in hold\n") == 1
            assert "most recent call first" in stack
        assert tell(folder, "kill_worker", worker=0)["ok"]
        running.wait([task])
        seen = watching.until(lambda seen: seen.snapshot.stats["succeeded"] == 1)
        [after] = seen.snapshot.workers
        assert (after.restarts, after.last_exit) == (1, "killed by SIGKILL")
        assert after.pid != worker.pid
        [failure] = seen.snapshot.failures
        assert (failure.kind, failure.final, failure.attempt) == ("WORKER_CRASHED", False, 1)
        assert {o.outcome: o.count for o in seen.snapshot.outcomes} == {
            "crashed": 1,
            "succeeded": 1,
        }
        assert any("worker died" in event.text for event in seen.snapshot.events)

        for command in ("kill_worker", "worker_stack"):
            assert "no worker 7" in tell(folder, command, worker=7)["error"]
            assert "takes a worker's index" in tell(folder, command)["error"]


def test_a_stopped_worker_has_no_stack_to_show_and_holds_nobody_up(folder: ProjectFolder) -> None:
    folder.template("call")
    with folder.running(worker__count=1) as running:
        [pid] = running.workers().values()
        os.kill(pid, signal.SIGSTOP)
        try:
            assert "is it stopped?" in tell(folder, "worker_stack", worker=0)["error"]
        finally:
            os.kill(pid, signal.SIGCONT)
        assert running.run("call")[0].state == "complete"


def test_what_waits_is_counted_now_and_then_and_at_once_on_request(folder: ProjectFolder) -> None:
    folder.template("call")
    with folder.running() as running:
        tell(folder, "pause")
        running.submit("call", 3)
        assert running.status()["pending_count"] == 3
        running.submit("call", 2)
        seen = Watching(folder).until(lambda seen: seen.queued == 5)
        assert seen.snapshot.state == "paused"
        assert seen.snapshot.stages["claim"].depth == 5
        assert (seen.oldest_queued_ms or 0) > 0


def test_the_page_lives_from_the_start_to_the_end(folder: ProjectFolder) -> None:
    folder.template("hold")
    states: list[str] = []
    over = threading.Event()
    page = RuntimeDirectory(folder.root).status_page
    observer = Observer(folder.root)
    assert observer.look() is None

    def watch() -> None:
        while not over.is_set():
            seen = observer.look()
            if seen is not None and seen.snapshot.state not in states[-1:]:
                states.append(seen.snapshot.state)
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with folder.running() as running:
            running.submit("hold")
            folder.started("hold")
            eventually(lambda: "running" in states)
            tell(folder, "drain")
            eventually(lambda: "draining" in states)
            folder.release()
        assert not page.exists()
        assert observer.look() is None
    finally:
        over.set()
        watcher.join()
    assert [state for state in states if state != "stopped"] == ["starting", "running", "draining"]


def test_the_page_of_a_killed_one_is_known_for_what_it_is(folder: ProjectFolder) -> None:
    folder.template("call")
    observer = Observer(folder.root)
    path = RuntimeDirectory(folder.root).status_page
    with bootstrap(folder.config()) as system:
        first = eventually(observer.look)
        os.kill(system.pid, signal.SIGKILL)
        eventually(lambda: not system.is_running())
        assert observer.look() is None
    page = read_status_page(path)
    assert page is not None
    recycled = msgspec.json.decode(page) | {"pid": os.getpid()}
    writer = StatusPageWriter(path)
    writer.write(msgspec.json.encode(recycled))
    assert observer.look() is None  # the pid lives, and is somebody else
    writer.write(b'{"pid": "of another version"}')
    with pytest.raises(StatusPageError, match="another version"):
        observer.look()
    writer.close()
    with folder.running():
        second = eventually(observer.look)
        assert second.snapshot.start_ticks > first.snapshot.start_ticks


def test_the_log_level_changes_while_it_runs(
    folder: ProjectFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    folder.template("call")
    with folder.running() as running:
        tell(folder, "kill_worker", worker=0)
        said = ""

        def heard() -> bool:
            nonlocal said
            said += capfd.readouterr().err
            return "worker killed by an operator" in said and "worker died" in said

        eventually(heard)
        running.workers()
        assert tell(folder, "log_level", level="error")["ok"]
        tell(folder, "kill_worker", worker=0)
        eventually(lambda: running.status()["workers"][0]["restarts"] == 2)
        assert tell(folder, "log_level", level="warning")["ok"]
        said = ""
        tell(folder, "kill_worker", worker=1)
        eventually(heard)
        assert "worker=1" in said
        assert "worker=0" not in said
        assert "'loud'" in tell(folder, "log_level", level="loud")["error"]
        assert "takes a level" in tell(folder, "log_level")["error"]
