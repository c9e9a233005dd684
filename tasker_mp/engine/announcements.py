"""Listens for queues that have work: the event-driven half of claiming."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import psycopg
import structlog

from tasker_mp.db.connect import connect_async
from tasker_mp.db.patience import Patience
from tasker_mp.errors import EngineError

log = structlog.get_logger("tasker_mp.announcements")


class Announcements:
    """A connection that does nothing but listen; `listening` says whether it can be relied on."""

    def __init__(self, dsn: str, owner: UUID) -> None:
        self._dsn = dsn
        self._owner = owner
        self.listening = False

    async def follow(
        self, on_work: Callable[[str], None], on_connected: Callable[[], None]
    ) -> None:
        """Call `on_work(queue)` for each announcement, for ever.

        `on_connected()` after each (re)connection: something may have been said while nobody
        listened.
        """
        patience = Patience()
        while True:
            try:
                async with await connect_async(self._dsn, owner=self._owner) as connection:
                    await connection.execute("listen tasker_ready")
                    self.listening, patience = True, Patience()
                    on_connected()
                    async for notice in connection.notifies():
                        on_work(notice.payload)
            except (OSError, EngineError, psycopg.Error) as error:
                log.warning("listen connection lost", error=str(error).strip())
            self.listening = False
            await asyncio.sleep(patience.delay())
