"""The supervisor's life: starts the fleet and the pipeline, keeps the lease, drains, leaves."""

import asyncio
import gc
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import psycopg
import structlog

from tasker_mp import process
from tasker_mp.config import Config
from tasker_mp.db.connect import EMBEDDED, connect_async
from tasker_mp.db.reviver import Reviver
from tasker_mp.db.session import Session
from tasker_mp.engine.announcements import Announcements
from tasker_mp.engine.announcer import Announcer
from tasker_mp.engine.cancellation import end
from tasker_mp.engine.census import Census
from tasker_mp.engine.control import ControlServer
from tasker_mp.engine.event_tail import EventTail
from tasker_mp.engine.fleet import Fleet, Limits, Listener
from tasker_mp.engine.lifecycle_clock import LifecycleClock
from tasker_mp.engine.pipeline import Pipeline
from tasker_mp.engine.retention_clock import RetentionClock
from tasker_mp.engine.retry_clock import RetryClock
from tasker_mp.engine.runtime import RuntimeDirectory
from tasker_mp.engine.starvation_watch import StarvationWatch
from tasker_mp.engine.status_clock import StatusClock
from tasker_mp.engine.steering import Steering
from tasker_mp.engine.web_process import WebProcess
from tasker_mp.errors import EngineError
from tasker_mp.inflight import Entry
from tasker_mp.snapshot import State
from tasker_mp.template.model import Template
from tasker_mp.worker.settings import WorkerSettings

log = structlog.get_logger("tasker_mp.supervisor")

_RING_DEPTH = 128
"""Events that may wait in one worker's ring: enough to keep it busy over a commit."""
_CALM_POLL = 1.0
"""Seconds between polls that only guard against a lost notification."""
_CHILD_CHECK = 1.0
_LEAVE_LIMIT = 5.0


