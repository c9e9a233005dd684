"""The consumer's side of a ring: copies as many records as were announced, and checks the copies."""

from typing import NamedTuple
from zlib import crc32

from tasker_mp.errors import RingCorruptError
from tasker_mp.ring import layout
from tasker_mp.ring.layout import ALIGNMENT, CRC_BYTES, DATA, HEADER_BYTES, PAD, SEQUENCE_MASK, SPILL

_unpack_header = layout.HEADER.unpack_from


class Record(NamedTuple):
    """One message; `event_id` has 16 bytes."""

    event_id: bytes
    payload: bytes


class Drained(NamedTuple):
    """What one `drain` got. `spills` are the places in `records` of those that are SPILLs.

    `freed_bytes` may be given back to the writer. `damage` is why there are fewer records than were
    announced: those before it are good, nothing after it can be trusted.
    """

    records: list[Record]
    spills: list[int]
    freed_bytes: int
    damage: RingCorruptError | None


class RingReader:
    """Reads `memory` and never writes to it; `sequence` of the first record."""

    def __init__(self, memory: memoryview, sequence: int = 0) -> None:
        self._memory = memory
        self._capacity = layout.check_capacity(len(memory))
        self._sequence = sequence
        self._offset = 0
        self._typical = 256

    def drain(self, count: int) -> Drained:
        """The next `count` records, which the writer must have announced by then.

        Headers and checksums are looked at in the copy only: the writer's process may be scribbling
        over its ring at this moment. A guess of how long the records are makes it one copy a batch.
        """
        records: list[Record] = []
        spills: list[int] = []
        damage: RingCorruptError | None = None
        sequence = self._sequence
        base = self._offset
        copy, at, freed = b"", 0, 0
        while len(records) < count:
            try:
                found, kind, _, _, length, numbered, event_id = _unpack_header(copy, at)
                end = at + HEADER_BYTES + length
            except struct_error:
                end = -1
            break
        return Drained(records, spills, freed, damage)
