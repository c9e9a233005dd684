"""What becomes of an attempt: complete, tried again, or failed for good."""

from typing import Any, NamedTuple

import msgspec
import pytest
from entries import entry

from tasker_mp.inflight import Settled
from tasker_mp.messages import StepError, StepOutcome
from tasker_mp.settle import settle, settle_crash, settle_failure, settle_timeout


class _Timeout(NamedTuple):
    run_seconds: float = 1.23456
    limit_seconds: float = 1.0
    rss_bytes: int = 4096


def _failed(retryable: bool = True, **keys: Any) -> StepOutcome:
    return StepOutcome(
        error=StepError("no", "handler_error", retryable=retryable, **keys), run_ns=5
    )


def _stored(settled: Settled) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(settled.payload)
    return decoded


def test_a_result_completes_its_step_unchanged() -> None:
    held = entry()
    outcome = StepOutcome(msgspec.Raw(b'{"n":1}'), msgspec.Raw(b'{"m":2}'), run_ns=9)
    settled = settle(held, outcome, 0.0)
    assert (settled.entry, settled.state) == (held, "complete")
    assert (settled.payload, settled.metadata) == (b'{"n":1}', b'{"m":2}')
    assert (settled.delay, settled.run_ns, settled.crashed) == (0.0, 9, False)


def test_a_retryable_failure_waits_and_keeps_its_error() -> None:
    settled = settle(entry(backoff_base_ms=200), _failed(error_code="BUSY"), 0.0)
    assert (settled.state, settled.delay, settled.run_ns) == ("waiting_for_retry", 0.2, 5)
    assert _stored(settled) == {
        "message": "no", "error_type": "handler_error", "error_code": "BUSY",
        "retryable": True, "attempt": 1, "metadata": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("attempt", "retry", "retryable", "state"),
    [
        (1, {"max_attempts": 1}, True, "error"),
        (2, {"max_attempts": 3}, True, "waiting_for_retry"),
        (3, {"max_attempts": 3}, True, "error"),
        (4, {"max_attempts": 3}, True, "error"),
        (1, {"max_attempts": 3}, False, "error"),
        (1, {"max_attempts": 3, "retryable": False}, True, "error"),
    ],
)
def test_attempts_end_where_the_policy_or_the_error_says(
    attempt: int, retry: dict[str, Any], retryable: bool, state: str
) -> None:
    settled = settle(entry(attempt=attempt, **retry), _failed(retryable), 0.0)
    assert settled.state == state
    if state == "error":
        assert settled.delay == 0.0


@pytest.mark.parametrize(
    ("asked", "delay"), [(0.25, 0.25), (0.0, 0.0), (-1.0, 0.0), (1e9, 2.0), (None, 0.1)]
)
def test_a_delay_that_was_asked_for_is_kept_within_the_template_s_limit(
    asked: float | None, delay: float
) -> None:
    held = entry(backoff_base_ms=100, max_backoff_ms=2000)
    assert settle(held, _failed(retry_after=asked), 0.0).delay == pytest.approx(delay)


def test_jitter_spreads_the_backoff() -> None:
    delays = [settle(entry(backoff_base_ms=1000), _failed(), jitter).delay for jitter in (-1, 0, 1)]
    assert delays == pytest.approx([0.85, 1.0, 1.15])


def test_a_failure_outside_the_handler_ran_for_no_time() -> None:
    settled = settle_failure(entry(), StepError("no", "timeout"), 0.0)
    assert (settled.state, settled.run_ns) == ("waiting_for_retry", 0)


def test_a_crash_is_charged_and_says_who_died_and_how() -> None:
    settled = settle_crash(entry(), 42, "killed by SIGSEGV", 3, 1 << 20)
    assert (settled.state, settled.crashed) == ("waiting_for_retry", True)
    error = _stored(settled)
    assert error["message"] == "worker 42 died while it ran this step: killed by SIGSEGV"
    assert error["error_code"] == "WORKER_CRASHED"
    assert error["metadata"] == {
        "crashes": 1,
        "crash_limit": 3,
        "exit": "killed by SIGSEGV",
        "peak_rss_bytes": 1 << 20,
    }


def test_the_last_crash_allowed_is_permanent_whatever_attempts_are_left() -> None:
    settled = settle_crash(entry(crashes=2, max_attempts=100), 42, "exit status 1", 3)
    assert (settled.state, settled.crashed) == ("error", True)
    assert _stored(settled)["error_code"] == "QUARANTINED"
    assert settle_crash(entry(crashes=1, max_attempts=100), 42, "", 3).state == "waiting_for_retry"


def test_a_timeout_is_retryable_and_says_where_it_hung() -> None:
    settled = settle_timeout(entry(), _Timeout(), "File a.py, line 3", 0.0)
    assert (settled.state, settled.crashed) == ("waiting_for_retry", False)
    error = _stored(settled)
    assert (error["error_type"], error["error_code"]) == ("timeout", "TIMEOUT")
    assert error["message"] == "the step ran for longer than 1 s and was killed"
    assert error["metadata"]["stack"] == "File a.py, line 3"
    assert error["metadata"]["run_seconds"] == 1.235
    assert settle_timeout(entry(attempt=3), _Timeout(), "", 0.0).state == "error"
