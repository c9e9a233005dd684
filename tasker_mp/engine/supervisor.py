"""The supervisor: claims steps, feeds the workers, commits their results, replaces the dead.

    queues ──claim──► dispatcher ──rings──► workers ──rings──► collector ──► lanes ──commit──► rows
                         ▲   ▲                 │                              │
                         │   └──unstarted──────┴─ death (pidfd)               │
                         └────────────continued children, claimed already─────┘

One thread, one loop. Nothing in it waits for a worker: a full ring means "later". The actors
return values; the methods here pass them on.
"""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg
import structlog

from tasker_mp import process
from tasker_mp.config import Config
from tasker_mp.control import Command
from tasker_mp.db.connect import connect_async
from tasker_mp.db.session import Session
from tasker_mp.db.store import ClaimedStep
from tasker_mp.engine.collector import Collector
from tasker_mp.engine.control import ControlServer
from tasker_mp.engine.dispatcher import Dispatcher
from tasker_mp.engine.fleet import Death, Fleet, Listener
from tasker_mp.engine.lane import Lane
from tasker_mp.engine.queues import QueueOrder
from tasker_mp.engine.runtime import RuntimeDirectory
from tasker_mp.engine.specs import SpecCache
from tasker_mp.engine.statistics import Statistics
from tasker_mp.engine.status import status
from tasker_mp.errors import EngineError
from tasker_mp.inflight import InflightTable, Settled
from tasker_mp.settle import crash_error, settle_failure
from tasker_mp.template.model import Template
from tasker_mp.transport.interface import Record
from tasker_mp.worker.settings import WorkerSettings

log = structlog.get_logger("tasker_mp.supervisor")

_BATCH_LIMIT = 1000
_RING_DEPTH = 128
_CALM_POLL = 1.0
"""Seconds between polls that only guard against a lost notification."""
_RETRY_FALLBACK = 30.0
_CHILD_CHECK = 1.0
_LEAVE_LIMIT = 5.0


