"""Asks the database, rarely, what waits in the queues and how its tables are."""

import asyncio
import time
from collections.abc import Callable, Sequence

from tasker_mp.db.session import Session
from tasker_mp.db.store import Store, TableHealth

_BUSY_SECONDS = 1.0
_QUIET_SECONDS = 5.0
"""Between counts of the queues while steps flow and while none do: 0.2 queries a second."""
_TABLES_SECONDS = 30.0
_SHARE = 100
"""A count takes no more than this part of the time: that of a million messages is not cheap."""


class Depth:
    """What waits in a namespace's queues, of all priorities."""

    def __init__(self) -> None:
        self.queued = 0
        self.oldest_ms = 0.0


class Census:
    """`depths` by namespace, `tables`: as the database said last; None while it has not."""

    def __init__(self, session: Session, queues: Sequence[str], flow: Callable[[], int]) -> None:
        self._session = session
        self._queues = list(queues)
        self._flow = flow
        self._question: asyncio.Task[None] | None = None
        self.depths: dict[str, Depth] | None = None
        self.tables: TableHealth | None = None

    async def run(self) -> None:
        """For ever; `flow` is a number that moves while steps do."""
        tables_due = 0.0
        while True:
            flow, started = self._flow(), time.monotonic()
            await self.ask()
            took = time.monotonic() - started
            if time.monotonic() >= tables_due:
                self.tables = await self._session.run(Store.table_health)
                tables_due = time.monotonic() + _TABLES_SECONDS
            await self._pause(flow, took)

    async def _pause(self, flow: int, took: float) -> None:
        """The quiet interval, cut short where steps begin to flow."""
        least = max(_BUSY_SECONDS, took * _SHARE)
        await asyncio.sleep(least)
        ends = time.monotonic() + _QUIET_SECONDS - least
        while self._flow() == flow and time.monotonic() < ends:
            await asyncio.sleep(_BUSY_SECONDS)

    async def ask(self) -> None:
        """Count the queues now; those who ask at the same time share the answer."""
        if self._question is None or self._question.done():
            self._question = asyncio.create_task(self._count())
        await asyncio.shield(self._question)

    async def _count(self) -> None:
        rows = await self._session.run(lambda s: s.queue_depths(self._queues))
        depths: dict[str, Depth] = {}
        for queue, count, age in rows:
            depth = depths.setdefault(_namespace(queue), Depth())
            depth.queued += count
            depth.oldest_ms = max(depth.oldest_ms, age)
        self.depths = depths

    def stop(self) -> None:
        if self._question is not None:
            self._question.cancel()


def _namespace(queue: str) -> str:
    return queue.removeprefix("worker_").rpartition("_queue")[0]
