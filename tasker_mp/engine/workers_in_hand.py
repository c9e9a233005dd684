"""What an operator may do to single workers: kill one, see what it is at, make all say more."""

import asyncio
import time
from collections.abc import Mapping

import structlog

from tasker_mp import logs
from tasker_mp.engine.worker_process import WorkerProcess
from tasker_mp.errors import EngineError

log = structlog.get_logger("tasker_mp.fleet")

STACK_SECONDS = 0.03
"""In which a worker that is asked for its stack has written it."""

_STACK_LIMIT = 1.0


class WorkersInHand:
    """`workers` by index, as the fleet has them; there are `count` indices."""

    def __init__(self, workers: Mapping[int, WorkerProcess], count: int) -> None:
        self._workers = workers
        self._count = count

    def kill_worker(self, index: int) -> int:
        """Kill it, whatever it runs; the pid. `EngineError` where there is none."""
        worker = self._worker(index)
        log.warning("worker killed by an operator", worker=index, pid=worker.pid)
        worker.kill()
        return worker.pid

    async def stack_of(self, index: int) -> str:
        """The Python stacks of all its threads; `EngineError` where it cannot write them."""
        worker = self._worker(index)
        if not worker.page.ready:
            raise EngineError(f"worker {index} is starting: it has no stack yet")
        if worker.condemned is None:  # else it writes one already
            worker.ask_for_stack()
        limit, text, before = time.monotonic() + _STACK_LIMIT, "", None
        while self._workers.get(index) is worker and time.monotonic() < limit:
            await asyncio.sleep(STACK_SECONDS)
            before, text = text, worker.stack()
            if text and text == before:
                return text
        raise EngineError(f"worker {index} (pid {worker.pid}) wrote no stack: is it stopped?")

    def tell_log_level(self) -> None:
        """Have every worker log what this process logs, from its next step on."""
        for worker in self._workers.values():
            worker.page.set_severity(logs.severity())

    def _worker(self, index: int) -> WorkerProcess:
        if worker := self._workers.get(index):
            return worker
        if 0 <= index < self._count:
            raise EngineError(f"worker {index} is dead: another one is being started")
        raise EngineError(f"there is no worker {index}: they are 0 to {self._count - 1}")
