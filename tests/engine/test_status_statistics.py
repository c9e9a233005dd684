"""What is counted of steps that end: by kind, by outcome, and the latest failures."""

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest
import structlog
from entries import entry
from msgspec import Raw
from snapshots import NOW, SECOND, snapshot

from tasker_mp.engine.collector import Collector
from tasker_mp.engine.event_tail import EventTail
from tasker_mp.engine.statistics import KINDS_SHOWN, OTHER, Statistics
from tasker_mp.engine.status_clock import StatusClock
from tasker_mp.engine.supervisor import Supervisor
from tasker_mp.inflight import InflightTable, Pace, Settled
from tasker_mp.messages import StepError, StepOutcome, encode
from tasker_mp.settle import settle, settle_crash, settle_timeout
from tasker_mp.snapshot import EVENTS_KEPT, FAILURES_KEPT
from tasker_mp.transport.interface import Record


class Overdue:
    run_seconds, limit_seconds, rss_bytes = 2.0, 1.0, 3


def settled(outcome: StepOutcome | None = None, step: str = "pay", **retry: object) -> Settled:
    held = entry(**retry)
    held.name, held.pace = step, Pace(0.0, "shop", "order", step)
    return settle(held, outcome or StepOutcome(run_ns=1), 0.0)


def failing(code: str | None = None, message: str = "no", *, retryable: bool = False) -> Settled:
    return settled(StepOutcome(error=StepError(message, "odd", code, retryable), run_ns=5))


OUTCOMES: dict[str, Callable[[], Settled]] = {
    "succeeded": settled,
    "retried": lambda: failing(retryable=True),
    "failed": lambda: failing("TIMEOUT"),  # a handler may call its error so
    "timed_out": lambda: settle_timeout(entry(), Overdue(), "", 0.0),
    "crashed": lambda: settle_crash(entry(), 7, "killed by SIGSEGV", 3),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_is_told_from_the_others(outcome: str) -> None:
    statistics = Statistics()
    statistics.settled(OUTCOMES[outcome]())
    [counted] = statistics.outcomes()
    assert (counted.outcome, counted.count) == (outcome, 1)
    assert len(statistics.failures) == (outcome != "succeeded")


def test_kinds_beyond_the_bound_are_one_kind_of_their_namespace() -> None:
    statistics = Statistics()
    for number in range(KINDS_SHOWN + 7):
        statistics.settled(settled(step=f"step_{number}"))
    counted = statistics.outcomes()
    assert len(counted) == KINDS_SHOWN + 1
    assert (counted[0].namespace, counted[0].template, counted[0].step) == (
        "shop", "order", "step_0",
    )  # fmt: skip
    last = counted[-1]
    assert (last.namespace, last.template, last.step, last.count) == ("shop", OTHER, OTHER, 7)
    again = settled(step="step_0")
    statistics.settled(again)
    assert statistics.outcomes()[0].count == 2


def test_a_failure_says_what_and_where_at_bounded_length() -> None:
    statistics = Statistics()
    for number in range(FAILURES_KEPT + 1):
        statistics.settled(failing("NO_ORDER", f"{number} " + "x" * 10_000))
    assert len(statistics.failures) == FAILURES_KEPT
    last = statistics.failures[-1]
    assert (last.kind, last.namespace, last.step, last.final) == ("NO_ORDER", "shop", "pay", True)
    assert last.message.startswith(f"{FAILURES_KEPT} xxx")
    assert len(last.message) == 300
    assert last.step_uuid[:31] == last.task[:31]
    assert int(last.step_uuid[-5:], 16) == 1


def test_a_quarantined_step_is_marked() -> None:
    statistics = Statistics()
    statistics.settled(settle_crash(entry(crashes=2), 7, "killed by SIGSEGV", 3))
    assert statistics.failures[-1].quarantined


def test_an_error_that_is_not_text_is_a_failure_like_others() -> None:
    statistics = Statistics()
    broken = failing()
    broken.payload = b'{"message":"\xff","error_type":"x"}'
    statistics.settled(broken)
    assert statistics.failures[-1].kind == "unreadable"


def test_durations_of_the_stages_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    inflight, statistics = InflightTable(), Statistics()
    held = entry()
    held.claimed_at = 100.0
    inflight.add(held)
    monkeypatch.setattr("time.monotonic_ns", lambda: 100_070_000_000)
    outcome = StepOutcome(Raw(b"1"), run_ns=20_000_000, ended_ns=100_030_000_000)
    Collector(inflight, statistics).collect([Record(held.event_id, encode(outcome))])
    found = {
        name: stage.durations.percentile(50)
        for name, stage in statistics.stages.items()
        if stage.passed
    }
    assert found == {
        "ring": pytest.approx(10, rel=1 / 8),
        "run": pytest.approx(20, rel=1 / 8),
        "collect": pytest.approx(40, rel=1 / 8),
    }


def test_the_counters_beside_a_snapshot_are_ten_to_eleven_seconds_old_or_the_first() -> None:
    clock = StatusClock(cast(Supervisor, SimpleNamespace(pid=os.getpid())), [])
    for quarter in range(120):
        now = NOW + quarter * SECOND // 4
        before = clock._mark(snapshot(written_ns=now, tasks_ended=quarter))
        age = (now - before.written_ns) / SECOND
        assert before.tasks_ended == quarter - 4 * age
        assert age == quarter / 4 if quarter < 40 else 10 <= age < 11


def test_the_tail_keeps_what_is_logged_whatever_the_level_shown() -> None:
    tail = EventTail()
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.add_log_level, _drop],
        wrapper_class=structlog.make_filtering_bound_logger(10),
        cache_logger_on_first_use=True,
    )
    try:
        log = structlog.get_logger()
        log.warning("before anybody follows")
        tail.follow()
        tail.follow()
        log.debug("too small")
        log.info("worker died", worker=3, reason="killed by\nSIGKILL")
        assert [(e.level, e.text) for e in tail.events] == [
            ("info", "worker died worker=3 reason=killed by SIGKILL")
        ]
        for _ in range(EVENTS_KEPT):
            log.error("x" * 1000)
        assert len(tail.events) == EVENTS_KEPT
        assert len(msgspec.json.encode(list(tail.events))) < EVENTS_KEPT * 400
    finally:
        structlog.configure(**before)


def _drop(*_: object) -> structlog.typing.EventDict:
    raise structlog.DropEvent