class Supervisor:
    """The engine of one project on one host, in one thread; `run` it once."""

    def __init__(
        self, config: Config, dsn: str, templates: Sequence[Template], runtime: RuntimeDirectory
    ) -> None:
        self.config = config
        self.uuid = uuid4()
        self.pid = os.getpid()
        self.worker_id = config.worker.worker_id or f"{socket.gethostname()}-{self.uuid.hex[:6]}"
        self.started_at = time.time()
        self.state: State = "starting"
        self.heartbeat_ns = 0
        self.namespaces = sorted(
            config.worker.namespaces or {template.namespace_name for template in templates}
        )
        self._dsn = dsn
        self.housekeeping = self._session()
        self.sessions = [
            self.housekeeping,
            self._session(synchronous_commit=False),
            *(self._session() for _ in range(config.worker.lanes)),
        ]
        self._retries = RetryClock(self.housekeeping)
        self.pipeline = Pipeline(
            config,
            self.namespaces,
            self.sessions[1],
            self.sessions[2:],
            self._retries,
            self.worker_id,
        )
        self.fleet = self.pipeline.fleet = Fleet(
            self._worker_settings(templates),
            config.worker.count or os.cpu_count() or 1,
            Limits(
                max(_RING_DEPTH, config.worker.async_concurrency, config.worker.thread_concurrency),
                config.steps.timeout,
                config.worker.recycle_after_steps,
                config.worker.recycle_above_mb << 20,
            ),
            Listener(
                on_results=self.pipeline.on_results,
                on_revoked=self.pipeline.on_revoked,
                on_death=self.pipeline.on_death,
                on_room=self.pipeline.dispatch,
                on_failure=self._fail,
            ),
        )
        self.starvation = StarvationWatch(self)
        self.steering = Steering(self)
        self.announcements = Announcements(dsn, self.uuid)
        self.announcer = self.pipeline.announcer = Announcer(config.root)
        statistics = self.pipeline.statistics
        self.census = Census(
            self.housekeeping,
            self.pipeline.queues.all,
            flow=lambda: statistics.claimed + statistics.processed,
        )
        self.web = WebProcess(config.web, config.root) if config.web.enabled else None
        self._tail = EventTail()
        self.clock = StatusClock(self, self._tail.events)
        self._ticking: asyncio.Task[None] | None = None
        self._runtime = runtime
        self._control = ControlServer(runtime.control_socket, self.steering.obey)
        self._stopping = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._state_changed = asyncio.Event()
        self._failure: BaseException | None = None
        self._holds_lock = False
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, on_ready: Callable[[], None] | None = None) -> None:
        """Start, serve until asked to stop, drain, leave. Raises what made it fail."""
        try:
            await self._start()
            gc.freeze()  # or a full collection goes through all imports: steps would wait 10 ms
            if on_ready is not None:
                on_ready()
            self.announcer.start()
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

    # -- start --------------------------------------------------------------------------------

    async def _start(self) -> None:
        process.become_subreaper()
        process.allow_many_files()
        process.set_title(f"supervisor {self.worker_id}")
        predecessors = self._runtime.acquire(self.uuid)
        self._holds_lock = True
        self._tail.follow()
        self.clock.open(self._runtime.status_page)
        self._ticking = asyncio.create_task(self._guarded(self.clock.run()))
        if self.config.database.url == EMBEDDED:  # from now on: the start, too, waits for its death
            self._run_along(Reviver(self.config.root).watch())
        if self.web is not None:
            self.web.bind()
        for session in self.sessions:
            await session.open()
        await self._register(predecessors)
        await self.fleet.start()
        for problem in self.fleet.problems:
            log.error("handler cannot be used", problem=problem)
        self.announcer.expect(self.fleet.subscribers)
        await self._control.start()
        if self.web is not None:
            self.web.start()
        self._handle_signals()
        self._start_loops()
        self.resume()

    async def _register(self, predecessors: Sequence[UUID]) -> None:
        recovered = 0
        dead: list[UUID | None] = [*predecessors]
        for predecessor in dead or [None]:
            recovered += await self._announce(predecessor)
        self._runtime.recovered()
        if recovered:
            log.info("recovered steps of the supervisor before this one", steps=recovered)

    async def _announce(self, predecessor: UUID | None) -> int:
        return await self.housekeeping.run(
            lambda s: s.register_supervisor(
                self.worker_id, socket.gethostname(), os.getpid(), self.namespaces, predecessor
            )
        )

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self.stop)

    def _start_loops(self) -> None:
        loops = self.pipeline.loops()
        loops += [self._retries.run(), self.fleet.watch()]
        loops += [self._lease_loop(), self._poll_loop(), self._child_loop()]
        loops += [LifecycleClock(self.housekeeping).run(), self.starvation.run()]
        loops.append(self.census.run())
        loops.append(self.announcer.watch(self.steering.metrics, self.steering.trouble))
        retention = self.config.retention.finished_after_days
        loops.append(RetentionClock(self.housekeeping, retention).run())
        if self.config.worker.mode != "polling":
            loops.append(self.announcements.follow(self.pipeline.note_work, self._poll))
        for loop in loops:
            self._run_along(loop)

    def _run_along(self, loop: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(
            asyncio.create_task(self._guarded(loop), name=getattr(loop, "__qualname__", None))
        )

    async def _guarded(self, loop: Coroutine[Any, Any, None]) -> None:
        """A loop that ends by an error ends the supervisor, with that error."""
        try:
            await loop
        except Exception as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        log.error("supervisor failed", error=str(error))
        if isinstance(error, psycopg.Error):
            error = EngineError(f"the database refuses to go on: {str(error).splitlines()[0]}")
        self._failure = self._failure or error
        self._stopping.set()
        self._stop_now.set()

    # -- serve --------------------------------------------------------------------------------

    async def _lease_loop(self) -> None:
        """Keep the lease, say at once what this one does, and recover the steps of the dead."""
        lease = self.config.steps.lease
        while True:
            self._state_changed.clear()
            recovered = await self.housekeeping.run(lambda s: s.heartbeat(lease, self.state))
            self.heartbeat_ns = time.monotonic_ns()
            if recovered:
                log.warning("recovered steps of a dead supervisor", steps=recovered)
            with suppress(TimeoutError):
                async with asyncio.timeout(lease / 3):
                    await self._state_changed.wait()

    async def _poll_loop(self) -> None:
        """Look into every queue now and then, as the mode wants it."""
        mode, interval = self.config.worker.mode, self.config.worker.poll_interval
        while True:
            covered = mode != "polling" and self.announcements.listening
            await asyncio.sleep(max(interval, _CALM_POLL) if covered else interval)
            if mode != "event_driven" or not self.announcements.listening:
                self._poll()

    async def _child_loop(self) -> None:
        """Reap what handlers left behind (a subreaper inherits orphans); watch workers' sizes."""
        while True:
            await asyncio.sleep(_CHILD_CHECK)
            self.fleet.reap_orphans(self.web.pid if self.web else None)
            self.fleet.check_sizes()

    def _poll(self) -> None:
        self.pipeline.note_work()

    def resume(self) -> None:
        self._enter("running", claims=True)
        self._poll()

    def pause(self) -> None:
        self._enter("paused", claims=False)

    def _enter(self, state: State, *, claims: bool) -> None:
        self.state, self.pipeline.open = state, claims
        self._state_changed.set()
        self.clock.write()  # who is told of it, ready or paused, finds the page saying so

    @property
    def database_answers(self) -> bool:
        """Whether what it last said of the queues still counts."""
        return self.housekeeping.trouble is None and self.housekeeping.connected

    # -- leave --------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Give back what no worker has, let the workers finish the rest, commit it."""
        self._enter("draining", claims=False)
        log.info("draining", in_flight=self.pipeline.inflight.held)
        draining = asyncio.create_task(self._settle_all())
        told_to_stop = asyncio.create_task(self._stop_now.wait())
        await asyncio.wait(
            (draining, told_to_stop),
            timeout=self.config.worker.drain_timeout,
            return_when=asyncio.FIRST_COMPLETED,
        )
        await end([draining, told_to_stop])

    async def _settle_all(self) -> None:
        """Until nothing is held, waiting for a database that is away as well."""
        while self.pipeline.inflight.held:
            # Each time: what waited behind a slow step comes back from its worker only by and by.
            if unsent := self.pipeline.withdraw():
                await self._give_back(unsent)
            await asyncio.sleep(0.01)

    async def _give_back(self, unsent: Sequence[Entry]) -> None:
        """They are held until the database has them again."""
        steps = [(entry.task, entry.step_no) for entry in unsent]
        await self.housekeeping.run(lambda s: s.give_back(steps, "its supervisor drained"))
        self.pipeline.inflight.release(unsent)

    async def _shut_down(self) -> None:
        self.state, self.pipeline.open = "stopped", False
        await self._control.stop()
        self.census.stop()
        await end(self._tasks)
        if self.web is not None:
            self.web.stop()
        await self.fleet.stop(0 if self._stop_now.is_set() else 1.0)
        await self.announcer.stop()
        clean = await self._leave() if self._holds_lock else False
        if self._ticking is not None:
            await end([self._ticking])
        self.clock.close()
        if self._holds_lock:
            self._runtime.release(clean=clean)

    async def _leave(self) -> bool:
        """Give back what is still held; False where the database is away, and the lease must tell.

        On a connection of its own: the others may have been cut off in the middle of something.
        """
        for session in self.sessions:
            await session.close()
        leaving = self._session()
        try:
            async with asyncio.timeout(_LEAVE_LIMIT):
                await leaving.open()
                await leaving.run(lambda s: s.recover_owner())
        except (TimeoutError, EngineError, psycopg.Error) as error:
            log.warning("left without giving back what was held", error=str(error))
            return False
        finally:
            await leaving.close()
        return True

    # -- parts --------------------------------------------------------------------------------

    def _session(self, *, synchronous_commit: bool = True) -> Session:
        timeout = self.config.database.statement_timeout
        return Session(
            lambda: connect_async(self._dsn, statement_timeout=timeout, owner=self.uuid),
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
            log_format=config.logging.format,
            async_concurrency=config.worker.async_concurrency,
            thread_concurrency=config.worker.thread_concurrency,
            timeout=config.steps.timeout,
        )
