"""The flow of steps through a supervisor: claimed, dispatched, collected, committed, continued.

    queues ──claim──► dispatcher ──rings──► workers ──rings──► collector ──► lanes ──commit──► rows
                         ▲   ▲                 │                              │
                         │   └──unstarted──────┴─ death (pidfd)               │
                         └────────────continued children, claimed already─────┘

Nothing here waits for a worker: a full ring means "later". The actors return values; the methods
here pass them on.
"""

import asyncio
import random
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog

from tasker_mp.config import Config
from tasker_mp.db.session import Session
from tasker_mp.db.store import ClaimedStep
from tasker_mp.engine.collector import Collector
from tasker_mp.engine.dispatcher import Dispatcher
from tasker_mp.engine.fleet import Death, Fleet
from tasker_mp.engine.lane import Lane
from tasker_mp.engine.queues import QueueOrder
from tasker_mp.engine.retry_clock import RetryClock
from tasker_mp.engine.specs import SpecCache
from tasker_mp.engine.statistics import Statistics
from tasker_mp.inflight import Entry, InflightTable, Settled
from tasker_mp.settle import settle_crash, settle_timeout
from tasker_mp.states import StepState
from tasker_mp.transport.interface import Record

log = structlog.get_logger("tasker_mp.pipeline")

_BATCH_LIMIT = 1000


class Pipeline:
    """`open` says whether steps may be claimed; what is claimed already always goes on."""

    def __init__(
        self,
        config: Config,
        namespaces: Sequence[str],
        claims: Session,
        lanes: Sequence[Session],
        retries: RetryClock,
    ) -> None:
        self.open = False
        self.namespaces = namespaces
        self.statistics = Statistics()
        self.inflight = InflightTable()
        self.queues = QueueOrder(namespaces)
        self.fleet: Fleet | None = None
        self._max_in_flight = config.worker.max_in_flight
        self._crash_limit = config.steps.crash_limit
        self._claims = claims
        self._lanes = [Lane(session) for session in lanes]
        self._retries = retries
        self._specs = SpecCache()
        self._collector = Collector(self.inflight, self.statistics)
        self._dispatcher = Dispatcher(self.inflight, self._specs, config.ring.max_payload_bytes)
        self._claim_wanted = asyncio.Event()
        self._settled = asyncio.Event()

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """What must run, side by side, for steps to flow."""
        return [self._claim_loop(), *(self._commit_loop(lane) for lane in self._lanes)]

    def note_work(self, *namespaces: str) -> None:
        """These may have steps in their queues; names that are not served are passed over."""
        self.queues.mark_wet(*(name for name in namespaces if name in self.namespaces))
        self._claim_wanted.set()

    def withdraw(self) -> list[tuple[bytes, int]]:
        """Let go of what no worker has yet, for the caller to give back: (task, step number)."""
        unsent = self._dispatcher.forget()
        self.inflight.release(unsent)
        return [(entry.task, entry.step_no) for entry in unsent]

    # -- claim --------------------------------------------------------------------------------

    async def _claim_loop(self) -> None:
        """Claim while there is room and some queue may have work."""
        while True:
            await self._claim_wanted.wait()
            self._claim_wanted.clear()
            # A quarter free: claiming for every single free place would be all that it does.
            if self.open and self._room() >= max(1, self._max_in_flight // 4):
                await self._claim()

    async def _claim(self) -> None:
        namespaces = self.queues.take_wet()
        if not namespaces:
            return
        room = self._room()
        queues = self.queues.in_order(namespaces)
        claimed = await self._claims.run(lambda s: s.claim_steps(queues, room))
        if len(claimed) >= room:
            self.note_work(*namespaces)
        self.statistics.claimed += len(claimed)
        await self._accept(claimed, self._claims)
        await self._adopt_after_loss(self._claims)

    def _room(self) -> int:
        return self._max_in_flight - self.inflight.held

    # -- dispatch -----------------------------------------------------------------------------

    async def _accept(self, claimed: list[ClaimedStep], session: Session) -> None:
        """Hand claimed steps to the dispatcher, and on to the workers."""
        if not claimed:
            return
        for template_id in {step.template_id for step in claimed} - self._specs.known():
            definition = await session.run(lambda s: s.get_template(template_id))  # noqa: B023
            self._specs.add(template_id, definition)
        for refused in self._dispatcher.accept(claimed):
            self._settle(refused)
        self.dispatch()

    async def _adopt_after_loss(self, session: Session) -> None:
        """After a lost connection: take over what the database says is ours and we never heard."""
        if session.reconnected:
            session.reconnected = False
            with self.inflight.remembering():
                await self._accept(await session.run(lambda s: s.held_steps()), session)

    def dispatch(self) -> None:
        """Send what waits to the workers that have room."""
        if self._dispatcher.backlog and self.fleet is not None:
            self._dispatcher.dispatch(list(self.fleet.workers.values()))
            self.fleet.dispatched()
            self.statistics.dispatched = self._dispatcher.dispatched

    # -- collect ------------------------------------------------------------------------------

    def on_results(self, records: list[Record]) -> None:
        """Results that a worker has published."""
        if self._collector.collect(records):
            self._settled.set()
        self.dispatch()

    def on_death(self, death: Death) -> None:
        """Results that it published count; the step it died over is charged; the rest goes on."""
        if death.started or death.unstarted or not death.worker.exiting:
            log.warning(
                "worker died",
                worker=death.worker.index,
                pid=death.worker.pid,
                reason=death.reason,
                started=[entry.name for entry in death.started],
                sent_elsewhere=len(death.unstarted),
            )
        self.on_results(death.records)
        for entry in death.started:
            self.inflight.settle(entry.event_id)
            self._settle(self._fate(entry, death))
        self.on_revoked(death.unstarted)

    def on_revoked(self, entries: list[Entry]) -> None:
        """Steps that a worker has not started: another one gets them."""
        self._dispatcher.requeue(entries)
        self.dispatch()

    def _fate(self, entry: Entry, death: Death) -> Settled:
        if death.condemned is not None and death.condemned.entry is entry:
            self.statistics.timed_out += 1
            return settle_timeout(entry, death.condemned, death.stack, random.uniform(-1, 1))  # noqa: S311
        self.statistics.crashed += 1
        settled = settle_crash(entry, death.worker.pid, death.reason, self._crash_limit)
        self.statistics.quarantined += entry.crashes + 1 >= self._crash_limit
        return settled

    def _settle(self, settled: Settled) -> None:
        self._collector.add(settled)
        self._settled.set()

    # -- commit -------------------------------------------------------------------------------

    async def _commit_loop(self, lane: Lane) -> None:
        """Commit whatever has settled; batches form by themselves while a commit is under way."""
        while True:
            await self._settled.wait()
            batch = self._collector.take(_BATCH_LIMIT)
            if not len(self._collector):
                self._settled.clear()
            if batch:
                await self._commit(lane, batch)

    async def _commit(self, lane: Lane, batch: list[Settled]) -> None:
        started = time.monotonic()
        room = self._room() + len(batch) if self.open else 0
        finished = await lane.commit(batch, max(0, room))
        lane.release(self.inflight.release(settled.entry for settled in batch))
        self._retries.note(x.delay for x in batch if x.state == StepState.WAITING_FOR_RETRY)
        self.statistics.committed(len(batch), finished, time.monotonic() - started)
        if finished.stale:
            log.warning("stale results refused", events=[e.hex() for e in finished.stale[:5]])
        await self._accept(finished.continued, lane.session)
        await self._adopt_after_loss(lane.session)
        if self.queues.wet:
            self._claim_wanted.set()
