"""A worker's status page: a few 8-byte counters that it stores and the supervisor reads."""

import mmap
import os
from typing import Final

PAGE_BYTES: Final = 4096

# Slots, in units of 8 bytes. Each has one writer, the worker, and is stored in one aligned store,
# so a reader sees an old value or a new one and never a torn one.
_STARTED: Final = 0  # events of this incarnation that have entered a handler
_FINISHED: Final = 1  # events whose result has been written to the result ring
_BUSY_SINCE: Final = 2  # monotonic nanoseconds when the running step started; 0 while idle
_READY: Final = 3  # 1 once the worker waits for its first event


def create_page() -> int:
    """The descriptor of a fresh, zeroed page without a name."""
    fd = os.memfd_create("tasker-mp-worker-page", os.MFD_CLOEXEC)
    os.posix_fallocate(fd, 0, PAGE_BYTES)
    return fd


class WorkerPage:
    """The page mapped into this process; only the worker itself maps it writable."""

    def __init__(self, fd: int, *, writable: bool = False) -> None:
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        self._map = mmap.mmap(fd, PAGE_BYTES, mmap.MAP_SHARED, protection)
        self._slots = memoryview(self._map).cast("Q")

    def mark_ready(self) -> None:
        self._slots[_READY] = 1

    def mark_started(self, count: int, now_ns: int) -> None:
        self._slots[_BUSY_SINCE] = now_ns
        self._slots[_STARTED] = count

    def mark_finished(self, count: int) -> None:
        self._slots[_FINISHED] = count
        self._slots[_BUSY_SINCE] = 0

    @property
    def ready(self) -> bool:
        return self._slots[_READY] == 1

    @property
    def started(self) -> int:
        return self._slots[_STARTED]

    @property
    def finished(self) -> int:
        return self._slots[_FINISHED]

    @property
    def busy_since_ns(self) -> int:
        return self._slots[_BUSY_SINCE]

    def close(self) -> None:
        self._slots.release()
        self._map.close()
