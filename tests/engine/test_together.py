"""Steps beside each other in one worker: each has a deadline and a fate of its own."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from engine_project import ProjectFolder, Running, eventually, is_alive, step

from tasker_mp import bootstrap, load_config
from tasker_mp.client.client import Client
from tasker_mp.client.submission import Submission
from tasker_mp.client.task import Step, Task
from tasker_mp.observer import Observer

_SOURCE = Path(__file__).with_name("together.py.txt")
_THREADS = ("waits", "hangs", "crashes")
_TWICE = {"retry": {"max_attempts": 2}}
_EXAMPLE = Path(__file__).parents[1] / "examples" / "async_fanout"


def together(name: str, **keys: Any) -> dict[str, Any]:
    handler = {"callable": "handlers.together.Together", "method": name}
    if name in _THREADS:
        handler["concurrency"] = "thread"
    return step(name, handler=handler, **keys)


@pytest.fixture
def acts(folder: ProjectFolder) -> ProjectFolder:
    (folder.root / "handlers" / "together.py").write_text(_SOURCE.read_text())
    for name in ("nap", "nap_until_released", "meets", "waits", "plain", "leaves_tasks"):
        folder.template(name, together(name))
    for name in ("late", "swallows", "blocks", "hangs"):
        folder.template(name, together(name, timeout_seconds=0.5, **_TWICE))
    folder.template("segfaults", together("segfaults", **_TWICE))
    folder.template("crashes", together("crashes", retry={"max_attempts": 9}))
    return folder


def _fates(tasks: Sequence[Task]) -> set[tuple[str, int]]:
    """(state, attempts) of each task's only step."""
    return {(task.state, task.steps[0].attempts) for task in tasks}


def _first_error(running: Running, uuid: UUID) -> dict[str, Any]:
    return next(t.error for t in running.client.transitions(uuid) if t.error)


def _beside(running: Running, neighbours: str, fault: str, seconds: float) -> dict[str, Any]:
    """The fault's error, after it and those beside it have completed: those in one attempt."""
    uuids = running.submit(neighbours, 12, seconds=seconds)
    [faulty] = running.submit(fault)
    assert _fates(running.wait([*uuids, faulty])[:-1]) == {("complete", 1)}, fault
    assert _fates(running.wait([faulty])) == {("complete", 2)}, fault
    assert not any(running.crashes(uuid) for uuid in uuids)
    return _first_error(running, faulty)


def test_coroutines_share_a_worker_and_none_pays_for_another(acts: ProjectFolder) -> None:
    with acts.running(worker__count=1) as running:
        # None of the first hundred ends before all of them run beside each other.
        assert _fates(running.run("meets", 200, beside=100)) == {("complete", 1)}
        [worker] = running.workers().values()

        late = _beside(running, "nap", "late", 0.9)
        assert late["message"] == "the step ran for longer than 0.5 s and was cancelled"
        assert (late["error_type"], late["error_code"]) == ("timeout", "TIMEOUT")
        assert "in Together.far_too_long" in late["metadata"]["stack"]
        left = running.run("leaves_tasks")[0]
        assert left.results["leaves_tasks"] == {"left": 2}
        assert running.run("nap", 3)[0].results["nap"]["pid"] == worker, "nobody was killed so far"

        swallows = _beside(running, "nap", "swallows", 0.9)
        assert "could not be cancelled" in swallows["message"]
        assert not is_alive(worker)
        blocks = _beside(running, "nap", "blocks", 0.9)
        assert "_in_a_task_of_its_own" in blocks["metadata"]["stack"]
        assert blocks["error_code"] == "TIMEOUT"
        segfaults = _beside(running, "nap", "segfaults", 0.9)
        assert (segfaults["error_code"], segfaults["metadata"]["crashes"]) == ("WORKER_CRASHED", 1)
        stats = running.status()["stats"]
        assert (stats["timed_out"], stats["crashed"], stats["failed"]) == (3, 1, 0)

        # Known for quick, a plain step runs between two turns of the loop.
        running.run("plain", 20)
        held = running.submit("nap_until_released", 20)
        eventually(lambda: _running(acts) == 20, what="all of them run")
        assert _fates(running.run("plain", 40, loop=True, seconds=0.001)) == {("complete", 1)}
        # One that is held up for once, with others behind it, does not make it a slow one.
        late_for_once = running.submit("plain", 1, seconds=0.3)
        quick = running.submit("plain", 40, loop=True, seconds=0.001)
        assert _fates(running.wait([*late_for_once, *quick])) == {("complete", 1)}
        assert running.client.get_task(held[-1]).state == "in_progress"
        acts.release()
        assert _fates(running.wait(held)) == {("complete", 1)}


