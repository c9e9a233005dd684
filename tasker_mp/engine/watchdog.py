"""Looks at what the workers run: who is over a deadline, and who lets others wait."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from tasker_mp.engine.worker_process import WorkerProcess
from tasker_mp.inflight import Entry

TICK = 0.05
"""Seconds between looks."""

_STUCK_SECONDS = 0.05
_STALL_SECONDS = 1.0
"""A look so late means that the supervisor itself stood still (SIGSTOP, a suspended machine)."""


class Sighting(NamedTuple):
    """A step seen running, and since when, by this supervisor's clock."""

    entry: Entry
    since: float


class Overdue(NamedTuple):
    worker: WorkerProcess
    entry: Entry
    run_seconds: float
    limit_seconds: float


class Watchdog:
    """Deadlines run from when a step was first seen running, not from its dispatch.

    While the supervisor stands still nobody's time runs: the gap is given to everyone, or else it
    would kill every worker on waking up.
    """

    def __init__(self, default_timeout: float) -> None:
        self._default = default_timeout
        self._seen: dict[int, Sighting] = {}
        self._last_look = time.monotonic()

    def look(self, workers: Iterable[WorkerProcess], now: float) -> list[Overdue]:
        """Who is over a deadline; `now` in monotonic seconds. Marks the stuck."""
        if (gap := now - self._last_look) > _STALL_SECONDS:
            self._seen = {k: Sighting(s.entry, s.since + gap) for k, s in self._seen.items()}
        self._last_look = now
        seen = {w.epoch: self._sighting(w, entry, now) for w in workers if (entry := w.running())}
        self._seen = seen
        return [overdue for w in workers if (overdue := self._judge(w, now))]

    def _sighting(self, worker: WorkerProcess, entry: Entry, now: float) -> Sighting:
        known = self._seen.get(worker.epoch)
        return known if known and known.entry is entry else Sighting(entry, now)

    def _judge(self, worker: WorkerProcess, now: float) -> Overdue | None:
        sighting = self._seen.get(worker.epoch)
        if sighting is None:
            return None
        run = now - sighting.since
        worker.stuck = worker.stuck or run >= _STUCK_SECONDS
        limit = sighting.entry.step.timeout_seconds or self._default
        if run < limit or worker.condemned:
            return None
        return Overdue(worker, sighting.entry, run, limit)
