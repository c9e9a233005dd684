"""A slow step takes its own worker and nothing else; workers are replaced under load unnoticed."""

import time
from pathlib import Path

import pytest
from engine_project import ProjectFolder, Running, eventually, step

_FAST = 1000


@pytest.fixture
def slow_folder(folder: ProjectFolder) -> ProjectFolder:
    source = Path(__file__).with_name("slow.py.txt").read_text()
    (folder.root / "handlers" / "slow.py").write_text(source)
    for method in ("sleeps", "hurries", "naps"):
        handler = {"callable": "handlers.slow.Slow", "method": method}
        folder.template(method, step(method, handler=handler))
    return folder


def _seconds(running: Running) -> float:
    """For all the fast ones, once the supervisor knows that they are fast."""
    running.run("hurries", 200)
    begun = time.monotonic()
    tasks = running.wait(running.submit("hurries", _FAST), 60)
    assert {(t.state, t.steps[0].attempts) for t in tasks} == {("complete", 1)}
    return time.monotonic() - begun


def test_a_thousand_fast_steps_beside_a_slow_one_take_as_long_as_on_one_worker(
    slow_folder: ProjectFolder,
) -> None:
    with slow_folder.running(worker__count=1) as running:
        alone = _seconds(running)
    with slow_folder.running(worker__count=2) as running:
        [slow] = running.submit("sleeps")
        eventually(lambda: "busy" in {w["state"] for w in running.status()["workers"]})
        beside: list[float] = []  # other tests may have the cores for a while
        while len(beside) < 5 and min(beside, default=60.0) > 3 * alone + 1:
            beside.append(_seconds(running))
        assert running.client.get_task(slow).state == "in_progress"
        running.system.stop(timeout=0)
    assert min(beside) <= 3 * alone + 1, (beside, alone)


def test_a_slow_step_among_fast_ones_that_are_sent_already_holds_none_of_them(
    slow_folder: ProjectFolder,
) -> None:
    """Nobody knows yet that it is slow, and what is behind it in the ring is taken back."""
    with slow_folder.running() as running:
        running.run("hurries", 200)
        before = running.submit("hurries", _FAST // 2)
        [slow] = running.submit("sleeps")
        after = running.submit("hurries", _FAST // 2)
        tasks = running.wait([*before, *after], 40)
        assert {(t.state, t.steps[0].attempts) for t in tasks} == {("complete", 1)}
        assert running.client.get_task(slow).state == "in_progress"
        running.system.stop(timeout=0)


@pytest.mark.parametrize(
    "limit", [{"worker__recycle_after_steps": 10}, {"worker__recycle_above_mb": 1}], ids=str
)
def test_workers_replaced_under_load_lose_and_repeat_nothing(
    folder: ProjectFolder, limit: dict[str, int]
) -> None:
    """By count more than once a second each, by size once a second."""
    folder.template("short")
    with folder.running(**limit) as running:
        uuids = running.submit("short", 600)
        tasks = running.wait(uuids, 60)
        assert {(t.state, t.steps[0].attempts) for t in tasks} == {("complete", 1)}
        rows = running.status()["workers"]
        assert all(row["restarts"] >= 2 for row in rows), rows
        assert {row["last_exit"] for row in rows} == {"exit status 0"}
        assert running.status()["stats"]["crashed"] == 0
        assert not any(running.crashes(uuid) for uuid in uuids[::60])
    assert set(folder.executions().values()) == {1}
