"""A ring carries records in order, gives space by credit only, and pads its end."""

import pytest

from tasker_mp.errors import PayloadTooLargeError, RingCorruptError
from tasker_mp.ring import Record, RingReader, RingWriter

ID = b"0123456789abcdef"


class Ring:
    """Both sides over one piece of memory, with no process between them."""

    def __init__(self, capacity: int = 1024, sequence: int = 0) -> None:
        self.bytes = bytearray(capacity)
        self.writer = RingWriter(memoryview(self.bytes), sequence)
        self.reader = RingReader(memoryview(self.bytes).toreadonly(), sequence)

    def put(self, *sizes: int) -> list[bool]:
        return [self.writer.put(ID, bytes([65 + size % 26]) * size) for size in sizes]

    def drain(self, count: int) -> list[int]:
        """Drain, give the space back, and tell the sizes of the payloads."""
        drained = self.reader.drain(count)
        assert drained.damage is None
        self.writer.credit(drained.freed_bytes // 32)
        return [len(record.payload) for record in drained.records]


def test_what_was_put_is_not_in_the_ring_before_it_is_stored() -> None:
    ring = Ring()
    ring.put(10)

    assert not any(ring.bytes)
    assert ring.writer.store() == 1
    assert any(ring.bytes)


def test_a_record_comes_out_as_it_was_put_and_is_a_copy() -> None:
    ring = Ring()
    ring.writer.put(ID, b"payload")
    ring.writer.store()
    (record,) = ring.reader.drain(1).records
    ring.bytes[:] = bytes(len(ring.bytes))

    assert record == Record(ID, b"payload")
    assert isinstance(record, Record)


def test_a_drain_takes_as_many_records_as_were_announced_and_no_more() -> None:
    ring = Ring()
    ring.put(1, 2, 3)
    ring.writer.store()

    assert ring.drain(2) == [1, 2]
    assert ring.drain(1) == [3]


def test_records_of_any_size_come_out_whatever_the_size_of_those_before() -> None:
    ring = Ring(capacity=1 << 16)
    sizes = [0, 1, 5000, 0, 16384, 31, 32, 33, 4000, 9]
    assert all(ring.put(*sizes))
    ring.writer.store()

    assert ring.drain(len(sizes)) == sizes


def test_a_full_ring_refuses_and_stages_nothing_until_credit_comes() -> None:
    ring = Ring(capacity=256)

    assert ring.put(32, 32, 32, 32, 0) == [True, True, True, True, False]
    assert ring.writer.store() == 4
    assert ring.put(0) == [False]
    assert ring.drain(1) == [32]
    assert ring.put(32, 0) == [True, False]


def test_a_drained_record_frees_no_space_before_its_credit_is_given() -> None:
    ring = Ring(capacity=256)
    ring.put(32, 32, 32, 32)
    ring.writer.store()
    drained = ring.reader.drain(4)

    assert ring.put(0) == [False]
    ring.writer.credit(drained.freed_bytes // 32)
    assert ring.put(0) == [True]


def test_a_record_that_does_not_fit_before_the_end_goes_to_the_start_behind_a_pad() -> None:
    ring = Ring(capacity=256)
    ring.put(64, 32)  # 96 + 64: 96 bytes remain before the end
    ring.writer.store()
    assert ring.drain(2) == [64, 32]
    ring.put(32, 64)  # 64 bytes, then 32 to pad and 96 at the start
    ring.writer.store()
    drained = ring.reader.drain(2)

    assert [len(record.payload) for record in drained.records] == [32, 64]
    assert drained.freed_bytes == 64 + 32 + 96
    assert ring.bytes[224 + 4] == 2  # the PAD's kind, where its header is


def test_the_space_of_a_pad_is_paid_for_and_comes_back() -> None:
    ring = Ring(capacity=256)
    for _ in range(50):
        assert ring.put(60, 33) == [True, True]
        ring.writer.store()
        assert ring.drain(2) == [60, 33]
        assert ring.writer.produced == ring.writer.consumed


def test_a_record_that_ends_at_the_very_end_needs_no_pad() -> None:
    ring = Ring(capacity=256)
    for _ in range(3):
        assert all(ring.put(32, 32, 32, 32))
        ring.writer.store()
        drained = ring.reader.drain(4)
        assert drained.freed_bytes == 256
        ring.writer.credit(8)


def test_one_batch_may_go_round_the_end() -> None:
    ring = Ring(capacity=512)
    ring.put(64, 64, 64)
    ring.writer.store()
    ring.drain(3)
    sizes = [60, 50, 40, 30]

    assert all(ring.put(*sizes))
    assert ring.writer.store() == 4
    assert ring.drain(4) == sizes


@pytest.mark.parametrize("offset", range(0, 256, 32))
def test_the_largest_inline_record_fits_an_empty_ring_wherever_it_starts(offset: int) -> None:
    ring = Ring(capacity=256)
    for _ in range(offset // 32):
        ring.put(0)
        ring.writer.store()
        ring.drain(1)

    assert ring.put(64) == [True]
    ring.writer.store()
    assert ring.drain(1) == [64]


def test_a_payload_above_a_quarter_of_the_ring_is_refused_by_an_error() -> None:
    ring = Ring(capacity=256)

    with pytest.raises(PayloadTooLargeError, match="65 bytes is above 64"):
        ring.put(65)
    assert ring.writer.store() == 0


def test_the_sequence_goes_on_past_its_32_bits() -> None:
    ring = Ring(sequence=2**32 - 3)
    for _ in range(3):
        ring.put(1, 2, 3)
        assert ring.writer.store() == 3
        assert ring.drain(3) == [1, 2, 3]


def test_more_credit_than_is_out_is_an_error_and_gives_nothing() -> None:
    ring = Ring(capacity=256)
    ring.put(32)

    with pytest.raises(RingCorruptError, match="gave back 96 bytes of a ring with 64 in use"):
        ring.writer.credit(3)
    assert ring.put(32, 32, 32, 32) == [True, True, True, False]
