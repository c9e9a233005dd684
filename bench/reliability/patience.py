"""Waiting for what another process does."""

import time
from collections.abc import Callable

from tasker_mp.errors import EngineError

_LIMIT = 60.0
_PAUSE = 0.002


def until(condition: Callable[[], bool], what: str, limit: float = _LIMIT) -> int:
    """When it was seen to hold, in monotonic nanoseconds; asked for every 2 ms."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise EngineError(f"not within {limit:g} s: {what}")
        time.sleep(_PAUSE)
    return time.monotonic_ns()
