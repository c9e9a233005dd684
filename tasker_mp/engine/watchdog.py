"""Looks at what the workers run: who is over a deadline, and who lets others wait."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from tasker_mp.engine.worker_process import WorkerProcess
from tasker_mp.inflight import Entry
from tasker_mp.worker.page import Turn

TICK = 0.05
"""Seconds between looks."""

STUCK_SECONDS = 0.05
STALL_SECONDS = 1.0
"""A look so late means that the supervisor itself stood still (SIGSTOP, a suspended machine)."""


class Sighting(NamedTuple):
    """A step seen running, or how far a worker had come that had events and ran none; since when,
    by this supervisor's clock."""

    what: Entry | tuple[int, int]
    since: float


class Overdue(NamedTuple):
    """`entry` is None for a worker that stands still between two steps; `turn` is what it must
    still be at to be killed; `why` says more than that it ran for too long."""

    worker: WorkerProcess
    entry: Entry | None
    run_seconds: float
    limit_seconds: float
    turn: Turn | None = None
    why: str = ""


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
        if (gap := now - self._last_look) > STALL_SECONDS:
            self._seen = {k: Sighting(s.what, s.since + gap) for k, s in self._seen.items()}
        self._last_look = now
        before, self._seen = self._seen, {}
        return [o for worker in workers if (o := self._judge(worker, before, now))]

    def _judge(
        self, worker: WorkerProcess, before: dict[int, Sighting], now: float
    ) -> Overdue | None:
        what = worker.running() or worker.behind()
        if what is None:
            worker.stuck = False
            return None
        known = before.get(worker.epoch)
        sighting = known if known and known.what == what else Sighting(what, now)
        self._seen[worker.epoch] = sighting
        run = now - sighting.since
        worker.stuck = run >= STUCK_SECONDS
        entry = what if isinstance(what, Entry) else None
        limit = (entry and entry.step.timeout_seconds) or self._default
        if run < limit or worker.condemned:
            return None
        return Overdue(worker, entry, run, limit)
