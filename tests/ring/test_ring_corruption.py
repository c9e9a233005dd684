"""Whatever is scribbled over a ring, its reader sees it and keeps what was good before it."""

import pytest

from tasker_mp.ring import Drained, RingReader, RingWriter, layout

CAPACITY = 512
FIRST, SECOND = b"a" * 40, b"b" * 37


def filled() -> tuple[bytearray, RingReader]:
    """A ring with two records at the start."""
    memory = bytearray(CAPACITY)
    writer = RingWriter(memoryview(memory))
    writer.put(bytes(16), FIRST)
    writer.put(bytes(16), SECOND)
    writer.store()
    return memory, RingReader(memoryview(memory))


def padded() -> tuple[bytearray, RingReader]:
    """A ring whose next record is behind a PAD at byte 480, with a record announced."""
    memory = bytearray(CAPACITY)
    writer, reader = RingWriter(memoryview(memory)), RingReader(memoryview(memory))
    for _ in range(5):
        writer.put(bytes(16), bytes(64))
    writer.store()
    writer.credit(reader.drain(5).freed_bytes // 32)
    writer.put(bytes(16), SECOND)
    writer.store()
    return memory, reader


def payloads(drained: Drained) -> list[bytes]:
    return [record.payload for record in drained.records]


@pytest.mark.parametrize("bit", [0x01, 0x80])
@pytest.mark.parametrize("place", range(layout.HEADER_BYTES + len(FIRST)))
def test_a_flipped_byte_of_the_first_record_yields_no_record(place: int, bit: int) -> None:
    memory, reader = filled()
    memory[place] ^= bit
    drained = reader.drain(2)

    assert drained.records == []
    assert drained.freed_bytes == 0
    assert "record 0 at byte 0 of the ring is damaged" in str(drained.damage)


@pytest.mark.parametrize("place", range(layout.HEADER_BYTES + len(SECOND)))
def test_the_records_before_a_flipped_byte_are_kept(place: int) -> None:
    memory, reader = filled()
    memory[layout.stride(len(FIRST)) + place] ^= 0xFF
    drained = reader.drain(2)

    assert payloads(drained) == [FIRST]
    assert drained.freed_bytes == layout.stride(len(FIRST))
    assert "record 1 at byte 96 of the ring is damaged" in str(drained.damage)


@pytest.mark.parametrize("place", range(layout.HEADER_BYTES))
def test_a_flipped_byte_of_a_pad_is_seen(place: int) -> None:
    _, reader = padded()
    assert payloads(reader.drain(1)) == [SECOND]
    memory, reader = padded()
    memory[CAPACITY - 32 + place] ^= 0xFF
    drained = reader.drain(1)

    assert drained.records == []
    assert drained.damage is not None


def test_damage_is_found_again_by_the_next_drain() -> None:
    memory, reader = filled()
    memory[0] ^= 1

    assert reader.drain(2).damage is not None
    assert reader.drain(2).damage is not None


def test_a_count_beyond_what_was_written_is_damage_and_ends_at_once() -> None:
    _, reader = filled()
    drained = reader.drain(2**64 - 2)

    assert payloads(drained) == [FIRST, SECOND]
    assert drained.damage is not None


def test_a_whole_record_of_an_earlier_lap_is_not_taken_for_a_new_one() -> None:
    memory = bytearray(256)
    writer, reader = RingWriter(memoryview(memory)), RingReader(memoryview(memory))
    for _ in range(8):
        writer.put(bytes(16), b"")
    writer.store()
    assert len(reader.drain(8).records) == 8

    assert "it is numbered 0" in str(reader.drain(1).damage)


def test_a_pad_over_the_whole_ring_is_damage_and_no_endless_loop() -> None:
    memory = bytearray(256)
    memory[:32] = layout.encode(layout.PAD, 0, layout.NO_EVENT, b"")

    assert "its kind is 2" in str(RingReader(memoryview(memory)).drain(1).damage)


def test_a_record_past_the_end_of_the_ring_is_damage() -> None:
    memory = bytearray(256)
    memory[:32] = layout.encode(layout.DATA, 0, layout.NO_EVENT, bytes(300))[:32]

    assert "past the end of the ring" in str(RingReader(memoryview(memory)).drain(1).damage)


def test_an_unknown_kind_is_damage() -> None:
    memory = bytearray(256)
    memory[:32] = layout.encode(9, 0, layout.NO_EVENT, b"")

    assert "its kind is 9" in str(RingReader(memoryview(memory)).drain(1).damage)
