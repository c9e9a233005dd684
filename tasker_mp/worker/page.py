"""A worker's status page: a few 8-byte counters that it and the supervisor tell each other."""

import mmap
import os
from typing import Final

PAGE_BYTES: Final = 4096

# Slots, in units of 8 bytes. Each has one writer, and is stored in one aligned store, so a reader
# sees an old value or a new one and never a torn one. Events are numbered from 1, as dispatched.
_STARTED: Final = 0  # the latest event that has entered a handler
_FINISHED: Final = 1  # the latest event whose result has been published
_BUSY_SINCE: Final = 2  # monotonic nanoseconds when the running step started; 0 while idle
_READY: Final = 3  # 1 once the worker waits for its first event
_SKIPPED: Final = 4  # the latest event that it found revoked
_REVOKED: Final = 8  # by the supervisor, on a cache line of its own: skip events up to this one
_ADOPTED: Final = 9  # 1 once the supervisor watches this worker
_SEVERITY: Final = 10  # by the supervisor: log nothing below it; 0 as it was told at its start


def create_page() -> int:
    """The descriptor of a fresh, zeroed page without a name."""
    fd = os.memfd_create("tasker-mp-worker-page", os.MFD_CLOEXEC)
    os.posix_fallocate(fd, 0, PAGE_BYTES)
    return fd


class WorkerPage:
    """The page mapped into this process."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, PAGE_BYTES, mmap.MAP_SHARED)
        self._slots = memoryview(self._map).cast("Q")

    def mark_ready(self) -> None:
        self._slots[_READY] = 1

    def mark_started(self, number: int, now_ns: int) -> None:
        self._slots[_BUSY_SINCE] = now_ns
        self._slots[_STARTED] = number

    def mark_finished(self, number: int) -> None:
        self._slots[_FINISHED] = number
        self._slots[_BUSY_SINCE] = 0

    def mark_skipped(self, number: int) -> None:
        self._slots[_SKIPPED] = number

    @property
    def reached(self) -> int:
        """The latest event that it has come to, to run it or to skip it."""
        return max(self._slots[_STARTED], self._slots[_SKIPPED])

    def revoke(self, number: int) -> None:
        """Take back every event up to `number` that has not started; with the gate held."""
        self._slots[_REVOKED] = number

    def adopt(self) -> None:
        self._slots[_ADOPTED] = 1

    def set_severity(self, severity: int) -> None:
        self._slots[_SEVERITY] = severity

    @property
    def severity(self) -> int:
        return self._slots[_SEVERITY]

    @property
    def adopted(self) -> bool:
        return self._slots[_ADOPTED] == 1

    @property
    def revoked(self) -> int:
        return self._slots[_REVOKED]

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
