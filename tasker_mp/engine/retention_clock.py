"""Deletes finished tasks that are older than the configuration wants them kept."""

import asyncio
import time

import structlog

from tasker_mp.db.prune import DAY, Pruned
from tasker_mp.db.session import Session

log = structlog.get_logger("tasker_mp.retention")

_INTERVAL = 600.0
"""Seconds between passes; the limit is days."""
_REST = 24.0
"""Seconds of rest for each of work: 4 % of one connection, still more than 1,000 tasks a second."""


class RetentionClock:
    """Passes over the old end of the tasks now and then, a batch at a time."""

    def __init__(self, session: Session, days: float) -> None:
        self._session = session
        self._seconds = days * DAY

    async def run(self) -> None:
        """Returns at once where everything is kept."""
        while self._seconds:
            pruned = await self._pass()
            if pruned.tasks:
                log.info("deleted tasks for their age", tasks=pruned.tasks, steps=pruned.steps)
            await asyncio.sleep(_INTERVAL)

    async def _pass(self) -> Pruned:
        total, last = Pruned(), None
        while True:
            started = time.monotonic()
            last, pruned = await self._batch(last)
            total += pruned
            if last is None:
                return total
            await asyncio.sleep(_REST * (time.monotonic() - started))

    async def _batch(self, after: bytes | None) -> tuple[bytes | None, Pruned]:
        return await self._session.run(lambda s: s.prune_tasks(after, self._seconds))
