"""Matches results to what is in flight, decides each step's fate, and forms batches to commit."""

import random
import time
from collections import deque
from collections.abc import Iterable

from tasker_mp.engine.statistics import Statistics
from tasker_mp.inflight import InflightTable, Settled
from tasker_mp.messages import StepError, StepOutcome, outcome_decoder
from tasker_mp.result import ErrorType
from tasker_mp.settle import settle
from tasker_mp.states import StepState
from tasker_mp.transport.interface import Record

_BATCH_BYTES = 32 << 20
_FAILED = (StepState.WAITING_FOR_RETRY, StepState.ERROR)


class Collector:
    """Holds settled steps until a lane commits them; a result is accepted once or not at all."""

    def __init__(self, inflight: InflightTable, statistics: Statistics) -> None:
        self._inflight = inflight
        self._statistics = statistics
        self._settled: deque[Settled] = deque()

    def __len__(self) -> int:
        """Settled steps that wait for a lane."""
        return len(self._settled)

    def collect(self, records: Iterable[Record]) -> int:
        """Settle the results of a worker; how many were new. Others are counted and dropped."""
        rings, runs, collects = list[int](), list[int](), list[int]()
        now, at = time.monotonic_ns(), time.monotonic()
        for record in records:
            entry = self._inflight.settle(record.event_id)
            if entry is None:
                self._statistics.duplicate_completions += 1
                continue
            outcome = _decode(record.payload)
            settled = settle(entry, outcome, _jitter(outcome))
            run, ended = settled.run_ns, outcome.ended_ns or now
            entry.pace.note(run / 1e9, outcome.concurrency)
            if outcome.timed_out:
                self._statistics.timed_out += 1
                settled.run_ns = 0  # as one that was killed
            rings.append((ended - run) // 1000 - int(entry.claimed_at * 1e6))
            runs.append(run // 1000)
            collects.append((now - ended) // 1000)
            if settled.state in _FAILED and entry.worker is not None:
                self._statistics.worker_failures[entry.worker] += 1
            self._keep(settled, at)
        self._statistics.stages["ring"].add(rings)
        self._statistics.stages["run"].add(runs)
        self._statistics.stages["collect"].add(collects)
        return len(runs)

    def add(self, settled: Settled) -> None:
        """Queue a fate that was decided without a result: a crash, an input too large."""
        self._keep(settled, time.monotonic())

    def _keep(self, settled: Settled, at: float) -> None:
        settled.at = at
        self._statistics.settled(settled)
        self._settled.append(settled)

    def take(self, limit: int) -> list[Settled]:
        """The next batch to commit, oldest first: at most `limit`, and no more bytes than one
        statement should carry, but one at least."""
        batch: list[Settled] = []
        size = 0
        while self._settled and len(batch) < limit and size < _BATCH_BYTES:
            settled = self._settled.popleft()
            size += len(settled.payload)
            batch.append(settled)
        return batch

    def put_back(self, batch: Iterable[Settled]) -> None:
        """Return a batch that could not be committed now, in its order."""
        self._settled.extendleft(reversed(list(batch)))


def _jitter(outcome: StepOutcome) -> float:
    return 0.0 if outcome.error is None else random.uniform(-1, 1)  # noqa: S311


def _decode(payload: bytes) -> StepOutcome:
    try:
        return outcome_decoder.decode(payload)
    except (ValueError, RecursionError) as error:  # what is not UTF-8 is no DecodeError
        return StepOutcome(
            error=StepError(
                f"the worker's answer could not be read: {error}",
                ErrorType.PERMANENT_ERROR,
                retryable=False,
            )
        )