def test_who_holds_the_event_loop_over_another_s_deadline_is_charged(acts: ProjectFolder) -> None:
    """Its own would be far away."""
    acts.template("holds", together("blocks", timeout_seconds=30, **_TWICE))
    acts.template("short", together("nap", timeout_seconds=0.6))
    with acts.running(worker__count=1) as running:
        short = running.submit("short", 5, seconds=0.5)
        [holder] = running.submit("holds")
        assert _fates(running.wait(short)) == {("complete", 1)}
        assert _fates(running.wait([holder])) == {("complete", 2)}
        error = _first_error(running, holder)
        assert "held its worker's event loop" in error["message"]
        assert "another step there (nap, 0.6 s) passed" in error["message"]


def test_threads_share_a_worker_and_a_crasher_is_found_out(acts: ProjectFolder) -> None:
    with acts.running(worker__count=1) as running:
        running.run("waits", 2)
        began = time.monotonic()
        tasks = running.run("waits", 16, seconds=0.3)
        assert time.monotonic() - began < 2, "16 steps of 300 ms in 8 threads"
        assert len({task.results["waits"]["thread"] for task in tasks}) == 8
        assert _beside(running, "waits", "hangs", 0.3)["error_code"] == "TIMEOUT"

        beside = running.submit("waits", 3, seconds=0.5)
        [crasher] = running.submit("crashes")
        assert _fates(running.wait(beside)) == {("complete", 1)}
        [task] = running.wait([crasher])
        assert (task.state, task.steps[0].attempts) == ("error", 3)
        assert _error(task.steps[0])["error_code"] == "QUARANTINED"
        assert running.status()["stats"]["crashed"] == 3, "nobody else was charged"


def _error(one: Step) -> dict[str, Any]:
    assert one.error is not None
    return one.error


def test_plain_steps_have_a_worker_to_themselves(acts: ProjectFolder) -> None:
    """Even if nobody knew that they would wait: they are taken back, and one worker empties."""
    with acts.running(worker__count=2) as running:
        held = running.submit("nap_until_released", 20)
        eventually(lambda: _running(acts) == 20, what="all of them run")
        plain = running.submit("plain", 2, loop=True, seconds=0.1)
        later = running.wait(running.submit("nap", 20))
        assert _fates(later) == {("complete", 1)}, "they pass by, in the other worker"
        assert {running.client.get_task(uuid).steps[0].attempts for uuid in plain} == {1}
        acts.release()
        assert _fates(running.wait([*held, *plain])) == {("complete", 1)}
        assert running.status()["stats"]["retried"] == 0


def _running(acts: ProjectFolder) -> int:
    seen = Observer(acts.root).look()
    return sum(worker.running for worker in seen.snapshot.workers) if seen else 0


def test_a_worker_leaves_only_when_its_coroutines_have_ended(acts: ProjectFolder) -> None:
    with acts.running(worker__count=1, worker__recycle_after_steps=30) as running:
        before = running.workers()[0]
        assert _fates(running.run("nap", 150)) == {("complete", 1)}
        eventually(lambda: running.workers()[0] != before, what="a successor")
        assert running.status()["workers"][0]["last_exit"] == "exit status 0"
        uuids = running.submit("nap_until_released", 20)
        eventually(lambda: _running(acts) == 20, what="all of them run")
        running.system.transition_to_graceful_shutdown()
        eventually(lambda: running.status().get("worker_core_status") in ("draining", None))
        acts.release()
        eventually(lambda: not running.system.is_running(), what="drained")
        tasks = [running.client.get_task(uuid) for uuid in uuids]
        assert _fates(tasks) == {("complete", 1)}


def test_the_example_asks_two_hundred_suppliers_at_once(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = shutil.copytree(_EXAMPLE, tmp_path / "async_fanout")
    monkeypatch.chdir(root)
    config = load_config(root / "config", "test", {"database.url": database}, environ={})
    with bootstrap(config), Client(config=config) as client:
        submission = Submission(namespace="purchasing", name="best_quote", context={"quantity": 3})
        began = time.monotonic()
        uuids = client.submit_many([submission] * 20)
        tasks = [client.wait(uuid, 20) for uuid in uuids]
        assert time.monotonic() - began < 2, "200 steps of 100 ms on one worker"
    best = {"asked": 10, "best": {"supplier": "supplier_8", "price": 123}}
    assert [task.results["best_quote"] for task in tasks] == [best] * 20
