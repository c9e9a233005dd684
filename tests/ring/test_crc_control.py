"""The negative control of the checksum: without it, damage is taken for records."""

from collections.abc import Iterator

import pytest

from tasker_mp.ring import Drained, RingReader, RingWriter, layout, reader

_CAPACITY = 512
_PAYLOAD = b"a" * 40
_EVENT = b"e" * 16


class _Right:
    """A checksum that none differs from."""

    __hash__ = None  # type: ignore[assignment]

    def __ne__(self, other: object) -> bool:
        return False


@pytest.fixture
def no_crc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "crc32", lambda _: _Right())


def _damages() -> Iterator[bytearray]:
    """A ring with one record, once for each byte of it that nothing but the checksum covers."""
    covered = [*range(layout.CRC_BYTES), 5, 6, 7]  # the checksum itself, codec, flags
    covered += range(16, layout.HEADER_BYTES + len(_PAYLOAD))  # event id, payload
    for place in covered:
        memory = bytearray(_CAPACITY)
        writer = RingWriter(memoryview(memory))
        writer.put(_EVENT, _PAYLOAD)
        writer.store()
        memory[place] ^= 0xFF
        yield memory


def _read(memory: bytearray) -> Drained:
    return RingReader(memoryview(memory)).drain(1)


def test_with_the_checksum_no_damaged_record_is_taken() -> None:
    assert [_read(memory).records for memory in _damages()] == [[]] * 63


@pytest.mark.usefixtures("no_crc")
def test_without_the_checksum_every_one_is() -> None:
    taken = [_read(memory) for memory in _damages()]
    assert [len(drained.records) for drained in taken] == [1] * 63
    assert not any(drained.damage for drained in taken)
    wrong = [d for d in taken if d.records[0] != (_EVENT, _PAYLOAD)]
    assert len(wrong) == 56, "an event that is another one's, or a result that nobody returned"
