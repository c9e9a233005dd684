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
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import structlog

from tasker_mp.claimed_step import ClaimedStep
from tasker_mp.config import Config
from tasker_mp.db.refusals import REFUSALS
from tasker_mp.db.session import Session, Trouble
from tasker_mp.db.store import Finished, Store
from tasker_mp.engine.announcer import Announcer
from tasker_mp.engine.collector import Collector
from tasker_mp.engine.dispatcher import Dispatcher
from tasker_mp.engine.fleet import Death, Fleet
from tasker_mp.engine.lane import Lane
from tasker_mp.engine.portion import Portion
from tasker_mp.engine.queues import QueueOrder
from tasker_mp.engine.retry_clock import RetryClock
from tasker_mp.engine.specs import SpecCache
from tasker_mp.engine.statistics import Statistics
from tasker_mp.inflight import Entry, InflightTable, Settled
from tasker_mp.messages import StepError
from tasker_mp.publication import default_events, is_fast, message_of
from tasker_mp.result import ErrorType
from tasker_mp.settle import grown, settle_crash, settle_timeout
from tasker_mp.states import StepState
from tasker_mp.template.growth import read_standing
from tasker_mp.tracing import Spans
from tasker_mp.transport.interface import Record

log = structlog.get_logger("tasker_mp.pipeline")

_BATCH_LIMIT = 1000
_CLOSE_LIMIT = 3.0
"""Seconds that a pause waits for what is being claimed, should the database hang."""
_CLOSE_CHECK = 0.005

_UNREADABLE = (*REFUSALS, psycopg.errors.InternalError_)
"""What a claim ends with whose answer is too large ("invalid memory alloc request" has no code)."""


