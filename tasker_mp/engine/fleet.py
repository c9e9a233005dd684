"""The workers: starts them through the zygote, replaces those that die, sends the rest home."""

import asyncio
import os
from typing import NamedTuple

import structlog

from tasker_mp.engine.worker_process import Wiring, WorkerProcess
from tasker_mp.engine.zygote_process import ZygoteProcess
from tasker_mp.errors import EngineError
from tasker_mp.inflight import Entry
from tasker_mp.transport.interface import Record
from tasker_mp.worker.settings import WorkerSettings

log = structlog.get_logger("tasker_mp.fleet")

_YOUNG_DEATHS_LIMIT = 5


class Death(NamedTuple):
    """What a worker left: its last results, the step it died over, the steps it never started."""

    worker: WorkerProcess
    reason: str
    records: list[Record]
    started: list[Entry]
    unstarted: list[Entry]


class Fleet:
    """`workers` by index; an index keeps its number over its incarnations."""

    def __init__(self, settings: WorkerSettings, count: int, depth: int) -> None:
        self._settings = settings
        self.count = count
        self._depth = depth
        self._epoch = 0
        self._zygote: ZygoteProcess | None = None
        self._zygote_lock = asyncio.Lock()
        self._young_deaths = 0
        self.workers: dict[int, WorkerProcess] = {}
        self.restarts: dict[int, int] = {}
        self.last_exits: dict[int, str] = {}
        self.registered_handlers = 0
        self.problems: list[str] = []

    async def start(self) -> None:
        """The zygote, then all workers; `EngineError` with the reason where they cannot be had."""
        await self._live_zygote()
        for index in range(self.count):
            await self.spawn(index)

    async def spawn(self, index: int) -> WorkerProcess:
        """A new incarnation of worker `index`, with rings of its own."""
        async with self._zygote_lock:
            zygote = await self._live_zygote()
            self._epoch += 1
            wiring = Wiring(self._settings)
            try:
                request, fds = wiring.fork_request(index, self._epoch)
                forked = await zygote.fork(request, fds)
            except BaseException:
                wiring.close()
                self._discard_zygote()
                raise
            worker = WorkerProcess(index, self._epoch, forked.pid, wiring, self._depth)
        self.workers[index] = worker
        return worker

    async def _live_zygote(self) -> ZygoteProcess:
        if self._zygote is None:
            zygote = ZygoteProcess(self._settings)
            try:
                ready = await zygote.ready()
            except BaseException:
                zygote.kill()
                zygote.close()
                raise
            self._zygote = zygote
            self.registered_handlers = ready.registered
            self.problems = ready.problems
        return self._zygote

    def _discard_zygote(self) -> None:
        if self._zygote is not None:
            self._zygote.kill()
            self._zygote.close()
            self._zygote = None

    def zygote_pidfd(self) -> int | None:
        return self._zygote.pidfd if self._zygote else None

    async def revive_zygote(self) -> None:
        """Replace a dead zygote; the workers that it forked are the supervisor's and live on."""
        async with self._zygote_lock:
            if self._zygote is not None:
                log.warning("zygote died", pid=self._zygote.pid, reason=self._zygote.reap())
                self._discard_zygote()
            await self._live_zygote()

    def bury(self, worker: WorkerProcess) -> Death:
        """Settle a worker whose death the kernel has confirmed.

        In this order: reap, one final drain (what it published before it died counts), and only
        then blame. `EngineError` where worker after worker dies before it does anything.
        """
        reason = worker.reap()
        records = worker.drain()
        started, unstarted = worker.split_outstanding()
        self._judge_youth(worker, reason)
        self.last_exits[worker.index] = reason
        self.restarts[worker.index] = self.restarts.get(worker.index, 0) + 1
        if self.workers.get(worker.index) is worker:
            del self.workers[worker.index]
        worker.close()
        return Death(worker, reason, records, started, unstarted)

    def _judge_youth(self, worker: WorkerProcess, reason: str) -> None:
        booted = worker.page.ready
        self._young_deaths = 0 if booted else self._young_deaths + 1
        if self._young_deaths >= _YOUNG_DEATHS_LIMIT:
            raise EngineError(
                f"{self._young_deaths} workers in a row died before their first step ({reason}): "
                "see the log above for what they said"
            )

    def reap_orphans(self) -> int:
        """Reap dead children that are nobody here: what a worker's handler forked and left."""
        if self._zygote_lock.locked():
            return 0  # a worker just forked is nobody yet
        known = {worker.pid for worker in self.workers.values()}
        if self._zygote is not None:
            known.add(self._zygote.pid)
        reaped = 0
        while (child := _dead_child()) and child not in known:
            os.waitpid(child, 0)
            reaped += 1
        return reaped

    async def stop(self, limit: float) -> None:
        """Let the workers finish what they were sent, at most `limit` seconds, then kill."""
        for worker in self.workers.values():
            worker.ask_to_exit()
        deadline = asyncio.get_running_loop().time() + limit
        for worker in list(self.workers.values()):
            await _exited(worker, deadline)
            worker.kill()
            worker.reap()
            worker.close()
        self.workers.clear()
        if self._zygote is not None:
            self._zygote.close()
            self._zygote = None


async def _exited(worker: WorkerProcess, deadline: float) -> None:
    """Wait until the kernel says that the worker is dead, or the deadline is there."""
    loop = asyncio.get_running_loop()
    dead = loop.create_future()

    def note() -> None:
        if not dead.done():
            dead.set_result(None)

    loop.add_reader(worker.pidfd, note)
    try:
        await asyncio.wait_for(dead, max(0.0, deadline - loop.time()))
    except TimeoutError:
        pass
    finally:
        loop.remove_reader(worker.pidfd)


def _dead_child() -> int | None:
    """The pid of some dead child, left unreaped."""
    try:
        status = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return status.si_pid if status else None
