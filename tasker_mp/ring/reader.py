"""The consumer's side of a ring: copies as many records as were announced, checks the copies."""

from typing import NamedTuple
from zlib import crc32

from tasker_mp.errors import RingCorruptError
from tasker_mp.ring import layout
from tasker_mp.ring.layout import (
    ALIGNMENT,
    CRC_BYTES,
    DATA,
    HEADER_BYTES,
    PAD,
    SEQUENCE_MASK,
    SPILL,
)

_unpack_header = layout.HEADER.unpack_from
# What `Record(…)` comes to, at half its 0.2 µs: the costliest step of reading a record otherwise.
_new_tuple = tuple.__new__

_LEAST_GUESS = 64
_LARGEST_COPY = 1 << 18


class Record(NamedTuple):
    """One message; `event_id` has 16 bytes."""

    event_id: bytes
    payload: bytes


class Drained(NamedTuple):
    """What one `drain` got; `spills` are the places in `records` of those that are SPILLs.

    `freed_bytes` may be given back to the writer. `damage` is why there are fewer records than were
    announced: those before it are good, nothing after it can be trusted.
    """

    records: list[Record]
    spills: list[int]
    freed_bytes: int
    damage: RingCorruptError | None


class RingReader:
    """Reads `memory` and never writes to it; `sequence` is that of its first record."""

    def __init__(self, memory: memoryview, sequence: int = 0) -> None:
        self._memory = memory
        self._capacity = layout.check_capacity(len(memory))
        self._sequence = sequence
        self._offset = 0
        self._consumed = 0
        self._guess = 256
        self._lacking = 0

    def drain(self, count: int) -> Drained:
        """The next `count` records, which the writer has announced."""
        before = self._consumed
        records: list[Record] = []
        spills: list[int] = []
        damage = None
        try:
            while len(records) < count:
                self._parse(count - len(records), records, spills)
        except RingCorruptError as error:
            damage = error
        return Drained(records, spills, self._consumed - before, damage)

    def _parse(self, wanted: int, records: list[Record], spills: list[int]) -> None:
        """Append the records that one copy of the ring holds whole, `wanted` at most.

        Everything is read from the copy, and only the copy: the writer's process may be scribbling
        over its ring at this moment. Only headers say how long records are, so the copy's length is
        a guess by the last ones; the bytes past what was announced are never looked at.
        """
        base = self._offset
        size = max(min(wanted * self._guess, _LARGEST_COPY), self._lacking)
        copy = bytes(self._memory[base : base + size])
        limit = len(copy)
        at = end = parsed = 0
        sequence = self._sequence
        append = records.append
        special = b""
        while parsed < wanted and at + HEADER_BYTES <= limit:
            start = at + HEADER_BYTES
            crc, kind, _, _, length, numbered, event_id = _unpack_header(copy, at)
            end = start + length
            if end > limit:
                break
            if kind != DATA or numbered != sequence or crc32(copy[at + CRC_BYTES : end]) != crc:
                special = copy[at:end]
                break
            append(_new_tuple(Record, (event_id, copy[start:end])))
            sequence = (sequence + 1) & SEQUENCE_MASK
            parsed += 1
            at = (end + ALIGNMENT - 1) & -ALIGNMENT
        lacking = end - at
        self._advance(at, parsed)
        if special:
            self._take_special(special, records, spills)
        elif lacking > 0:
            self._lengthen(lacking)

    def _advance(self, size: int, parsed: int) -> None:
        self._sequence = (self._sequence + parsed) & SEQUENCE_MASK
        self._consumed += size
        self._offset = (self._offset + size) % self._capacity
        if parsed:
            self._lacking = 0
            self._guess = max(_LEAST_GUESS, size // parsed * 5 // 4)

    def _take_special(self, record: bytes, records: list[Record], spills: list[int]) -> None:
        """Anything but a good DATA record: a SPILL, a PAD, or damage."""
        crc, kind, _, _, length, numbered, event_id = _unpack_header(record)
        if crc32(record[CRC_BYTES:]) != crc:
            raise self._corrupt("its checksum is wrong")
        if numbered != self._sequence:
            raise self._corrupt(f"it is numbered {numbered}")
        if kind == SPILL:
            spills.append(len(records))
            records.append(Record(event_id, record[HEADER_BYTES:]))
            self._advance(layout.stride(length), 1)
        elif kind == PAD and self._offset:
            self._advance(self._capacity - self._offset, 0)
        else:
            raise self._corrupt(f"its kind is {kind}")

    def _lengthen(self, lacking: int) -> None:
        """Have the next copy reach to the end of the record that this one cut."""
        if self._offset + lacking > self._capacity:
            raise self._corrupt(f"it is {lacking} bytes long, past the end of the ring")
        self._lacking = lacking

    def _corrupt(self, what: str) -> RingCorruptError:
        return RingCorruptError(
            f"record {self._sequence} at byte {self._offset} of the ring is damaged ({what}): "
            "its writer's memory cannot be trusted, replace the worker"
        )
