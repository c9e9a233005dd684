"""Judging steps that run beside each other, with times given: no process is needed."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from tasker_mp.engine.joint_watch import JointWatch
from tasker_mp.engine.watchdog import Overdue
from tasker_mp.engine.worker_process import WorkerProcess
from tasker_mp.inflight import Entry
from tasker_mp.template.model import HandlerDefinition, StepDefinition
from tasker_mp.worker.page import Joined, Kind, Turn


def entry(number: int, timeout: float) -> Entry:
    name = f"step {number}"
    step = StepDefinition(name, HandlerDefinition("handlers.a.A"), timeout_seconds=timeout)
    return Entry(bytes(16), bytes(16), 1, 1, 1, name, step, b"", 0.0, number=number)


@dataclass
class Page:
    turn: Turn | None = None
    reached: int = 0


@dataclass
class Seen:
    """What the watch looks at of a worker."""

    runs: list[tuple[Entry, Joined]] = field(default_factory=list)
    page: Page = field(default_factory=Page)
    dispatched: int = 0
    epoch: int = 1
    stuck: bool = False
    condemned: Any = None
    plain: Entry | None = None

    def start(self, timeout: float, kind: Kind = "coroutine") -> Entry:
        self.page.reached += 1
        self.dispatched = max(self.dispatched, self.page.reached)
        one = entry(self.page.reached, timeout)
        self.runs.append((one, Joined(one.number, kind, 1)))
        return one

    def joined(self) -> list[tuple[Entry, Joined]]:
        return self.runs

    def running(self) -> Entry | None:
        return self.plain

    def entry_of(self, number: int) -> Entry | None:
        plain = [self.plain] if self.plain else []
        return next((e for e in [*plain, *(e for e, _ in self.runs)] if e.number == number), None)


class Watched:
    """Looks every 50 ms, as the fleet does."""

    def __init__(self, worker: Seen) -> None:
        self.watch = JointWatch(30)
        self.worker = worker
        self.now = 100.0

    def until(self, now: float) -> list[Overdue]:
        """The first verdict of looks up to this moment, in seconds since the first one."""
        while self.now <= 100 + now:
            self.worker.stuck = False  # the other watchdog's word
            found = self.watch.look([cast(WorkerProcess, self.worker)], self.now)
            self.now += 0.05
            if found:
                return found
        return []


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 100.0)


def test_a_late_coroutine_is_its_worker_s_to_cancel_for_a_while() -> None:
    worker = Seen()
    late, _ = worker.start(1.0), worker.start(5.0)
    watched = Watched(worker)
    assert watched.until(1.4) == []
    [overdue] = watched.until(1.6)
    assert (overdue.entry, overdue.limit_seconds) == (late, 1.0)
    assert "could not be cancelled" in overdue.why


def test_who_holds_the_loop_at_its_own_deadline_is_late_at_once() -> None:
    worker = Seen()
    holder, _ = worker.start(1.0), worker.start(5.0)
    worker.page.turn = Turn(1, 77)
    [overdue] = Watched(worker).until(1.1)
    assert (overdue.entry, overdue.turn, overdue.why) == (holder, Turn(1, 77), "")
    assert worker.stuck


def test_who_holds_the_loop_at_another_s_deadline_is_charged_for_it() -> None:
    worker = Seen()
    worker.start(1.0)
    holder = worker.start(5.0)
    worker.page.turn = Turn(2, 77)
    [overdue] = Watched(worker).until(1.1)
    assert (overdue.entry, overdue.turn, overdue.limit_seconds) == (holder, Turn(2, 77), 5.0)
    assert "deadline of another step there (step 1, 1 s) passed" in overdue.why


def test_turns_that_come_and_go_hold_nothing() -> None:
    worker = Seen()
    worker.start(0.4)
    watched = Watched(worker)
    for turn in range(16):
        worker.page.turn = Turn(1, turn)
        assert watched.until(turn * 0.05) == []
    assert not worker.stuck


def test_a_plain_step_holds_the_loop_too() -> None:
    worker = Seen()
    worker.start(1.0)
    worker.plain = entry(2, 5.0)
    [overdue] = Watched(worker).until(1.1)
    assert (overdue.entry, overdue.turn) == (worker.plain, None)
    assert "step 1" in overdue.why


def test_a_late_thread_cannot_be_cancelled() -> None:
    worker = Seen()
    late, _ = worker.start(1.0, "thread"), worker.start(5.0, "thread")
    [overdue] = Watched(worker).until(1.1)
    assert (overdue.entry, overdue.why) == (late, "")


def test_a_worker_is_stuck_while_what_it_was_sent_does_not_start() -> None:
    worker = Seen()
    worker.start(9.0)
    watched = Watched(worker)
    watched.until(0.5)
    assert not worker.stuck, "coroutines may run for long"
    worker.dispatched = 3
    watched.until(0.7)
    assert worker.stuck
    worker.page.reached = 3
    watched.until(0.8)
    assert not worker.stuck


def test_time_in_which_the_supervisor_stood_still_does_not_count() -> None:
    worker = Seen()
    worker.start(1.0)
    watched = Watched(worker)
    assert watched.until(0.9) == []
    watched.now += 500
    assert watched.until(501.0 + 0.4) == []
    assert watched.until(501.0 + 0.7)


def test_a_worker_that_is_being_killed_is_not_judged_again() -> None:
    worker = Seen(condemned=object())
    worker.start(0.1, "thread")
    assert Watched(worker).until(3) == []
