"""Looks at the steps that run beside each other in a worker: who is late, and who holds it up."""

import time
from collections.abc import Hashable, Iterable

from tasker_mp.engine.watchdog import STALL_SECONDS, STUCK_SECONDS, Overdue
from tasker_mp.engine.worker_process import WorkerProcess
from tasker_mp.inflight import Entry
from tasker_mp.worker.page import Joined, Turn

_GRACE = 0.5
"""Seconds for a worker to cancel a late coroutine, and for that to end."""


class JointWatch:
    """A worker cancels its coroutines at their deadlines by itself. Here is judged what it cannot:
    one that holds the event loop, one that does not end when it is cancelled, and threads.

    Whoever holds the loop while a deadline passes is late, be the deadline its own or another's.
    """

    def __init__(self, default_timeout: float) -> None:
        self._default = default_timeout
        self._seen: dict[Hashable, float] = {}
        self._before: dict[Hashable, float] = {}
        self._last_look = time.monotonic()

    def look(self, workers: Iterable[WorkerProcess], now: float) -> list[Overdue]:
        """Who is over a deadline, one a worker; `now` in monotonic seconds. Marks the stuck."""
        if (gap := now - self._last_look) > STALL_SECONDS:
            self._seen = {key: since + gap for key, since in self._seen.items()}
        self._last_look = now
        self._before, self._seen = self._seen, {}
        return [o for worker in workers if (o := self._judge(worker, now))]

    def _judge(self, worker: WorkerProcess, now: float) -> Overdue | None:
        runs = worker.joined()
        if not runs:
            return None
        turn, plain = worker.page.turn, worker.running()
        held = self._seconds((worker.epoch, turn or plain), now) if turn or plain else 0.0
        waits = worker.page.reached < worker.dispatched
        still = self._seconds((worker.epoch, "reached", worker.page.reached), now)
        late = [
            (entry, event, run)
            for entry, event in runs
            if (run := self._seconds((worker.epoch, entry.number), now)) >= self._limit(entry)
        ]
        worker.stuck = worker.stuck or held >= STUCK_SECONDS or (waits and still >= STUCK_SECONDS)
        if not late or worker.condemned:
            return None
        return self._verdict(worker, late, plain or turn, held)

    def _verdict(
        self,
        worker: WorkerProcess,
        late: list[tuple[Entry, Joined, float]],
        holder: Entry | Turn | None,
        held: float,
    ) -> Overdue | None:
        for entry, event, run in late:
            if event.kind == "thread":
                return Overdue(worker, entry, run, self._limit(entry))
        entry, _, run = max(late, key=lambda one: one[2] - self._limit(one[0]))
        limit = self._limit(entry)
        guilty = worker.entry_of(holder.number) if holder is not None else None
        if guilty is not None and held >= STUCK_SECONDS:
            turn = holder if isinstance(holder, Turn) else None
            if any(guilty is one for one, _, _ in late):
                return Overdue(worker, guilty, run, self._limit(guilty), turn)
            why = (
                f"the step held its worker's event loop for {held:.2f} s while the deadline of "
                f"another step there ({entry.name}, {limit:g} s) passed, and was killed"
            )
            return Overdue(worker, guilty, held, self._limit(guilty), turn, why)
        if run < limit + _GRACE:
            return None
        why = f"the step ran for longer than {limit:g} s, could not be cancelled, and was killed"
        return Overdue(worker, entry, run, limit, None, why)

    def _limit(self, entry: Entry) -> float:
        return entry.step.timeout_seconds or self._default

    def _seconds(self, what: Hashable, now: float) -> float:
        """For how long it has been seen at every look."""
        since = self._seen[what] = self._before.get(what, now)
        return now - since