class Pipeline:
    """`open` says whether steps may be claimed; what is claimed already always goes on."""

    def __init__(
        self,
        config: Config,
        namespaces: Sequence[str],
        claims: Session,
        lanes: Sequence[Session],
        retries: RetryClock,
        worker_id: str,
    ) -> None:
        self.open = False
        self.statistics = Statistics()
        self.inflight = InflightTable()
        self.queues = QueueOrder(namespaces)
        self.fleet: Fleet | None = None
        self.spans: Spans | None = None
        self.announcer: Announcer | None = None
        self._reserved = 0
        self._claims_under_way = 0
        self._portion = Portion()
        self._max_in_flight = config.worker.max_in_flight
        self._crash_limit = config.steps.crash_limit
        self._claims = claims
        self._worker_id = worker_id
        self._lanes = [Lane(session, self._worker_id) for session in lanes]
        self._idle: list[asyncio.Event] = []
        self._woken = False
        self._retries = retries
        self._specs = SpecCache(config.steps.max_batches)
        self._collector = Collector(self.inflight, self.statistics)
        self._dispatcher = Dispatcher(self.inflight, self._specs, config.ring.max_payload_bytes)
        self._claim_wanted = asyncio.Event()

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """What must run, side by side, for steps to flow."""
        return [self._claim_loop(), *(self._commit_loop(lane) for lane in self._lanes)]

    def note_work(self, *queues: str) -> None:
        """These queues may have steps; any of them where none is named."""
        self.queues.mark_wet(queues or self.queues.all)
        self._claim_wanted.set()

    @property
    def claim_trouble(self) -> Trouble | None:
        """Why the database lets nothing be claimed."""
        return self._claims.trouble

    def unsent_seconds(self, now: float) -> float:
        """How long the first of the claimed steps has waited for a worker; 0 where none waits."""
        backlog = self._dispatcher.backlog
        return now - backlog[0].claimed_at if backlog else 0.0

    def withdraw(self) -> list[Entry]:
        """Take back what no worker has yet; it is held until the caller has given it back."""
        return self._dispatcher.forget()

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
        queues = self.queues.take_wet()
        if not queues:
            return
        asked = self._portion.of(self._room())
        started = time.monotonic()
        with self._reserving(asked):
            claimed = await self._claim_steps(queues, asked)
            if claimed is None or len(claimed) >= asked:
                self.note_work(*queues)
            self.statistics.answered(len(claimed or ()), time.monotonic() - started)
            if self.spans is not None:
                self.spans.claimed(claimed or [], started)
            await self._accept(claimed or [], self._claims)
        await self._adopt_after_loss(self._claims)

    async def _claim_steps(self, queues: list[str], asked: int) -> list[ClaimedStep] | None:
        """What is claimed; None where to go on is only possible in another way."""

        async def claim(store: Store) -> list[ClaimedStep] | None:
            # The answer that was lost may have filled all the room: first see what it was.
            return None if self._claims.reconnected else await store.claim_steps(queues, asked)

        try:
            claimed = await self._claims.run(claim)
        except _UNREADABLE as error:
            log.warning("claim refused by the database", steps=asked, error=_first_line(error))
            self._portion.refused(asked)
            return None if asked > 1 else await self._claim_unreadable(queues)
        self._portion.note(claimed or [])
        return claimed

    async def _claim_unreadable(self, queues: list[str]) -> list[ClaimedStep]:
        """Claim the first step without its input. Where that can be had after all, so is the step;
        else it fails for good."""
        claimed = await self._claims.run(lambda s: s.claim_bare(queues))
        await self._learn_templates(claimed, self._claims)
        for step in claimed:
            try:
                return [await self._claims.run(lambda s: s.hydrate_step(step))]  # noqa: B023
            except _UNREADABLE as error:
                log.error("input refused by the database", step=step.name, error=_first_line(error))
                self._settle(self._dispatcher.refuse(step, _unreadable(error)))
        return []

    def _room(self) -> int:
        return max(0, self._max_in_flight - self.inflight.held - self._reserved)

    @contextmanager
    def _reserving(self, places: int, *, claims: bool = True) -> Iterator[None]:
        """Keep them free for what a statement under way may bring, if it `claims` anything."""
        self._reserved += places
        self._claims_under_way += claims
        try:
            yield
        finally:
            self._reserved -= places
            self._claims_under_way -= claims

    async def close(self) -> None:
        """Claim nothing more: what was under way has come, unless the database is slow."""
        self.open = False
        deadline = time.monotonic() + _CLOSE_LIMIT
        while self._claims_under_way and time.monotonic() < deadline:
            await asyncio.sleep(_CLOSE_CHECK)

    # -- dispatch -----------------------------------------------------------------------------

    async def _accept(self, claimed: list[ClaimedStep], session: Session) -> None:
        """Hand claimed steps to the dispatcher, and on to the workers."""
        if not claimed:
            return
        await self._learn_templates(claimed, session)
        for refused in self._dispatcher.accept(claimed):
            self._settle(refused)
        self.dispatch()

    async def _learn_templates(self, claimed: list[ClaimedStep], session: Session) -> None:
        for template_id in {step.template_id for step in claimed} - self._specs.known():
            definition = await session.run(lambda s: s.get_template(template_id))  # noqa: B023
            self._specs.add(template_id, definition)

    async def _adopt_after_loss(self, session: Session) -> None:
        """After a lost connection: take over what the database says is ours and we never heard."""
        if session.reconnected:
            session.reconnected = False
            with self.inflight.remembering():
                await self._accept(await session.run(lambda s: s.held_steps()), session)

    def dispatch(self) -> None:
        """Send what waits to the workers that have room."""
        if self._dispatcher.waiting and self.fleet is not None:
            self._dispatcher.dispatch(list(self.fleet.workers.values()))
            self.fleet.dispatched()
            self.statistics.dispatched = self._dispatcher.dispatched

    # -- collect ------------------------------------------------------------------------------

    def on_results(self, records: list[Record]) -> None:
        """Results that a worker has published."""
        if self._collector.collect(records):
            self._wake_lane()
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
                suspects=[entry.name for entry in death.suspects],
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
            jitter, why = random.uniform(-1, 1), death.condemned.why  # noqa: S311
            return settle_timeout(entry, death.condemned, death.stack, jitter, why)
        self.statistics.crashed += 1
        worker, limit = death.worker, self._crash_limit
        settled = settle_crash(entry, worker.pid, death.reason, limit, worker.peak_rss_bytes)
        self.statistics.quarantined += entry.crashes + 1 >= self._crash_limit
        return settled

    def _settle(self, settled: Settled) -> None:
        self._collector.add(settled)
        self._wake_lane()

    # -- commit -------------------------------------------------------------------------------

    async def _commit_loop(self, lane: Lane) -> None:
        """Commit whatever has settled; batches form by themselves while a commit is under way."""
        while True:
            if batch := self._collector.take(_BATCH_LIMIT):
                if len(self._collector):
                    self._wake_lane()
                await self._commit(lane, batch)
            else:
                await self._rest()

    def _wake_lane(self) -> None:
        """Have one idle lane look: the last that worked, whose backend has its caches warm."""
        if self._idle and not self._woken:
            self._woken = True
            self._idle.pop().set()

    async def _rest(self) -> None:
        """Until something has settled."""
        wake_up = asyncio.Event()
        self._idle.append(wake_up)
        await wake_up.wait()
        self._woken = False

    async def _commit(self, lane: Lane, batch: list[Settled]) -> None:
        # Children may have the places of what is committed, and some more: the others claim, too.
        extra = self._room() // 4
        room = self._portion.of(len(batch) + extra) if self.open else 0
        with self._reserving(extra, claims=room > 0):
            started = time.monotonic()
            self._complete_events(batch)
            finished = await lane.commit(batch, room)
            batch = self._committed(batch, finished)
            self._announce(batch, finished.stale)
            if self.spans is not None:
                self.spans.committed(batch, finished, started)
            lane.release(self.inflight.release(settled.entry for settled in batch))
            self._retries.note(x.delay for x in batch if x.state == StepState.WAITING_FOR_RETRY)
            self.statistics.committed(batch, finished)
            if finished.stale:
                log.warning("stale results refused", events=[e.hex() for e in finished.stale[:5]])
            self._portion.note(finished.continued)
            await self._accept(finished.continued, lane.session)
        await self._adopt_after_loss(lane.session)
        if self.queues.wet:
            self._claim_wanted.set()

    def _committed(self, batch: list[Settled], finished: Finished) -> list[Settled]:
        """What of it was; where growth was computed too early, it is computed anew."""
        if not finished.early:
            return batch
        standings = dict(finished.early)
        self._collector.put_back(
            grown(settled, read_standing(standings[settled.entry.event_id]))
            for settled in batch
            if settled.entry.event_id in standings
        )
        self._wake_lane()
        return [settled for settled in batch if settled.entry.event_id not in standings]

    def _complete_events(self, batch: list[Settled]) -> None:
        """Say which domain events those make whose worker cannot say it any more."""
        for settled in batch:
            if settled.events is None:
                settled.events = default_events(settled, self._worker_id, time.time())

    def _announce(self, batch: list[Settled], stale: list[bytes]) -> None:
        """Tell of the domain events whose results the commit has accepted."""
        for settled in batch:
            if settled.events and settled.entry.event_id not in stale:
                self.statistics.domain_events += len(settled.events)
                if self.announcer is not None and self.announcer.active:
                    self.announcer.announce(
                        message_of(published, settled, index)
                        for index, published in enumerate(settled.events)
                        if is_fast(published)
                    )


def _first_line(error: psycopg.Error) -> str:
    """Those below it quote what could not be read."""
    return str(error).splitlines()[0]


def _unreadable(error: psycopg.Error) -> StepError:
    return StepError(
        message=f"the database cannot give the step's input: {_first_line(error)}",
        error_type=ErrorType.PERMANENT_ERROR,
        error_code=error.sqlstate,
        retryable=False,
    )
