"""Records over a plain pipe: where there is no memfd, as the oracle in tests, and as a baseline.

    writer ── frames: header and payload (pipe) ──► reader
           ◄── bytes read, as u64 (pipe) ──

The same window as a ring's: what was put and is unread is at most `capacity_bytes`, or one record.
"""

import os
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from zlib import crc32

from tasker_mp.errors import PayloadTooLargeError, RingCorruptError
from tasker_mp.ring import layout
from tasker_mp.ring.layout import CRC_BYTES, DATA, HEADER, HEADER_BYTES, SEQUENCE_MASK
from tasker_mp.ring.reader import Record
from tasker_mp.transport.descriptors import duplicate, own
from tasker_mp.transport.interface import End

_READ_BYTES = 1 << 16
_ACK_BYTES = 8
_ACKS_READ_BYTES = 1 << 12


class PipeWriter:
    """The sending end of a pipe; takes over the descriptors of `fds`."""

    def __init__(self, fds: Sequence[int], capacity_bytes: int, max_payload_bytes: int) -> None:
        self._data, self._acks = fds
        self._closing = ExitStack()
        own(self._closing, fds)
        self._window = capacity_bytes
        self._limit = max_payload_bytes
        self._sequence = 0
        self._unread_bytes = 0
        self._staged: list[bytes] = []
        self._backlog: deque[memoryview] = deque()

    def put(self, event_id: bytes, payload: bytes) -> bool:
        size = HEADER_BYTES + len(payload)
        if len(payload) > self._limit:
            raise PayloadTooLargeError(
                f"a payload of {len(payload)} bytes is above ring.max_payload_bytes ({self._limit})"
            )
        layout.check_event_id(event_id)
        if self._unread_bytes and self._unread_bytes + size > self._window:
            return False
        self._staged.append(layout.encode(DATA, self._sequence, event_id, payload))
        self._sequence = (self._sequence + 1) & SEQUENCE_MASK
        self._unread_bytes += size
        return True

    def publish(self) -> int:
        count = len(self._staged)
        if count:
            self._backlog.append(memoryview(b"".join(self._staged)))
            self._staged.clear()
            # Acknowledgements too: left unread for long enough they would fill their own pipe.
            self.reclaim()
        return count

    @property
    def stalled(self) -> bool:
        return bool(self._backlog)

    def reclaim(self) -> None:
        self._read_acks()
        try:
            self._write_backlog()
        except BrokenPipeError:
            # Nobody reads any more. What becomes of the reader is for its supervisor to find out;
            # a ring would take these records just as silently.
            self._backlog.clear()

    def credit_fileno(self) -> int:
        return self._acks

    def close(self) -> None:
        self._closing.close()

    def _read_acks(self) -> None:
        # Writes this small are whole or not at all, so what is read is a multiple of 8 bytes.
        self._unread_bytes -= sum(memoryview(_read(self._acks, _ACKS_READ_BYTES)).cast("Q"))
        if self._unread_bytes < 0:
            raise RingCorruptError(
                f"the reader acknowledged {-self._unread_bytes} bytes more than were sent: "
                "its memory cannot be trusted, replace the worker"
            )

    def _write_backlog(self) -> None:
        while self._backlog:
            try:
                written = os.write(self._data, self._backlog[0])
            except BlockingIOError:
                return
            rest = self._backlog[0][written:]
            if rest:
                self._backlog[0] = rest
            else:
                self._backlog.popleft()


class PipeReader:
    """The receiving end of a pipe; takes over the descriptors of `fds`."""

    def __init__(self, fds: Sequence[int], capacity_bytes: int, max_payload_bytes: int) -> None:
        self._data, self._acks = fds
        self._closing = ExitStack()
        own(self._closing, fds)
        self._window = capacity_bytes
        self._limit = max_payload_bytes
        self._sequence = 0
        self._buffer = bytearray()
        self._unacknowledged = 0
        self._failure: RingCorruptError | None = None

    def fileno(self) -> int:
        return self._data

    def drain(self) -> list[Record]:
        if self._failure is not None:
            raise self._failure
        self._fill()
        records: list[Record] = []
        try:
            self._parse(records)
        except RingCorruptError as error:
            # Unlike a ring's eventfd, a pipe cannot be made readable again: who waits for it sees
            # the failure with the next record. Nobody can scribble over a pipe, so this is a bug.
            self._failure = error
            if not records:
                raise
        return records

    def close(self) -> None:
        self._closing.close()

    def _fill(self) -> None:
        """Read what is there, a window at most so that a fast writer cannot keep us here."""
        read = 0
        while read < self._window:
            chunk = _read(self._data, _READ_BYTES)
            self._buffer += chunk
            read += len(chunk)
            if len(chunk) < _READ_BYTES:
                break
        self._acknowledge(read)

    def _acknowledge(self, read: int) -> None:
        self._unacknowledged += read
        if self._unacknowledged:
            try:
                os.write(self._acks, self._unacknowledged.to_bytes(_ACK_BYTES, sys.byteorder))
            except (BlockingIOError, BrokenPipeError):
                return
            self._unacknowledged = 0

    def _parse(self, records: list[Record]) -> None:
        """Take the whole frames off the buffer."""
        at = 0
        view = memoryview(self._buffer)
        try:
            while at + HEADER_BYTES <= len(view):
                crc, kind, _, _, length, numbered, event_id = HEADER.unpack_from(view, at)
                end = at + HEADER_BYTES + length
                if length > self._limit:
                    raise self._corrupt(f"it is {length} bytes long")
                if end > len(view):
                    break
                if kind != DATA or numbered != self._sequence:
                    raise self._corrupt(f"it is of kind {kind}, numbered {numbered}")
                if crc32(view[at + CRC_BYTES : end]) != crc:
                    raise self._corrupt("its checksum is wrong")
                records.append(Record(event_id, view[at + HEADER_BYTES : end].tobytes()))
                self._sequence = (self._sequence + 1) & SEQUENCE_MASK
                at = end
        finally:
            view.release()
            del self._buffer[:at]

    def _corrupt(self, what: str) -> RingCorruptError:
        return RingCorruptError(
            f"record {self._sequence} of the pipe is damaged ({what}): "
            "its writer cannot be trusted, replace the worker"
        )


class PipeChannel:
    """A new pipe for records and one for acknowledgements."""

    def __init__(self, capacity_bytes: int, max_payload_bytes: int) -> None:
        self._sizes = (layout.check_capacity(capacity_bytes), max_payload_bytes)
        with ExitStack() as closing:
            data = _pipe(closing)
            acks = _pipe(closing)
            self._fds: dict[End, list[int]] = {
                "reader": [data[0], acks[1]],
                "writer": [data[1], acks[0]],
            }
            self._closing = closing.pop_all()

    def writer(self) -> PipeWriter:
        return PipeWriter(duplicate(self._fds["writer"]), *self._sizes)

    def reader(self) -> PipeReader:
        return PipeReader(duplicate(self._fds["reader"]), *self._sizes)

    def fds(self, end: End) -> list[int]:
        return list(self._fds[end])

    def close(self) -> None:
        self._closing.close()


def _pipe(closing: ExitStack) -> tuple[int, int]:
    ends = os.pipe()
    own(closing, ends)
    for fd in ends:
        os.set_blocking(fd, False)
    return ends


def _read(fd: int, size: int) -> bytes:
    """What is there, in part; empty where there is nothing or nobody writes any more."""
    try:
        return os.read(fd, size)
    except BlockingIOError:
        return b""
