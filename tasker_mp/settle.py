"""What becomes of a step once its attempt has ended: complete, tried again, or failed for good."""

from typing import Protocol

from msgspec import Raw, Struct

from tasker_mp.backoff import delay
from tasker_mp.inflight import Entry, Settled
from tasker_mp.messages import StepError, StepOutcome, encode
from tasker_mp.result import ErrorType
from tasker_mp.states import StepState
from tasker_mp.template.branching import BranchingError
from tasker_mp.template.growth import Standing


class StoredError(Struct, omit_defaults=True):
    """An error as the database keeps it, on the step and in its transitions."""

    message: str
    error_type: str
    retryable: bool
    attempt: int
    error_code: str | None = None
    metadata: object = None


def settle(entry: Entry, outcome: StepOutcome, jitter: float) -> Settled:
    """The fate of an attempt; `jitter` in -1..1 spreads the retries of steps that fail together."""
    if (checkpoint := bytes(outcome.checkpoint)) != b"null":
        return Settled(entry, StepState.IN_PROGRESS, checkpoint, run_ns=outcome.run_ns)
    if outcome.error is not None:
        settled = _settle_failure(entry, outcome.error, outcome.run_ns, jitter)
        settled.events = outcome.events
        return settled
    settled = Settled(
        entry,
        StepState.COMPLETE,
        bytes(outcome.result),
        bytes(outcome.metadata),
        run_ns=outcome.run_ns,
        events=outcome.events,
    )
    if entry.growing is not None and entry.growing.decides(entry.template_step):
        return grown(settled, None)
    return settled


def grown(settled: Settled, standing: Standing | None) -> Settled:
    """A deciding step's completion with the steps that it leads to, given what has become of the
    task (None: nothing yet); a failure for good where they cannot be made."""
    entry = settled.entry
    assert entry.growing is not None
    try:
        settled.growth = entry.growing.grow(entry.template_step, settled.payload, standing)
    except BranchingError as error:
        failure = StepError(
            message=str(error),
            error_type=ErrorType.PERMANENT_ERROR,
            error_code="INVALID_OUTCOME",
            retryable=False,
        )
        return _settle_failure(entry, failure, settled.run_ns, 0.0)
    return settled


def settle_failure(entry: Entry, error: StepError, jitter: float) -> Settled:
    """The fate of an attempt that failed outside its handler."""
    return _settle_failure(entry, error, 0, jitter)


def _settle_failure(entry: Entry, error: StepError, run_ns: int, jitter: float) -> Settled:
    policy = entry.step.retry
    again = error.retryable and policy.retryable and entry.attempt < policy.max_attempts
    stored = StoredError(
        message=error.message,
        error_type=error.error_type,
        error_code=error.error_code,
        retryable=error.retryable,
        attempt=entry.attempt,
        metadata=error.metadata,
    )
    return Settled(
        entry,
        StepState.WAITING_FOR_RETRY if again else StepState.ERROR,
        encode(stored),
        delay=_delay(entry, error, jitter) if again else 0.0,
        run_ns=run_ns,
    )


def _delay(entry: Entry, error: StepError, jitter: float) -> float:
    policy = entry.step.retry
    if error.retry_after is None:
        return delay(policy, entry.attempt, jitter)
    # What the other side asked for, within the limit that the template sets on any wait.
    return min(max(error.retry_after, 0.0), policy.max_backoff_ms / 1000)


class Timeout(Protocol):
    """How far a step went over its deadline."""

    @property
    def run_seconds(self) -> float: ...
    @property
    def limit_seconds(self) -> float: ...
    @property
    def rss_bytes(self) -> int: ...


def settle_timeout(
    entry: Entry, timeout: Timeout, stack: str, jitter: float, why: str = ""
) -> Settled:
    """The fate of an attempt whose worker was killed over its deadline, or for `why`."""
    details = {
        "timeout_seconds": timeout.limit_seconds,
        "run_seconds": round(timeout.run_seconds, 3),
        "rss_bytes": timeout.rss_bytes,
        "stack": stack,
    }
    error = StepError(
        message=why or f"the step ran for longer than {timeout.limit_seconds:g} s and was killed",
        error_type=ErrorType.TIMEOUT,
        error_code="TIMEOUT",
        retryable=True,
        metadata=Raw(encode(details)),
    )
    return settle_failure(entry, error, jitter)


def settle_crash(
    entry: Entry, pid: int, reason: str, crash_limit: int, peak_rss_bytes: int = 0
) -> Settled:
    """The fate of the step that was running when its worker died; never a crash loop."""
    crashes = entry.crashes + 1
    quarantined = crashes >= crash_limit
    details = {
        "crashes": crashes,
        "crash_limit": crash_limit,
        "exit": reason,
        "peak_rss_bytes": peak_rss_bytes,
    }
    error = StepError(
        message=f"worker {pid} died while it ran this step: {reason}",
        error_type=ErrorType.PERMANENT_ERROR if quarantined else ErrorType.RETRYABLE_ERROR,
        error_code="QUARANTINED" if quarantined else "WORKER_CRASHED",
        retryable=not quarantined,
        metadata=Raw(encode(details)),
    )
    settled = settle_failure(entry, error, 0.0)
    settled.crashed = True
    return settled
