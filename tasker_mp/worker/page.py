"""A worker's status page: a few 8-byte counters that it and the supervisor tell each other."""

import mmap
import os
from typing import Final, Literal, NamedTuple, TypeAlias

PAGE_BYTES: Final = 8192

# Slots, in units of 8 bytes. Each has one writer, and is stored in one aligned store, so a reader
# sees an old value or a new one and never a torn one. Events are numbered from 1, as dispatched.
_STARTED: Final = 0  # the latest event that has entered a handler
_FINISHED: Final = 1  # every event up to it has its result published, or is in the table
_BUSY_SINCE: Final = 2  # monotonic nanoseconds when the running step started; 0 while idle
_READY: Final = 3  # 1 once the worker waits for its first event
_SKIPPED: Final = 4  # the latest event that it found revoked
_HOLDER: Final = 5  # the event whose code the event loop is in at this moment; 0: none
_HELD_SINCE: Final = 6  # monotonic nanoseconds when it got there
_PLACES: Final = 7  # so many places of the table have ever been used
_REVOKED: Final = 8  # by the supervisor, on a cache line of its own: skip events up to this one
_ADOPTED: Final = 9  # 1 once the supervisor watches this worker
_SEVERITY: Final = 10  # by the supervisor: log nothing below it; 0 as it was told at its start
_KEPT: Final = 16  # by the worker: the latest event that it keeps until its coroutines have ended

# The table of what runs beside other events, from its start until its result is published; a place
# is two slots: since when (monotonic nanoseconds), and the event's number with its kind below it.
_TABLE: Final = 18
PLACES: Final = (PAGE_BYTES // 8 - _TABLE) // 2
_KIND_BITS: Final = 1

Kind: TypeAlias = Literal["coroutine", "thread"]
_KINDS: Final[tuple[Kind, Kind]] = ("coroutine", "thread")


class Joined(NamedTuple):
    """An event that runs beside others; since when, by CLOCK_MONOTONIC."""

    number: int
    kind: Kind
    since_ns: int


class Turn(NamedTuple):
    """The event whose code the event loop is in, and since when; equal turns are the same one."""

    number: int
    since_ns: int


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

    # -- by the worker ------------------------------------------------------------------------

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

    def mark_kept(self, number: int) -> None:
        self._slots[_KEPT] = number

    def join(self, place: int, event: Joined) -> None:
        """Move the event that has just started into the table: at no moment is it nowhere."""
        at = _TABLE + 2 * place
        self._slots[at] = event.since_ns
        self._slots[at + 1] = event.number << _KIND_BITS | _KINDS.index(event.kind)
        if place >= self._slots[_PLACES]:
            self._slots[_PLACES] = place + 1
        self._slots[_FINISHED] = event.number
        self._slots[_BUSY_SINCE] = 0

    def leave(self, place: int) -> None:
        """Free a place whose event's result is published."""
        self._slots[_TABLE + 2 * place + 1] = 0

    def hold(self, number: int, now_ns: int) -> None:
        """From now on the event loop is in the code of this event."""
        self._slots[_HELD_SINCE] = now_ns
        self._slots[_HOLDER] = number

    def let_go(self) -> None:
        self._slots[_HOLDER] = 0

    # -- by the supervisor --------------------------------------------------------------------

    def revoke(self, number: int) -> None:
        """Take back every event up to `number` that has not started; with the gate held."""
        self._slots[_REVOKED] = number

    def adopt(self) -> None:
        self._slots[_ADOPTED] = 1

    def set_severity(self, severity: int) -> None:
        self._slots[_SEVERITY] = severity

    # -- for both -----------------------------------------------------------------------------

    @property
    def reached(self) -> int:
        """The latest event that it has come to, to run it or to skip it."""
        return max(self._slots[_STARTED], self._slots[_SKIPPED])

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
    def kept(self) -> int:
        """The latest event that did not start because others ran beside each other."""
        return self._slots[_KEPT]

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
        """When the step that has run for longest started; 0 while none runs."""
        since = self._slots[_BUSY_SINCE]
        if not self._slots[_PLACES]:
            return since
        all_since = [event.since_ns for event in self.joined().values()]
        return min([*all_since, since] if since else all_since, default=0)

    def joined(self) -> dict[int, Joined]:
        """What is in the table, by number."""
        found = {}
        for at in range(_TABLE, _TABLE + 2 * self._slots[_PLACES], 2):
            word = self._slots[at + 1]
            since = self._slots[at]
            # The same word again: it is not the next event's time.
            if word and word == self._slots[at + 1]:
                number = word >> _KIND_BITS
                found[number] = Joined(number, _KINDS[word & (1 << _KIND_BITS) - 1], since)
        return found

    @property
    def turn(self) -> Turn | None:
        """Whose code the event loop is in now; None for nobody's."""
        number = self._slots[_HOLDER]
        since = self._slots[_HELD_SINCE]
        return Turn(number, since) if number and number == self._slots[_HOLDER] else None

    def close(self) -> None:
        self._slots.release()
        self._map.close()
