"""Where workers come from: a zygote that is kept alive, and asked for one incarnation at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from tasker_mp.engine.wiring import Wiring
from tasker_mp.engine.worker_process import WorkerProcess
from tasker_mp.engine.zygote_process import ZygoteProcess
from tasker_mp.errors import EngineError
from tasker_mp.worker.settings import WorkerSettings

log = structlog.get_logger("tasker_mp.nursery")

_FORK_TRIES = 3

T = TypeVar("T")


class Nursery:
    """`on_zygote_death()` is called from the event loop; `revive` is the answer to it."""

    def __init__(self, settings: WorkerSettings, on_zygote_death: Callable[[], None]) -> None:
        self._settings = settings
        self._on_zygote_death = on_zygote_death
        self._zygote: ZygoteProcess | None = None
        self._lock = asyncio.Lock()
        self._epoch = 0
        self.registered_handlers = 0
        self.problems: list[str] = []
        self.subscribers: list[str] = []

    @property
    def busy(self) -> bool:
        """Whether there may be a worker that nobody knows of yet."""
        return self._lock.locked()

    @property
    def zygote_pid(self) -> int | None:
        return self._zygote.pid if self._zygote else None

    async def fork(self, index: int, depth: int) -> WorkerProcess:
        """A new incarnation of worker `index`, with rings of its own for `depth` events.

        `EngineError` where the zygote cannot load the handlers, or dies over the request.
        """
        async with self._lock:
            zygote = await self._live_zygote()
            self._epoch += 1
            wiring = Wiring(self._settings)
            try:
                request, fds = wiring.fork_request(index, self._epoch)
                forked = await zygote.fork(request, fds)
            except BaseException:
                wiring.close()
                self.close()
                raise
            return WorkerProcess(index, self._epoch, forked.pid, wiring, depth)

    async def fork_again(self, index: int, depth: int) -> WorkerProcess:
        """As `fork`, and a zygote that dies over it is replaced."""
        return await _persistently(lambda: self.fork(index, depth))

    async def revive(self) -> None:
        """Replace a dead zygote; the workers that it forked are not its children, and live on."""
        async with self._lock:
            await _persistently(self._live_zygote)

    def close(self) -> None:
        """End the zygote; a later `fork` starts another."""
        if self._zygote is not None:
            asyncio.get_running_loop().remove_reader(self._zygote.pidfd)
            self._zygote.kill()
            self._zygote.close()
            self._zygote = None

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
            self.subscribers = ready.subscribers
            asyncio.get_running_loop().add_reader(zygote.pidfd, self._bury_zygote)
        return self._zygote

    def _bury_zygote(self) -> None:
        assert self._zygote is not None
        log.warning("zygote died", pid=self._zygote.pid, reason=self._zygote.reap())
        self.close()
        self._on_zygote_death()


async def _persistently(work: Callable[[], Awaitable[T]]) -> T:
    """Once more where the zygote turns out to be dead, or dies over it; not for ever."""
    for _ in range(_FORK_TRIES - 1):
        try:
            return await work()
        except EngineError as error:
            log.warning("trying a new zygote", error=str(error))
    return await work()
