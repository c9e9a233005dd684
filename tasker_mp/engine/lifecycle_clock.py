"""Looks now and then for tasks that have outlived a limit of their template's lifecycle."""

import asyncio

import structlog

from tasker_mp.db.session import Session

log = structlog.get_logger("tasker_mp.lifecycle")

_INTERVAL = 10.0
"""Seconds between looks; the limits are minutes."""
_BATCH = 500
"""Tasks in one look: a heartbeat waits behind it on the same connection."""


class LifecycleClock:
    """Has the database enforce the limits; which supervisor asks makes no difference."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def run(self) -> None:
        while True:
            looked, failed, dead = await self._session.run(lambda s: s.enforce_lifecycles(_BATCH))
            if failed or dead:
                log.warning("tasks have outlived their lifecycle", failed=failed, dead_letters=dead)
            if looked < _BATCH:
                await asyncio.sleep(_INTERVAL)
