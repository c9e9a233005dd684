"""Notices that work is ready and nothing is begun: gathers the facts, remembers and logs why."""

import asyncio
import time
from typing import TYPE_CHECKING

import structlog

from tasker_mp.db.session import Trouble
from tasker_mp.db.store import WaitingQueue
from tasker_mp.engine.starvation import PATIENCE, Facts, Reason, WorkerFact, reason
from tasker_mp.engine.status import worker_state
from tasker_mp.engine.worker_process import WorkerProcess

if TYPE_CHECKING:
    from tasker_mp.engine.supervisor import Supervisor

log = structlog.get_logger("tasker_mp.starvation")

_LOOK_SECONDS = 1.0
_ASK_SECONDS = 5.0
"""Between questions to the database, and only while nothing is begun: 0.2 queries a second."""


class StarvationWatch:
    """`reason` is None while all is well. A look costs nothing; the database is asked rarely."""

    def __init__(self, supervisor: "Supervisor") -> None:
        self._supervisor = supervisor
        self._begun = 0
        self._begun_at = self._asked_at = time.monotonic()
        self._waiting: list[WaitingQueue] | None = None
        self._question: asyncio.Task[list[WaitingQueue]] | None = None
        self.reason: Reason | None = None

    async def run(self) -> None:
        try:
            while True:
                await asyncio.sleep(_LOOK_SECONDS)
                self._look(time.monotonic())
        finally:
            if self._question is not None:
                self._question.cancel()

    def _look(self, now: float) -> None:
        stats = self._supervisor.pipeline.statistics
        begun = stats.claimed + stats.dispatched + stats.processed
        if begun != self._begun:
            self._begun, self._begun_at, self._waiting = begun, now, None
        elif now - self._begun_at >= PATIENCE:
            self._ask(now)
        self._tell(reason(self._facts(now)))

    def _ask(self, now: float) -> None:
        """Never waited for: the answer to a question asked before the outage may take its time."""
        if self._question is not None:
            if not self._question.done():
                return
            self._waiting, self._question = self._question.result(), None
        if now - self._asked_at >= _ASK_SECONDS:
            self._asked_at = now
            lease = self._supervisor.config.steps.lease
            session = self._supervisor.housekeeping
            self._question = asyncio.create_task(session.run(lambda s: s.waiting_queues(lease)))

    def _tell(self, found: Reason | None) -> None:
        """Once an episode and kind of reason."""
        before, self.reason = self.reason, found
        if found is not None and (before is None or before.kind != found.kind):
            log.warning("work is ready, nothing is begun", reason=found.sentence)
        elif found is None and before is not None:
            log.warning("work goes on", was=before.kind)

    # -- facts --------------------------------------------------------------------------------

    def _facts(self, now: float) -> Facts:
        supervisor, pipeline = self._supervisor, self._supervisor.pipeline
        held = pipeline.inflight.held
        return Facts(
            state=supervisor.state,
            mode=supervisor.config.worker.mode,
            quiet=now - self._begun_at,
            unclaimable=_longest([pipeline.claim_trouble], now),
            trouble=_longest([s.trouble for s in supervisor.sessions], now),
            waiting=self._waiting,
            namespaces=supervisor.namespaces,
            unsent=pipeline.unsent_seconds(now),
            held=held,
            uncommitted=held - len(pipeline.inflight),
            max_in_flight=supervisor.config.worker.max_in_flight,
            workers=[self._worker(index) for index in range(supervisor.fleet.count)],
        )

    def _worker(self, index: int) -> WorkerFact:
        fleet = self._supervisor.fleet
        worker = fleet.workers.get(index)
        entry = worker.longest() if worker else None
        return WorkerFact(
            index,
            worker_state(worker),
            entry.name if entry else None,
            _busy_seconds(worker),
            fleet.last_exits.get(index),
        )


def _busy_seconds(worker: WorkerProcess | None) -> float:
    since = worker.page.busy_since_ns if worker else 0
    return (time.monotonic_ns() - since) / 1e9 if since else 0.0


def _longest(troubles: list[Trouble | None], now: float) -> tuple[float, str] | None:
    return max(((now - t.since, t.error) for t in troubles if t is not None), default=None)
