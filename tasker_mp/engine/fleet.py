"""The workers: watches them, replaces those that die, keeps what they run within its limits."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psutil
import structlog

from tasker_mp import process
from tasker_mp.engine.cancellation import end
from tasker_mp.engine.joint_watch import JointWatch
from tasker_mp.engine.nursery import Nursery
from tasker_mp.engine.watchdog import TICK, Overdue, Watchdog
from tasker_mp.engine.worker_process import Condemned, WorkerProcess
from tasker_mp.engine.workers_in_hand import STACK_SECONDS, WorkersInHand
from tasker_mp.engine.zygote_process import exit_reason
from tasker_mp.errors import EngineError, TransportError
from tasker_mp.histogram import Histogram
from tasker_mp.inflight import Entry
from tasker_mp.transport.interface import Record
from tasker_mp.worker.settings import WorkerSettings

log = structlog.get_logger("tasker_mp.fleet")

_YOUNG_DEATHS_LIMIT = 5
_KILL_LIMIT = 5.0
_READY_CHECK = 0.002
_KILLED = exit_reason(-signal.SIGKILL)


class Death(NamedTuple):
    """What a worker left: its last results, the step it died over, the steps it never started."""

    worker: WorkerProcess
    reason: str
    records: list[Record]
    started: list[Entry]
    unstarted: list[Entry]
    condemned: Condemned | None = None
    stack: str = ""
    suspects: Sequence[Entry] = ()
    """Of those that go elsewhere: one of them may have brought it down."""


class Listener(NamedTuple):
    """Who is told, from the event loop: results, deaths, steps taken back from a slow worker, room
    in some worker, the end of the fleet."""

    on_results: Callable[[list[Record]], None]
    on_revoked: Callable[[list[Entry]], None]
    on_death: Callable[[Death], None]
    on_room: Callable[[], None]
    on_failure: Callable[[BaseException], None]


class Limits(NamedTuple):
    """How many events a worker may hold, how long a step may run where its template does not say
    (seconds), and when a worker is replaced between steps (0: never)."""

    depth: int
    timeout: float
    steps: int = 0
    rss_bytes: int = 0


class Fleet:
    """`workers` by index; an index keeps its number over its incarnations."""

    def __init__(
        self,
        settings: WorkerSettings,
        count: int,
        limits: Limits,
        listener: Listener,
    ) -> None:
        self.count = count
        self._limits = limits
        self._listener = listener
        self._nursery = Nursery(settings, self._on_zygote_death)
        self._repairs: set[asyncio.Task[None]] = set()
        self._young_deaths = 0
        self._watchdog = Watchdog(limits.timeout)
        self._joint_watch = JointWatch(limits.timeout)
        self._stopping = False
        self._failure: Exception | None = None
        self._oom_kills = process.oom_kills()
        self._buried = asyncio.Event()
        self.workers: dict[int, WorkerProcess] = {}
        self.in_hand = WorkersInHand(self.workers, count)
        self.restarts: dict[int, int] = {}
        self.last_exits: dict[int, str] = {}
        self.lag = Histogram()
        """How late the loop wakes up, seen at every look at the workers."""

    @property
    def registered_handlers(self) -> int:
        return self._nursery.registered_handlers

    @property
    def problems(self) -> list[str]:
        """The handlers that cannot be used, and why."""
        return self._nursery.problems

    @property
    def subscribers(self) -> list[str]:
        """The modules with the project's subscribers."""
        return self._nursery.subscribers

    @property
    def zygote_pid(self) -> int | None:
        return self._nursery.zygote_pid

    # -- starting -----------------------------------------------------------------------------

    async def start(self) -> None:
        """The zygote, then all workers; `EngineError` with the reason where they cannot be had."""
        for index in range(self.count):
            self._adopt(await self._nursery.fork_again(index, self._limits.depth))
        while not self._all_ready():
            if self._failure is not None:
                raise self._failure
            await asyncio.sleep(_READY_CHECK)

    def _all_ready(self) -> bool:
        return len(self.workers) == self.count and all(w.page.ready for w in self.workers.values())

    def _adopt(self, worker: WorkerProcess) -> None:
        self.workers[worker.index] = worker
        loop = asyncio.get_running_loop()
        loop.add_reader(worker.results.fileno(), self._on_results, worker)
        loop.add_reader(worker.pidfd, self._on_death, worker)
        worker.follow_output()

    # -- watching -----------------------------------------------------------------------------

    def _on_results(self, worker: WorkerProcess) -> None:
        with self._distrusting(worker):
            self._listener.on_results(worker.drain())
        if self._limits.steps and worker.processed >= self._limits.steps:
            self._recycle(worker)

    @contextmanager
    def _distrusting(self, worker: WorkerProcess) -> Iterator[None]:
        """Kill a worker whose shared memory or sockets do not make sense any more."""
        try:
            yield
        except TransportError as error:
            log.error("worker cannot be trusted: killed", pid=worker.pid, error=str(error))
            loop = asyncio.get_running_loop()
            loop.remove_reader(worker.results.fileno())
            loop.remove_reader(worker.credit_fileno())
            worker.kill()

    def _on_death(self, worker: WorkerProcess) -> None:
        """The kernel says that a worker is dead: settle what it had, start another."""
        self._unwatch(worker)
        death = self._bury(worker)
        self._buried.set()
        if self._stopping:
            self._listener.on_results(death.records)
            return
        self._listener.on_death(death)
        if self._young_deaths >= _YOUNG_DEATHS_LIMIT:
            self._fail(
                EngineError(
                    f"{self._young_deaths} workers in a row died before they could serve "
                    f"({death.reason}); what they said is in the log above"
                )
            )
        else:
            self._repair(self._respawn(worker.index))

    def _bury(self, worker: WorkerProcess) -> Death:
        """In this order: reap, one final drain (what it published before it died counts), and only
        then blame. What its handlers forked dies with it, before another attempt begins."""
        worker.kill()
        reason = self._explained(worker.reap())
        records = _last_words(worker)
        blame, others = worker.split_outstanding()
        for suspect in blame.suspects:
            suspect.suspected += 1
        self._young_deaths = 0 if worker.page.ready else self._young_deaths + 1
        self.last_exits[worker.index] = reason
        self.restarts[worker.index] = self.restarts.get(worker.index, 0) + 1
        del self.workers[worker.index]
        charged = [blame.charged] if blame.charged else []
        condemned, stack = worker.condemned, worker.stack()
        death = Death(worker, reason, records, charged, others, condemned, stack, blame.suspects)
        worker.close()
        return death

    def _explained(self, reason: str) -> str:
        """What the kernel counts may be another process's death, but hardly at the same moment."""
        before, self._oom_kills = self._oom_kills, process.oom_kills()
        if reason == _KILLED and self._oom_kills > before:
            return f"{reason} by the kernel: out of memory"
        return reason

    def _on_zygote_death(self) -> None:
        if not self._stopping:
            self._repair(self._nursery.revive())

    def dispatched(self) -> None:
        """Wait for room where events did not fit: a worker that only skips revoked events gives
        no other sign that it has any."""
        loop = asyncio.get_running_loop()
        for worker in self.workers.values():
            if worker.stalled or worker.lacks_room:
                loop.add_reader(worker.credit_fileno(), self._on_credit, worker)

    def _on_credit(self, worker: WorkerProcess) -> None:
        with self._distrusting(worker):
            worker.reclaim()
        if not worker.stalled:
            asyncio.get_running_loop().remove_reader(worker.credit_fileno())
        self._listener.on_room()

    async def watch(self) -> None:
        """Enforce deadlines, and let nothing wait behind a slow step; for ever."""
        while True:
            due = time.monotonic() + TICK
            await asyncio.sleep(TICK)
            self.lag.add(int((time.monotonic() - due) * 1e6))
            if any(w.request_fill or w.stuck or w.exiting for w in self.workers.values()):
                self._look(time.monotonic())

    def _look(self, now: float) -> None:
        workers = list(self.workers.values())
        stuck = [worker for worker in workers if worker.stuck]
        plain = self._watchdog.look(workers, now)
        for overdue in [*plain, *self._joint_watch.look(workers, now)]:
            self._condemn(overdue)
        for worker in workers:
            if worker.stuck and (entries := worker.revoke()):
                self._listener.on_revoked(entries)
        if not all(worker.stuck for worker in stuck):
            self._listener.on_room()  # one that has skipped all it was sent says so by nothing else

    def _condemn(self, overdue: Overdue) -> None:
        """Have the worker write its stack, and kill it a moment later."""
        worker, entry, run, limit, turn, why = overdue
        if worker.condemned:
            return
        if entry is None:
            log.error("worker silent between steps: killed", pid=worker.pid, seconds=run)
            worker.kill()
            return
        log.warning("deadline passed", step=entry.name, pid=worker.pid, limit=limit)
        worker.condemn(Condemned(entry, run, limit, rss_of(worker), turn, why))
        asyncio.get_running_loop().call_later(STACK_SECONDS, self._execute, worker)

    def _execute(self, worker: WorkerProcess) -> None:
        if self.workers.get(worker.index) is worker:
            worker.execute()

    def _recycle(self, worker: WorkerProcess) -> None:
        """Replace a worker once it has finished what it was sent; it gets nothing more."""
        if not worker.exiting:
            log.info("worker recycled", pid=worker.pid, processed=worker.processed)
            worker.ask_to_exit()

    def check_sizes(self) -> None:
        """Recycle the workers that have grown above the limit."""
        if self._limits.rss_bytes:
            for worker in list(self.workers.values()):
                if rss_of(worker) > self._limits.rss_bytes:
                    self._recycle(worker)

    # -- repairing ----------------------------------------------------------------------------

    def _repair(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(work), name=getattr(work, "__qualname__", None))
        self._repairs.add(task)
        task.add_done_callback(self._repairs.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self._listener.on_failure(error)

    async def _respawn(self, index: int) -> None:
        """A new incarnation."""
        self._adopt(await self._nursery.fork_again(index, self._limits.depth))
        self._listener.on_room()

    def reap_orphans(self, *others: int | None) -> int:
        """Reap dead children that are nobody here: what a worker's handler forked and left.

        `others` are children that somebody else waits for.
        """
        if self._nursery.busy:
            return 0  # a worker just forked is nobody yet
        known = {
            self._nursery.zygote_pid,
            *others,
            *(worker.pid for worker in self.workers.values()),
        }
        reaped = 0
        while (child := _dead_child()) and child not in known:
            os.waitpid(child, 0)
            reaped += 1
        return reaped

    # -- stopping -----------------------------------------------------------------------------

    async def stop(self, limit: float) -> None:
        """Let the workers finish what they were sent, at most `limit` seconds, then kill.

        They stay watched until they are dead: one may wait for room for its last results.
        """
        self._stopping = True
        await end(list(self._repairs))
        for worker in self.workers.values():
            worker.ask_to_exit()
        self.dispatched()
        await self._all_dead(limit)
        for worker in self.workers.values():
            worker.kill()
        await self._all_dead(_KILL_LIMIT)
        self._nursery.close()

    async def _all_dead(self, limit: float) -> None:
        deadline = time.monotonic() + limit
        while self.workers and (left := deadline - time.monotonic()) > 0:
            self._buried.clear()
            try:
                async with asyncio.timeout(left):
                    await self._buried.wait()
            except TimeoutError:
                return

    def _unwatch(self, worker: WorkerProcess) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(worker.results.fileno())
        loop.remove_reader(worker.pidfd)
        loop.remove_reader(worker.credit_fileno())


def _last_words(worker: WorkerProcess) -> list[Record]:
    """What a dead worker had published; nothing where its memory cannot be trusted."""
    try:
        return worker.drain()
    except TransportError as error:
        log.error("last results of a dead worker dropped", pid=worker.pid, error=str(error))
        return []


def rss_of(worker: WorkerProcess) -> int:
    try:
        return int(worker.usage.memory_info().rss)
    except psutil.Error:
        return 0


def _dead_child() -> int | None:
    """The pid of some dead child, left unreaped."""
    try:
        status = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return status.si_pid if status else None
