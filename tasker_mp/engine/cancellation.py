"""Ends tasks, whatever they wait for."""

import asyncio
from collections.abc import Collection
from typing import Any

import structlog

log = structlog.get_logger("tasker_mp.cancellation")

_AGAIN_SECONDS = 1.0


async def end(tasks: Collection["asyncio.Task[Any]"]) -> None:
    """Cancel them until all have ended; how they end is nobody's business any more.

    Again, for a cancellation can get lost: some waits (`asyncio.wait_for` of Python 3.11 is one)
    drop it where it comes at the same moment as what they waited for.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_SECONDS)
        if pending:
            log.warning("cancelled once more", tasks=sorted(task.get_name() for task in pending))
    await asyncio.gather(*tasks, return_exceptions=True)
