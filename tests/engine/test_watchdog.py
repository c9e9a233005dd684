"""The watchdog's judgement, with times given: no process is needed."""

from dataclasses import dataclass
from typing import Any, cast

import pytest

from tasker_mp.engine.watchdog import Overdue, Watchdog
from tasker_mp.engine.worker_process import WorkerProcess
from tasker_mp.inflight import Entry
from tasker_mp.template.model import HandlerDefinition, StepDefinition


@dataclass
class Seen:
    """What the watchdog looks at of a worker."""

    entry: Entry | None
    epoch: int = 1
    stuck: bool = False
    condemned: Any = None

    behind_at: tuple[int, int] | None = None

    def running(self) -> Entry | None:
        return self.entry

    def behind(self) -> tuple[int, int] | None:
        return self.behind_at


def entry(timeout: float | None = 2.0) -> Entry:
    step = StepDefinition("a", HandlerDefinition("handlers.a.A"), timeout_seconds=timeout)
    return Entry(bytes(16), bytes(16), 1, 1, 1, "a", step, b"", 0.0)


def look(watchdog: Watchdog, worker: Seen, now: float) -> list[Overdue]:
    return watchdog.look([cast(WorkerProcess, worker)], now)


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> float:
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    return 100.0


def test_a_deadline_runs_from_when_the_step_was_first_seen(start: float) -> None:
    watchdog, worker = Watchdog(30), Seen(entry())
    for now in range(20):
        assert look(watchdog, worker, start + now * 0.1) == []
    [overdue] = look(watchdog, worker, start + 2.0)
    assert (overdue.entry, overdue.limit_seconds) == (worker.entry, 2.0)
    assert overdue.run_seconds == pytest.approx(2.0)


def test_a_step_without_a_limit_has_the_configured_one(start: float) -> None:
    watchdog, worker = Watchdog(0.3), Seen(entry(None))
    assert look(watchdog, worker, start) == []
    assert look(watchdog, worker, start + 0.31)[0].limit_seconds == 0.3


def test_the_next_step_has_a_deadline_of_its_own(start: float) -> None:
    watchdog, worker = Watchdog(30), Seen(entry(0.4))
    look(watchdog, worker, start)
    worker.entry = entry(0.4)
    assert look(watchdog, worker, start + 0.5) == []
    assert look(watchdog, worker, start + 0.95)


def test_time_in_which_the_supervisor_stood_still_does_not_count(start: float) -> None:
    watchdog, worker = Watchdog(30), Seen(entry())
    look(watchdog, worker, start)
    look(watchdog, worker, start + 0.5)
    assert look(watchdog, worker, start + 500) == []
    assert look(watchdog, worker, start + 500.9) == []
    assert look(watchdog, worker, start + 501.6)


def test_a_worker_that_is_being_killed_is_not_judged_again(start: float) -> None:
    watchdog, worker = Watchdog(30), Seen(entry(0.1))
    look(watchdog, worker, start)
    assert look(watchdog, worker, start + 0.2)
    worker.condemned = object()
    assert look(watchdog, worker, start + 0.3) == []


def test_a_worker_is_stuck_once_its_step_has_run_for_a_while(start: float) -> None:
    watchdog, worker = Watchdog(30), Seen(entry())
    look(watchdog, worker, start)
    assert not worker.stuck
    look(watchdog, worker, start + 0.06)
    assert worker.stuck


def test_a_worker_that_stands_still_between_steps_is_stuck_and_then_overdue(start: float) -> None:
    watchdog, worker = Watchdog(3), Seen(None, behind_at=(4, 4))
    assert look(watchdog, worker, start) == []
    assert look(watchdog, worker, start + 0.1) == []
    assert worker.stuck
    worker.behind_at = (5, 4)
    for late in range(1, 4):
        assert look(watchdog, worker, start + late * 0.9) == []
    assert look(watchdog, worker, start + 3.7) == []
    [overdue] = look(watchdog, worker, start + 4.6)
    assert (overdue.entry, overdue.limit_seconds) == (None, 3)


def test_a_worker_that_has_caught_up_is_not_stuck_any_more(start: float) -> None:
    watchdog, worker = Watchdog(3), Seen(None, behind_at=(4, 4))
    look(watchdog, worker, start)
    look(watchdog, worker, start + 0.1)
    worker.behind_at = None
    look(watchdog, worker, start + 0.2)
    assert not worker.stuck
