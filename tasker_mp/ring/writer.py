"""The producer's side of a ring: stages records, stores them in one piece, takes credit back."""

from tasker_mp.errors import PayloadTooLargeError, RingCorruptError
from tasker_mp.ring import layout
from tasker_mp.ring.layout import ALIGNMENT, DATA, EVENT_ID_BYTES, NO_EVENT, PAD, SEQUENCE_MASK


class RingWriter:
    """Writes to `memory`, which nobody else writes to; a fresh ring, `sequence` of its first record.

    It learns only by `credit` what the reader has finished with, and touches no other byte: the
    ring itself holds no index that both sides would race on.
    """

    def __init__(self, memory: memoryview, sequence: int = 0) -> None:
        self._memory = memory
        self._capacity = layout.check_capacity(len(memory))
        self._inline = layout.inline_limit(self._capacity)
        self._free = self._capacity
        self._sequence = sequence
        self._position = 0
        self._parts: list[bytes] = []
        self._runs: list[tuple[int, list[bytes]]] = [(0, self._parts)]
        self._count = 0
        self._produced = 0

    @property
    def produced(self) -> int:
        """Bytes that all records staged so far took, PADs included."""
        return self._produced

    @property
    def consumed(self) -> int:
        """Bytes of those that the reader has given back."""
        return self._produced - (self._capacity - self._free)

    def fits(self, length: int) -> bool:
        """Whether a record with a payload of `length` bytes has room now."""
        return self._needed(layout.stride(length)) <= self._free

    def put(self, event_id: bytes, payload: bytes, kind: int = DATA) -> bool:
        """Stage a record for the next `store`; False, and nothing staged, where it has no room now.

        `PayloadTooLargeError` where it would have none in an empty ring either.
        """
        length = len(payload)
        if length > self._inline or len(event_id) != EVENT_ID_BYTES:
            raise self._refusal(event_id, length)
        size = (layout.HEADER_BYTES + length + ALIGNMENT - 1) & -ALIGNMENT
        needed = size
        if size > self._capacity - self._position:
            needed = self._needed(size)
        if needed > self._free:
            return False
        if needed > size or self._position == self._capacity:
            self._wrap()
        self._parts.append(layout.encode(kind, self._sequence, event_id, payload))
        self._parts.append(layout.padding(length))
        self._sequence = (self._sequence + 1) & SEQUENCE_MASK
        self._position += size
        self._free -= needed
        self._produced += needed
        self._count += 1
        return True

    def store(self) -> int:
        """Copy what is staged into the ring; the number of records, which may now be announced.

        One slice store, or two where the records go round the end: a batch costs one copy, and no
        byte that the reader may be looking at is ever touched.
        """
        count = self._count
        if count:
            for offset, parts in self._runs:
                blob = b"".join(parts)
                self._memory[offset : offset + len(blob)] = blob
            self._begin_run(self._position)
            self._count = 0
        return count

    def credit(self, units: int) -> None:
        """Take back `units` of 32 bytes; `RingCorruptError` where so many are not out."""
        outstanding = self._capacity - self._free
        if units * ALIGNMENT > outstanding:
            raise RingCorruptError(
                f"the reader gave back {units * ALIGNMENT} bytes of a ring with {outstanding} in "
                "use: its memory is damaged, replace the worker"
            )
        self._free += units * ALIGNMENT

    def _needed(self, size: int) -> int:
        rest = self._capacity - self._position
        return size if size <= rest else rest + size

    def _wrap(self) -> None:
        if self._position < self._capacity:
            self._parts.append(layout.encode(PAD, self._sequence, NO_EVENT, b""))
        self._position = 0
        self._parts = []
        self._runs.append((0, self._parts))

    def _begin_run(self, offset: int) -> None:
        self._parts = []
        self._runs = [(offset, self._parts)]

    def _refusal(self, event_id: bytes, length: int) -> Exception:
        if len(event_id) != EVENT_ID_BYTES:
            return ValueError(f"event id {event_id!r} has {len(event_id)} bytes, not 16")
        return PayloadTooLargeError(
            f"a payload of {length} bytes is above {self._inline}, a quarter of the ring"
        )
