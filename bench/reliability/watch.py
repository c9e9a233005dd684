"""Tells when processes end, by the monotonic clock."""

import os
import selectors
import time

from tasker_mp.errors import EngineError


class Watch:
    """One selector over a pidfd for each process, which is readable from its death on.

    `file` is something else to wake up for.
    """

    def __init__(self, file: int | None = None) -> None:
        self._selector = selectors.DefaultSelector()
        self._pidfds: dict[int, int] = {}
        if file is not None:
            self._selector.register(file, selectors.EVENT_READ, None)

    def add(self, pid: int) -> bool:
        """False where it is gone already: the moment of its death is not known any more."""
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        self._pidfds[pid] = fd
        self._selector.register(fd, selectors.EVENT_READ, pid)
        return True

    def wait(self, limit: float) -> dict[int, int]:
        """When each process ended that has, in nanoseconds by pid; empty where something else woke
        us, or nothing did for `limit` seconds."""
        ready = self._selector.select(limit)
        now = time.monotonic_ns()
        dead = {key.data: now for key, _ in ready if key.data is not None}
        for pid in dead:
            self._forget(pid)
        return dead

    def wait_for_all(self, limit: float) -> dict[int, int]:
        """As `wait`, until every process has ended."""
        ends: dict[int, int] = {}
        deadline = time.monotonic() + limit
        while self._pidfds:
            if (left := deadline - time.monotonic()) <= 0:
                raise EngineError(f"still alive after {limit:g} s: {sorted(self._pidfds)}")
            ends |= self.wait(left)
        return ends

    def _forget(self, pid: int) -> None:
        fd = self._pidfds.pop(pid)
        self._selector.unregister(fd)
        os.close(fd)

    def close(self) -> None:
        for pid in list(self._pidfds):
            self._forget(pid)
        self._selector.close()

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
