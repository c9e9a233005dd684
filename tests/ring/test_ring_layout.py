"""The format of a record: its fields, what its checksum covers, the sizes that are allowed."""

import struct
import zlib

import pytest

from tasker_mp.errors import ConfigError
from tasker_mp.ring import layout


def test_a_record_starts_with_32_bytes_of_header_in_the_documented_order() -> None:
    record = layout.encode(layout.DATA, 0x01020304, b"0123456789abcdef", b"payload")

    assert record[4] == layout.DATA
    assert record[5:8] == bytes(3)
    assert struct.unpack("<I", record[8:12]) == (7,)
    assert struct.unpack("<I", record[12:16]) == (0x01020304,)
    assert record[16:32] == b"0123456789abcdef"
    assert record[32:] == b"payload"


def test_the_checksum_covers_everything_after_itself() -> None:
    record = layout.encode(layout.DATA, 7, b"0123456789abcdef", b"payload")

    assert struct.unpack("<I", record[:4]) == (zlib.crc32(record[4:]),)


@pytest.mark.parametrize(("length", "size"), [(0, 32), (1, 64), (32, 64), (33, 96), (300, 352)])
def test_a_record_takes_a_multiple_of_32_bytes(length: int, size: int) -> None:
    assert layout.stride(length) == size
    assert layout.HEADER_BYTES + length + len(layout.PADDING[length % 32]) == size


@pytest.mark.parametrize("capacity", [0, 224, 4097, 2**33, -4096])
def test_a_capacity_that_no_ring_can_have_is_refused_with_its_value(capacity: int) -> None:
    with pytest.raises(ConfigError, match=rf"capacity_bytes is {capacity}: use a multiple of 32"):
        layout.check_capacity(capacity)


def test_an_event_id_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="has 15 bytes, not 16"):
        layout.check_event_id(bytes(15))
