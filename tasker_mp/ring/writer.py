"""The producer's side of a ring: stages records, stores them in one piece, takes credit back."""

from typing import NoReturn

from tasker_mp.errors import PayloadTooLargeError, RingCorruptError
from tasker_mp.ring import layout
from tasker_mp.ring.layout import (
    ALIGNMENT,
    DATA,
    EVENT_ID_BYTES,
    HEADER_BYTES,
    NO_EVENT,
    PAD,
    PADDING,
    SEQUENCE_MASK,
    encode,
)

_ROUND_UP = HEADER_BYTES + ALIGNMENT - 1


class RingWriter:
    """Writes to `memory`, a fresh ring that nobody else writes to; `sequence` of its first record.

    It learns only by `credit` what the reader has finished with: the ring holds records and nothing
    else, no index or flag that both sides would race on.
    """

    def __init__(self, memory: memoryview, sequence: int = 0) -> None:
        self._memory = memory
        self._capacity = layout.check_capacity(len(memory))
        self._inline = layout.inline_limit(self._capacity)
        self._free = self._capacity
        self._position = 0
        self._sequence = sequence
        self._stored_sequence = sequence
        self._consumed = 0
        self._parts: list[bytes] = []
        self._runs = [(0, self._parts)]

    @property
    def produced(self) -> int:
        """Bytes that all records put so far took, PADs included."""
        return self._consumed + self._capacity - self._free

    @property
    def consumed(self) -> int:
        """Bytes of those that the reader has given back."""
        return self._consumed

    def fits(self, length: int) -> bool:
        """Whether a record with a payload of `length` bytes has room now."""
        return self._needed(layout.stride(length)) <= self._free

    def put(self, event_id: bytes, payload: bytes, kind: int = DATA) -> bool:
        """Stage a record for the next `store`; False, and nothing staged, where it has no room now.

        `PayloadTooLargeError` where it is above a quarter of the ring.
        """
        length = len(payload)
        if length > self._inline or len(event_id) != EVENT_ID_BYTES:
            self._refuse(event_id, length)
        size = (length + _ROUND_UP) & -ALIGNMENT
        if size > self._free:
            return False
        if size > self._capacity - self._position:
            if self._needed(size) > self._free:
                return False
            self._wrap()
        self._parts += (
            encode(kind, self._sequence, event_id, payload),
            PADDING[length % ALIGNMENT],
        )
        self._sequence = (self._sequence + 1) & SEQUENCE_MASK
        self._position += size
        self._free -= size
        return True

    def store(self) -> int:
        """Copy what is staged into the ring; the number of records, which may be announced now.

        One slice store, or two where the records go round the end: a batch costs one copy, and no
        byte that the reader may be looking at is touched, as `struct.pack_into` would.
        """
        count = (self._sequence - self._stored_sequence) & SEQUENCE_MASK
        if count:
            for offset, parts in self._runs:
                blob = b"".join(parts)
                self._memory[offset : offset + len(blob)] = blob
            self._parts = []
            self._runs = [(self._position, self._parts)]
            self._stored_sequence = self._sequence
        return count

    def credit(self, units: int) -> None:
        """Take back `units` of 32 bytes; `RingCorruptError` where so many are not out."""
        given, outstanding = units * ALIGNMENT, self._capacity - self._free
        if given > outstanding:
            raise RingCorruptError(
                f"the reader gave back {given} bytes of a ring with {outstanding} in use: "
                "its memory cannot be trusted, replace the worker"
            )
        self._free += given
        self._consumed += given

    def _needed(self, size: int) -> int:
        rest = self._capacity - self._position
        return size if size <= rest else rest + size

    def _wrap(self) -> None:
        """Go on at the start of the ring, leaving a PAD where this lap ends early."""
        rest = self._capacity - self._position
        if rest:
            self._parts.append(encode(PAD, self._sequence, NO_EVENT, b""))
        self._free -= rest
        self._position = 0
        self._parts = []
        self._runs.append((0, self._parts))

    def _refuse(self, event_id: bytes, length: int) -> NoReturn:
        layout.check_event_id(event_id)
        raise PayloadTooLargeError(
            f"a payload of {length} bytes is above {self._inline}, a quarter of its ring"
        )
