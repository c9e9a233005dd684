"""The format of a ring and of its records: every offset, size and checksum rule is here.

A record is a header, its payload, and zeros up to the next multiple of 32 bytes. Numbers are little
endian. The CRC covers the rest of the header and the payload.

     0        4      5       6       8        12         16         32
    +--------+------+-------+-------+--------+----------+----------+---------+-----+
    | crc32  | kind | codec | flags | length | sequence | event_id | payload | 0…  |
    | u32    | u8   | u8    | u16   | u32    | u32      | 16 bytes | length  |     |
    +--------+------+-------+-------+--------+----------+----------+---------+-----+

Records do not wrap: where one does not fit before the end of the ring, a PAD takes the rest. It has
no payload, always reaches to the end, and carries the sequence number of the record after it.
"""

from struct import Struct
from typing import Final
from zlib import crc32

from tasker_mp.errors import ConfigError

DATA: Final = 1
PAD: Final = 2
SPILL: Final = 3

ALIGNMENT: Final = 32
"""Records start at multiples of this, and credit is counted in units of this many bytes."""

HEADER: Final = Struct("<IBBHII16s")
"""crc32, kind, codec, flags, length, sequence, event_id"""

HEADER_BYTES: Final = HEADER.size
CRC_BYTES: Final = 4

SPILL_BODY: Final = Struct("<QQI")
"""The payload of a SPILL record: spill number, length and CRC-32 of the content it announces."""

EVENT_ID_BYTES: Final = 16
NO_EVENT: Final = bytes(EVENT_ID_BYTES)
SEQUENCE_MASK: Final = 0xFFFF_FFFF
MAX_LENGTH: Final = 0xFFFF_FFFF

PADDING: Final = tuple(bytes(-length % ALIGNMENT) for length in range(ALIGNMENT))
"""The zeros after a record, by its payload's length modulo 32."""

_pack_checked = Struct("<BBHII16s").pack
_MIN_CAPACITY: Final = 256
_MAX_CAPACITY: Final = 1 << 32


def check_capacity(capacity_bytes: int) -> int:
    """The capacity, where a ring can have it; else `ConfigError`."""
    if capacity_bytes % ALIGNMENT or not _MIN_CAPACITY <= capacity_bytes <= _MAX_CAPACITY:
        raise ConfigError(
            f"ring.capacity_bytes is {capacity_bytes}: "
            f"use a multiple of {ALIGNMENT} from {_MIN_CAPACITY} to {_MAX_CAPACITY}"
        )
    return capacity_bytes


def check_event_id(event_id: bytes) -> None:
    """`ValueError` where it is not 16 bytes: the header would cut it or fill it up unseen."""
    if len(event_id) != EVENT_ID_BYTES:
        raise ValueError(f"event id {event_id!r} has {len(event_id)} bytes, not {EVENT_ID_BYTES}")


def inline_limit(capacity_bytes: int) -> int:
    """The largest payload, in bytes, that a ring of this capacity carries itself.

    A quarter: with a PAD before it, it still fits into an empty ring wherever the next record goes.
    """
    return capacity_bytes // 4


def stride(length: int) -> int:
    """Bytes that a record with a payload of `length` bytes takes in the ring."""
    return (HEADER_BYTES + length + ALIGNMENT - 1) & -ALIGNMENT


def encode(kind: int, sequence: int, event_id: bytes, payload: bytes) -> bytes:
    """A record without its padding; codec and flags are 0, as JSON is the only codec yet."""
    checked = _pack_checked(kind, 0, 0, len(payload), sequence, event_id) + payload
    return crc32(checked).to_bytes(CRC_BYTES, "little") + checked
