"""The pipe transport: what is larger than a pipe crosses in parts, each when there is room."""

import os
import select
import sys
from collections.abc import Callable

import pytest

from tasker_mp.errors import RingCorruptError
from tasker_mp.ring import layout
from tasker_mp.transport.interface import Channel, Record

from .conftest import OpenEnds

ID = b"0123456789abcdef"


def test_a_record_larger_than_the_pipe_is_stalled_until_the_reader_has_drained(
    ends: OpenEnds,
) -> None:
    writer, reader = ends("pipe")
    payload = os.urandom(1 << 20)
    writer.put(ID, payload)
    assert not writer.stalled
    assert writer.publish() == 1
    assert writer.stalled
    records: list[Record] = []
    for _ in range(1000):
        records += reader.drain()
        if not writer.stalled:
            break
        assert select.select([writer.credit_fileno()], [], [], 0)[0], "what is stalled gets credit"
        writer.reclaim()

    assert records + reader.drain() == [Record(ID, payload)]


def test_a_partial_frame_is_no_record(channels: Callable[..., Channel]) -> None:
    channel = channels("pipe")
    reader = channel.reader()
    frame = layout.encode(layout.DATA, 0, ID, b"payload")
    for byte in frame[:-1]:
        os.write(channel.fds("writer")[0], bytes([byte]))
        assert reader.drain() == []
    os.write(channel.fds("writer")[0], frame[-1:])

    assert reader.drain() == [Record(ID, b"payload")]
    reader.close()


@pytest.mark.parametrize("place", range(layout.HEADER_BYTES + 7))
def test_a_flipped_byte_fails_after_the_records_before_it(
    channels: Callable[..., Channel], place: int
) -> None:
    channel = channels("pipe", 4096, 4096)
    reader = channel.reader()
    damaged = bytearray(layout.encode(layout.DATA, 1, ID, b"payload"))
    damaged[place] ^= 0x80
    good = layout.encode(layout.DATA, 0, ID, b"first")
    filler = layout.encode(layout.DATA, 2, ID, bytes(4096))
    os.write(channel.fds("writer")[0], good + damaged + filler)

    assert reader.drain() == [Record(ID, b"first")]
    for _ in range(2):
        with pytest.raises(RingCorruptError, match="record 1 of the pipe is damaged"):
            reader.drain()
    reader.close()


def test_a_writer_that_reads_no_credit_for_long_loses_none(ends: OpenEnds) -> None:
    writer, reader = ends("pipe", capacity=1 << 20)
    for _ in range(20_000):  # more acknowledgements than a pipe holds
        assert writer.put(ID, b"")
        writer.publish()
        assert len(reader.drain()) == 1
    writer.reclaim()

    for _ in range((1 << 20) // 32):
        assert writer.put(ID, b"")
    assert not writer.put(ID, b"")


def test_acknowledgements_that_found_no_room_are_made_up_for(
    channels: Callable[..., Channel],
) -> None:
    channel = channels("pipe")
    reader = channel.reader()
    data, acks = channel.fds("writer")
    acknowledged = 0
    for number in range(9000):  # a pipe holds 8192 of them
        os.write(data, layout.encode(layout.DATA, number, ID, b""))
        assert len(reader.drain()) == 1
        if number == 8999 - 1:
            acknowledged = sum(memoryview(os.read(acks, 1 << 20)).cast("Q"))
            assert acknowledged < 8999 * layout.HEADER_BYTES

    assert acknowledged + int.from_bytes(os.read(acks, 8), sys.byteorder) == (
        9000 * layout.HEADER_BYTES
    )
    reader.close()
