"""The ring between two processes: a sealed memfd, two eventfds, and a socket for what is oversize.

    writer ── store ──► memfd ── copy ──► reader
           ── published: number of records (eventfd) ──►
           ◄── credit: units of 32 bytes (eventfd) ──
           ── oversize payloads: memfds of their own (socket) ──►

Publication is a system call, so a release on one side and an acquire on the other on every
processor, and the count it carries says how many records are complete.
"""

import fcntl
import mmap
import os
import socket
from collections.abc import Sequence
from contextlib import ExitStack

from tasker_mp.errors import PayloadTooLargeError, TransportError
from tasker_mp.ring import layout
from tasker_mp.ring.layout import ALIGNMENT, SPILL
from tasker_mp.ring.reader import Record, RingReader
from tasker_mp.ring.writer import RingWriter
from tasker_mp.transport.descriptors import duplicate, own
from tasker_mp.transport.interface import End
from tasker_mp.transport.spill import SpillReceiver, SpillSender

_SEAL_FUTURE_WRITE = 0x10  # Linux 5.1; `fcntl` has no name for it


class MemoryWriter:
    """The sending end of a ring; takes over the descriptors of `fds`."""

    def __init__(self, fds: Sequence[int], capacity_bytes: int, max_payload_bytes: int) -> None:
        memfd, published, credit, spills = fds
        with ExitStack() as closing:
            channel = _take(closing, published, credit, spills)
            view = _map(memfd, capacity_bytes, mmap.PROT_READ | mmap.PROT_WRITE, closing)
            self._closing = closing.pop_all()
        self._published, self._credit = published, credit
        self._ring = RingWriter(view)
        self._spills = SpillSender(channel, max_payload_bytes)
        self._inline = min(layout.inline_limit(capacity_bytes), max_payload_bytes)
        self._limit = max_payload_bytes

    def put(self, event_id: bytes, payload: bytes) -> bool:
        if len(payload) > self._inline:
            return self._spill(event_id, payload)
        return self._ring.put(event_id, payload)

    def publish(self) -> int:
        count = self._ring.store()
        if count:
            os.eventfd_write(self._published, count)
        return count

    @property
    def stalled(self) -> bool:
        return False

    def reclaim(self) -> None:
        try:
            units = os.eventfd_read(self._credit)
        except BlockingIOError:
            return
        self._ring.credit(units)
        self._spills.consumed(self._ring.consumed)

    def credit_fileno(self) -> int:
        return self._credit

    def close(self) -> None:
        self._closing.close()

    def _spill(self, event_id: bytes, payload: bytes) -> bool:
        if len(payload) > self._limit:
            raise PayloadTooLargeError(
                f"a payload of {len(payload)} bytes is above ring.max_payload_bytes ({self._limit})"
            )
        layout.check_event_id(event_id)
        if not self._ring.fits(layout.SPILL_BODY.size):
            return False
        body = self._spills.send(payload)
        if body is None:
            return False
        self._ring.put(event_id, body, SPILL)
        self._spills.announced(self._ring.produced, len(payload))
        return True


class MemoryReader:
    """The receiving end of a ring; takes over the descriptors of `fds`."""

    def __init__(self, fds: Sequence[int], capacity_bytes: int, max_payload_bytes: int) -> None:
        memfd, published, credit, spills = fds
        with ExitStack() as closing:
            channel = _take(closing, published, credit, spills)
            view = _map(memfd, capacity_bytes, mmap.PROT_READ, closing)
            self._closing = closing.pop_all()
        self._published, self._credit = published, credit
        self._ring = RingReader(view)
        self._spills = SpillReceiver(channel, max_payload_bytes)
        self._failure: TransportError | None = None

    def fileno(self) -> int:
        return self._published

    def drain(self) -> list[Record]:
        if self._failure is not None:
            raise self._failure
        try:
            count = os.eventfd_read(self._published)
        except BlockingIOError:
            return []
        records, spills, freed_bytes, damage = self._ring.drain(count)
        failure = self._fetch(records, spills) or damage
        if failure is not None:
            return self._fail(records, failure)
        # Only now: the credit says that the spills too are out of the way.
        os.eventfd_write(self._credit, freed_bytes // ALIGNMENT)
        return records

    def close(self) -> None:
        self._closing.close()

    def _fetch(self, records: list[Record], spills: list[int]) -> TransportError | None:
        """Put the contents of spills in the places of their announcements."""
        for place in spills:
            event_id, body = records[place]
            try:
                records[place] = Record(event_id, self._spills.receive(body))
            except TransportError as error:
                del records[place:]
                return error
        return None

    def _fail(self, records: list[Record], failure: TransportError) -> list[Record]:
        """Keep what was read before the failure, and stay readable so that it is seen next."""
        self._failure = failure
        os.eventfd_write(self._published, 1)
        if not records:
            raise failure
        return records


class MemoryChannel:
    """A new ring; its memory dies with its last descriptor and has no name that could leak."""

    def __init__(self, capacity_bytes: int, max_payload_bytes: int) -> None:
        self._sizes = (layout.check_capacity(capacity_bytes), max_payload_bytes)
        with ExitStack() as closing:
            self._memfd = _create(capacity_bytes, closing)
            self._published = _eventfd(closing)
            self._credit = _eventfd(closing)
            ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._sockets = {"reader": ends[0], "writer": ends[1]}
            for end in ends:
                closing.enter_context(end)
                end.setblocking(False)
            self._closing = closing.pop_all()

    def writer(self) -> MemoryWriter:
        return MemoryWriter(duplicate(self.fds("writer")), *self._sizes)

    def reader(self) -> MemoryReader:
        return MemoryReader(duplicate(self.fds("reader")), *self._sizes)

    def fds(self, end: End) -> list[int]:
        return [self._memfd, self._published, self._credit, self._sockets[end].fileno()]

    def close(self) -> None:
        self._closing.close()


def _create(capacity_bytes: int, closing: ExitStack) -> int:
    """A memfd of a fixed size, its pages reserved: no SIGBUS later where memory is short now."""
    memfd = os.memfd_create("tasker-mp-ring", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    closing.callback(os.close, memfd)
    os.posix_fallocate(memfd, 0, capacity_bytes)
    fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return memfd


def _eventfd(closing: ExitStack) -> int:
    fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    closing.callback(os.close, fd)
    return fd


def _take(closing: ExitStack, published: int, credit: int, spills: int) -> socket.socket:
    """Own an end's descriptors; the spill socket."""
    own(closing, [published, credit])
    channel = closing.enter_context(socket.socket(fileno=spills))
    channel.setblocking(False)
    channel.set_inheritable(False)
    return channel


def _map(memfd: int, capacity_bytes: int, protection: int, closing: ExitStack) -> memoryview:
    """The ring in this process's memory; closes the memfd, which the map does not need.

    The writer seals it: from then on nobody can map it writable, not even the process that made it.
    """
    try:
        mapped = closing.enter_context(
            mmap.mmap(memfd, capacity_bytes, mmap.MAP_SHARED, protection)
        )
        if protection & mmap.PROT_WRITE:
            fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, _SEAL_FUTURE_WRITE)
    except PermissionError as error:
        raise TransportError("this ring has a writer already: open a new channel") from error
    finally:
        os.close(memfd)
    view = memoryview(mapped)
    closing.callback(view.release)
    return view
