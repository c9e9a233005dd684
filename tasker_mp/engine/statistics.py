"""The supervisor's counters and durations since it started, and its latest failures."""

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias, get_args
from uuid import UUID

import msgspec
from msgspec import Struct

from tasker_mp.db.store import Finished
from tasker_mp.histogram import Histogram
from tasker_mp.identity import step_uuid
from tasker_mp.inflight import Pace, Settled
from tasker_mp.snapshot import (
    FAILURES_KEPT,
    STAGES,
    Durations,
    Failure,
    OutcomeCount,
    StageSnapshot,
)
from tasker_mp.states import StepState

Outcome: TypeAlias = Literal["succeeded", "retried", "failed", "timed_out", "crashed"]
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)

KINDS_SHOWN = 500
"""Kinds of steps that are counted by name; each further one is `other` in its namespace."""

OTHER = "other"
_MESSAGE_LENGTH = 300


class _StoredError(Struct):
    """What is shown of a stored error."""

    message: str
    error_type: str
    error_code: str | None = None


class Stage:
    """What has passed through a stage of the pipeline, and how long that took."""

    def __init__(self) -> None:
        self.passed = 0
        self.durations = Histogram()

    def add(self, microseconds: Sequence[int]) -> None:
        """Durations of steps, one each."""
        self.passed += len(microseconds)
        self.durations.add_all(microseconds)


class Statistics:
    """Counted since the supervisor started; the names are those of `status --json`."""

    def __init__(self) -> None:
        self.claimed = 0
        self.dispatched = 0
        self.processed = 0
        self.succeeded = 0
        self.failed = 0
        self.retried = 0
        self.timed_out = 0
        self.crashed = 0
        self.quarantined = 0
        self.stale_results = 0
        self.duplicate_completions = 0
        self.domain_events = 0
        self.tasks_ended = 0
        self.worker_failures: Counter[int] = Counter()
        self._shown: set[tuple[str, str, str]] = set()
        self.stages = {name: Stage() for name in STAGES}
        self.failures: deque[Failure] = deque(maxlen=FAILURES_KEPT)
        self._fates: dict[Outcome, dict[Pace, int]] = {outcome: {} for outcome in OUTCOMES}

    def answered(self, steps: int, seconds: float) -> None:
        """The database has answered a claim with so many steps."""
        self.claimed += steps
        if steps:
            self.stages["claim"].passed += steps
            self.stages["claim"].durations.add(int(seconds * 1e6))

    def settled(self, settled: Settled) -> None:
        """A step's fate was decided, with a result or without; a checkpoint decides nothing."""
        if settled.state == StepState.IN_PROGRESS:
            return
        self.processed += 1
        outcome: Outcome = "succeeded"
        if settled.state == StepState.COMPLETE:
            self.succeeded += 1
        else:
            outcome = self._failed(settled)
        kinds, kind = self._fates[outcome], settled.entry.pace
        kinds[kind] = kinds.get(kind, 0) + 1

    def _failed(self, settled: Settled) -> Outcome:
        again = settled.state == StepState.WAITING_FOR_RETRY
        self.retried += again
        self.failed += not again
        error = _stored_error(settled.payload)
        self.failures.append(_failure(settled, error))
        if settled.crashed:
            return "crashed"
        # A result, whatever its code, was in its handler for some time; what was killed has none.
        if error.error_code == "TIMEOUT" and not settled.run_ns:
            return "timed_out"
        return "retried" if again else "failed"

    def committed(self, batch: Sequence[Settled], finished: Finished) -> None:
        """A batch was committed, and led to this."""
        now, commit = time.monotonic(), self.stages["commit"]
        commit.passed += len(batch)
        for at, count in Counter([settled.at for settled in batch]).items():
            commit.durations.add(int((now - at) * 1e6), count)  # of one collection each
        # Children come back claimed with their parents' commit: nobody has to ask for them.
        self.stages["claim"].passed += len(finished.continued)
        self.tasks_ended += len(finished.ended)
        self.stale_results += len(finished.stale)

    def counters(self) -> dict[str, int]:
        """What `status` calls `stats`."""
        return {
            name: value
            for name, value in vars(self).items()
            if isinstance(value, int) and name != "tasks_ended"
        }

    def stage_snapshots(self, depths: Mapping[str, int]) -> dict[str, StageSnapshot]:
        return {
            name: StageSnapshot(stage.passed, depths.get(name, 0), durations(stage.durations))
            for name, stage in self.stages.items()
        }

    def outcomes(self) -> list[OutcomeCount]:
        """By kind of step; the kinds that were seen first are named, and stay so."""
        counts: Counter[tuple[str, str, str, Outcome]] = Counter()
        for outcome, kinds in self._fates.items():
            for pace, count in kinds.items():
                counts[*self._shown_as(pace), outcome] += count
        return list(_outcome_counts(counts))

    def _shown_as(self, pace: Pace) -> tuple[str, str, str]:
        kind = (pace.namespace, pace.template, pace.step)
        if kind in self._shown or len(self._shown) < KINDS_SHOWN:
            self._shown.add(kind)
            return kind
        return (pace.namespace, OTHER, OTHER)


def durations(histogram: Histogram) -> Durations:
    """As the status page has them."""
    return Durations(histogram.trimmed(), histogram.total)


def _outcome_counts(counts: Counter[tuple[str, str, str, Outcome]]) -> Iterator[OutcomeCount]:
    for (namespace, template, step, outcome), count in counts.items():
        yield OutcomeCount(namespace, template, step, outcome, count)


def _stored_error(payload: bytes) -> _StoredError:
    try:
        return msgspec.json.decode(payload, type=_StoredError)
    except (ValueError, RecursionError):  # what a handler says of it may be anything
        return _StoredError("", "unreadable")


def _failure(settled: Settled, error: _StoredError) -> Failure:
    entry = settled.entry
    task = UUID(bytes=entry.task)
    return Failure(
        at=round(time.time(), 3),
        task=str(task),
        step_uuid=str(step_uuid(task, entry.step_no)),
        namespace=entry.pace.namespace,
        step=entry.name,
        kind=error.error_code or error.error_type,
        message=error.message[:_MESSAGE_LENGTH],
        attempt=entry.attempt,
        final=settled.state == StepState.ERROR,
        quarantined=error.error_code == "QUARANTINED",
    )