class Supervisor:
    """The engine of one project on one host; `run` it once."""

    def __init__(
        self, config: Config, dsn: str, templates: Sequence[Template], runtime: RuntimeDirectory
    ) -> None:
        self.config = config
        self.uuid = uuid4()
        self.worker_id = config.worker.worker_id or f"{socket.gethostname()}-{self.uuid.hex[:6]}"
        self.started_at = time.time()
        self.state = "starting"
        self.listening = False
        self.statistics = Statistics()
        self.specs = SpecCache()
        self.inflight = InflightTable()
        self.collector = Collector(self.inflight, self.statistics)
        self.dispatcher = Dispatcher(self.inflight, self.specs, config.ring.max_payload_bytes)
        self.namespaces = sorted(
            config.worker.namespaces or {template.namespace_name for template in templates}
        )
        self.queues = QueueOrder(self.namespaces)
        self.fleet = Fleet(
            self._worker_settings(templates),
            config.worker.count or os.cpu_count() or 1,
            _RING_DEPTH,
            Listener(self._on_results, self._on_death, self._dispatch, self._fail),
        )
        self.claims = self._session(dsn, synchronous_commit=False)
        self.lanes = [Lane(self._session(dsn)) for _ in range(config.worker.lanes)]
        self.housekeeping = self._session(dsn)
        self._dsn = dsn
        self._runtime = runtime
        self._control = ControlServer(runtime.control_socket, self._command)
        self._claim_wanted = asyncio.Event()
        self._settled = asyncio.Event()
        self._retry_wanted = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._next_retry = 0.0
        self._failure: BaseException | None = None
        self._registered = False
        self._tasks: list[asyncio.Task[None]] = []

    # -- life ---------------------------------------------------------------------------------

    async def run(self, on_ready: Callable[[], None] | None = None) -> None:
        """Start, serve until asked to stop, drain, leave. Raises what made it fail."""
        try:
            await self._start()
            if on_ready is not None:
                on_ready()
            await self._stopping.wait()
            if self._failure is None:
                await self._drain()
        finally:
            await self._shut_down()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ask for a drain; a second call stops at once."""
        if self._stopping.is_set():
            self._stop_now.set()
        self._stopping.set()

    async def _start(self) -> None:
        process.become_subreaper()
        process.set_title(f"supervisor {self.worker_id}")
        predecessor = self._runtime.acquire(self.uuid)
        self._registered = True
        for session in self.sessions():
            await session.open()
        await self._register(predecessor)
        await self.fleet.start()
        for problem in self.fleet.problems:
            log.error("handler cannot be used", problem=problem)
        await self._control.start()
        self._handle_signals()
        self._spawn_loops()
        self.state = "running"
        self._poll()

    async def _register(self, predecessor: UUID | None) -> None:
        recovered = await self.housekeeping.run(
            lambda s: s.register_supervisor(
                self.worker_id, socket.gethostname(), os.getpid(), self.namespaces, predecessor
            )
        )
        if recovered:
            log.info("recovered steps of the supervisor before this one", steps=recovered)

    def _spawn_loops(self) -> None:
        loops = [self._claim_loop(), self._retry_loop(), self._lease_loop(), self._poll_loop()]
        loops += [self._commit_loop(lane) for lane in self.lanes]
        loops.append(self._child_loop())
        if self.config.worker.mode != "polling":
            loops.append(self._listen_loop())
        for loop in loops:
            self._tasks.append(asyncio.create_task(self._guarded(loop)))

    async def _guarded(self, loop: Coroutine[Any, Any, None]) -> None:
        """A loop that ends by an error ends the supervisor, with that error."""
        try:
            await loop
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        log.error("supervisor failed", error=str(error))
        self._failure = self._failure or error
        self._stopping.set()
        self._stop_now.set()

    async def _drain(self) -> None:
        """Give back what no worker has, let the workers finish the rest, commit it."""
        self.state = "draining"
        log.info("draining", in_flight=len(self.inflight))
        unsent = self.dispatcher.forget()
        if unsent:
            steps = [(entry.task, entry.step_no) for entry in unsent]
            await self.housekeeping.run(lambda s: s.give_back(steps, "its supervisor drained"))
            self.inflight.release(unsent)
        limit = asyncio.get_running_loop().time() + self.config.worker.drain_timeout
        while self.inflight.held and asyncio.get_running_loop().time() < limit:
            try:
                await asyncio.wait_for(self._stop_now.wait(), 0.01)
            except TimeoutError:
                continue
            return

    async def _shut_down(self) -> None:
        self.state = "stopped"
        await self._control.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.fleet.stop(0 if self._stop_now.is_set() else 1.0)
        if self._registered:
            self._runtime.release(clean=await self._leave())

    async def _leave(self) -> bool:
        """Give back what is still held; False where the database is away, and the lease must tell.

        On a connection of its own: the others may have been cut off in the middle of something.
        """
        for session in self.sessions():
            await session.close()
        leaving = self._session(self._dsn)
        try:
            async with asyncio.timeout(_LEAVE_LIMIT):
                await leaving.open()
                await leaving.run(lambda s: s.recover_owner())
        except (TimeoutError, EngineError) as error:
            log.warning("left without giving back what was held", error=str(error))
            return False
        finally:
            await leaving.close()
        return True

    # -- loops --------------------------------------------------------------------------------

    async def _claim_loop(self) -> None:
        """Claim while there is room and some queue may have work."""
        while True:
            await self._claim_wanted.wait()
            self._claim_wanted.clear()
            capacity = self._capacity()
            if self.state != "running" or capacity < self.config.worker.max_in_flight // 4:
                continue
            namespaces = self.queues.take_wet()
            if not namespaces:
                continue
            queues = self.queues.in_order(namespaces)
            claimed = await self.claims.run(lambda s: s.claim_steps(queues, capacity))  # noqa: B023
            if len(claimed) >= capacity:
                self.queues.mark_wet(*namespaces)
                self._claim_wanted.set()
            self.statistics.claimed += len(claimed)
            await self._accept(claimed, self.claims)
            await self._adopt_after_loss(self.claims)

    async def _commit_loop(self, lane: Lane) -> None:
        """Commit whatever has settled; batches form by themselves while a commit is under way."""
        while True:
            await self._settled.wait()
            batch = self.collector.take(_BATCH_LIMIT)
            if not len(self.collector):
                self._settled.clear()
            if batch:
                await self._commit(lane, batch)

    async def _commit(self, lane: Lane, batch: list[Settled]) -> None:
        started = time.monotonic()
        room = self._capacity() + len(batch) if self.state == "running" else 0
        finished = await lane.commit(batch, max(0, room))
        self.statistics.commit.add((time.monotonic() - started) * 1000)
        self.statistics.steps.add(len(batch))
        self.statistics.tasks.add(len(finished.ended))
        self.statistics.stale_results += len(finished.stale)
        if finished.stale:
            log.warning("stale results refused", events=[e.hex() for e in finished.stale[:5]])
        lane.release(self.inflight.release(settled.entry for settled in batch))
        self._note_retries(batch)
        await self._accept(finished.continued, lane.session)
        await self._adopt_after_loss(lane.session)
        if self.queues.wet:
            self._claim_wanted.set()

    def _note_retries(self, batch: list[Settled]) -> None:
        delays = [settled.delay for settled in batch if settled.state == "waiting_for_retry"]
        if delays:
            self._next_retry = min(self._next_retry, time.monotonic() + min(delays))
            self._retry_wanted.set()

    async def _retry_loop(self) -> None:
        """Enqueue retries when they are due; the next due time is known, so nothing polls."""
        while True:
            self._retry_wanted.clear()
            _, next_due = await self.housekeeping.run(lambda s: s.promote_due())
            wait = _RETRY_FALLBACK if next_due is None else min(next_due, _RETRY_FALLBACK)
            self._next_retry = time.monotonic() + wait
            while (left := self._next_retry - time.monotonic()) > 0:
                self._retry_wanted.clear()
                await _wait(self._retry_wanted, left)

    async def _lease_loop(self) -> None:
        """Keep the lease, and recover the steps of supervisors that lost theirs."""
        lease = self.config.steps.lease
        while True:
            recovered = await self.housekeeping.run(lambda s: s.heartbeat(lease))
            if recovered:
                log.warning("recovered steps of a dead supervisor", steps=recovered)
            await asyncio.sleep(lease / 3)

    async def _poll_loop(self) -> None:
        """Look into every queue now and then, as the mode wants it."""
        interval = self.config.worker.poll_interval
        while True:
            mode = self.config.worker.mode
            covered = mode == "hybrid" and self.listening
            await asyncio.sleep(max(interval, _CALM_POLL) if covered else interval)
            if mode != "event_driven" or not self.listening:
                self._poll()

    def _poll(self) -> None:
        self.queues.mark_wet(*self.namespaces)
        self._claim_wanted.set()

    async def _listen_loop(self) -> None:
        """Claim from a namespace as soon as somebody says that it has work."""
        while True:
            try:
                connection = await connect_async(self._dsn)
                async with connection:
                    await connection.execute("listen tasker_ready")
                    self.listening = True
                    self._poll()  # what was announced while nobody listened
                    async for notice in connection.notifies():
                        if notice.payload in self.namespaces:
                            self.queues.mark_wet(notice.payload)
                            self._claim_wanted.set()
            except (OSError, EngineError, psycopg.Error) as error:
                log.warning("listen connection lost", error=str(error).strip())
            self.listening = False
            await asyncio.sleep(0.5)

    async def _child_loop(self) -> None:
        """Reap what handlers left behind: a subreaper inherits its descendants' orphans."""
        while True:
            await asyncio.sleep(_CHILD_CHECK)
            self.fleet.reap_orphans()

    # -- passing on ---------------------------------------------------------------------------

    def _capacity(self) -> int:
        return self.config.worker.max_in_flight - self.inflight.held

    async def _accept(self, claimed: list[ClaimedStep], session: Session) -> None:
        """Hand claimed steps to the dispatcher, and on to the workers."""
        if not claimed:
            return
        for template_id in {step.template_id for step in claimed} - self.specs.known():
            definition = await session.run(lambda s: s.get_template(template_id))  # noqa: B023
            self.specs.add(template_id, definition)
        for refused in self.dispatcher.accept(claimed):
            self._settle(refused)
        self._dispatch()

    async def _adopt_after_loss(self, session: Session) -> None:
        """After a lost connection: take over what the database says is ours and we never heard."""
        if session.reconnected:
            session.reconnected = False
            await self._accept(await session.run(lambda s: s.held_steps()), session)

    def _settle(self, settled: Settled) -> None:
        self.collector.add(settled)
        self._settled.set()

    def _dispatch(self) -> None:
        if self.dispatcher.backlog:
            self.dispatcher.dispatch(list(self.fleet.workers.values()))
            self.fleet.dispatched()
            self.statistics.dispatched = self.dispatcher.dispatched

    # -- what the fleet tells -----------------------------------------------------------------

    def _on_results(self, records: list[Record]) -> None:
        if self.collector.collect(records):
            self._settled.set()
        self._dispatch()

    def _on_death(self, death: Death) -> None:
        """Results that it published count; the step it died over is charged; the rest goes on."""
        log.warning(
            "worker died",
            worker=death.worker.index,
            pid=death.worker.pid,
            reason=death.reason,
            started=[entry.name for entry in death.started],
            sent_elsewhere=len(death.unstarted),
        )
        self._on_results(death.records)
        for entry in death.started:
            self.statistics.crashed += 1
            self.inflight.settle(entry.event_id)
            error = crash_error(death.worker.pid, death.reason)
            self._settle(settle_failure(entry, error, 0.0))
        self.dispatcher.requeue(death.unstarted)
        self._dispatch()

    # -- steering -----------------------------------------------------------------------------

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self.stop)

    async def _command(self, command: Command) -> dict[str, Any]:
        """Answer the control socket."""
        match command.command:
            case "status":
                return await status(self)
            case "pause" if self.state in ("running", "paused"):
                self.state = "paused"
            case "resume" if self.state in ("running", "paused"):
                self.state = "running"
                self._poll()
            case "stop" | "drain":
                self.stop()
            case "kill":
                self.stop()
                self.stop()
            case unknown:
                return {
                    "error": f"command {unknown!r} is not known or not possible while {self.state}"
                }
        return {"ok": True, "pid": os.getpid(), "state": self.state}

    # -- parts --------------------------------------------------------------------------------

    def sessions(self) -> list[Session]:
        return [self.claims, self.housekeeping, *(lane.session for lane in self.lanes)]

    def _session(self, dsn: str, *, synchronous_commit: bool = True) -> Session:
        timeout = self.config.database.statement_timeout
        return Session(
            lambda: connect_async(dsn, statement_timeout=timeout),
            self.uuid,
            synchronous_commit=synchronous_commit,
        )

    def _worker_settings(self, templates: Sequence[Template]) -> WorkerSettings:
        config = self.config
        return WorkerSettings(
            supervisor_pid=os.getpid(),
            worker_id=self.worker_id,
            root=str(config.root),
            handler_packages=tuple(config.worker.handler_packages),
            handlers=tuple(step.handler for template in templates for step in template.steps),
            transport=config.ring.transport,
            capacity_bytes=config.ring.capacity_bytes,
            max_payload_bytes=config.ring.max_payload_bytes,
            log_level=config.logging.level,
        )


async def _wait(event: asyncio.Event, limit: float) -> None:
    """Until the event is set, `limit` seconds at most."""
    try:
        await asyncio.wait_for(event.wait(), limit)
    except TimeoutError:
        return
