"""Writes the status page: four times a second while anything happens, else once."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tasker_mp.engine.status import take_snapshot
from tasker_mp.observation import Observation, baseline, observe
from tasker_mp.snapshot import Baseline, Event, Snapshot
from tasker_mp.status_page import StatusPageWriter
from tasker_mp.usage import UsageMeter, process_stat

if TYPE_CHECKING:
    from tasker_mp.engine.supervisor import Supervisor

_INTERVAL = 0.25
_CALM_INTERVALS = 4
_WINDOW_NS = 10_000_000_000
_MARK_NS = 1_000_000_000


class StatusClock:
    """The page exists from `open` to `close`; `events` is the tail of what happened."""

    def __init__(self, supervisor: "Supervisor", events: Sequence[Event]) -> None:
        self._supervisor = supervisor
        self._events = events
        self._meter = UsageMeter()
        self._marks: deque[Baseline] = deque()
        self._writer: StatusPageWriter | None = None
        self._seen: tuple[object, ...] = ()
        self._encoder = msgspec.json.Encoder()
        itself = process_stat(supervisor.pid)
        self._start_ticks = itself.start_ticks if itself else 0

    def open(self, path: Path) -> None:
        """Make the page and say on it that this supervisor starts."""
        self._writer = StatusPageWriter(path)
        self.write()

    async def run(self) -> None:
        while True:
            for _ in range(_CALM_INTERVALS):
                await asyncio.sleep(_INTERVAL)
                if self._something_happens():
                    break
            self.write()

    def _something_happens(self) -> bool:
        """Whether steps are held, or anything was counted since the last look."""
        engine = self._supervisor
        stats = engine.pipeline.statistics
        before, self._seen = (
            self._seen,
            (
                engine.state,
                stats.claimed + stats.processed + stats.tasks_ended,
                sum(engine.fleet.restarts.values()),
                len(self._events),
            ),
        )
        return before != self._seen or engine.pipeline.inflight.held > 0

    def write(self) -> None:
        if self._writer is None:
            return
        snapshot = self.snapshot()
        if not self._writer.write(self._encoder.encode(snapshot)):
            snapshot.outcomes, snapshot.failures, snapshot.events = [], [], []
            self._writer.write(self._encoder.encode(snapshot))

    def snapshot(self) -> Snapshot:
        """As it is now, with the counters of ten seconds ago beside it."""
        snapshot = take_snapshot(self._supervisor, self._start_ticks, self._events)
        snapshot.before = self._mark(snapshot)
        return snapshot

    def observation(self) -> Observation:
        """The same, as a reader of the page would see it."""
        return observe(self.snapshot(), self._meter, time.monotonic_ns())

    def _mark(self, snapshot: Snapshot) -> Baseline:
        """Keep a mark a second, of the last ten; the oldest."""
        marks, now = self._marks, snapshot.written_ns
        if not marks or now - marks[-1].written_ns >= _MARK_NS:
            marks.append(baseline(snapshot))
        while len(marks) > 1 and now - marks[1].written_ns >= _WINDOW_NS:
            marks.popleft()
        return marks[0]

    def close(self) -> None:
        """Say a last time how it is, and give the page up."""
        self.write()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
