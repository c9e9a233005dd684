"""Enqueues retries when they are due: the next due time is known, so nothing polls."""

import asyncio
import math
import time
from collections.abc import Iterable

from tasker_mp.db.session import Session

_FALLBACK_SECONDS = 30.0
"""Another host may have put off a step that this one has not heard of."""


class RetryClock:
    """Sleeps until the earliest retry of which the database or this supervisor knows."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._earlier = asyncio.Event()
        self._next = 0.0

    def note(self, delays: Iterable[float]) -> None:
        """Steps were just put off by so many seconds."""
        earliest = time.monotonic() + min(delays, default=_FALLBACK_SECONDS)
        if earliest < self._next:
            self._next = earliest
            self._earlier.set()

    async def run(self) -> None:
        while True:
            self._next = math.inf  # what is noted while the query runs counts as well
            _, next_due = await self._session.run(lambda s: s.promote_due())
            wait = _FALLBACK_SECONDS if next_due is None else min(next_due, _FALLBACK_SECONDS)
            self._next = min(self._next, time.monotonic() + wait)
            while (left := self._next - time.monotonic()) > 0:
                self._earlier.clear()
                try:
                    async with asyncio.timeout(left):
                        await self._earlier.wait()
                except TimeoutError:
                    break
