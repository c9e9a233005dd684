"""A step that takes more memory than there is fails, or its worker dies: nobody else is charged."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from engine_project import ProjectFolder, eventually, step

_GROUP = "TASKER_MP_TEST_CGROUP"
"""A control group with the memory controller, of either version, that tests may divide."""
_LIMIT = 200 << 20
_TWICE = {"max_attempts": 2, "backoff": "none"}


@pytest.fixture
def greedy(folder: ProjectFolder) -> ProjectFolder:
    source = Path(__file__).with_name("hostile.py.txt").read_text()
    (folder.root / "handlers" / "hostile.py").write_text(source)
    for method in ("asks_for_too_much", "leaves_no_memory", "grows", "call"):
        handler = {"callable": "handlers.hostile.Hostile", "method": method}
        folder.template(method, step(method, handler=handler, retry=_TWICE))
    return folder


def test_memory_that_a_limit_denies_is_an_error_of_the_step(greedy: ProjectFolder) -> None:
    with greedy.running(worker__count=1) as running:
        before = running.workers()
        [task] = running.run("asks_for_too_much")
        error = task.errors["asks_for_too_much"]
        assert error["message"].startswith("MemoryError")
        assert error["retryable"]
        assert task.steps[0].attempts == 2
        assert running.run("call")[0].state == "complete"
        assert running.workers() == before


def test_memory_that_lacks_for_the_result_costs_the_step_an_attempt_and_the_worker_at_most(
    greedy: ProjectFolder,
) -> None:
    """The encoder, which is C, may die where it should raise."""
    with greedy.running() as running:
        calls = running.submit("call", 10)
        running.wait(calls)
        [task] = running.run("leaves_no_memory")
        error = task.errors["leaves_no_memory"]
        assert error["retryable"]
        assert error["message"].startswith(("MemoryError", "worker"))
        assert task.steps[0].attempts == 2
        eventually(lambda: running.run("call")[0].state == "complete")


def test_a_kill_by_the_kernel_for_lack_of_memory_is_told_as_such(greedy: ProjectFolder) -> None:
    """The worker's control group is the supervisor's, as it is in a container."""
    with _limited_group() as group, greedy.running() as running:
        (group / "cgroup.procs").write_text(str(running.pid))
        zygote, workers = running.zygote(), running.workers()
        assert zygote not in workers.values()
        calls = running.submit("call", 10)
        [grown] = running.submit("grows", group=str(group))
        [task] = running.wait([grown], 60)
        error = task.errors["grows"]
        assert error["error_code"] == "WORKER_CRASHED"
        assert error["metadata"]["peak_rss_bytes"] > _LIMIT // 2
        assert {(t.state, t.steps[0].attempts) for t in running.wait(calls)} == {("complete", 1)}
        exits = {row["last_exit"] for row in running.status()["workers"]}
        assert "killed by SIGKILL by the kernel: out of memory" in exits


@contextmanager
def _limited_group() -> Iterator[Path]:
    """A group of its own with a limit; removed once everybody in it is gone."""
    parent = Path(os.environ.get(_GROUP, ""))
    if not os.environ.get(_GROUP):
        pytest.skip(f"{_GROUP} names no control group that tests may divide")
    group = parent / f"tasker-mp-test-{os.getpid()}"
    group.mkdir()
    try:
        limits = [group / "memory.max", group / "memory.limit_in_bytes"]
        limit = next((file for file in limits if file.exists()), None)
        if limit is None:
            pytest.skip(f"{parent} does not have the memory controller for its children")
        limit.write_text(str(_LIMIT))
        yield group
    finally:
        eventually(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()
